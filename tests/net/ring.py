#!/usr/bin/env python3
"""Receiving through a ring: of blocks that wait (`ingress = "mmap"`), and of slots ("auto").

    gen (g0) ---- (r0: a ring of 8 MiB) relay (r1, tbf 20 Mbit/s) ---- (s0) sink
                                              (r2) ---- (s2)

What waits for a stalled egress leaves its blocks: the other egress is not starved, and nothing is
lost uncounted. The ring outlives its link; a reload cannot change it. With little memory an
interface of "auto" has none.
"""

from netlab.daemon import Daemon, config, rule
from netlab.expect import check, equal, phase, scaled, until
from netlab.kernel import superframes_are_described
from netlab.ledger import Ledger
from netlab.traffic import Gen, Sink, exact
from netlab.world import play


RING = 8 << 20  # bytes of a worker's
SIZES = {"mmap": "8 MiB", "auto": "32 MiB"}  # of the receive buffer that make it


def ring_of(daemon):
    return next(i for i in daemon.status()["interfaces"] if i["name"] == "r0")["receive_ring"]


def text(ingress="mmap", size="8 MiB"):
    return config(
        rule("slow", "239.1.1.1", 5000, [("r1", "239.2.1.1")]),
        rule("free", "239.1.1.2", 5000, [("r2", "239.2.1.2")]),
        workers=2,
        extra=f'[interface.r0]\ningress = "{ingress}"\nreceive_buffer = "{size}"\n'
              '[interface.r1]\nsend_buffer = "256 KiB"\n',
    )


def stalled_egress(world, daemon):
    rate = max(scaled(6000), 2500)  # more than all queues hold
    world.sh(f"tc qdisc add dev r1 root tbf rate {rate * 4000}bit burst 64kb limit 64mb", "relay")
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=1400)
    before = sum(daemon.rule("slow")["outputs"][0]["drops"].values())
    slow = Sink(world, "239.2.1.1", 5000)
    free = Sink(world, "239.2.1.2", 5000, interface="s2")
    sent = [Gen(world, group, 5000, rate=rate, size=1400, count=rate)
            for group in ("239.1.1.1", "239.1.1.2")]
    for gen in sent:
        equal(gen.wait()["sent"], rate, "datagrams sent")
    missed = ledger.settle()["kernel_drops"][0]
    ledger.close()
    dropped = sum(daemon.rule("slow")["outputs"][0]["drops"].values()) - before
    check(dropped + missed > 0, "the queue was slow enough to lose something")
    got, other = slow.stop(), free.stop()
    lost = sum(daemon.rule("free")["outputs"][0]["drops"].values())
    equal(lost, 0, "drops at the egress that is not slow")
    equal(got["received"] + dropped + other["received"] + missed, 2 * rate,
          "datagrams received or counted as lost")
    equal([faults[key] for faults in (got, other) for key in ("duplicated", "reordered", "corrupt")],
          [0] * 6, "other faults")
    world.sh("tc qdisc del dev r1 root", "relay")
    # A worker that gets no CPU for half a second is behind, too: then a few are missed.
    check(missed < rate // 10, f"{missed} frames found no block: what waits for r1 kept them")
    print(f"of 2 x {rate}: {dropped} dropped before r1")


def overrun(world, daemon):
    """More at once than the ring holds, while the workers have the generator's core to share."""
    ledger = Ledger(world, daemon, egress=("r2",), size=1400)
    count = scaled(60000)
    Gen(world, "239.1.1.2", 5000, rate="max", size=1400, count=count).wait()
    missed = ledger.settle()["kernel_drops"][0]
    ledger.close()
    print(f"{count} at full rate: {missed} frames found no block")


def refuse(daemon, new, key):
    before = daemon.status()["generation"]
    daemon.configure(new)
    done = daemon.try_reload()
    equal(done.returncode, 78, f"exit code of a reload that changes {key}")
    check(key in done.stderr and "restart" in done.stderr, f"it says why: {done.stderr!r}")
    equal(daemon.status()["generation"], before, "the generation")


def long_frames(world, daemon):
    """Superframes between single frames: their order stays."""
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=1400)
    for gso in ("on", "off", "on"):
        exact(world, ledger, "239.1.1.1", 5000, scaled(20000), 20000, size=1400,
              out=("239.2.1.1", 5000), gso=gso)
    ledger.close()


def one_kind(world, ingress):
    phase(ingress)
    size = SIZES[ingress]
    daemon = Daemon(world, text(ingress, size), ingress).start()
    equal(ring_of(daemon), RING, "bytes of the ring")
    if superframes_are_described():
        phase("superframes and single frames")
        long_frames(world, daemon)
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=1400)
    phase("every datagram, in order")
    exact(world, ledger, "239.1.1.1", 5000, scaled(4000), 8000, size=1400, out=("239.2.1.1", 5000))
    ledger.close()
    phase("one egress is slow")
    stalled_egress(world, daemon)
    phase("the ring is too small")
    overrun(world, daemon)
    phase("r0 goes down and comes up")
    world.sh("ip -n relay link set r0 down")
    until(lambda: daemon.rule("free")["state"] == "waiting", "the rule waits for its link")
    world.sh("ip -n relay link set r0 up")
    daemon.wait_active()
    until(lambda: "LOWER_UP" in world.sh("ip -n gen link show g0"), "the generator's link is up")
    ledger = Ledger(world, daemon, egress=("r1", "r2"), size=1400)
    exact(world, ledger, "239.1.1.1", 5000, scaled(4000), 8000, size=1400, out=("239.2.1.1", 5000))
    ledger.close()
    phase("a reload that changes the ring is refused")
    refuse(daemon, text(ingress="recvmsg"), "ingress")
    if ingress == "mmap":
        refuse(daemon, text(size="16 MiB"), "receive_buffer")
    else:
        daemon.reload(text(ingress, "64 MiB"))
        equal(ring_of(daemon), RING, "bytes of the ring until a restart")
    daemon.reload(text(ingress, size))
    daemon.stop()


def without(world):
    phase("no ring where none is wanted, or little memory")
    for name, new in (("none", text("recvmsg")), ("small", text("auto", "3 MiB"))):
        daemon = Daemon(world, new, name).start()
        equal(ring_of(daemon), None, "bytes of the ring")
        ledger = Ledger(world, daemon, egress=("r1", "r2"), size=1400)
        exact(world, ledger, "239.1.1.1", 5000, scaled(4000), 8000, size=1400,
              out=("239.2.1.1", 5000))
        ledger.close()
        daemon.stop()


def story(world):
    world.line()
    world.link("relay", "r2", "10.3.0.1/24", "sink", "s2", "10.3.0.2/24")
    one_kind(world, "mmap")
    if superframes_are_described():
        one_kind(world, "auto")
    without(world)


play(story, 60)
