#!/usr/bin/env python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs in the place of rollup, on a host whose session ends in the middle of a commit.

The program dies right before a change of the disk, and the session hangs until it is killed. ROLLUP_PROGRAM is
the program, ROLLUP_DIES_AT the change, ROLLUP_DIED a file for the number of the hanging process.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import time

program = os.environ["ROLLUP_PROGRAM"]
arguments = sys.argv[1:]
if arguments[:1] != ["apply"] or "--dry-run" in arguments:
    os.execv(program, [program, *arguments])

subprocess.run([program, *arguments, "--die-at-change", os.environ["ROLLUP_DIES_AT"]], check=False)
pathlib.Path(os.environ["ROLLUP_DIED"]).write_text(str(os.getpid()))
time.sleep(600)
