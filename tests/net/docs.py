#!/usr/bin/env python3
"""`docs`: the manual and the sample configuration name all that there is, as the program knows it.

    gen (g0) ---- (r0) relay (r1) ---- (s0) sink

Keys are asked of `mcr check` (an unknown key is answered with the known ones), options of --help,
figures and reasons of a running relay's status.
"""

import os
import re

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase
from netlab.world import play

TOOLS = os.path.join(os.path.dirname(__file__), "..", "..", "tools")
RULE = rule("one", "239.1.1.1", 5000, [("r1", "239.2.1.1")])
UNKNOWN = {  # what an unknown key can be in
    "the file": "zzzz = 1\n",
    "[daemon]": "[daemon]\nzzzz = 1\n",
    "[defaults]": "[defaults]\nzzzz = 1\n",
    "[interface.NAME]": "[interface.eth0]\nzzzz = 1\n",
    "a rule": RULE.replace("name =", "zzzz = 1\nname ="),
    "an input": RULE.replace("input = {", "input = { zzzz = 1,"),
    "an output": RULE.replace("  { interface", "  { zzzz = 1, interface"),
    "`expect`": RULE + "expect = { zzzz = 1 }\n",
    "`inspect`": RULE + "inspect = { zzzz = 1 }\n",
    "`sequence`": RULE + "inspect = { sequence = { zzzz = 1, bytes = 4 } }\n",
    "a reflector": '[[reflector]]\nzzzz = 1\n',
    "`allow`": '[[reflector]]\nallow = [ { zzzz = 1 } ]\n',
    "`merge`": RULE + "merge = { zzzz = 1 }\n",
    "`by`": RULE + "merge = { by = { zzzz = 1 } }\n",
    "`failover`": RULE + "failover = { zzzz = 1 }\n",
    "`step`": RULE + "inspect = { sequence = { bytes = 4, step = { zzzz = 1, bytes = 1 } } }\n",
}


def read(*path):
    with open(os.path.join(TOOLS, *path), encoding="utf-8") as file:
        return file.read()


def words(text):
    return set(re.findall(r"[a-z][a-z0-9_-]*", text))


def missing(wanted, text, where):
    """What `text` lacks, as sentences."""
    return [f"{where} does not name {each}" for each in sorted(set(wanted) - words(text))]


def keys(world):
    wrong = []
    for place, text in UNKNOWN.items():
        done = world.call("check", "-c", world.write("unknown.toml", text))
        known = re.search(r"known here: (.*)", done.stderr)
        check(known, f"mcr check names the keys of {place}: {done.stderr}")
        names = known.group(1).split(", ")
        wrong += missing(names, read("man", "mcr.toml.5"), f"mcr.toml(5), for {place},")
        wrong += missing(names, read("mcr.toml"), f"the sample, for {place},")
    return wrong


def options(world):
    pages = read("man", "mcr.1") + read("man", "mcr-status.1")
    wrong, text = [], world.call("--help").stdout
    for command in re.findall(r"^  ([a-z]+) ", text[text.index("Subcommands:"):], re.M):
        wrong += missing([command], pages, "the manual")
        named = re.findall(r"--([a-z-]+)", world.call(command, "--help").stdout)
        wrong += missing(set(named) - {"help"}, re.sub(r"(?<![a-z])-+", " ", pages),
                         f"the manual, for mcr {command},")
    return wrong


def figures(value):
    """All keys of a status; what the user names is not among them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from figures(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from figures(inner)


def story(world):
    equal(words("a b_c, 'd-e'"), {"a", "b_c", "d-e"}, "words")
    world.line()
    daemon = Daemon(world, config(RULE)).start()
    phase("keys, options, figures")
    wrong = keys(world) + options(world)
    wrong += missing(figures(daemon.status()), read("man", "mcr-status.1"), "mcr-status(1)")
    daemon.stop()
    check(not wrong, "\n".join(wrong))


play(story, 40)
