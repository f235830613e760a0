# SPDX-License-Identifier: MIT OR Apache-2.0
"""Options that every module of the collection takes."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of the program and its deployment."""

    DOCUMENTATION = r"""
options:
  deployment:
    description:
      - The deployment, a directory on the managed host with a C(deployment.toml).
    type: path
    required: true
  program:
    description:
      - The program C(rollup) on the managed host, by its path or by its name in the search path.
    type: path
    default: rollup
requirements:
  - rollup, the program, on the managed host
  - Python, its standard library only
"""
