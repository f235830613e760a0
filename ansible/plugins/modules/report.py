#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads the report of a run."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: report
short_description: Read the report of a run, as data and as a page
version_added: 0.1.0
description:
  - Returns what happened in a run and when, as C(rollup report) knows it. This has the outage of each service and item,
    the steps, the commands, and the comparison with the plan.
  - With O(page) it also returns the report as one HTML page, which can be written to a file on the controller.
  - Takes no lock and changes nothing.
extends_documentation_fragment:
  - rollup.fleet.program
options:
  run:
    description:
      - The run, by its number, its rollup, or V(last).
    type: str
    default: last
  page:
    description:
      - Return the report as an HTML page, too.
    type: bool
    default: false
attributes:
  check_mode:
    description: Runs as usual, since it changes nothing.
    support: full
author:
  - The rollup contributors (@rollup)
"""

EXAMPLES = r"""
- name: Read the report of the newest run
  rollup.fleet.report:
    deployment: /srv/hmc40
    page: true
  register: newest

- name: Keep its page on the controller
  ansible.builtin.copy:
    content: "{{ newest.page }}"
    dest: "reports/{{ inventory_hostname }}.html"
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
report:
  description: The report, as C(rollup report --format json) prints it.
  returned: success
  type: dict
page:
  description: The report as an HTML page.
  returned: if O(page) is true
  type: str
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
from ansible_collections.rollup.fleet.plugins.module_utils.program import PROGRAM_OPTIONS, Program


def main():
    """Run the module."""
    options = dict(
        PROGRAM_OPTIONS,
        run=dict(type="str", default="last"),
        page=dict(type="bool", default=False),
    )
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    program = Program(module)
    run = module.params["run"]
    result = dict(report=program.ask("report", run)["report"])
    if module.params["page"]:
        result["page"] = program.text("report", run, "--format", "html")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
