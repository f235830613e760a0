# SPDX-License-Identifier: MIT OR Apache-2.0
"""A window on a fleet of five deployments: failures, convergence, check mode, a dead controller, a rollback."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

from support import HERE, MANIFEST, PROGRAM, ROLLUP, SITES, Fleet, contents_of, rollup, site_of, tree_of

ALL = list(SITES)


class Scenario(unittest.TestCase):
    """A fleet that the tests of a class work on, one after another."""

    longMessage = True

    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory(prefix="rollup-fleet-")
        cls.addClassCleanup(directory.cleanup)
        cls.fleet = Fleet(pathlib.Path(directory.name))
        cls.before = cls.fleet.contents()

    def play(self, playbook, *arguments, code=0):
        """Run a playbook, which has to end with this code."""
        play = self.fleet.play(playbook, *arguments)
        self.assertEqual(play.code, code, play.output)
        return play

    def whole_tree(self):
        """Return everything below the directory of the fleet, but the configuration of the test."""
        return tree_of(self.fleet.directory, skip=("overlay", ".ansible"))

    def assert_unchanged(self, before, play, apart_from=None):
        """Compare the whole tree with an earlier one, and name what differs, but for files of this name."""
        after = self.whole_tree()
        paths = sorted(path for path in set(before) | set(after) if before.get(path) != after.get(path))
        paths = [path for path in paths if pathlib.Path(path).name != apart_from]
        self.assertEqual(paths, [], play.output)

    def predict(self, playbook, *arguments):
        """Run a playbook in check mode, which must change nothing at all, and return the sites that it predicts."""
        before = self.whole_tree()
        play = self.play(playbook, "--check", *arguments)
        self.assert_unchanged(before, play)
        return play.changed()


class AWindow(Scenario):
    """The whole life of a rollup on a fleet, in the order of the numbers."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Another program marks a file of the second step as immutable, after all checks.
        cls.hardened = cls.fleet.sites["cedar"] / "MSIShare/HostedEmail2007NS.msi"
        cls.fleet.environment["ROLLUP_HARDENED"] = str(cls.hardened)
        cls.addClassCleanup(subprocess.run, ["chattr", "-R", "-i", str(cls.fleet.sites["cedar"])], check=False)

    def test_1_preparing_leaves_the_deployments_alone(self):
        self.play("prepare")
        self.assertEqual(self.fleet.contents(), self.before)
        self.assertEqual(self.play("prepare").changed(), [])

    def test_2_check_mode_predicts_every_site(self):
        self.assertEqual(self.predict("window"), ALL)

    def test_2_without_one_host_nothing_is_begun(self):
        before = {site: tree_of(deployment) for site, deployment in self.fleet.sites.items()}
        self.fleet.unreachable = ("rowan",)
        self.addCleanup(setattr, self.fleet, "unreachable", ())
        play = self.play("window", code=4)
        self.assertEqual(play.recap("unreachable")["rowan"], 1, play.output)
        self.assertEqual({site: tree_of(deployment) for site, deployment in self.fleet.sites.items()}, before)

    def test_3_a_failure_at_the_second_step_stops_the_window(self):
        self.fleet.programs["cedar"] = HERE / "hardening.py"
        untouched = {site: tree_of(self.fleet.sites[site]) for site in ("maple", "rowan")}
        play = self.play("window", code=2)
        # The canary alone, then the first batch, of which one fails.
        self.assertEqual(play.changed(), ["aspen", "birch"], play.output)
        self.assertEqual([site for site, number in play.recap("failed").items() if number], ["cedar"])
        self.assertIn("step `copy`, operation 28 of 75 (replace HostedEmail2007NS.msi)", play.output)
        self.assertIn("next: fix the cause, then apply again", play.output)
        for site in ("aspen", "birch"):
            self.assertTrue(self.fleet.has_applied(site), site)
        # The failed one is rolled back, and the second batch did not begin: not a byte or time stamp is new.
        subprocess.run(["chattr", "-i", str(self.hardened)], check=True)
        self.assertEqual(contents_of(self.fleet.sites["cedar"]), self.before["cedar"])
        self.assertEqual(self.fleet.status("cedar")["state"], "clean")
        for site, tree in untouched.items():
            self.assertEqual(tree_of(self.fleet.sites[site]), tree, site)

    def test_4_the_page_says_so(self):
        page = (self.fleet.reports / "index.html").read_text()
        self.assertIn("Stopped by a failure: KB952076 is applied on 2 of 5 sites", page)
        self.assertIn("1 failed, rolled back: cedar.example.net", page)
        self.assertIn("2 not begun: maple.example.net, rowan.example.net", page)
        record = json.loads((self.fleet.reports / "cedar.example.net.json").read_text())
        self.assertEqual(record["failure"]["exit_code"], 10)
        self.assertEqual(record["report"]["state"], "undone")
        self.assertIn("Failed, and rolled back", (self.fleet.reports / "cedar.example.net.html").read_text())

    def test_4_the_page_escapes_what_hosts_say(self):
        file = self.fleet.reports / "cedar.example.net.json"
        record = json.loads(file.read_text())
        record["failure"]["error"] = ["<script>alert(1)</script> in `a & b`"]
        file.write_text(json.dumps(record))
        playbook = self.fleet.directory / "page.yml"
        role = dict(name="rollup.fleet.rollup_window", tasks_from="page.yml")
        tasks = [{"ansible.builtin.include_role": role}]
        playbook.write_text(json.dumps([dict(hosts="rollup_fleet", gather_facts=False, tasks=tasks)]))
        self.play(str(playbook))
        page = (self.fleet.reports / "index.html").read_text()
        self.assertIn("&lt;script&gt;alert(1)&lt;/script&gt; in <code>a &amp; b</code>", page)
        self.assertNotIn("<script", page)

    def test_5_the_next_window_changes_what_is_left(self):
        self.fleet.programs.clear()
        predicted = self.predict("window", "--diff")
        play = self.play("window")
        self.assertEqual(play.changed(), ["cedar", "maple", "rowan"], play.output)
        self.assertEqual(predicted, play.changed())
        for site in SITES:
            self.assertTrue(self.fleet.has_applied(site), site)
        page = (self.fleet.reports / "index.html").read_text()
        self.assertIn("KB952076 is applied on all 5 sites", page)

    def test_6_one_more_changes_nothing(self):
        self.assertEqual(self.predict("window"), [])
        before = self.whole_tree()
        play = self.play("window")
        self.assertEqual(play.changed(), [], play.output)
        # Who holds the lock is written also if there is nothing to do.
        self.assert_unchanged(before, play, apart_from="lock.owner")

    def test_7_the_fleet_is_rolled_back(self):
        self.assertEqual(self.predict("rollback"), ALL)
        play = self.play("rollback")
        self.assertEqual(play.changed(), ALL, play.output)
        self.assertEqual(self.fleet.contents(), self.before)
        self.assertEqual(self.fleet.status("rowan")["state"], "action-required")
        page = (self.fleet.reports / "index.html").read_text()
        self.assertIn("Provisioning Engine on MPS01, MPS02", page)
        self.assertEqual(self.play("rollback").changed(), [])

    def test_8_it_is_staged_days_before(self):
        # Manifest and payload are there already, so that only what is staged counts.
        self.assertEqual(self.predict("stage"), ALL)
        self.assertEqual(self.play("stage").changed(), ALL)
        self.assertEqual(self.fleet.contents(), self.before)
        self.assertEqual(self.play("stage").changed(), [])
        self.assertEqual(self.fleet.status("maple")["state"], "staged")
        # A fleet that is only staged is rolled back, too; after a host was lost no other batch begins.
        self.fleet.unreachable = ("rowan",)
        play = self.play("rollback", "-e", "rollup_window_serial=2", code=2)
        self.fleet.unreachable = ()
        self.assertEqual(play.changed(), ["maple"], play.output)
        self.assertIn("not begun, because these hosts were lost: rowan.example.net", play.output)
        self.assertEqual(self.fleet.status("rowan")["state"], "staged")
        self.assertEqual(self.fleet.status("maple")["state"], "action-required")
        self.assertEqual(self.play("window").changed(), ALL)
        runs = rollup("history", "-d", self.fleet.sites["rowan"])["runs"]
        self.assertEqual([(run["number"], run["state"]) for run in runs], [(2, "applied"), (1, "undone")])


class ADeadController(Scenario):
    """The controller is killed in the middle, and started again."""

    def change_in_the_commit(self):
        """Return the number of a change of the disk with a third of the swaps before it."""
        for change in range(800, 3000, 100):
            site = site_of(self.fleet.lab, self.fleet.directory / "tries", str(change))
            payload = str(self.fleet.lab / "payload")
            line = [PROGRAM, "apply", str(MANIFEST), "-d", str(site), "-p", payload, "--yes"]
            subprocess.run(line + ["--die-at-change", str(change)], capture_output=True, check=False)
            run = rollup("status", "-d", site)["open"]
            if run and run["swaps"] and run["swaps_done"] > run["swaps"] / 3:
                return str(change)
        raise AssertionError("no change is in the commit")

    def test_1_sigkill_leaves_one_run_open(self):
        self.play("prepare")
        died = self.fleet.directory / "died"
        self.fleet.environment.update(ROLLUP_DIES_AT=self.change_in_the_commit(), ROLLUP_DIED=str(died))
        self.fleet.programs["birch"] = HERE / "dying.py"
        log = self.fleet.directory / "killed.log"
        with log.open("w") as output:
            controller = subprocess.Popen(
                self.fleet.command("window", "-e", '{"rollup_window_serial": 1}'),
                env=self.fleet.play_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            for _attempt in range(1200):
                if (died.exists() and died.read_text()) or controller.poll() is not None:
                    break
                time.sleep(0.1)
            self.assertIsNone(controller.poll(), log.read_text())
            self.assertTrue(died.exists(), log.read_text())
            controller.kill()
            controller.wait()
        finally:
            controller.kill()
            if died.exists():
                # What the controller left on the host, which hangs there.
                os.kill(int(died.read_text()), signal.SIGKILL)
        self.assertTrue(self.fleet.has_applied("aspen"))
        status = self.fleet.status("birch")
        self.assertEqual(status["state"], "interrupted")
        self.assertGreater(status["open"]["swaps_done"], 0)
        for site in ("cedar", "maple", "rowan"):
            self.assertEqual(contents_of(self.fleet.sites[site]), self.before[site])

    def test_2_a_run_is_only_reported_if_that_is_asked_for(self):
        self.fleet.programs.clear()
        before = contents_of(self.fleet.sites["birch"])
        play = self.play("window", "-e", "rollup_window_open_run=refuse", code=2)
        # The other site of its batch is applied; the next batch did not begin.
        self.assertEqual(play.changed(), ["cedar"], play.output)
        self.assertIn("0001-KB952076", play.output)
        self.assertIn("rollup resume", play.output)
        self.assertEqual(contents_of(self.fleet.sites["birch"]), before)
        page = (self.fleet.reports / "index.html").read_text()
        self.assertIn("Stopped by a failure", page)
        self.assertIn("rollup undo", page)

    def test_3_the_same_window_finishes_it(self):
        self.assertEqual(self.predict("window"), ["birch", "maple", "rowan"])
        play = self.play("window")
        self.assertEqual(play.changed(), ["birch", "maple", "rowan"], play.output)
        for site in SITES:
            self.assertTrue(self.fleet.has_applied(site), site)
        # The site that was interrupted has the same files as one that was not.
        trees = [contents_of(self.fleet.sites[site]) for site in ("birch", "cedar")]
        for tree in trees:
            del tree["deployment.toml"]
        self.assertEqual(*({path: entry[2] for path, entry in tree.items()} for tree in trees))
        self.assertEqual(len(rollup("history", ROLLUP, "-d", self.fleet.sites["birch"])["steps"]), 5)


if __name__ == "__main__":
    unittest.main()
