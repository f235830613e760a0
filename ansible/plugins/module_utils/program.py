# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs rollup for its JSON documents.

A module knows what the documents say, and nothing else: no text of the program is parsed. What is not
understood, such as a document of a later version, fails the module.
"""

from __future__ import annotations

import json

# Version of the documents. Within one version keys are added, never changed.
SCHEMA = 1

# Exit codes that modules decide by.
OK = 0
CHANGES = 2
NEEDS_ATTENTION = 11
STOPPED = 12
MISMATCH = 13
NOT_READY = 15

PROGRAM_OPTIONS = dict(
    deployment=dict(type="path", required=True),
    program=dict(type="path", default="rollup"),
)


class Answer:
    """Exit code and document of one command."""

    def __init__(self, command, document):
        self.command = command
        self.document = document
        self.exit_code = document["exit_code"]
        self.outcome = document["outcome"]

    @property
    def is_nothing(self):
        """True if the command had nothing to do."""
        return self.outcome == "nothing"

    @property
    def is_failure(self):
        """True if the document is that of a command that failed."""
        return "reasons" in self.document


def describe_failure(reasons, now, next_steps):
    """Return a failure in the three lines in which rollup prints it."""
    lines = ["error: " + reason for reason in reasons]
    if now:
        lines.append("now: " + now)
    lines.extend("next: " + step for step in next_steps)
    return "\n".join(lines)


class Program:
    """The program on this host, and the deployment that it works on."""

    def __init__(self, module, secrets=None):
        self.module = module
        self.deployment = module.params["deployment"]
        self.path = module.get_bin_path(module.params["program"])
        if self.path is None:
            self.fail(
                ["`{0}` is not an executable program on this host".format(module.params["program"])],
                "nothing was run",
                ["copy the program to the host, or name its path with `program`"],
            )
        # Variables of the play must not choose another deployment or payload.
        self.environment = dict(NO_COLOR="1", COLUMNS="100", ROLLUP_DEPLOYMENT="", ROLLUP_PAYLOAD="")
        self.environment.update(secrets or {})

    def fail(self, reasons, now, next_steps, exit_code=None, outcome=None, changed=False, **more):
        """End the module with a failure: what is wrong, what is true now, what to do next."""
        self.module.fail_json(
            msg=describe_failure(reasons, now, next_steps),
            error=reasons,
            now=now,
            next=next_steps,
            exit_code=exit_code,
            outcome=outcome,
            changed=changed,
            **more
        )

    def fail_as(self, answer, changed=False):
        """End the module as a command failed; `changed` is what the module changed before it."""
        document = answer.document
        self.fail(
            document["reasons"],
            document["now"],
            document["next"],
            exit_code=answer.exit_code,
            outcome=answer.outcome,
            changed=changed or document["changed"],
        )

    def _run(self, command, arguments):
        line = [self.path, command, "-d", self.deployment, "--progress", "none"]
        if command in ("show", "diff"):
            # They read documents only, and know no deployment.
            line = [self.path, command, "--progress", "none"]
        # Bytes that are not UTF-8 are replaced: they are in messages only.
        return self.module.run_command(
            line + arguments, environ_update=self.environment, errors="surrogate_or_replace"
        )

    def run(self, command, *arguments):
        """Run a command, and return its answer, whatever its exit code is."""
        code, printed, messages = self._run(command, list(arguments) + ["--format", "json"])
        try:
            document = json.loads(printed)
        except ValueError:
            document = None
        expected = ("schema", "outcome", "exit_code", "changed")
        if not isinstance(document, dict) or any(key not in document for key in expected):
            self.fail(
                ["`rollup {0}` ended with {1} and without a JSON document: {2}".format(command, code, messages.strip())],
                "the state of the deployment is not known",
                ["rollup status -d {0}".format(self.deployment), "compare the versions of program and collection"],
                exit_code=code,
            )
        if document["schema"] != SCHEMA or document["exit_code"] != code:
            self.fail(
                [
                    "`rollup {0}` printed a document of schema {1} for exit code {2}, and ended with {3}; "
                    "this collection reads schema {4}".format(
                        command, document["schema"], document["exit_code"], code, SCHEMA
                    )
                ],
                "the state of the deployment is not known",
                ["rollup status -d {0}".format(self.deployment), "compare the versions of program and collection"],
                exit_code=code,
            )
        return Answer(command, document)

    def ask(self, command, *arguments, **options):
        """Run a command, and return its document. Fails the module if the command failed.

        `changed` is what the module changed before.
        """
        answer = self.run(command, *arguments)
        if answer.is_failure:
            self.fail_as(answer, **options)
        return answer.document

    def text(self, command, *arguments):
        """Run a command for a text that people read, such as a plan; it is never parsed."""
        code, printed, messages = self._run(command, list(arguments))
        if code != OK:
            self.fail(
                ["`rollup {0}` ended with {1}: {2}".format(command, code, messages.strip())],
                "nothing was changed",
                ["rollup explain {0}".format(code)],
                exit_code=code,
            )
        return printed

    def status(self):
        """Return the state of the deployment. It ends with 11 or 12 if a run is open."""
        return self.ask("status")

    def runs(self):
        """Return the runs, newest first."""
        return self.ask("history")["runs"]
