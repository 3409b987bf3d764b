#!/usr/bin/env python3
"""The container image: image.py mcr_VERSION_ARCH.deb

Its layout is whole (each blob has the digest that it is named by), what its configuration starts is there
and runs, in a root of its layer, with the network of nobody; and the compose file and the DaemonSet fit it.
The daemon under their restrictions is the story `container`.
"""

import hashlib
import json
import os
import sys
import tempfile

from machine import TOP, judged, run
from netlab.expect import Skip, check, equal

TOOLS = f"{TOP}/tools"


def blob(image, descriptor):
    """The path of a blob, which is what its descriptor says."""
    kind, digest = descriptor["digest"].split(":")
    path = f"{image}/blobs/{kind}/{digest}"
    with open(path, "rb") as file:
        equal(hashlib.file_digest(file, kind).hexdigest(), digest, "digest of a blob")
    equal(os.path.getsize(path), descriptor["size"], "size of a blob")
    return path


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def whole(image):
    """The configuration and the layer of the one image in a layout."""
    [found] = load(f"{image}/index.json")["manifests"]
    manifest = load(blob(image, found))
    config = load(blob(image, manifest["config"]))
    [layer] = manifest["layers"]
    equal(config["rootfs"]["diff_ids"], [layer["digest"]], "the layers of the configuration")
    [docker] = load(f"{image}/manifest.json")
    equal(docker["Layers"], [f"blobs/sha256/{layer['digest'][7:]}"], "the layer as Docker reads it")
    return config["config"], blob(image, layer)


def runs(root, config):
    def inside(*argv, ok=True):
        return run("unshare", "--net", "chroot", root, "/usr/bin/env", "-i", *config["Env"], *argv, ok=ok)

    [program] = config["Entrypoint"]
    inside(program, "--version")
    inside(program, "check")
    equal(config["Cmd"], ["run"], "what the image starts")
    kind, *health = config["Healthcheck"]["Test"]
    equal(kind, "CMD", "kind of health check")
    equal(inside(*health, ok=False).returncode, 69, "the health check where no relay runs")


def settings(config):
    """The files of tools/container are YAML, and fit the image and each other."""
    sys.path.append("/usr/lib/python3/dist-packages")  # Debian's, where another Python is the first
    import yaml

    def read(name):
        with open(f"{TOOLS}/container/{name}", encoding="utf-8") as file:
            return yaml.safe_load(file)

    service = read("compose.yaml")["services"]["mcr"]
    equal(service["healthcheck"]["test"], config["Healthcheck"]["Test"], "health check of the compose file")
    equal(service["network_mode"], "host", "its network")
    check("seccomp:seccomp.json" in service["security_opt"], "it names the seccomp profile")
    pod = read("daemonset.yaml")["spec"]["template"]["spec"]
    equal(pod["hostNetwork"], True, "hostNetwork of the DaemonSet")
    [container] = pod["containers"]
    context = container["securityContext"]
    equal(container["readinessProbe"]["exec"]["command"], ["mcr", "status", "--health"], "its readiness")
    equal(context["seccompProfile"], {"type": "Localhost", "localhostProfile": "mcr.json"}, "its profile")
    for drops, read_only in ((service["cap_drop"], service["read_only"]),
                             (context["capabilities"]["drop"], context["readOnlyRootFilesystem"])):
        equal((drops, read_only), (["ALL"], True), "capabilities dropped, and a read-only root")


def main(package):
    if os.geteuid() != 0:
        raise Skip("only root can make an image")
    with tempfile.TemporaryDirectory() as work:
        run(f"{TOOLS}/image", package, f"{work}/image.tar", seconds=900)
        os.mkdir(f"{work}/image")
        os.mkdir(f"{work}/root")
        run("tar", "-x", "-C", f"{work}/image", "-f", f"{work}/image.tar")
        config, layer = whole(f"{work}/image")
        run("tar", "-x", "--exclude=./dev/*", "-C", f"{work}/root", "-f", layer)
        check(os.path.getsize(layer) < 250 << 20, "the image is small")
        runs(f"{work}/root", config)
        settings(config)


with judged():
    main(sys.argv[1])
