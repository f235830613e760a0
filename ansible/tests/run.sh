#!/usr/bin/env bash
# Tests of the collection, with ansible-core and ansible-lint from PyPI: ansible/tests/run.sh PROGRAM [DIRECTORY]
#
# PROGRAM is rollup; DIRECTORY is for everything that is installed and made, by default a temporary one. Parts that
# cannot run here are printed as NOT RUN, with the reason.
set -euo pipefail

program=$(realpath "${1:?usage: ansible/tests/run.sh PROGRAM [DIRECTORY]}")
collection=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ $# -gt 1 ]; then
  mkdir -p "$2"
  scratch=$(realpath "$2")
else
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
fi

# Nothing of this user's configuration counts, and nothing is written into it.
export HOME=$scratch/home NO_COLOR=1 PYTHONDONTWRITEBYTECODE=1
export ANSIBLE_COLLECTIONS_PATH=$scratch/collections ANSIBLE_FORCE_COLOR=0
copy=$scratch/collections/ansible_collections/rollup/fleet
mkdir -p "$HOME" "$(dirname "$copy")"

python3 -m venv "$scratch/venv"
PATH=$scratch/venv/bin:$PATH
pip install --quiet --disable-pip-version-check 'ansible-core>=2.16' ansible-lint
ansible --version | head -1

# `ansible-test` insists on this path, and works beside a copy.
rm -rf "$copy"
cp -r "$collection" "$copy"
cd "$copy"

part() {
  printf '\n-- %s\n' "$*"
  "$@"
}

# `ansible-test` makes an environment for each of its tests, and downloads a script to install pip there. Python
# brings pip along, so nothing has to come from anywhere but PyPI.
provide_pip() {
  local version cache=$HOME/.ansible/test/cache
  version=$(python3 - << 'END'
import pathlib, re, ansible_test
bootstrap = pathlib.Path(ansible_test.__file__).parent / "_internal/python_requirements.py"
print(re.search(r"pip='([0-9.]+)'", bootstrap.read_text()).group(1))
END
  ) || return
  mkdir -p "$cache"
  cat > "$cache/get_pip_${version//./_}.py" << 'END'
import subprocess, sys
# A process of its own, since it switches the configuration of pip off.
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
wanted = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet", *wanted]))
END
}

# What `ansible-doc` prints of a plugin, which has to have these words.
documents() {
  ansible-doc --type "$1" "$2" > "$scratch/doc"
  grep -q "$3" "$scratch/doc"
}

part ansible-galaxy collection build --output-path "$scratch" --force
for module in update deployment_info verify report; do
  part documents module "rollup.fleet.$module" EXAMPLES
done
part documents role rollup.fleet.rollup_window 'ENTRY POINT'
part documents filter rollup.fleet.fleet_view EXAMPLES
part ansible-lint --offline
# Both take minutes, and wait a lot: side by side.
sanity=
if provide_pip; then
  # A Python of a version manager may be a shim that starts nothing; only those of the system are tried.
  PATH=$scratch/venv/bin:/usr/bin:/bin ansible-test sanity --color no --requirements > "$scratch/sanity" 2>&1 &
  sanity=$!
else
  printf '\nNOT RUN: ansible-test sanity: this ansible-core installs pip in another way\n'
fi

failed=0
export ROLLUP_PROGRAM=$program ROLLUP_COLLECTIONS=$scratch/collections ROLLUP_REPOSITORY=$collection/..
cd tests/fleet
trial=$(mktemp)
if chattr +i "$trial" 2> "$scratch/chattr" && chattr -i "$trial"; then
  part python3 -m unittest --verbose --failfast test_modules test_window || failed=1
else
  printf '\nNOT RUN: the tests of modules and windows; no file can be made immutable here: %s\n' "$(cat "$scratch/chattr")"
fi
rm -f "$trial"
if [ -n "$sanity" ]; then
  wait "$sanity" || failed=1
  part grep -E '^(Running|ERROR|FATAL|WARNING)' "$scratch/sanity"
fi
[ "$failed" = 0 ]
