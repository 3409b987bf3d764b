#!/usr/bin/env python3
"""`schema`: the JSON Schema of the configuration agrees with `mcr check`.

What check takes, the schema takes: the sample with every key, each example, the fuzzers' corpus.
What check refuses for its kind (an unknown key, a wrong type, none of the words), it refuses, too. So
it does what lacks a key, or has too little or too much, as far as JSON Schema can say that simply.
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

INPUT = 'input = { interface = "e0", group = "239.1.1.1", port = 5000 }'
OUTPUTS = 'outputs = [ { interface = "e1" } ]'
LEGS = 'inputs = [ { interface = "e0", group = "239.1.1.1", port = 5000 } ]'
WHOLE = f'[[rule]]\nname = "a"\n{INPUT}\n{OUTPUTS}\n'
REFLECTOR = '[[reflector]]\nname = "m"\nkind = "mdns"\ninterfaces = ["a", "b"]\n'
# Each value is right by itself; something is missing, or is too much.
INCOMPLETE = [
    '[[rule]]\nname = "a"', WHOLE.replace(INPUT, ""), WHOLE.replace(OUTPUTS, ""),
    WHOLE.replace('interface = "e0", ', ""), WHOLE.replace('group = "239.1.1.1", ', ""),
    WHOLE.replace(", port = 5000", ""), WHOLE.replace(' interface = "e1" ', ""),
    WHOLE.replace(OUTPUTS, "outputs = []"), WHOLE.replace(INPUT, "inputs = []"),
    WHOLE + LEGS, WHOLE.replace("port = 5000", "port = 5000, sources = []"),
    WHOLE.replace('"239.1.1.1"', '"239.1.1.1", address = "10.0.0.1"'),
    WHOLE.replace('"e1"', '"e1", group = "239.1.1.2", address = "10.0.0.1"'),
    WHOLE.replace('"e1"', '"e1", host = "there", address = "10.0.0.1"'),
    WHOLE.replace('"e1"', '"e1", host = "there", group = "239.1.1.2"'),
    WHOLE.replace('"a"', '""'), WHOLE.replace('"a"', f'"{"x" * 65}"'), WHOLE + f'comment = "{"x" * 257}"',
    WHOLE + "expect = {}", WHOLE + "expect = { pids = [] }", WHOLE + "inspect = {}",
    WHOLE + "inspect = { sequence = { offset = 1 } }",
    WHOLE + "inspect = { sequence = { bytes = 4, step = { offset = 8 } } }",
    WHOLE + "merge = {}", WHOLE + 'merge = { by = "rtp" }', WHOLE + 'merge = { order = "first" }',
    WHOLE + 'merge = { by = {}, order = "first" }',
    WHOLE.replace(INPUT, LEGS) + 'merge = { by = "rtp", order = "first" }\nfailover = {}',
    WHOLE + "[daemon]\ncpus = []", REFLECTOR.replace('name = "m"', ""),
    REFLECTOR.replace('interfaces = ["a", "b"]', ""), REFLECTOR.replace('["a", "b"]', "[]"),
    REFLECTOR.replace('["a", "b"]', '["a"]'), REFLECTOR.replace('"m"', '""'), REFLECTOR + "allow = []",
    REFLECTOR + 'allow = [ { from = "a" } ]', REFLECTOR + 'allow = [ { to = "a" } ]',
    REFLECTOR + "services = []", REFLECTOR.replace("mdns", "udp") + "port = 1\ngroup = []",
    REFLECTOR.replace("mdns", "udp") + 'port = 1\ngroup = "239.1.1.1"\naddress = "broadcast"',
]
# Of one value, beyond its type.
VALUES = [
    WHOLE.replace('"e1"', '"e1", dscp = "AF99"'), WHOLE.replace('"e1"', '"e1", dscp = "ef"'),
    WHOLE.replace('"a"', '"a\\tb"'), '[daemon]\nshard = "0/2"', '[daemon]\nshard = "1/0"',
]
# What check refuses, and why the schema cannot.
BEYOND = {
    WHOLE + WHOLE: "names of two tables are compared",
    '[daemon]\nshard = "9/2"': "two numbers within a text are compared",
    WHOLE.replace('"a"', f'"{"ü" * 33}"'): "JSON Schema counts characters, not bytes",
    WHOLE.replace('"239.1.1.1"', '"10.0.0.1"'): "which addresses are groups is no matter of form",
    WHOLE + "[daemon]\nworkers = 2\ncpus = [1]": "a number and the length of a list are compared",
    '[daemon]\nbatch_wait = "1s"': "the range of a number with a unit",
    WHOLE + "inspect = { sequence = { bytes = 3 } }": "powers of two (a list of them would do)",
    WHOLE.replace('"e1"', '"e1", addresses = "all"'): "a key that needs another (host)",
    WHOLE + 'merge = { by = "content", order = "sequence" }': "values of two keys do not fit",
    REFLECTOR.replace("mdns", "udp"): "which keys are needed depends on `kind`",
}
# Words of a schema about what is missing or too much, which hide a wrong kind.
OF_COMPLETENESS = ("required", "allOf", "minItems", "minProperties", "minLength", "maxLength")


def without(form, words):
    if isinstance(form, list):
        return [without(each, words) for each in form]
    if isinstance(form, dict):
        return {key: without(each, words) for key, each in form.items() if key not in words}
    return form


def refused_by_check(world, text):
    done = world.call("check", "--json", "-c", world.write("each.toml", text))
    return [each["message"] for each in json.loads(done.stdout)["errors"]]


def beyond_kind(world, judge, kinds):
    """What is incomplete is refused for that alone."""
    wrong = []
    valid = [text for text in (WHOLE, WHOLE.replace(INPUT, LEGS), REFLECTOR) if judge.is_valid(tomllib.loads(text))]
    equal(len(valid), 3, "of what the texts are made of")
    for text in [*INCOMPLETE, *VALUES, *BEYOND]:
        document = tomllib.loads(text)
        found = refused_by_check(world, text)
        if not found:
            wrong.append(f"check takes {text}")
        if judge.is_valid(document) != (text in BEYOND):
            wrong.append(f"the schema, of {text}: check says {found}")
        if text in INCOMPLETE and not kinds.is_valid(document):
            wrong.append(f"wrong by kind, too: {text}")
    check(not wrong, "\n".join(wrong))


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
    return jsonschema.Draft7Validator(schema), jsonschema.Draft7Validator(without(schema, OF_COMPLETENESS))


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
    judge, kinds = validator(world)
    phase("the schema and mcr check, side by side")
    taken, refused, wrong = 0, 0, []
    for name, text in texts():
        try:
            document = tomllib.loads(text.decode())
        except (UnicodeDecodeError, tomllib.TOMLDecodeError):
            continue
        errors = refused_by_check(world, text)
        valid = (kinds if errors else judge).is_valid(document)
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
    phase("what is missing, or too much")
    beyond_kind(world, judge, kinds)


play(story, 120)
