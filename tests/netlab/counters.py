"""Independent counts: nftables at an interface's ingress, one counter a (destination, port).

The kernel may carry many datagrams in one frame (UDP_SEGMENT), with one pair of headers; so the
exact figure is the UDP payload: bytes - 28 x frames, IPv6: bytes - 48 x frames.
"""

import json

IPV4, IPV6 = 28, 48  # bytes of IP header, without options or extension headers, and UDP header


class Count:
    """Frames and the bytes of UDP payload in them."""

    def __init__(self, frames=0, payload=0):
        self.frames = frames
        self.payload = payload

    @classmethod
    def of(cls, counter, headers=IPV4):
        """From a counter of nftables, which counts bytes after the Ethernet header."""
        return cls(counter["packets"], counter["bytes"] - headers * counter["packets"])

    def __add__(self, other):
        return Count(self.frames + other.frames, self.payload + other.payload)

    def __sub__(self, other):
        return Count(self.frames - other.frames, self.payload - other.payload)

    def __eq__(self, other):
        return (self.frames, self.payload) == (other.frames, other.payload)

    def __repr__(self):
        return f"{self.frames} frames, {self.payload} B of payload"


class Counters:
    """Counts UDP that comes in on one interface, from now on."""

    def __init__(self, world, namespace, interface):
        self._world = world
        self.namespace = namespace
        self.interface = interface
        self._table = f"watch_{interface}"
        script = f"""
table netdev {self._table} {{
  set flows {{ type ipv4_addr . inet_service; size 65535; flags dynamic; }}
  set flows6 {{ type ipv6_addr . inet_service; size 65535; flags dynamic; }}
  chain ingress {{
    type filter hook ingress device {interface} priority -500;
    meta protocol ip meta l4proto udp add @flows {{ ip daddr . udp dport counter }}
    meta protocol ip6 meta l4proto udp add @flows6 {{ ip6 daddr . udp dport counter }}
  }}
}}
"""
        world.sh(f"nft -f {world.write(self._table + '.nft', script)}", namespace)

    def read(self):
        """{(address, port): Count}"""
        found = {}
        for name, headers in (("flows", IPV4), ("flows6", IPV6)):
            text = self._world.sh(
                f"nft -j list set netdev {self._table} {name}", self.namespace
            )
            for entry in json.loads(text)["nftables"]:
                for element in entry.get("set", {}).get("elem", []):
                    element = element["elem"]
                    address, port = element["val"]["concat"]
                    found[address, int(port)] = Count.of(element["counter"], headers)
        return found

    def close(self):
        self._world.sh(f"nft delete table netdev {self._table}", self.namespace)
