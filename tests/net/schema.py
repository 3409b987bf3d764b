#!/usr/bin/env python3
"""`schema`: the JSON Schema of the configuration agrees with `mcr check`.

What check takes, the schema takes: the sample with every key, each example, the fuzzers' corpus.
What check refuses for its kind (an unknown key, a wrong type, none of the words), it refuses, too.
"""

import glob
import json
import os
import re
import sys
import tomllib

from netlab.expect import Skip, check, equal, phase
from netlab.world import play

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OF_KIND = re.compile(r"unknown key|expected .*, found|is none of|is neither|is not from \d+ to")
# Wrong by kind, each in a place of its own: what the corpus may lack.
WRONG = [
    "zzzz = 1", "daemon = 1", "rule = 1", "[rule]", "[daemon]\nworkers = 0", "[daemon]\ncpus = 2",
    '[daemon]\ncpus = ["2"]', '[daemon]\nfanout = "rand"', '[daemon]\nmetrics = 9464',
    '[daemon]\nlog_level = "loud"', "[daemon]\nbatch_wait = 5", '[defaults]\nttl = 256',
    '[defaults]\nttl = "copy"', '[defaults]\ninterface = "eth0"', "[defaults]\nloopback = 1", "[defaults]\nsegmentation = true",
    '[interface.eth0]\nsegmentation = "on"',
    '[defaults]\nsource = true', "[interface.eth0]\nzzzz = 1", '[interface.eth0]\ngro = "yes"',
    "[interface.eth0]\nreceive_buffer = 1", '[interface]\neth0 = "on"', "[[rule]]\nzzzz = 1",
    "[[rule]]\nname = 1", "[[rule]]\ninput = [1]", "[[rule]]\ninputs = {}",
    "[[rule]]\ninput = { port = 0 }", "[[rule]]\ninput = { vlan = 4095 }",
    '[[rule]]\ninput = { sources = "10.0.0.1" }', '[[rule]]\ninput = { ttl = 3 }',
    '[[rule]]\noutputs = { interface = "eth1" }', "[[rule]]\noutputs = [ { vlan = 3 } ]",
    '[[rule]]\noutputs = [ { max_pps = "10" } ]', "[[rule]]\nexpect = { zzzz = 1 }",
    '[[rule]]\nexpect = { min_pps = "1" }', "[[rule]]\nexpect = { silent_after = 5 }",
    '[[rule]]\nexpect = { max_loss = 0.1 }', "[[rule]]\nexpect = { pids = [9000] }",
    '[[rule]]\nenabled = "no"',
]


def validator(world):
    sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, where another Python is the first
    try:
        import jsonschema
    except ImportError:
        raise Skip("no python3-jsonschema") from None
    schema = json.loads(world.call("check", "--schema").stdout)
    jsonschema.Draft7Validator.check_schema(schema)
    for name, table in schema["definitions"].items():
        for key, form in table["properties"].items():
            check(form not in ({}, {"anyOf": []}), f"the schema knows the form of {key} in {name}")
    return jsonschema.Draft7Validator(schema)


def sample():
    """tools/mcr.toml with every key that it explains."""
    with open(os.path.join(TOP, "tools", "mcr.toml"), encoding="utf-8") as file:
        text = file.read()
    return re.sub(r"(?m)^#(?=[a-z_]+ = |\[|  \{|\])", "", text)


def texts():
    for path in glob.glob(f"{TOP}/tools/examples/*.toml") + glob.glob(
            f"{TOP}/tests/fuzz/corpus/config/*"):
        with open(path, "rb") as file:
            yield os.path.basename(path), file.read()
    yield "the sample", sample().encode()
    for text in WRONG:
        yield repr(text), text.encode()


def story(world):
    world.namespace("relay")
    judge = validator(world)
    phase("the schema and mcr check, side by side")
    taken, refused, wrong = 0, 0, []
    for name, text in texts():
        try:
            document = tomllib.loads(text.decode())
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        done = world.call("check", "--json", "-c", world.write("each.toml", text))
        errors = [each["message"] for each in json.loads(done.stdout)["errors"]]
        valid = judge.is_valid(document)
        of_kind = [each for each in errors if OF_KIND.search(each)]
        if not errors:
            taken += 1
            wrong += [] if valid else [f"{name}: taken by check, not by the schema: "
                                       f"{next(judge.iter_errors(document)).message[:200]}"]
        elif of_kind:
            refused += 1
            wrong += [f"{name}: taken by the schema; check says: {of_kind[0]}"] if valid else []
        if name == "the sample":
            equal(errors, [], "what is wrong in the sample with every key")
        check(errors or text.decode() not in WRONG, f"check takes {name}")
    check(not wrong, "\n".join(wrong))
    check(taken > 10 and refused > len(WRONG), f"much was compared: {taken} taken, {refused} not")


play(story, 120)
