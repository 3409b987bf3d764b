"""What is relayed: how many streams, outputs and rules. Addresses follow from the numbers.

    stream s: 239.1.1.(1+s):5000  ->  output o: 239.2.1.(1+s):(6001+o)
"""

from dataclasses import dataclass
from ipaddress import ip_address

IN_PORT = 5000
OUT_PORT = 6001
IN_NET = "239.1.0.0/16"


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    streams: int = 1
    outputs: int = 1
    idle_rules: int = 0  # loaded beside the one that has traffic
    media: tuple = ()  # options of `mcr gen`: what the datagrams are
    inspect: str = "none"  # the key of the rules with traffic
    merge: str = ""  # its order: the rules with traffic have a second leg, which is silent
    reflector: bool = False  # one of mDNS stands beside it, between the same interfaces

    def ports(self):
        return [OUT_PORT + o for o in range(self.outputs)]


def in_group(stream):
    return str(ip_address("239.1.1.1") + stream)


def out_group(stream):
    return str(ip_address("239.2.1.1") + stream)


def idle_group(number):
    return f"239.1.{4 + number // 250}.{1 + number % 250}"


CASES = {
    case.name: case
    for case in (
        Case("one", "1 stream, 1 output"),
        Case("fifty", "50 streams interleaved, 1 output each", streams=50),
        Case("fivehundred", "500 streams interleaved, 1 output each", streams=500),
        Case("fanout10", "1 stream, 10 outputs", outputs=10),
        Case("fanout50", "1 stream, 50 outputs", outputs=50),
        Case("rules10k", "1 stream, 10,000 rules loaded", idle_rules=9999),
        Case("reflector", "1 stream, 1 output, a reflector of mDNS beside it", reflector=True),
    )
}

INPUTS = {
    "single": "one datagram a frame",
    "frames": "the same, from a generator that writes frames (--tx-ring): it offers more",
    "superframe": "the sender's UDP_SEGMENT: many datagrams a frame, as GRO makes them",
    "gro": "one datagram a frame on the wire; the relay's interface merges them (GRO forwarding)",
}
SINGLES = ("single", "frames")
PAYLOADS = (64, 512, 1400)


@dataclass(frozen=True)
class Cell:
    """One relay doing one job."""

    case: Case
    payload: int
    input: str
    workers: int
    relay: str

    @property
    def job(self):
        return self.payload, self.case.name, self.input, self.workers

    def __str__(self):
        workers = f", {self.workers} workers" if self.workers != 1 else ""
        return f"{self.relay}: {self.payload} B, {self.case.name}, {self.input}{workers}"
