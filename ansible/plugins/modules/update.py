#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Applies, stages or rolls back an update rollup."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: update
short_description: Apply, stage or roll back an update rollup
version_added: 0.1.0
description:
  - Brings a rollup into the state that is asked for, atomically. Either every operation of it takes effect, or none does.
  - V(applied) is C(rollup apply), V(staged) is C(rollup stage), and V(undone) is C(rollup undo).
  - C(changed) is true if a run was applied, staged, discarded, finished or rolled back, and false if there was nothing to do.
  - A failure has the reasons, the state and the next commands of the program, and its exit code. A run that failed and was
    rolled back ends with 10.
extends_documentation_fragment:
  - rollup.fleet.program
options:
  state:
    description:
      - V(applied) applies the rollup. If it is staged with the same plan, the staged run is committed.
      - V(staged) copies, unpacks and verifies everything ahead of the maintenance window. The deployment does not change.
      - V(undone) rolls back what O(run) names, open or finished. A run that is only staged is discarded.
    type: str
    choices: [applied, staged, undone]
    default: applied
  manifest:
    description:
      - The manifest, or a saved plan. A saved plan is applied exactly as it was saved, or refused.
      - Required for V(applied) and V(staged).
    type: path
  payload:
    description:
      - The directory with the vendor's files.
      - By default the directory beside the manifest that is named like the rollup.
    type: path
  run:
    description:
      - For V(undone), the rollup, or the number of a run. V(last) is refused, because it is another run each time.
      - A rollup is rolled back with all of its runs that are not undone yet, the newest first.
    type: str
  include_missing:
    description:
      - Also install items of a group that were never installed.
    type: bool
    default: false
  reapply:
    description:
      - Run all steps again although the rollup is applied. This changes the deployment each time.
    type: bool
    default: false
  allow_downgrade:
    description:
      - Let an older product version replace a newer one.
    type: bool
    default: false
  expect_plan:
    description:
      - Refuse any plan without this digest, all 64 digits.
    type: str
  confirm:
    description:
      - Prerequisites that only a person can check, and that were answered with yes, by their ids.
    type: list
    elements: str
    default: []
  approvals:
    description:
      - Files with a signed approval of the plan, on the managed host.
    type: list
    elements: path
    default: []
  without_approval:
    description:
      - Go on without the approvals that the deployment requires, for this reason. It is recorded.
    type: str
  on_failure:
    description:
      - After a failure, roll back, or leave the run open.
      - By default the program decides, which rolls back.
    type: str
    choices: [undo, stop]
  backup_dir:
    description:
      - A directory for copies of the files that will be replaced.
    type: path
  open_run:
    description:
      - What to do if a run of this rollup is open, because its process died or was stopped.
      - V(refuse) fails, with the commands to choose from.
      - V(resume) finishes it. A run that is being rolled back, or that is of another rollup, is refused all the same.
    type: str
    choices: [refuse, resume]
    default: refuse
  done:
    description:
      - Manual steps that a person has done, or for V(undone) rolled back, by their ids.
    type: list
    elements: str
    default: []
  discard_changes:
    description:
      - For V(undone), roll back although managed files have changed. They are kept in the run's directory.
    type: bool
    default: false
  lock_timeout:
    description:
      - How long to wait for another process that is at work, in seconds.
    type: int
    default: 0
  secrets:
    description:
      - Environment variables with the secrets that C(deployment.toml) names as C({ env = "NAME" }).
      - Neither Ansible nor the program prints or stores them.
    type: dict
    default: {}
attributes:
  check_mode:
    description: Predicts the change with C(rollup plan) and dry runs, and fails as the change would. Changes not a single byte.
    support: full
  diff_mode:
    description: Shows the text of the plan, or that of the rollback.
    support: full
author:
  - The rollup contributors (@rollup)
seealso:
  - module: rollup.fleet.deployment_info
  - module: rollup.fleet.verify
  - module: rollup.fleet.report
"""

EXAMPLES = r"""
- name: Preview the rollup
  rollup.fleet.update:
    deployment: /srv/hmc40
    manifest: /var/lib/rollup/kb952076.toml
    payload: /var/lib/rollup/KB952076
  check_mode: true
  diff: true

- name: Stage it, days before the window
  rollup.fleet.update:
    deployment: /srv/hmc40
    manifest: /var/lib/rollup/kb952076.toml
    payload: /var/lib/rollup/KB952076
    state: staged

- name: Apply the plan that was approved, in the window
  rollup.fleet.update:
    deployment: /srv/hmc40
    manifest: /var/lib/rollup/plan.json
    payload: /var/lib/rollup/KB952076
    expect_plan: 98040fea3bd4e04feff0e31bdc53d198edb632e8d6c76aefa62ac251949e20be
    confirm: [backup]
    secrets:
      MAIL_PASSWORD: "{{ vault_mail_password }}"

- name: Roll it back
  rollup.fleet.update:
    deployment: /srv/hmc40
    state: undone
    run: KB952076
"""

RETURN = r"""
outcome:
  description: The name of the exit code, V(nothing) if there was nothing to do, or V(changes) if check mode predicts a change.
  returned: always
  type: str
  sample: ok
exit_code:
  description: The exit code of the program.
  returned: always
  type: int
  sample: 0
summary:
  description: What was done, or why there was nothing to do, in a sentence.
  returned: success
  type: str
  sample: applied KB952076 as run 0001-KB952076
run:
  description: The run that was worked on, or null.
  returned: success
  type: str
  sample: 0001-KB952076
resumed:
  description: The open run that was finished first, or that check mode would finish.
  returned: success
  type: str
plan:
  description: The digest of the plan.
  returned: in check mode, if there is something to do
  type: str
operations:
  description: The number of operations that the plan has.
  returned: in check mode, if there is something to do
  type: int
  sample: 75
pending:
  description: Restarts that a person has to do now, by the runs that left them, each with C(run) and C(actions).
  returned: success, if something was changed
  type: list
  elements: dict
error:
  description: Why it failed, all reasons.
  returned: failure
  type: list
  elements: str
  sample: ["run 0001-KB952076 is unfinished"]
now:
  description: The state of the deployment at that moment, as its records show it.
  returned: failure
  type: str
next:
  description: Commands or actions to take next.
  returned: failure
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.rollup.fleet.plugins.module_utils.program import (
    CHANGES,
    NOT_READY,
    OK,
    PROGRAM_OPTIONS,
    STOPPED,
    Program,
)

OPTIONS = dict(
    PROGRAM_OPTIONS,
    state=dict(type="str", choices=["applied", "staged", "undone"], default="applied"),
    manifest=dict(type="path"),
    payload=dict(type="path"),
    run=dict(type="str"),
    include_missing=dict(type="bool", default=False),
    reapply=dict(type="bool", default=False),
    allow_downgrade=dict(type="bool", default=False),
    expect_plan=dict(type="str"),
    confirm=dict(type="list", elements="str", default=[]),
    approvals=dict(type="list", elements="path", default=[]),
    without_approval=dict(type="str"),
    on_failure=dict(type="str", choices=["undo", "stop"]),
    backup_dir=dict(type="path"),
    open_run=dict(type="str", choices=["refuse", "resume"], default="refuse"),
    done=dict(type="list", elements="str", default=[]),
    discard_changes=dict(type="bool", default=False),
    lock_timeout=dict(type="int", default=0),
    secrets=dict(type="dict", default={}, no_log=True),
)

# Options that have an effect in some states only. An option without an effect is refused.
STATES_OF_OPTIONS = dict(
    manifest=("applied", "staged"),
    payload=("applied", "staged"),
    run=("undone",),
    include_missing=("applied", "staged"),
    reapply=("applied", "staged"),
    allow_downgrade=("applied", "staged"),
    expect_plan=("applied", "staged"),
    confirm=("applied", "staged"),
    approvals=("applied", "staged"),
    without_approval=("applied", "staged"),
    on_failure=("applied",),
    backup_dir=("applied",),
    done=("applied", "undone"),
    discard_changes=("undone",),
    secrets=("applied", "staged"),
)

# States of runs that leave nothing to roll back.
NOTHING_TO_ROLL_BACK = ("undone", "staging")


def with_option(option, value):
    """Return an option for the command line, if it has a value."""
    return [option, value] if value else []


def repeated(option, values):
    """Return an option for the command line, once for each value."""
    return [word for value in values for word in (option, value)]


class Update:
    """One rollup, and the state that it should have."""

    def __init__(self, module):
        self.module = module
        self.params = module.params
        self.check_mode = module.check_mode
        self.program = Program(module, self.params["secrets"])
        self.resumed = None

    # States `applied` and `staged`

    def plan_arguments(self):
        """Return the arguments that decide the plan."""
        params = self.params
        flags = [("include_missing", "--include-missing"), ("reapply", "--reapply")]
        flags.append(("allow_downgrade", "--allow-downgrade"))
        arguments = [params["manifest"]] + with_option("-p", params["payload"])
        return arguments + [flag for name, flag in flags if params[name]]

    def begin_arguments(self):
        """Return the arguments of `stage`, which `apply` takes as well."""
        params = self.params
        return (
            self.plan_arguments()
            + with_option("--expect-plan", params["expect_plan"])
            + repeated("--confirm", params["confirm"])
            + repeated("--approval", params["approvals"])
            + with_option("--without-approval", params["without_approval"])
        )

    def apply_arguments(self):
        """Return the arguments of `apply`."""
        params = self.params
        return (
            self.begin_arguments()
            + with_option("--on-failure", params["on_failure"])
            + with_option("--backup-dir", params["backup_dir"])
        )

    def lock_arguments(self):
        """Return the arguments of every command that takes the lock."""
        return ["--yes", "--lock-timeout", str(self.params["lock_timeout"])]

    def begin(self):
        """Apply or stage, and end the module."""
        if self.check_mode:
            self.predict()
        prepared = self.diff_of_plan() if self.module._diff else None
        if self.params["state"] == "applied":
            command, arguments = "apply", self.apply_arguments()
        else:
            command, arguments = "stage", self.begin_arguments()
        answer = self.program.run(command, *(arguments + self.lock_arguments()))
        # The process of an earlier play may have died, also while this one waited for its lock.
        if answer.exit_code == NOT_READY and self.resume_open_run():
            answer = self.program.run(command, *(arguments + self.lock_arguments()))
        if answer.is_failure:
            self.program.fail_as(answer, changed=self.resumed is not None)
        self.end(answer.document, prepared)

    def end(self, document, prepared):
        """End the module with the document of a command that succeeded."""
        is_nothing = document["outcome"] == "nothing"
        changed = not is_nothing or self.resumed is not None
        run = document.get("run")
        if is_nothing:
            summary = document.get("why", "nothing to do")
        elif run:
            summary = "run {run} is {state}".format(**run)
        else:
            summary = "the staged run was discarded"
        result = dict(
            changed=changed,
            outcome=document["outcome"],
            exit_code=document["exit_code"],
            run=run["run"] if run else None,
            summary=summary,
            resumed=self.resumed,
        )
        if changed:
            result["pending"] = self.program.status()["pending"]
        if prepared and not is_nothing:
            result["diff"] = dict(prepared=prepared)
        self.module.exit_json(**result)

    def predict(self):
        """Predict what applying or staging would do, and end the module."""
        planned = self.program.run("plan", *(self.plan_arguments() + ["--detailed-exitcode"]))
        if planned.exit_code == NOT_READY and self.resume_open_run():
            self.module.exit_json(
                changed=True,
                outcome="changes",
                exit_code=CHANGES,
                run=self.resumed,
                summary="run {0} is open, and will be finished first".format(self.resumed),
                resumed=self.resumed,
            )
        if planned.is_failure:
            self.program.fail_as(planned)
        if planned.is_nothing:
            self.end(planned.document, None)
        plan = planned.document
        self.refuse_unconfirmed(plan)
        # It checks more than a plan: the digest that is expected, and the rights of this user.
        self.program.ask("apply", "--dry-run", *self.apply_arguments())
        staged = self.run_staged_as(plan)
        if staged and self.params["state"] == "staged":
            why = "run {0} is already staged with this plan".format(staged)
            self.end(dict(outcome="nothing", exit_code=OK, why=why), None)
        operations = sum(len(step["operations"]) for step in plan["steps"])
        result = dict(
            changed=True,
            outcome="changes",
            exit_code=CHANGES,
            run=staged,
            summary="{0} operations in {1} steps".format(operations, len(plan["steps"])),
            resumed=None,
            plan=plan["digest"],
            operations=operations,
        )
        if self.module._diff:
            result["diff"] = dict(prepared=self.program.text("plan", *self.plan_arguments()))
        self.module.exit_json(**result)

    def refuse_unconfirmed(self, plan):
        """Fail if a prerequisite is not confirmed, as the program would without a terminal."""
        given = [answer.lower() for answer in self.params["confirm"]]
        missing = [asked for asked in plan["confirmations"] if asked["id"].lower() not in given]
        # A staged run keeps the answers.
        if missing and not self.run_staged_as(plan):
            ids = ", ".join(asked["id"] for asked in missing)
            self.program.fail(
                ["`{id}` is not confirmed: {question}".format(**asked) for asked in missing],
                "this command changed nothing",
                ["if the answer is yes: `confirm: [{0}]`".format(ids)],
                exit_code=NOT_READY,
                outcome="not-ready",
            )

    def run_staged_as(self, plan):
        """Return the run that is staged with a plan, if there is one."""
        for run in self.program.runs():
            if run["state"] == "staged" and run["plan"] == plan["digest"]:
                return run["run"]
        return None

    def diff_of_plan(self):
        """Return the text of the plan, or nothing if there is none."""
        planned = self.program.run("plan", *(self.plan_arguments() + ["--detailed-exitcode"]))
        if planned.exit_code != CHANGES:
            return None
        return self.program.text("plan", *self.plan_arguments())

    def resume_open_run(self):
        """Finish the open run, if that is asked for and it is a run of this rollup on its way forward."""
        if self.params["open_run"] != "resume" or self.resumed:
            return False
        status = self.program.status()
        if status["exit_code"] != STOPPED or status["state"] != "interrupted":
            return False
        run = [run for run in self.program.runs() if run["run"] == status["open"]["run"]][0]
        if run["state"] != "unfinished" or run["kb"] != self.identity():
            return False
        arguments = ["--dry-run"] if self.check_mode else self.lock_arguments()
        self.program.ask("resume", *(arguments + repeated("--done", self.params["done"])))
        self.resumed = run["run"]
        return True

    def identity(self):
        """Return the rollup of the manifest or the saved plan."""
        manifest = self.params["manifest"]
        saved = self.program.run("show", manifest)
        if not saved.is_failure:
            return saved.document["rollup"]["kb"]
        # The comparison of a manifest with itself names it.
        return self.program.ask("diff", manifest, manifest)["new"]["kb"]

    # State `undone`

    def undo(self):
        """Roll back the named run, or all runs of the named rollup, and end the module."""
        targets = self.runs_to_undo()
        if not targets:
            why = "no run of {0} is staged, open or applied".format(self.params["run"])
            self.end(dict(outcome="nothing", exit_code=OK, why=why), None)
        prepared = "".join(map(self.diff_of_undo, targets)) if self.module._diff else None
        if self.check_mode:
            self.predict_undo(targets, prepared)
        arguments = self.undo_arguments() + self.lock_arguments()
        document = None
        for run in targets:
            has_undone = document is not None
            document = self.program.ask("undo", str(run["number"]), *arguments, changed=has_undone)
        self.end(document, prepared)

    def undo_arguments(self):
        """Return the arguments that a rollback and its dry run take."""
        discards = ["--discard-changes"] if self.params["discard_changes"] else []
        return repeated("--done", self.params["done"]) + discards

    def runs_to_undo(self):
        """Return the runs to roll back, newest first."""
        named = self.params["run"]
        if named.lower() == "last":
            self.program.fail(
                ["`last` is another run each time that the play runs"],
                "nothing was run",
                ["name a rollup, or the number of a run"],
            )
        runs = self.program.runs()
        found = [run for run in runs if named in (str(run["number"]), run["run"])]
        if not found:
            identities = (named.lower(), "kb" + named)
            found = [run for run in runs if run["kb"] and run["kb"].lower() in identities]
            self.refuse_without_run(identities, found)
        return [run for run in found if run["state"] not in NOTHING_TO_ROLL_BACK]

    def refuse_without_run(self, identities, found):
        """Fail if the rollup is applied, and there is no run of it that could be rolled back."""
        if any(run["state"] not in NOTHING_TO_ROLL_BACK for run in found):
            return
        status = self.program.status()
        known = (status["applied"] or []) + (status["superseded"] or [])
        for rollup in known:
            if rollup["kb"].lower() in identities:
                self.program.fail(
                    ["{0} is applied, and no run of it can be rolled back".format(rollup["kb"])],
                    "this command changed nothing",
                    ["rollup status -d {0}".format(self.program.deployment)],
                    exit_code=NOT_READY,
                    outcome="not-ready",
                )

    def predict_undo(self, targets, prepared):
        """Predict the rollback, and end the module."""
        newest = targets[0]
        # The older runs of the rollup are behind this one.
        self.program.ask("undo", str(newest["number"]), "--dry-run", *self.undo_arguments())
        names = ", ".join(run["run"] for run in targets)
        result = dict(
            changed=True,
            outcome="changes",
            exit_code=CHANGES,
            run=newest["run"],
            summary="{0} will be rolled back".format(names),
            resumed=None,
        )
        if prepared:
            result["diff"] = dict(prepared=prepared)
        self.module.exit_json(**result)

    def diff_of_undo(self, run):
        """Return the text of the rollback of a run."""
        directory = self.program.ask("history", str(run["number"]))["directory"]
        return self.program.text("show", directory + "/plan.json", "--undo")


def refuse_options_without_effect(module):
    """Fail if an option is given that has no effect in the state that is asked for."""
    state = module.params["state"]
    for option, states in sorted(STATES_OF_OPTIONS.items()):
        if module.params[option] and state not in states:
            module.fail_json(msg="`{0}` has no effect with `state: {1}`".format(option, state))
    if state == "undone" and module.params["open_run"] != "refuse":
        module.fail_json(msg="`open_run` has no effect with `state: undone`, which rolls an open run back")


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec=OPTIONS,
        required_if=[
            ("state", "applied", ["manifest"]),
            ("state", "staged", ["manifest"]),
            ("state", "undone", ["run"]),
        ],
        supports_check_mode=True,
    )
    refuse_options_without_effect(module)
    update = Update(module)
    if module.params["state"] == "undone":
        update.undo()
    update.begin()


if __name__ == "__main__":
    main()
