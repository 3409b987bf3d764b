"""The ledger: nothing is lost uncounted (the program's own promise, checked from outside).

`Ledger` counts at the relay's ingress and at the sinks' ends with nftables, and compares with
the daemon's status at rest. It takes a mark when it is made, and again at each `settle`, so a
test may check it phase by phase.
"""

from ipaddress import ip_address, ip_network

from netlab.counters import Count, Counters
from netlab.expect import check, equal, until


def destination(output):
    """What a host is called, while it has no address."""
    return output.get("group") or output.get("address") or output["host"], output["port"]


def within(destination_, addresses, ports):
    """Whether a (address, port) lies in what status shows: blocks of groups, ranges of ports."""
    address, port = destination_
    first, _, last = str(ports).partition("-")
    if not int(first) <= port <= int(last or first):
        return False
    return "/" not in addresses and address == addresses or (
        "/" in addresses and ip_address(address) in ip_network(addresses)
    )


def gather(counts, where):
    """The sum of what went to the destinations of `where`, as status shows it."""
    if where in counts:
        return counts[where]
    return sum((c for key, c in counts.items() if within(key, *where)), Count())


def internal(status):
    """What must add up within one status at rest, whatever happened."""
    totals = status["totals"]
    equal(
        totals["rx_datagrams"],
        totals["matched"] + totals["unmatched"] + sum(totals["drops"].values()),
        "ledger: rx_datagrams = matched + unmatched + drops",
    )
    for rule in status["rules"]:
        for output in rule["outputs"]:
            what = f"ledger: output {output['interface']} {destination(output)} of {rule['name']}"
            equal(
                output["matched"],
                output["tx_datagrams"] + sum(output["drops"].values()) + output["in_flight"],
                what + ": matched = tx + drops + in_flight",
            )
            equal(
                output["zerocopy"] + output["copied"], output["tx_datagrams"],
                what + ": zerocopy + copied = tx",
            )
    workers = status["workers"]
    kernel = status["fast_path"]
    equal(sum(w["rx_datagrams"] for w in workers) + kernel["rx_datagrams"], totals["rx_datagrams"],
          "ledger: rx of the workers and of the kernel's way")
    equal(sum(w["tx_datagrams"] for w in workers) + kernel["tx_datagrams"], totals["tx_datagrams"],
          "ledger: tx of the workers and of the kernel's way")
    joins = status["membership"]
    equal(
        joins["joins_attempted"], joins["joins_succeeded"] + joins["joins_failed"], "ledger: joins"
    )


def moving(status):
    """The figures that stand still at rest."""
    return (
        status["totals"],
        [
            (o["matched"], o["tx_datagrams"], o["in_flight"], o["zerocopy"] + o["copied"])
            for r in status["rules"] for o in r["outputs"]
        ],
    )


class Ledger:
    """Counts for daemons that share the relay's interfaces.

    `size`: the payload of every datagram, where all are alike; lets frames of many be counted.
    """

    def __init__(self, world, *daemons, ingress="r0", egress=("r1",), size=None):
        self.daemons = daemons
        self.size = size
        self.ingress = Counters(world, "relay", ingress)
        self.egress = {}
        for interface in egress:
            namespace, end = world.peer["relay", interface]
            self.egress[interface] = Counters(world, namespace, end)
        self._mark = self._read()

    def close(self):
        """Takes the counters away, so that another ledger may be made."""
        for counters in (self.ingress, *self.egress.values()):
            counters.close()

    def _read(self):
        return {
            "in": self.ingress.read(),
            "out": {name: counters.read() for name, counters in self.egress.items()},
            "status": [daemon.status() for daemon in self.daemons],
        }

    def rest(self):
        """Waits until nothing moves and nothing is in flight; returns the readings."""
        last = [None]

        def still():
            now = self._read()
            key = (now["in"], now["out"], [moving(s) for s in now["status"]])
            same, last[0] = key == last[0], key
            flying = sum(
                o["in_flight"] for s in now["status"] for r in s["rules"] for o in r["outputs"]
            )
            return now if same and flying == 0 else None

        return until(still, "traffic comes to rest (in_flight 0, counters stable)", 15)

    def settle(self, gone=()):
        """At rest: checks the daemons' figures against ours since the last mark.

        `gone`: destinations that no rule of now has, but one had since the mark. Returns the
        readings' difference:
        {"in": {dst: Count}, "out": {interface: {dst: Count}}, "kernel_drops", "status"}.
        """
        now, before = self.rest(), self._mark
        self._mark = now
        for status in now["status"]:
            internal(status)
        delta = {
            "in": _minus(now["in"], before["in"]),
            "out": {n: _minus(now["out"][n], before["out"][n]) for n in now["out"]},
            "kernel_drops": [
                _kernel_drops(b, self.ingress.interface) - _kernel_drops(a, self.ingress.interface)
                for a, b in zip(before["status"], now["status"])
            ],
            "status": now["status"],
        }
        pairs = list(zip(before["status"], now["status"], delta["kernel_drops"]))
        for a, b, dropped in pairs:
            _check_input(self.ingress.interface, delta["in"], a, b, dropped)
        _check_outputs(delta["out"], [(a, b) for a, b, _ in pairs], gone)
        return delta

    def datagrams(self, counts):
        """Datagrams in a {dst: Count}, by the one size of all; frames if that is 0."""
        if not self.size:
            return sum(c.frames for c in counts.values())
        return sum(c.payload for c in counts.values()) // self.size


def _minus(now, before):
    found = {key: count - before.get(key, Count()) for key, count in now.items()}
    return {key: count for key, count in found.items() if count.frames}


def _kernel_drops(status, interface):
    return sum(i["kernel_drops"] for i in status["interfaces"] if i["name"] == interface)


def _inputs(status, interface):
    found = {}
    for rule in status["rules"]:
        for source in rule["inputs"]:
            if source["interface"] != interface or source["vlan"] or source["local"]:
                continue
            found.setdefault(destination(source), {})[rule["name"]] = rule["rx_bytes"]
    return found


def _check_input(interface, offered, before, after, kernel_drops):
    """What came in for a rule is what it received, but for frames the socket had no room for."""
    dropped = kernel_drops + sum(after["totals"]["drops"].values())
    dropped -= sum(before["totals"]["drops"].values())
    old, missing = _inputs(before, interface), 0
    for where, rules in _inputs(after, interface).items():
        if len(rules) > 1:  # by source: who gets which is not counted here
            continue
        for name, received in rules.items():
            received -= old.get(where, {}).get(name, 0)
            came = gather(offered, where).payload
            if not dropped:
                equal(received, came, f"ledger: bytes that rule {name} received, of those offered")
            missing += came - received
    check(missing or not kernel_drops, "ledger: kernel_drops counted, but nothing is missing")


def _outputs(status):
    found = {}
    for rule in status["rules"]:
        for output in rule["outputs"]:
            key = output["interface"], destination(output), rule["name"]
            found[key] = output["tx_bytes"]
    return found


def _check_outputs(arrived, statuses, gone):
    """What the kernel took for a destination came out of the other end of its interface."""
    sent = {}
    for before, after in statuses:
        old = _outputs(before)
        for (interface, where, name), length in _outputs(after).items():
            key = interface, where
            sent[key] = sent.get(key, 0) + length - old.get((interface, where, name), 0)
    for interface, counts in arrived.items():
        for where, count in counts.items():
            known = (interface, where) in sent or any(
                i == interface and within(where, *block) for i, block in sent
            )
            check(known or where in gone,
                  f"{count} came out of {interface} to {where}: no rule says so")
    for (interface, where), length in sent.items():
        if interface in arrived:
            came = gather(arrived[interface], where).payload
            equal(came, length, f"ledger: bytes out of {interface} to {where}, of those sent")
