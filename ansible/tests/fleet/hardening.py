#!/usr/bin/env python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs in the place of rollup, on a host where another program marks a file as immutable in the middle of an apply.

rollup refuses a file that is immutable before it begins, so the mark is made while the run is being staged.
ROLLUP_PROGRAM is the program, ROLLUP_HARDENED the file.
"""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
import time

program = os.environ["ROLLUP_PROGRAM"]
arguments = sys.argv[1:]
if arguments[:1] != ["apply"] or "--dry-run" in arguments:
    os.execv(program, [program, *arguments])

deployment = arguments[arguments.index("-d") + 1]
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with subprocess.Popen([program, *arguments]) as run:
    while run.poll() is None:
        if glob.glob(os.path.join(glob.escape(deployment), ".rollup/runs/*/slots.staging")):
            subprocess.run(["chattr", "+i", os.environ["ROLLUP_HARDENED"]], check=True)
            break
        time.sleep(0.002)
sys.exit(run.wait())
