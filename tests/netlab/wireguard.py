"""A WireGuard tunnel between two namespaces."""

import shutil

from netlab.expect import Skip
from netlab.kernel import needs_module


def is_there():
    """The kernel and the tool know it; else it runs in tools/guest."""
    try:
        needs_module("wireguard")
        return shutil.which("wg") is not None
    except Skip:
        return False


def tunnel(world, ends, allowed, port=51820):
    """`ends`: two of (namespace, device, its address with prefix, address of its peer on the link below).

    `allowed`: by end, what its peer may send and is sent to it.
    """
    keys = []
    for namespace, device, *_ in ends:
        keys.append(world.write(f"{namespace}-{device}.key", world.sh("wg genkey")))
        world.sh(f"ip -n {namespace} link add {device} type wireguard")
    for end, (namespace, device, address, peer) in enumerate(ends):
        public = world.sh(f"wg pubkey <{keys[1 - end]}").strip()
        world.sh(f"wg set {device} listen-port {port} private-key {keys[end]} peer {public}"
                 f" allowed-ips {allowed[end]} endpoint {peer}:{port}", namespace)
        world.sh(f"ip -n {namespace} addr add {address} dev {device}"
                 f" && ip -n {namespace} link set {device} up multicast on")
