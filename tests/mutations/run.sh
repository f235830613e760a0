#!/usr/bin/env bash
# Proves that the tests catch mutations of the recovery protocol.
#
# Usage: tests/mutations/run.sh [PATCH...]
#
# Each patch beside this script breaks one rule of the protocol and names, in its first lines, the rule
# and the test that must fail:
#
#   # Rule: `closed` is synced before any change that follows it.
#   # Test: suite power::a_prune_survives_a_power_cut_anywhere
#
# The test is a target, `suite` or `lib`, and a name filter. A PATCH is a file name, a name without its
# `.patch`, or a number such as 07; without any, all patches are run.
#
# The script copies the tracked files from the working tree and mutates the copy; the checkout is only
# read. All mutations share one target directory, so that only this crate is compiled again. First the
# named tests must pass without a mutation. Then there is a line for each mutation:
#
#   caught       the test fails
#   NOT CAUGHT   the test passes: the rule can be broken unnoticed
#   BROKEN       the patch does not apply, does not compile, names no test, or its test does not end
#
# The exit code is 0 if all are caught, and 1 otherwise. The output of failed mutations is in `logs` in the
# work directory.
#
# Environment:
#   MUTATIONS_DIR          the work directory; `target/mutations` by default
#   MUTATIONS_TARGET_DIR   the target directory; `target` in the work directory by default. One that has
#                          the dependencies already saves minutes, but its programs are mutants afterwards.
#   MUTATIONS_TIMEOUT      time limit of one test in seconds; 600 by default

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(git -C "$here" rev-parse --show-toplevel)
work=${MUTATIONS_DIR:-$root/target/mutations}
limit=${MUTATIONS_TIMEOUT:-600}

mkdir -p "$work"
work=$(cd "$work" && pwd)
tree=$work/tree
logs=$work/logs

exec 9>"$work/lock"
flock --nonblock 9 || { echo "another run uses $work" >&2; exit 1; }

# Debug information is not needed, and linking it takes most of the time.
export CARGO_TARGET_DIR=${MUTATIONS_TARGET_DIR:-$work/target}
export CARGO_PROFILE_DEV_DEBUG=0
export CARGO_PROFILE_TEST_DEBUG=0
export CARGO_TERM_COLOR=never
# A sample of the crashes may miss a mutation.
export CRASH_ONE_OF=1
# The copy is not a repository, and `git apply` must not use the one around it.
export GIT_CEILING_DIRECTORIES=$work

# Copies the tracked files. Unchanged files keep their times, so that they are not compiled again.
copy_tree() (
    export LC_ALL=C
    mkdir -p "$tree"
    git -C "$root" ls-files --cached -z |
        while IFS= read -r -d '' file; do
            if [[ -e $root/$file ]]; then printf '%s\0' "$file"; fi
        done | sort -z >"$work/tracked"
    # Files of an earlier run that are not tracked any more would still be compiled.
    (cd "$tree" && find . ! -type d -printf '%P\0') | sort -z >"$work/present"
    (cd "$tree" && comm -z -13 "$work/tracked" "$work/present" | xargs -0 --no-run-if-empty rm -f --)
    while IFS= read -r -d '' file; do
        if ! cmp -s "$root/$file" "$tree/$file"; then
            mkdir -p "$(dirname "$tree/$file")"
            cp "$root/$file" "$tree/$file"
        fi
    done <"$work/tracked"
)

# Prints the target and the filter that a patch names.
test_of() {
    sed -n '/^diff /q; s/^# Test: *//p' "$1"
}

# Compiles a target, with all output on standard output.
build() {
    case $1 in
        suite) (cd "$tree" && cargo test --quiet --test suite --no-run) ;;
        lib) (cd "$tree" && cargo test --quiet --package rollup --lib --no-run) ;;
        *) echo "no target is called $1"; return 1 ;;
    esac 2>&1
}

# Runs tests of a compiled target, with all output on standard output.
run_tests() {
    local target=$1
    shift
    local kind=(--package rollup --lib)
    [[ $target == suite ]] && kind=(--test suite)
    (cd "$tree" && timeout "$limit" cargo test "${kind[@]}" -- "$@") 2>&1
}

# Prints the verdict on a mutation whose patch is applied.
verdict_on_applied() {
    local target=$1 filter=$2 log=$3
    if ! build "$target" >"$log"; then
        echo "BROKEN (does not compile)"
        return
    fi
    local code=0
    run_tests "$target" "$filter" >"$log" || code=$?
    if ((code == 124)); then
        echo "BROKEN (does not end)"
    elif grep -q '^running 0 tests' "$log"; then
        echo "BROKEN (no test is called $filter)"
    elif ((code == 0)); then
        echo "NOT CAUGHT"
    elif grep -q '^test result: FAILED' "$log"; then
        echo "caught"
    else
        echo "BROKEN (the tests did not run)"
    fi
}

# Prints the verdict on a mutation, and restores the copy.
verdict() {
    local patch=$1 log=$2 target filter
    read -r target filter < <(test_of "$patch") || true
    if [[ -z ${filter:-} ]]; then
        echo "BROKEN (names no test)"
    elif ! (cd "$tree" && git apply "$patch") >"$log" 2>&1; then
        echo "BROKEN (does not apply)"
    else
        verdict_on_applied "$target" "$filter" "$log"
        (cd "$tree" && git apply --reverse "$patch")
    fi
}

# Fails unless the named tests of a target pass without a mutation.
check_unchanged() {
    local target=$1
    shift
    local log=$logs/unchanged-$target.log
    if ! build "$target" >"$log" || ! run_tests "$target" "$@" >"$log"; then
        echo "BROKEN: without a mutation the tests do not pass; see $log"
        exit 1
    fi
    rm "$log"
}

patches=()
if (($# == 0)); then
    patches=("$here"/*.patch)
fi
for name in "$@"; do
    found=()
    for patch in "$here"/*.patch; do
        base=$(basename "$patch" .patch)
        case $name in
            "${base#*-}") found+=("$patch") ;;
            "$base" | "$base.patch" | "${base%%-*}" | */"$base.patch") found+=("$patch") ;;
        esac
    done
    ((${#found[@]} == 1)) || { echo "no patch is called $name" >&2; exit 1; }
    patches+=("${found[@]}")
done

copy_tree
rm -rf "$logs"
mkdir -p "$logs"

for target in suite lib; do
    mapfile -t filters < <(for patch in "${patches[@]}"; do test_of "$patch"; done | sed -n "s/^$target //p" | sort -u)
    ((${#filters[@]} == 0)) || check_unchanged "$target" "${filters[@]}"
done

caught=0
for patch in "${patches[@]}"; do
    name=$(basename "$patch" .patch)
    log=$logs/$name.log
    began=$SECONDS
    verdict=$(verdict "$patch" "$log")
    printf '%-11s %s (%d s)\n' "${verdict%% (*}" "$name${verdict#"${verdict%% (*}"}" "$((SECONDS - began))"
    if [[ $verdict == caught ]]; then
        caught=$((caught + 1))
        rm "$log"
    fi
done

echo "$caught of ${#patches[@]} mutations caught"
((caught == ${#patches[@]}))
