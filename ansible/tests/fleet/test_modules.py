# SPDX-License-Identifier: MIT OR Apache-2.0
"""The modules, one by one: what they return, refuse and keep secret."""

from __future__ import annotations

import fcntl
import json
import pathlib
import subprocess
import tempfile
import threading
import unittest

from support import MANIFEST, PROGRAM, REPOSITORY, contents_of, make_lab, rollup, run_module, site_of, tree_of


class Modules(unittest.TestCase):
    """Modules on a deployment of their own."""

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="rollup-modules-")
        cls.addClassCleanup(directory.cleanup)
        cls.directory = pathlib.Path(directory.name)
        cls.lab = make_lab(cls.directory)

    def setUp(self):
        self.site = site_of(self.lab, self.directory, self.id().rpartition(".")[2])
        self.common = dict(deployment=str(self.site), program=PROGRAM)
        self.rollup = dict(self.common, manifest=str(MANIFEST), payload=str(self.lab / "payload"))

    def with_options(self, **more):
        """Return the options of an update, with more of them."""
        options = dict(self.rollup)
        options.update(more)
        return options

    def update(self, **options):
        """Run `update`, which has to succeed."""
        result = run_module("update", **options)
        self.assertNotIn("failed", result, result)
        return result

    def refused(self, name="update", **options):
        """Run a module, which has to fail and to leave the deployment alone."""
        before = contents_of(self.site)
        result = run_module(name, **options)
        self.assertTrue(result.get("failed"), result)
        self.assertEqual(contents_of(self.site), before)
        return result

    def program(self, text):
        """Write a program in the place of rollup, and return its path."""
        path = self.site.parent / "program"
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return str(path)

    def test_applied_and_undone_are_idempotent(self):
        before = contents_of(self.site)
        first = self.update(**self.rollup)
        self.assertEqual((first["changed"], first["outcome"], first["exit_code"]), (True, "ok", 0))
        self.assertEqual(first["summary"], "run 0001-KB952076 is applied")
        self.assertEqual((first["run"], first["pending"]), ("0001-KB952076", []))
        again = self.update(**self.rollup)
        self.assertEqual((again["changed"], again["outcome"], again["run"]), (False, "nothing", None))
        self.assertIn("is applied", again["summary"])
        undo = dict(self.common, state="undone", run="kb952076")
        predicted = self.update(check=True, **undo)
        self.assertTrue(predicted["changed"])
        undone = self.update(**undo)
        self.assertTrue(undone["changed"])
        self.assertEqual(undone["pending"][0]["actions"][0]["service"], "Provisioning Engine")
        self.assertEqual(contents_of(self.site), before)
        for check in (True, False):
            again = self.update(check=check, **undo)
            self.assertEqual((again["changed"], again["outcome"]), (False, "nothing"))

    def test_check_mode_predicts_and_diff_mode_shows_the_plan(self):
        before = tree_of(self.site)
        for state in ("applied", "staged"):
            predicted = self.update(check=True, diff=True, state=state, **self.rollup)
            self.assertTrue(predicted["changed"])
            self.assertEqual(predicted["operations"], 75)
            self.assertIn("1. uninstall: Remove the old components", predicted["diff"]["prepared"])
        self.assertEqual(tree_of(self.site), before)
        # The digest is the one that `apply` takes.
        wrong = self.refused(expect_plan="0" * 64, check=True, **self.rollup)
        self.assertEqual(wrong["exit_code"], 14)
        applied = self.update(expect_plan=predicted["plan"], diff=True, **self.rollup)
        self.assertIn("75 operations", applied["diff"]["prepared"])
        undo = self.update(check=True, diff=True, state="undone", run="1", **self.common)
        self.assertIn("Exchange 2007 Provider", undo["diff"]["prepared"])

    def test_a_staged_run_is_kept_committed_or_discarded(self):
        staged = self.update(state="staged", **self.rollup)
        self.assertEqual((staged["changed"], staged["run"]), (True, "0001-KB952076"))
        summaries = ["run 0001-KB952076 is already staged with this plan", "nothing to do"]
        for check, summary in zip((True, False), summaries):
            again = self.update(state="staged", check=check, **self.rollup)
            self.assertEqual((again["changed"], again["summary"]), (False, summary))
        predicted = self.update(check=True, **self.rollup)
        self.assertEqual((predicted["changed"], predicted["run"]), (True, "0001-KB952076"))
        info = run_module("deployment_info", **self.common)
        self.assertEqual((info["state"], info["exit_code"], info["changed"]), ("staged", 12, False))
        discarded = self.update(state="undone", run="KB952076", **self.common)
        self.assertTrue(discarded["changed"])
        self.assertEqual(rollup("status", "-d", self.site)["state"], "clean")

    def test_a_failure_has_what_the_program_says(self):
        no_payload = self.refused(deployment=str(self.site), program=PROGRAM, manifest=str(MANIFEST))
        document = rollup("apply", MANIFEST, "-d", self.site, "--yes")
        self.assertEqual(no_payload["error"], document["reasons"])
        self.assertEqual(no_payload["now"], document["now"])
        self.assertEqual(no_payload["exit_code"], document["exit_code"])
        self.assertFalse(no_payload["changed"])
        self.assertEqual(len(no_payload["next"]), len(document["next"]))
        lines = no_payload["msg"].splitlines()
        self.assertEqual([line.split(":")[0] for line in lines], ["error", "now"] + ["next"] * len(document["next"]))

    def test_check_mode_fails_as_the_change_would(self):
        victim = self.site / "MSIShare/HostedEmail2007NS.msi"
        subprocess.run(["chattr", "+i", str(victim)], check=True)
        self.addCleanup(subprocess.run, ["chattr", "-i", str(victim)], check=True)
        failures = [self.refused(check=check, **self.rollup) for check in (True, False)]
        self.assertEqual([failure["exit_code"] for failure in failures], [15, 15])
        self.assertEqual(failures[0]["error"], failures[1]["error"])
        subprocess.run(["chattr", "-i", str(victim)], check=True)
        self.update(**self.rollup)
        subprocess.run(["chattr", "+i", str(victim)], check=True)
        undo = dict(self.common, state="undone", run="KB952076")
        failures = [self.refused(check=check, **undo) for check in (True, False)]
        self.assertEqual([failure["exit_code"] for failure in failures], [15, 15])
        self.assertEqual(failures[0]["error"], failures[1]["error"])

    def test_a_question_that_only_a_person_answers(self):
        question = '\n[[prerequisites]]\nconfirm = "Is there a backup?"\nid = "backup"\n\n[[steps]]'
        manifest = self.site.parent / "asks.toml"
        manifest.write_text(MANIFEST.read_text().replace("\n[[steps]]", question, 1))
        asks = self.with_options(manifest=str(manifest))
        failures = [self.refused(check=check, **asks) for check in (True, False)]
        self.assertEqual([failure["exit_code"] for failure in failures], [15, 15])
        self.assertEqual(failures[0]["error"], failures[1]["error"])
        self.assertTrue(self.update(check=True, confirm=["backup"], **asks)["changed"])
        self.assertTrue(self.update(confirm=["backup"], **asks)["changed"])

    def test_manual_steps_are_answered_one_after_another(self):
        manifest = REPOSITORY / "fixtures/procedures/04-drain-and-health.toml"
        lab = make_lab(self.directory / "drain", manifest)
        site = site_of(lab, self.directory, "drained")
        options = dict(deployment=str(site), program=PROGRAM, manifest=str(manifest), payload=str(lab / "payload"))
        steps = ["drain@PROV01", "check@PROV01", "drain@PROV02", "check@PROV02"]
        stopped = run_module("update", **options)
        for step in steps[:-1]:
            self.assertEqual((stopped["exit_code"], stopped["changed"]), (12, True), stopped)
            self.assertEqual(stopped["error"], ["step `{0}` waits for a person".format(step)])
            stopped = run_module("update", open_run="resume", done=[step], **options)
        predicted = self.update(check=True, open_run="resume", **options)
        self.assertEqual((predicted["changed"], predicted["resumed"]), (True, "0001-KB910004"))
        finished = self.update(open_run="resume", done=steps[-1:], **options)
        self.assertEqual((finished["changed"], finished["resumed"]), (True, "0001-KB910004"))
        self.assertFalse(self.update(**options)["changed"])

    def test_options_without_an_effect_are_refused(self):
        for options in (
            dict(state="undone", run="KB952076", manifest=str(MANIFEST)),
            dict(state="undone", run="KB952076", open_run="resume"),
            dict(state="staged", manifest=str(MANIFEST), backup_dir="/tmp"),
            dict(manifest=str(MANIFEST), run="1"),
        ):
            self.assertIn("has no effect", self.refused(**self.common, **options)["msg"])
        self.assertIn("another run each time", self.refused(state="undone", run="last", **self.common)["msg"])

    def test_a_rollup_without_a_run_cannot_be_rolled_back(self):
        # It is listed in deployment.toml as applied.
        failure = self.refused(state="undone", run="KB948755", **self.common)
        self.assertEqual(failure["error"], ["KB948755 is applied, and no run of it can be rolled back"])
        self.assertFalse(self.update(state="undone", run="KB111111", **self.common)["changed"])

    def test_an_undo_that_is_blocked_is_predicted(self):
        self.update(**self.rollup)
        slots = self.site / ".rollup/runs/0001-KB952076/slots"
        victim = next(slots.glob("*/old"))
        victim.rename(victim.with_name("gone"))
        predicted = self.refused(check=True, state="undone", run="KB952076", **self.common)
        failed = self.refused(state="undone", run="KB952076", **self.common)
        self.assertEqual(predicted["error"], failed["error"])
        self.assertEqual((predicted["exit_code"], failed["exit_code"]), (15, 15))

    def test_the_module_waits_for_a_process_that_is_at_work(self):
        self.update(state="staged", **self.rollup)
        with (self.site / ".rollup/lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertEqual(self.refused(**self.rollup)["exit_code"], 75)
            release = threading.Timer(1.5, fcntl.flock, (lock, fcntl.LOCK_UN))
            release.start()
            self.assertTrue(self.update(lock_timeout=60, **self.rollup)["changed"])
            release.join()

    def test_secrets_reach_the_program_and_nothing_else(self):
        seen = self.site.parent / "seen"
        text = 'printf %s "$MAIL_PASSWORD" > "{0}"; exec "{1}" "$@"'.format(seen, PROGRAM)
        options = self.with_options(program=self.program(text), secrets=dict(MAIL_PASSWORD="hunter2hunter2"))
        result = self.update(**options)
        self.assertEqual(seen.read_text(), "hunter2hunter2")
        self.assertNotIn("hunter2hunter2", result["printed"])
        for path in self.site.rglob("*"):
            if path.is_file():
                self.assertNotIn(b"hunter2hunter2", path.read_bytes(), path)

    def test_approvals_are_passed_as_they_are(self):
        line = self.site.parent / "line"
        text = 'printf "%s\\n" "$@" > "{0}"; exit 3'.format(line)
        options = self.with_options(program=self.program(text))
        self.refused(approvals=["/a.sig", "/b.sig"], without_approval="the board is out", **options)
        words = line.read_text().splitlines()
        self.assertEqual(words[0], "apply")
        joined = " ".join(words)
        self.assertIn("--approval /a.sig --approval /b.sig --without-approval the board is out", joined)

    def test_what_is_not_understood_fails(self):
        later = dict(schema=2, outcome="ok", exit_code=0, changed=True)
        other = dict(schema=1, outcome="ok", exit_code=2, changed=True)
        for printed in ("", "applied", "[]", json.dumps(dict(schema=1)), json.dumps(later), json.dumps(other)):
            program = self.program("cat <<'EOF'\n{0}\nEOF\n".format(printed))
            failure = self.refused(**self.with_options(program=program))
            self.assertIn("rollup status -d", failure["msg"])
            self.assertFalse(failure["changed"])
        failure = self.refused(**self.with_options(program="/nowhere/rollup"))
        self.assertIn("is not an executable program", failure["msg"])

    def test_verify_names_what_differs(self):
        self.update(**self.rollup)
        matching = run_module("verify", **self.common)
        self.assertTrue(matching["matches"])
        self.assertEqual(matching["items"], 33)
        victim = self.site / "MSIShare/HostedEmail2007NS.msi"
        victim.write_bytes(b"changed by hand")
        failure = self.refused("verify", **self.common)
        self.assertEqual(failure["exit_code"], 13)
        self.assertIn("MSIShare/HostedEmail2007NS.msi", failure["error"][0])
        returned = run_module("verify", fail_on_difference=False, undo=True, **self.common)
        self.assertFalse(returned["matches"])
        self.assertEqual(returned["differences"], failure["differences"])

    def test_report_returns_the_report_and_its_page(self):
        failure = self.refused("report", **self.common)
        self.assertEqual(failure["exit_code"], rollup("report", "last", "-d", self.site)["exit_code"])
        self.update(**self.rollup)
        result = run_module("report", page=True, **self.common)
        self.assertEqual(result["report"]["run"], "0001-KB952076")
        self.assertIn("<!DOCTYPE html>", result["page"])
        self.assertNotIn("page", run_module("report", run="1", **self.common))

    def test_reading_modules_change_nothing(self):
        self.update(**self.rollup)
        before = tree_of(self.site)
        for name in ("deployment_info", "verify", "report"):
            result = run_module(name, **self.common)
            self.assertFalse(result["changed"])
        self.assertEqual(tree_of(self.site), before)
        info = run_module("deployment_info", **self.common)
        self.assertEqual(info["undoable"], ["0001-KB952076"])
        self.assertEqual(info["applied"], [dict(kb="KB952076", revision="1.0")])


class Page(unittest.TestCase):
    """The contents of the page of a fleet."""

    def view(self, *records):
        """Return what the page shows."""
        from ansible_collections.rollup.fleet.plugins.filter.fleet_view import fleet_view

        return fleet_view(list(records), "KB1")

    def record(self, host, state="clean", applied=(), **more):
        """Return a record as the role writes it."""
        applied = [dict(kb=kb, revision="1.0") for kb in applied]
        info = dict(state=state, applied=applied, superseded=[], runs=[], pending=[], lagging=[], next=[])
        return dict(dict(host=host, path="/srv", info=info, report=None, failure={}), **more)

    def test_the_verdict_is_that_of_the_worst_site(self):
        applied = self.record("a", applied=["KB1"])
        self.assertEqual(self.view(applied)["verdict"]["text"], "KB1 is applied on all 1 sites")
        self.assertEqual(self.view(applied)["verdict"]["tone"], "good")
        staged = self.record("b", state="staged")
        self.assertEqual(self.view(applied, staged)["verdict"]["tone"], "loud")
        failed = self.record("c", failure=dict(exit_code=15, error=["no room"]))
        self.assertEqual(self.view(applied, staged, failed)["verdict"]["tone"], "bad")
        attention = self.record("d", state="needs-attention")
        self.assertEqual(self.view(applied, attention)["verdict"]["tone"], "bad")

    def test_every_state_has_its_word(self):
        undone = self.record("u")
        undone["info"]["runs"] = [dict(kb="KB1", state="undone")]
        sites = self.view(
            self.record("a", applied=["KB1"]),
            self.record("b", state="interrupted", applied=None or ()),
            undone,
            dict(host="c"),
            self.record("d"),
            self.record("e", failure=dict(exit_code=10)),
        )["sites"]
        words = [site["word"] for site in sites]
        expected = ["applied", "interrupted", "rolled back", "not known", "not begun", "failed, rolled back"]
        self.assertEqual(words, expected)

    def test_applied_updates_may_be_unknown(self):
        record = self.record("a", state="interrupted")
        record["info"]["applied"] = record["info"]["superseded"] = None
        self.assertIsNone(self.view(record)["sites"][0]["applied"])
        record["info"]["state"] = "clean"
        self.assertEqual(self.view(record)["sites"][0]["word"], "not begun")

    def test_an_outage_that_goes_on_comes_first(self):
        since = "2026-12-01 06:06:40 UTC"
        record = self.record("a", state="interrupted")
        record["info"]["open"] = dict(unavailable="Web on WEB01", unavailable_since=since)
        view = self.view(record, self.record("b", applied=["KB1"]))
        self.assertEqual(view["sites"][0]["outage"], "goes on")
        self.assertEqual(view["verdict"]["tone"], "bad")
        line = "unavailable on a: Web on WEB01, since 2026-12-01 06:06:40 UTC"
        self.assertEqual(view["verdict"]["lines"][0], line)

    def test_times_have_any_number_of_decimals(self):
        from ansible_collections.rollup.fleet.plugins.filter.fleet_view import duration, moment

        self.assertEqual((moment("2026-12-01T05:30:36.5Z") - moment("2026-12-01T05:30:36Z")).total_seconds(), 0.5)
        self.assertEqual([duration(us) for us in (0, 41_966, 2_910_000, 174_600_000)], ["0 s", "42.0 ms", "2.91 s", "2.91 min"])


if __name__ == "__main__":
    unittest.main()
