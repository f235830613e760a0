#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reports the state of a deployment."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: deployment_info
short_description: Report the state of a deployment
version_added: 0.1.0
description:
  - Reports whether a deployment is clean, which updates are applied, what lags behind them, which restarts
    are pending, and which runs can be rolled back.
  - Runs C(rollup status) and C(rollup history). Takes no lock and changes nothing, not a single time stamp.
  - An open run does not fail the module. RV(state) reports it.
extends_documentation_fragment:
  - rollup.fleet.program
attributes:
  check_mode:
    description: Runs as usual, since it changes nothing.
    support: full
author:
  - The rollup contributors (@rollup)
seealso:
  - module: rollup.fleet.update
"""

EXAMPLES = r"""
- name: Read the state of the deployment
  rollup.fleet.deployment_info:
    deployment: /srv/hmc40
  register: site

- name: Refuse to begin while a run is open
  ansible.builtin.assert:
    that: site.state in ['clean', 'action-required']
"""

RETURN = r"""
state:
  description:
    - The state of the deployment.
    - One of V(clean), V(staged), V(in-progress), V(interrupted), V(action-required), V(needs-attention).
  returned: success
  type: str
  sample: clean
exit_code:
  description: The exit code of C(rollup status), 0, 11 or 12.
  returned: success
  type: int
  sample: 0
applied:
  description: The applied updates that are not superseded, each with C(kb) and C(revision). Null if a run is open and they cannot be read.
  returned: success
  type: list
  elements: dict
  sample: [{"kb": "KB952076", "revision": "1.0"}]
superseded:
  description: Applied updates that another one includes or replaces, each with C(kb) and C(by).
  returned: success
  type: list
  elements: dict
lagging:
  description: What lags behind the applied updates, in words.
  returned: success
  type: list
  elements: str
lacking:
  description: Requirements of applied updates that are not met, each with C(kb) and C(requires).
  returned: success
  type: list
  elements: dict
offline:
  description: Servers that are offline.
  returned: success
  type: list
  elements: str
pending:
  description: Restarts that a person still has to do, by the runs that left them, each with C(run) and C(actions).
  returned: success
  type: list
  elements: dict
undoable:
  description: Names of the runs that can be rolled back, newest first.
  returned: success
  type: list
  elements: str
  sample: ["0001-KB952076"]
runs:
  description: All runs, newest first, as C(rollup history) describes them.
  returned: success
  type: list
  elements: dict
open:
  description: The open run as C(rollup status) describes it, or null.
  returned: success
  type: dict
next:
  description: Commands to type next.
  returned: success
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollup.fleet.plugins.module_utils.program import PROGRAM_OPTIONS, Program

# Keys of `rollup status` that the module returns.
KEYS = (
    "state",
    "exit_code",
    "applied",
    "superseded",
    "lagging",
    "lacking",
    "offline",
    "pending",
    "open",
    "next",
)


def main():
    """Run the module."""
    module = AnsibleModule(argument_spec=dict(PROGRAM_OPTIONS), supports_check_mode=True)
    program = Program(module)
    status = program.status()
    runs = program.runs()
    found = dict((key, status.get(key)) for key in KEYS)
    undoable = [run["run"] for run in runs if run["undoable"]]
    module.exit_json(changed=False, runs=runs, undoable=undoable, **found)


if __name__ == "__main__":
    main()
