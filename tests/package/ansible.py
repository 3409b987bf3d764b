#!/usr/bin/env python3
"""The Ansible role, played in a machine with systemd: ansible.py mcr_VERSION_ARCH.deb

Ansible runs in the machine itself, which has no network: what the package depends on is there before.
"""

import json
import os
import re
import shutil
import sys

from machine import TOP, play, run
from netlab.expect import check, equal, phase, until

RULE = """
[[rule]]
name = "{0}"
input = {{ interface = "r0", group = "239.1.1.{1}", port = 5000 }}
outputs = [ {{ interface = "r1", group = "239.2.1.{1}", port = 6000 }} ]
"""
ONE, TWO = RULE.format("one", 1), RULE.format("one", 1) + RULE.format("two", 2)


def furnish(machine, package):
    machine.install(package)
    run("chroot", machine.root, "dpkg", "--purge", "mcr")
    with machine.online():
        run("chroot", machine.root, "apt-get", "-q", "-y", "install", "--no-install-recommends",
            "ansible-core", "python3-apt", seconds=900)
    shutil.copytree(f"{TOP}/tools/ansible", machine.path("/root/ansible"))


def role(machine, config):
    """Plays it: its exit code, how many tasks changed something, and what it said."""
    [package] = [each for each in os.listdir(machine.path("/root")) if each.endswith(".deb")]
    machine.write("/root/vars.json", json.dumps(
        {"mcr_config": config, "mcr_package": f"/root/{package}",
         "ansible_python_interpreter": "/usr/bin/python3"}))
    done = machine.call("env", "LC_ALL=C.UTF-8", "HOME=/root", "ansible-playbook", "--inventory=mcr,",
                        "--connection=local", "--extra-vars=@/root/vars.json", "/root/ansible/mcr.yml",
                        seconds=600)
    recap = re.search(r"\bchanged=(\d+)", done.stdout)
    check(recap, f"a recap: {done.stdout}{done.stderr}")
    return done.returncode, int(recap[1]), done.stdout + done.stderr


def rules(machine):
    return [each["name"] for each in json.loads(machine.sh("mcr status --json"))["rules"]]


def process(machine):
    return machine.sh("systemctl show --value -p MainPID mcr.service")


def story(machine):
    furnish(machine, sys.argv[1])
    machine.boot()
    phase("the first time: installs, configures, starts")
    code, changed, said = role(machine, ONE)
    equal(code, 0, f"exit code of ansible-playbook: {said}")
    check(changed > 0, "something was changed")
    until(lambda: rules(machine) == ["one"], "the relay has the rule")
    equal(machine.sh("systemctl is-enabled mcr.service"), "enabled", "at boot mcr.service")
    phase("the second time: nothing to do")
    equal(role(machine, ONE)[:2], (0, 0), "exit code, and what was changed")
    phase("another configuration: reloaded")
    before = process(machine)
    equal(role(machine, TWO)[0], 0, "exit code of ansible-playbook")
    equal(rules(machine), ["one", "two"], "the rules")
    equal(process(machine), before, "the process")
    phase("a configuration that is refused: not written")
    code, _, said = role(machine, TWO.replace("port = 6000", "prot = 6000"))
    check(code != 0 and "prot" in said, f"the mistake is told: {said}")
    check("prot" not in machine.sh("cat /etc/mcr/mcr.toml"), "the file is as it was")
    equal(rules(machine), ["one", "two"], "the rules")


play(story)
