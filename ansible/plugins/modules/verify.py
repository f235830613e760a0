#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Compares a deployment with its records."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: verify
short_description: Compare a deployment with its records
version_added: 0.1.0
description:
  - Compares installed files, installers and states with their records, with C(rollup verify).
  - Fails if something drifted, lags behind an applied rollup, or lacks what it requires.
  - Takes no lock and changes nothing.
extends_documentation_fragment:
  - rollup.fleet.program
options:
  undo:
    description:
      - Hash the objects that runs keep for a rollback, too.
    type: bool
    default: false
  fail_on_difference:
    description:
      - Fail if something differs. With V(false) the differences are returned, and RV(matches) is false.
    type: bool
    default: true
attributes:
  check_mode:
    description: Runs as usual, since it changes nothing.
    support: full
author:
  - The rollup contributors (@rollup)
"""

EXAMPLES = r"""
- name: Compare the deployment with its records
  rollup.fleet.verify:
    deployment: /srv/hmc40

- name: Count the differences, and the objects that a rollback needs
  rollup.fleet.verify:
    deployment: /srv/hmc40
    undo: true
    fail_on_difference: false
  register: compared
"""

RETURN = r"""
matches:
  description: True if nothing differs.
  returned: success
  type: bool
exit_code:
  description: The exit code of C(rollup verify), 0 or 13.
  returned: always
  type: int
  sample: 0
items:
  description: The number of installed items that were compared.
  returned: success
  type: int
  sample: 33
files:
  description: The number of files that were compared.
  returned: success
  type: int
  sample: 186
bytes:
  description: The size of these files.
  returned: success
  type: int
  sample: 16640456
differences:
  description: All differences, in words.
  returned: always, unless the comparison itself failed
  type: list
  elements: str
error:
  description: Why the module failed, all reasons.
  returned: failure
  type: list
  elements: str
now:
  description: The state of the deployment at that moment.
  returned: failure
  type: str
next:
  description: What to do next.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollup.fleet.plugins.module_utils.program import OK, PROGRAM_OPTIONS, Program


def differences_in(document):
    """Return the differences that a document of `rollup verify` lists, as texts."""
    drift = document["drift"] + document["faults"]
    found = ["{path} {description}".format(**one) for one in drift]
    found.extend(document["lagging"] + document["lacking"])
    kept = document["kept"] or dict(changed=[])
    return found + ["kept for a rollback: " + changed for changed in kept["changed"]]


def main():
    """Run the module."""
    options = dict(
        PROGRAM_OPTIONS,
        undo=dict(type="bool", default=False),
        fail_on_difference=dict(type="bool", default=True),
    )
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    program = Program(module)
    arguments = ["--undo"] if module.params["undo"] else []
    compared = program.ask("verify", *arguments)
    differences = differences_in(compared)
    matches = compared["exit_code"] == OK
    if not matches and module.params["fail_on_difference"]:
        program.fail(
            differences or ["the deployment does not match its records"],
            "nothing was changed by the comparison",
            [
                "rollup verify -d {0}".format(program.deployment),
                "rollup accept --reason TEXT -d {0} --yes    if the changes are right".format(program.deployment),
            ],
            exit_code=compared["exit_code"],
            outcome=compared["outcome"],
            differences=differences,
        )
    counts = dict((key, compared[key]) for key in ("items", "files", "bytes", "exit_code"))
    module.exit_json(changed=False, matches=matches, differences=differences, **counts)


if __name__ == "__main__":
    main()
