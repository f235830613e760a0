# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures what a module and a play add to the time of the program, on five hosts one after another.

ROLLUP_PROGRAM and ROLLUP_COLLECTIONS are as in `support.py`. Prints medians, in milliseconds.
"""

from __future__ import annotations

import pathlib
import statistics
import subprocess
import tempfile
import time
from xml.etree import ElementTree

from support import MANIFEST, PROGRAM, ROLLUP, SITES, Fleet, run_module, site_of


def timed(call):
    """Return how long a call takes, in milliseconds."""
    begin = time.monotonic()
    call()
    return 1000 * (time.monotonic() - begin)


def program_alone(fleet):
    """Apply with the program itself, on five sites of their own."""
    times = []
    for name in SITES:
        site = site_of(fleet.lab, fleet.directory / "alone", name)
        line = [PROGRAM, "apply", str(MANIFEST), "-d", str(site), "-p", str(fleet.lab / "payload"), "--yes"]
        line += ["--format", "json", "--progress", "none"]
        times.append(timed(lambda line=line: subprocess.run(line, capture_output=True, check=True)))
    return times


def module_alone(fleet):
    """Apply with the module, without Ansible's part on the controller."""
    times = []
    for name in SITES:
        site = site_of(fleet.lab, fleet.directory / "module", name)
        options = dict(deployment=str(site), program=PROGRAM, manifest=str(MANIFEST))
        options.update(payload=str(fleet.lab / "payload"))
        times.append(timed(lambda options=options: run_module("update", **options)))
    return times


def update_tasks(fleet):
    """Run the window one host after another, and return the times of the task that applies the rollup."""
    results = fleet.directory / "junit"
    fleet.environment.update(ANSIBLE_CALLBACKS_ENABLED="junit", JUNIT_OUTPUT_DIR=str(results))
    play = fleet.play("window", "-e", '{"rollup_window_serial": 1}')
    assert play.code == 0, play.output
    times = []
    for file in results.glob("*.xml"):
        for case in ElementTree.parse(file).iter("testcase"):
            if "rollup_window : Apply the rollup " in case.get("name"):
                times.append(1000 * float(case.get("time")))
        file.unlink()
    return times


def main():
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory(prefix="rollup-overhead-") as directory:
        fleet = Fleet(pathlib.Path(directory))
        fleet.play("prepare")
        program = statistics.median(program_alone(fleet))
        print("{0:34} {1:7.0f} ms".format("program: apply of " + ROLLUP, program))
        module = statistics.median(module_alone(fleet))
        print("{0:34} {1:7.0f} ms".format("module alone, on the host", module))
        begin = time.monotonic()
        tasks = update_tasks(fleet)
        whole = (time.monotonic() - begin) / len(SITES)
        begin = time.monotonic()
        again = update_tasks(fleet)
        idle = (time.monotonic() - begin) / len(SITES)
        task = statistics.median(tasks)
        print("{0:34} {1:7.0f} ms, {2:.0f} ms over the program".format("task of the play", task, task - program))
        nothing = statistics.median(again)
        print("{0:34} {1:7.0f} ms".format("the same, nothing to do", nothing))
        print("{0:34} {1:7.0f} ms".format("whole window, for each host", 1000 * whole))
        print("{0:34} {1:7.0f} ms".format("the same, nothing to do", 1000 * idle))


if __name__ == "__main__":
    main()
