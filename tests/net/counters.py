"""Independent counts: nftables at an interface's ingress, one counter a (destination, port).

The kernel may carry many datagrams in one frame (UDP_SEGMENT), with one pair of headers; so the
exact figure is the UDP payload: bytes - 28 x frames.
"""

import json

HEADERS = 28  # IPv4 without options, and UDP


class Count:
    """Frames and their bytes after the Ethernet header."""

    def __init__(self, frames=0, length=0):
        self.frames = frames
        self.length = length

    @property
    def payload(self):
        return self.length - HEADERS * self.frames

    def __add__(self, other):
        return Count(self.frames + other.frames, self.length + other.length)

    def __sub__(self, other):
        return Count(self.frames - other.frames, self.length - other.length)

    def __eq__(self, other):
        return (self.frames, self.length) == (other.frames, other.length)

    def __repr__(self):
        return f"{self.frames} frames, {self.payload} B of payload"


class Counters:
    """Counts IPv4 UDP that comes in on one interface, from now on."""

    def __init__(self, world, namespace, interface):
        self._world = world
        self.namespace = namespace
        self.interface = interface
        self._table = f"watch_{interface}"
        script = f"""
table netdev {self._table} {{
  set flows {{ type ipv4_addr . inet_service; size 65535; flags dynamic; }}
  chain ingress {{
    type filter hook ingress device {interface} priority -500;
    meta l4proto udp add @flows {{ ip daddr . udp dport counter }}
  }}
}}
"""
        world.sh(f"nft -f {world.write(self._table + '.nft', script)}", namespace)

    def read(self):
        """{(address, port): Count}"""
        text = self._world.sh(
            f"nft -j list set netdev {self._table} flows", self.namespace
        )
        found = {}
        for entry in json.loads(text)["nftables"]:
            for element in entry.get("set", {}).get("elem", []):
                element = element["elem"]
                address, port = element["val"]["concat"]
                counter = element["counter"]
                found[address, int(port)] = Count(counter["packets"], counter["bytes"])
        return found

    def close(self):
        self._world.sh(f"nft delete table netdev {self._table}", self.namespace)
