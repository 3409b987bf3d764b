#!/usr/bin/env python3
"""`shards`: the examples of several relays that share the rules of one text, for Kubernetes and for Ansible. They
are what their programs read, and of the configurations that they make each rule is in exactly one.
"""

import json
import os
import subprocess
import sys

from netlab.expect import Skip, check, equal, phase
from netlab.world import play

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools")
RULES = 30
GIVEN = "[daemon]\nworkers = 1\n\n" + "".join(
    f'[[rule]]\nname = "r{i}"\ninput = {{ interface = "eth0", group = "239.1.1.{i}", port = 5000 }}\n'
    'outputs = [ { interface = "eth1" } ]\n' for i in range(RULES))


def yaml():
    sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, where another Python is the first
    try:
        import yaml as module
    except ImportError:
        raise Skip("no python3-yaml here") from None
    return module


def read(name):
    with open(os.path.join(TOOLS, name), encoding="utf-8") as file:
        return yaml().safe_load(file)


def taken(world, texts):
    """How many rules each configuration has, as `mcr check` counts them."""
    counts = []
    for i, text in enumerate(texts):
        done = world.call("check", "-c", world.write(f"shard{i}.toml", text), "--json")
        equal(done.returncode, 0, f"exit code of mcr check ({done.stderr}) of {text[:200]}")
        counts.append(json.loads(done.stdout)["rules"])
    return counts


def kubernetes(world):
    example = read("container/statefulset.yaml")
    equal((example["kind"], example["spec"]["replicas"]), ("StatefulSet", 3), "what it is")
    pod = example["spec"]["template"]["spec"]
    [shard] = pod["initContainers"]
    variables = {each["name"]: each for each in shard["env"]}
    of = int(variables["OF"]["value"])
    equal(of, example["spec"]["replicas"], "shards")
    equal(variables["INDEX"]["valueFrom"]["fieldRef"]["fieldPath"],
          "metadata.labels['apps.kubernetes.io/pod-index']", "the pod's ordinal")
    os.makedirs(world.path("given"))
    world.write("given/mcr.toml", GIVEN)
    texts = []
    for index in range(of):
        shell, option, script = shard["command"]
        script = script.replace("/given/", world.path("given/")).replace("/etc/mcr/mcr.toml", world.path("made.toml"))
        subprocess.run([shell, option, script], env={"PATH": os.environ["PATH"], "OF": str(of), "INDEX": str(index)},
                       check=True)
        with open(world.path("made.toml"), encoding="utf-8") as file:
            texts.append(file.read())
        check(f'shard = "{index + 1}/{of}"' in texts[-1], texts[-1][:100])
    counts = taken(world, texts)
    equal(sum(counts), RULES, f"rules of all pods: {counts}")
    check(all(counts), f"each pod has some: {counts}")


def ansible(world):
    play_of_all, *_ = read("ansible/sharded.yml")
    equal([role["role"] for role in play_of_all["roles"]], ["mcr"], "its roles")
    try:
        import jinja2
    except ImportError:
        print("no jinja2 here: the template is not filled in")
        return
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(play_of_all["vars"]["mcr_config"])
    hosts = ["one", "two", "three"]
    texts = [template.render(ansible_play_hosts_all=hosts, inventory_hostname=host,
                             ansible_default_ipv4={"address": "192.0.2.1"}) for host in hosts]
    equal(sum(taken(world, texts)), texts[0].count("[[rule]]"), "rules of all hosts")
    check('shard = "2/3"' in texts[1], texts[1])


def story(world):
    world.namespace("relay")
    phase("a StatefulSet")
    kubernetes(world)
    phase("a playbook")
    ansible(world)


play(story)
