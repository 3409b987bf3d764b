#!/usr/bin/env python3
"""`completion`: what bash and zsh offer after `mcr`, from its help and from the running relay.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink
"""

import os
import shutil
import subprocess

from netlab.daemon import Daemon, config, rule
from netlab.expect import Skip, check, equal, phase
from netlab.process import PROGRAMS
from netlab.world import play

FOLDER = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "completion")
NAMES = ["studio-a", "studio b", "r0/239.1.1.3:5000"]
LIBRARY = "/usr/share/bash-completion/bash_completion"


def offered(world, shell, words):
    """What a shell offers for the last of `words`."""
    command = {
        "bash": ["bash", "--norc", f"{PROGRAMS}/complete.bash", LIBRARY, f"{FOLDER}/mcr.bash"],
        "zsh": ["zsh", "-f", f"{PROGRAMS}/complete.zsh", f"{FOLDER}/_mcr"],
    }[shell]
    path = os.path.dirname(world.mcr) + ":" + os.environ["PATH"]
    done = subprocess.run(
        ["ip", "netns", "exec", "relay", *command, *words], capture_output=True, text=True,
        env=dict(os.environ, PATH=path), timeout=20, check=False,
    )
    equal(done.stderr, "", f"what {shell} complains of")
    return done.stdout.splitlines()


def shell_offers(world, shell, socket):
    def names(found):
        return [each.split(":")[0] for each in found]

    commands = names(offered(world, shell, ["mcr", ""]))
    check({"run", "check", "reload", "status", "gen", "sink"} <= set(commands),
          f"{shell} offers the commands: {commands}")
    options = names(offered(world, shell, ["mcr", "status", "--"]))
    check({"--json", "--watch", "--socket", "--help"} <= set(options), f"{shell}: {options}")
    check("--plain" in names(offered(world, shell, ["mcr", "run", "-"])), f"{shell}: mcr run -")
    equal(offered(world, shell, ["mcr", "gen", "--gso", ""]), ["on", "off"], "mcr gen --gso")
    verbs = names(offered(world, shell, ["mcr", "rule", ""]))
    check({"add", "set", "remove", "enable", "disable", "show"} <= set(verbs), f"{shell}: {verbs}")
    options = names(offered(world, shell, ["mcr", "rule", "set", "--"]))
    check({"--input", "--output", "--unset", "--runtime"} <= set(options), f"{shell}: {options}")
    check("waiting" in offered(world, shell, ["mcr", "status", "--state", "w"]), "mcr status --state")
    found = offered(world, shell, ["mcr", "status", "--socket", socket, ""])
    # zsh quotes what it inserts, bash takes it as it is.
    wanted = [name.replace(" ", "\\ ") for name in NAMES] if shell == "bash" else NAMES
    equal(sorted(found), sorted(wanted), f"rules that {shell} offers")


def story(world):
    world.line()
    rules = [rule(name, f"239.1.1.{i + 1}", 5000, [("r1", f"239.2.1.{i + 1}")])
             for i, name in enumerate(NAMES)]
    daemon = Daemon(world, config(*rules)).start()
    for shell, needs in (("bash", LIBRARY), ("zsh", shutil.which("zsh") or "zsh")):
        phase(shell)
        if not os.path.exists(needs):
            raise Skip(f"no {needs} here")
        shell_offers(world, shell, daemon.socket)
    phase("bash: a word that is begun, with a colon in it")
    equal(offered(world, "bash", ["mcr", "status", "--socket", daemon.socket, "studio-"]),
          ["studio-a"], "rules that begin so")
    equal(offered(world, "bash", ["mcr", "status", "--socket", daemon.socket, "r0/239.1.1.3", ":"]),
          ["5000"], "what follows the colon")
    daemon.stop()


play(story, 40)
