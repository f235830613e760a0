#!/usr/bin/env python3
"""Runs the recipes of docs/ci.md, the GitHub action and the pre-commit hooks, without a network.

    tests/recipes.py PROGRAM

PROGRAM is the rollup to use. Every YAML block of the page is a complete file, named by its first
line. The steps of a workflow, and those of the action, run as a runner runs them; what is of GitHub
(`actions/checkout`) is replaced, and anything that is not known here is an error. pre-commit is the
real one, with a local repository of the hooks. `cargo` is a program that installs PROGRAM, so that
nothing is compiled.

Needs git, bash, and of PyPI: check-jsonschema, pre-commit (which brings PyYAML).
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/ci.md"
ACTION = ROOT / ".github/actions/validate/action.yml"
HOOKS = ROOT / ".pre-commit-hooks.yaml"
VERSION = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
USED_ACTION = f"OWNER/rollup/.github/actions/validate@v{VERSION}"
HOOKS_REPOSITORY = "https://github.com/OWNER/rollup"

FAULTY = 'schema = 1\n[rollup]\nkb = "KB952076"\ntitel = "A key that is misspelled"\n'

# Installs PROGRAM in place of what it was asked to build, and notes the arguments.
CARGO = """#!/usr/bin/env bash
set -eu
printf '%s\\n' "$*" >> "$CARGO_CALLS"
case $1 in
  --version) echo 'cargo 0.0.0'; exit ;;
  install) ;;
  *) exit 1 ;;
esac
while [ "$1" != --root ]; do shift; done
mkdir -p "$2/bin"
cp "$BUILT" "$2/bin/rollup"
"""


def check(holds, what):
    if not holds:
        sys.exit(f"error: {what}")


def run(command, **options):
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, **options,
    )


def must(command, **options):
    done = run(command, **options)
    check(done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def blocks():
    """Returns the YAML blocks of the page: the name of the file in the first line, and the text."""
    found = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(), re.M | re.S)
    named = []
    for text in found:
        name = re.match(r"# (\S+)\n", text)
        check(name, f"a block of {PAGE.name} does not begin with the name of its file:\n{text}")
        named.append((name[1], text))
    return named


def git(directory, *arguments):
    settings = ["-c", "user.name=test", "-c", "user.email=test@test.example",
                "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    must(["git", *settings, *arguments], cwd=directory)


def commit(directory):
    if not (directory / ".git").exists():
        git(directory, "init", "--quiet")
    git(directory, "add", "--all")
    git(directory, "commit", "--quiet", "--allow-empty", "--message", "test")


class Place:
    """Directories of one machine, and the environment of its programs."""

    def __init__(self, scratch, program):
        self.scratch = scratch
        self.program = program
        self.workspace = scratch / "workspace"
        self.bin = scratch / "bin"
        for directory in [self.workspace / "manifests", self.bin, scratch / "temp", scratch / "tools"]:
            directory.mkdir(parents=True)
        shutil.copy(ROOT / "manifests/kb952076.toml", self.workspace / "manifests")
        cargo = self.bin / "cargo"
        cargo.write_text(CARGO)
        cargo.chmod(0o755)
        self.calls = scratch / "cargo-calls"
        self.calls.touch()
        here = Path(sys.executable).parent
        self.environment = {
            "PATH": f"{self.bin}:{here}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(scratch),
            "LANG": "C.UTF-8",
            "CI": "true",
            "BUILT": str(program),
            "CARGO_CALLS": str(self.calls),
            "PRE_COMMIT_HOME": str(scratch / "pre-commit"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(scratch / "temp"),
            "RUNNER_TOOL_CACHE": str(scratch / "tools"),
            "RUNNER_OS": "Linux",
        }

    def install(self, text=None):
        """Puts a rollup into the PATH: the program, or a script."""
        at = self.bin / "rollup"
        if text is None:
            at.unlink(missing_ok=True)
            at.symlink_to(self.program)
        else:
            at.write_text(text)
            at.chmod(0o755)

    def installs(self):
        return [call for call in self.calls.read_text().splitlines() if call.startswith("install")]


class Job:
    """A job of a workflow on a runner, with what it wrote, and the outputs of its last action."""

    def __init__(self, place, steps):
        self.place = place
        self.log = ""
        self.summary = ""
        self.outputs = {}
        self.succeeded = self.steps(steps, self.known({}))

    def value(self, text, known):
        """Replaces the expressions of a value."""

        def replaced(match):
            name = match[1].strip()
            check(name in known or name.startswith("steps."), f"{name} is not known to the runner")
            return known.get(name, "")

        return re.sub(r"\$\{\{(.*?)\}\}", replaced, str(text))

    def known(self, more):
        environment = self.place.environment
        return {"runner.os": environment["RUNNER_OS"],
                "runner.tool_cache": environment["RUNNER_TOOL_CACHE"], **more}

    def steps(self, steps, known, action_path=None):
        """Runs steps, and adds their outputs to the known values."""
        failed = False
        for step in steps:
            condition = step.get("if")
            check(condition in (None, "always()"), f"the condition {condition} is not known")
            if failed and condition is None:
                continue
            if "uses" in step:
                failed |= not self.use(step, known)
            else:
                failed |= not self.shell(step, known, action_path)
        return not failed

    def shell(self, step, known, action_path):
        check(action_path is None or step.get("shell") == "bash", "a step of an action needs its shell")
        temp = Path(self.place.environment["RUNNER_TEMP"])
        script = temp / "script.sh"
        script.write_text(self.value(step["run"], known))
        environment = dict(self.place.environment)
        if action_path:
            environment["GITHUB_ACTION_PATH"] = str(action_path)
        for name, text in step.get("env", {}).items():
            environment[name] = self.value(text, known)
        files = {}
        for name in ["GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV", "GITHUB_PATH"]:
            files[name] = temp / name.lower()
            files[name].write_text("")
            environment[name] = str(files[name])
        done = run(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
                   cwd=self.place.workspace, env=environment)
        self.log += done.stdout
        self.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        for line in files["GITHUB_OUTPUT"].read_text().splitlines():
            name, separator, text = line.partition("=")
            check(separator and "id" in step, f"an output that nobody can read: {line}")
            known[f"steps.{step['id']}.outputs.{name}"] = text
        return done.returncode == 0

    def use(self, step, known):
        name = step["uses"]
        given = {key: self.value(text, known) for key, text in step.get("with", {}).items()}
        if re.fullmatch(r"actions/checkout@v\d+", name):
            return True
        if re.fullmatch(r"actions/cache@v\d+", name):
            check(set(given) == {"path", "key"}, f"a cache has a path and a key, not {set(given)}")
            return True
        if re.fullmatch(r"github/codeql-action/upload-sarif@v\d+", name):
            sarif = json.loads((self.place.workspace / given["sarif_file"]).read_text())
            check(sarif["version"] == "2.1.0", "SARIF of another version")
            return True
        check(name == USED_ACTION, f"{name} is not known; the action is {USED_ACTION}")
        return self.action(step, given, known)

    def action(self, step, given, known):
        action = yaml.safe_load(ACTION.read_text())
        inputs = {}
        for key, described in action["inputs"].items():
            inputs[f"inputs.{key}"] = given.pop(key, described["default"])
        check(not given, f"the action has no input {set(given)}")
        inner = self.known({**inputs, "github.action_path": str(ACTION.parent)})
        done = self.steps(action["runs"]["steps"], inner, ACTION.parent)
        self.outputs = {key: self.value(described["value"], inner)
                        for key, described in action["outputs"].items()}
        if "id" in step:
            known.update({f"steps.{step['id']}.outputs.{key}": text for key, text in self.outputs.items()})
        return done


def uses(place, **given):
    return Job(place, [{"uses": USED_ACTION, "with": given}])


def fail_on_purpose(place):
    (place.workspace / "manifests/faulty.toml").write_text(FAULTY)


def test_schemas(place):
    must(["check-jsonschema", "--builtin-schema", "vendor.github-actions", str(ACTION)])
    must(["pre-commit", "validate-manifest", str(HOOKS)])
    number = 0
    for name, text in blocks():
        file = place.scratch / "recipe.yaml"
        file.write_text(text)
        if name.startswith(".github/workflows/"):
            must(["check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)])
        else:
            check(name == ".pre-commit-config.yaml", f"{name} is not known")
            must(["pre-commit", "validate-config", str(file)])
        number += 1
    check(number >= 3, f"the page has only {number} recipes")


def test_workflows(place):
    place.install()
    workflows = [yaml.safe_load(text) for name, text in blocks() if "/workflows/" in name]
    for workflow in workflows:
        for work in workflow["jobs"].values():
            done = Job(place, work["steps"])
            check(done.succeeded, f"a recipe fails for the manifest of the project:\n{done.log}")
    fail_on_purpose(place)
    for workflow in workflows:
        for work in workflow["jobs"].values():
            done = Job(place, work["steps"])
            check(not done.succeeded, f"a recipe overlooks a faulty manifest:\n{done.log}")
            check("manifests/faulty.toml" in done.log, f"a recipe does not name the file:\n{done.log}")
            uses_action = any(step.get("uses") == USED_ACTION for step in work["steps"])
            check(not uses_action or "RU0101" in done.summary, f"the summary has no finding:\n{done.summary}")
    check(workflows, "the page has no workflow")
    check(not place.installs(), "the rollup in the PATH was not used")


def test_action_prints_annotations_and_a_summary(place):
    place.install()
    done = uses(place, arguments="--allow=notes\n\n--allow=RU0202\n", sarif="found.sarif")
    check(done.succeeded and done.outputs["exit-code"] == "0", done.log)
    check(json.loads((place.workspace / "found.sarif").read_text())["version"] == "2.1.0", "no SARIF")
    done = uses(place, arguments="--deny=RU0202")
    check(not done.succeeded and done.outputs["exit-code"] == "65", done.log)
    check("::error file=manifests/kb952076.toml,line=" in done.log, done.log)
    check("RU0202" in done.summary, done.summary)
    done = uses(place, arguments="--deny=RU0202", summary="false")
    check(not done.succeeded and not done.summary, done.summary)
    done = uses(place, files="nowhere")
    check(not done.succeeded and done.outputs["exit-code"] == "66", done.log)
    done = uses(place, arguments="--no-such-option")
    check(not done.succeeded and done.outputs["exit-code"] == "64", done.log)


def test_action_takes_names_as_they_are(place):
    place.install()
    manifests = place.workspace / "manifests"
    (manifests / "a manifest.toml").write_text(FAULTY)
    (manifests / "$(touch pwned).toml").write_text(FAULTY)
    done = uses(place, files="manifests/a manifest.toml\nmanifests/$(touch pwned).toml\n")
    check(not done.succeeded, done.log)
    check("file=manifests/a manifest.toml" in done.log, done.log)
    check("touch pwned).toml" in done.log, done.log)
    for hostile in ['"; touch pwned; "', "$(touch pwned)", "`touch pwned`", "-o pwned", "--output=pwned"]:
        done = uses(place, files=hostile)
        check(not done.succeeded, f"{hostile} is no file:\n{done.log}")
    check(not (place.workspace / "pwned").exists(), "a name was executed")


def test_action_builds_the_program_once(place):
    for expected in [1, 1]:
        done = uses(place, arguments="--allow=RU0202")
        check(done.succeeded, done.log)
        check(len(place.installs()) == expected, f"cargo was called: {place.installs()}")
    check("install --locked --root " in place.installs()[0], place.installs()[0])
    # A rollup of another version is not the one that was asked for.
    place.install("#!/bin/sh\necho rollup 0.0.9\n")
    done = uses(place, arguments="--allow=RU0202")
    check(done.succeeded and f"rollup {VERSION}" in done.log, done.log)
    given = place.scratch / "given"
    given.symlink_to(place.program)
    done = uses(place, arguments="--allow=RU0202", program=str(given))
    check(done.succeeded and done.outputs["program"] == str(given), done.log)
    check(len(place.installs()) == 1, f"cargo was called: {place.installs()}")


def test_action_notices_a_program_that_contradicts_itself(place):
    place.install(f"""#!/bin/sh
case "$*" in
  --version) echo 'rollup {VERSION}' ;;
  *github*) exit 0 ;;
  *) exit 65 ;;
esac
""")
    done = uses(place)
    check(not done.succeeded and "ended with 0, and then with 65" in done.log, done.log)


def hooks_repository(scratch):
    """Makes a repository of the tracked files as they are now, with the tag of this version."""
    at = scratch / "hooks"
    files = must(["git", "ls-files", "-z"], cwd=ROOT).split("\0")
    for name in filter(None, [*files, ".pre-commit-hooks.yaml"]):
        if (ROOT / name).is_file() and not name.startswith(("fixtures/", "fuzz/")):
            (at / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, at / name)
    commit(at)
    git(at, "tag", f"v{VERSION}")
    return at


def pre_commit(place, *arguments):
    return run(["pre-commit", *arguments, "--all-files", "--verbose"], cwd=place.workspace,
               env=place.environment)


def test_pre_commit(place):
    place.install()
    hooks = hooks_repository(place.scratch)
    configurations = [text for name, text in blocks() if name == ".pre-commit-config.yaml"]
    check(configurations, "the page has no recipe for pre-commit")
    for text in configurations:
        check(HOOKS_REPOSITORY in text, f"the hooks are not those of {HOOKS_REPOSITORY}:\n{text}")
        text = text.replace(HOOKS_REPOSITORY, hooks.as_uri())
        (place.workspace / ".pre-commit-config.yaml").write_text(text)
        (place.workspace / "manifests/faulty.toml").unlink(missing_ok=True)
        commit(place.workspace)
        done = pre_commit(place, "run")
        check(done.returncode == 0 and "Passed" in done.stdout, done.stdout)
        fail_on_purpose(place)
        commit(place.workspace)
        done = pre_commit(place, "run")
        check(done.returncode == 1 and "manifests/faulty.toml" in done.stdout, done.stdout)
    for hook in ["rollup-validate", "rollup-validate-system"]:
        done = pre_commit(place, "try-repo", str(hooks), hook)
        check(done.returncode == 1 and "RU0101" in done.stdout, done.stdout)
    check(place.installs(), "no hook was built")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    program = Path(sys.argv[1]).resolve(strict=True)
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    for name, test in tests:
        with tempfile.TemporaryDirectory() as scratch:
            test(Place(Path(scratch), program))
        print(f"{name.removeprefix('test_').replace('_', ' ')}: ok", flush=True)


if __name__ == "__main__":
    main()
