# SPDX-License-Identifier: MIT OR Apache-2.0
"""A fleet of five deployments on this machine, and the real programs: ansible-playbook and rollup.

ROLLUP_PROGRAM is the program, ROLLUP_COLLECTIONS a directory that has `ansible_collections/rollup/fleet`, and
ROLLUP_REPOSITORY the checkout, if this file is in a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
COLLECTION = HERE.parent.parent
REPOSITORY = pathlib.Path(os.environ.get("ROLLUP_REPOSITORY", COLLECTION.parent)).resolve()
MANIFEST = REPOSITORY / "manifests/kb952076.toml"
INVENTORY = COLLECTION / "inventories/five_sites"
ROLLUP = "KB952076"
SITES = ("aspen", "birch", "cedar", "maple", "rowan")

PROGRAM = os.environ["ROLLUP_PROGRAM"]
COLLECTIONS = os.environ["ROLLUP_COLLECTIONS"]
sys.path.insert(0, COLLECTIONS)


def rollup(*arguments):
    """Run rollup for its document, whatever its exit code is."""
    line = [PROGRAM, *map(str, arguments), "--format", "json", "--progress", "none"]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    return json.loads(ended.stdout)


def make_lab(directory, manifest=MANIFEST):
    """Make a sample deployment and its payload, and return the lab."""
    directory.mkdir(exist_ok=True)
    lab = directory / "lab"
    line = [PROGRAM, "rehearse", str(manifest), "--lab", str(lab), "--prepare"]
    subprocess.run(line, capture_output=True, check=True)
    return lab


def site_of(lab, directory, name):
    """Copy the deployment of the lab to a site, and return it."""
    deployment = directory / name / "hmc40"
    deployment.parent.mkdir(parents=True)
    shutil.copytree(lab / "deployment", deployment, symlinks=True)
    description = deployment / "deployment.toml"
    text = description.read_text()
    description.write_text(re.sub("(?m)^name = .*$", 'name = "{0}"'.format(name), text, count=1))
    return deployment


def tree_of(root, skip=()):
    """Return every entry below a directory: kind, mode, time of change and contents of each path."""
    tree = {}
    for directory, directories, files in os.walk(root):
        directories[:] = sorted(one for one in directories if one not in skip)
        for name in directories + files:
            if name in skip:
                continue
            path = pathlib.Path(directory, name)
            metadata = path.lstat()
            contents = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
            tree[str(path.relative_to(root))] = (metadata.st_mode, metadata.st_mtime_ns, contents)
    return tree


def contents_of(deployment):
    """Return what a run must restore: everything but the own records of rollup, without times of directories."""
    tree = tree_of(deployment, skip=(".rollup",))
    return {path: (mode, time if contents else None, contents) for path, (mode, time, contents) in tree.items()}


class Play:
    """Output of a playbook that has ended."""

    def __init__(self, code, output):
        self.code = code
        self.output = output

    def recap(self, key):
        """Return a number of the recap of each host."""
        found = re.findall(r"(?m)^(\w+)\.example\.net +: .*?\b{0}=(\d+)".format(key), self.output)
        return {site: int(number) for site, number in found}

    def changed(self):
        """Return the sites that were changed."""
        return [site for site, number in sorted(self.recap("changed").items()) if number]


class Fleet:
    """The five sites of the example inventory, each a directory of this machine."""

    def __init__(self, directory):
        self.directory = directory
        self.lab = make_lab(directory)
        self.reports = directory / "reports"
        self.sites = {}
        for name in SITES:
            self.sites[name] = site_of(self.lab, directory / "sites", name)
        # Programs that run in the place of rollup, and hosts that cannot be reached.
        self.programs = {}
        self.unreachable = ()
        self.environment = dict(os.environ)

    def write_overlay(self):
        """Write an inventory that places the hosts of the example on this machine."""
        overlay = self.directory / "overlay"
        (overlay / "group_vars").mkdir(parents=True, exist_ok=True)
        (overlay / "host_vars").mkdir(exist_ok=True)
        (overlay / "ansible.cfg").write_text("")
        (overlay / "hosts.yml").write_text("rollup_fleet:\n")
        common = dict(
            ansible_connection="local",
            ansible_python_interpreter=sys.executable,
            rollup_window_program=PROGRAM,
            rollup_window_program_source="",
            rollup_window_manifest=str(MANIFEST),
            rollup_window_payload="",
            rollup_window_payload_path=str(self.lab / "payload"),
            rollup_window_reports=str(self.reports),
        )
        (overlay / "group_vars/rollup_fleet.yml").write_text(json.dumps(common))
        for name, deployment in self.sites.items():
            own = dict(
                rollup_window_deployment=str(deployment),
                rollup_window_directory=str(deployment.parent / "rollup"),
            )
            if name in self.programs:
                own["rollup_window_program"] = str(self.programs[name])
            if name in self.unreachable:
                # For Ansible a host without a temporary directory cannot be reached.
                own.update(ansible_remote_tmp="/proc/none", ansible_pipelining=False)
            (overlay / "host_vars/{0}.example.net.yml".format(name)).write_text(json.dumps(own))
        return overlay

    def command(self, playbook, *arguments):
        """Return the command line of a playbook: one of the collection, or a file."""
        overlay = self.write_overlay()
        ansible = pathlib.Path(sys.executable).parent / "ansible-playbook"
        inventories = ["-i", str(INVENTORY), "-i", str(overlay)]
        known = playbook if playbook.endswith(".yml") else "rollup.fleet." + playbook
        return [str(ansible), *inventories, known, *arguments]

    def play_environment(self):
        """Return the environment of a playbook: nothing of the user's own configuration."""
        own = dict(
            ANSIBLE_COLLECTIONS_PATH=COLLECTIONS,
            ANSIBLE_CONFIG=str(self.directory / "overlay/ansible.cfg"),
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_LOCALHOST_WARNING="False",
            ANSIBLE_PIPELINING="True",
            HOME=str(self.directory),
            PATH=os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]),
        )
        return dict(self.environment, **own)

    def play(self, playbook, *arguments):
        """Run a playbook of the collection to its end."""
        ended = subprocess.run(
            self.command(playbook, *arguments),
            env=self.play_environment(),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return Play(ended.returncode, ended.stdout)

    def contents(self):
        """Return what a run must restore, of every site."""
        return {name: contents_of(deployment) for name, deployment in self.sites.items()}

    def status(self, site):
        """Return the document of `rollup status`."""
        return rollup("status", "-d", self.sites[site])

    def has_applied(self, site):
        """Return whether a site has the rollup and matches its records."""
        applied = [one["kb"] for one in self.status(site)["applied"] or []]
        return ROLLUP in applied and rollup("verify", "-d", self.sites[site])["exit_code"] == 0


def run_module(name, check=False, diff=False, **arguments):
    """Run a module of the collection, and return its result."""
    own = dict(arguments, _ansible_check_mode=check, _ansible_diff=diff)
    arguments = json.dumps(dict(ANSIBLE_MODULE_ARGS=own))
    ended = subprocess.run(
        [sys.executable, "-m", "ansible_collections.rollup.fleet.plugins.modules." + name],
        env=dict(os.environ, PYTHONPATH=COLLECTIONS),
        input=arguments,
        capture_output=True,
        text=True,
        check=False,
    )
    if not ended.stdout.strip():
        raise AssertionError(ended.stderr)
    result = json.loads(ended.stdout)
    result["printed"] = ended.stdout + ended.stderr
    return result
