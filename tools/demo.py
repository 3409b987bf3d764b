"""The demo's stage: generator, relay and sink in network namespaces, and a live table.

    demo.py [SECONDS]     MCR names the program, PYTHONPATH has tests/ (tools/demo sees to both)
"""

import subprocess
import sys
import time

from netlab.daemon import Daemon
from netlab.expect import PATIENCE, Failure, Skip, scaled, until
from netlab.traffic import Gen, Sink
from netlab.world import inside

STREAMS = 4
RATE = 8000  # datagrams a second in all
SIZE = 1316  # seven MPEG-TS packets: 84 Mbit/s in all

PICTURE = """
   gen                            relay                             sink
   172.31.99.2 g0 -------- r0 10.1.0.1   10.2.0.1 r1 -------- s0 10.2.0.2

   The relay has no route to 172.31.99.2 and rp_filter=1: its kernel drops these streams
   before any socket or multicast routing sees them. MCR forwards them all the same, to
   other groups and another port:
"""


def config():
    rules = (
        f'[[rule]]\nname = "studio-{n}"\n'
        f'input = {{ interface = "r0", group = "239.1.1.{n}", port = 5000 }}\n'
        f'outputs = [{{ interface = "r1", group = "239.2.2.{n}", port = 6000 }}]\n'
        for n in range(1, STREAMS + 1)
    )
    return "\n".join(rules)


def stage(world):
    world.namespace("gen", "relay", "sink")
    world.link("gen", "g0", "172.31.99.2/24", "relay", "r0", "10.1.0.1/24")
    world.link("relay", "r1", "10.2.0.1/24", "sink", "s0", "10.2.0.2/24")
    for name in ("all", "r0"):
        world.sysctl("relay", f"net.ipv4.conf.{name}.rp_filter", 1)


def table(status, left):
    lines = [f"{'rule':<10} {'state':<8} {'from':<26} {'to':<20} {'pps':>7} {'Mbit/s':>7} {'in':>9}"
             f" {'out':>9} {'dropped':>8}"]
    for r in status["rules"]:
        [o] = r["outputs"]
        source = f"{r['input']['interface']} {r['input']['group']}:{r['input']['port']}"
        dropped = sum(r["drops"].values()) + sum(o["drops"].values())
        lines.append(
            f"{r['name']:<10} {r['state']:<8} {source:<26} {o['group']}:{o['port']:<8}"
            f" {r['rate_pps']:>7.0f} {r['rate_bps'] / 1e6:>7.1f} {r['rx_datagrams']:>9}"
            f" {o['tx_datagrams']:>9} {dropped:>8}"
        )
    totals = status["totals"]
    lines.append(f"{left:>3} s left   received {totals['rx_datagrams']}, sent"
                 f" {totals['tx_datagrams']}, full receive buffer {totals['kernel_drops']}")
    return lines


def line(status, left):
    rates = ", ".join(f"{r['name']} {r['rate_pps']:.0f} pps" for r in status["rules"])
    return f"{left:>3} s left: {rates}; sent {status['totals']['tx_datagrams']} in all"


def watch(daemon, gen, seconds):
    """Prints the table once a second while the generator runs; on a terminal in place."""
    live, ends = sys.stdout.isatty(), time.monotonic() + seconds
    while gen.process.running and time.monotonic() < ends + 30 * PATIENCE:
        left = max(0, round(ends - time.monotonic()))
        if live:
            rows = table(daemon.status(), left)
            print("\n".join(f"\033[K{row}" for row in rows) + f"\033[{len(rows) - 1}A\r",
                  end="", flush=True)
        else:
            print(line(daemon.status(), left), flush=True)
        try:
            gen.process.popen.wait(1)
        except subprocess.TimeoutExpired:
            pass
    print("\n".join(table(daemon.status(), 0)))


def at_rest(daemon):
    last = [None]

    def still():
        status = daemon.status()
        now = status["totals"]["rx_datagrams"], status["totals"]["tx_datagrams"]
        same, last[0] = now == last[0], now
        return same and not any(o["in_flight"] for r in status["rules"] for o in r["outputs"])

    until(still, "the relay comes to rest")


def perform(world, seconds, figures):
    """Runs the demo; fills `figures` for the last line. True if all arrived as it was sent."""
    stage(world)
    print(PICTURE)
    print(config())
    daemon = Daemon(world, config()).start()
    sink = Sink(world, "239.2.2.1", 6000, STREAMS)
    rate = scaled(RATE)
    gen = Gen(world, "239.1.1.1", 5000, STREAMS, rate, SIZE, rate * seconds)
    watch(daemon, gen, seconds)
    figures["sent"] = gen.wait()["sent"]
    at_rest(daemon)
    seen = sink.stop()
    figures.update((key, seen[key]) for key in ("received", "lost", "reordered", "corrupt"))
    daemon.stop()
    if seen["received"] < figures["sent"]:
        print(f"full receive buffers: {world.udp_errors('sink')} at the sink,"
              f" {daemon.log().strip().splitlines()[-1:]} at the relay")
    everything = seen["received"] == figures["sent"] == rate * seconds
    return everything and not any(
        seen[key] for key in ("lost", "duplicated", "reordered", "corrupt")
    )


def demo(world):
    figures = dict.fromkeys(("sent", "received", "lost", "reordered", "corrupt"), 0)
    good = False
    try:
        good = perform(world, int(sys.argv[1]) if len(sys.argv) > 1 else 10, figures)
    except Skip as skip:
        print(f"skipped: {skip}")
        return 77
    except (Failure, ValueError, KeyError) as failure:
        world.report()
        print(f"demo: {failure}")
    text = ", ".join(f"{key} {value}" for key, value in figures.items())
    print(f"demo: {text}: {'OK' if good else 'FAILED'}")
    return 0 if good else 1


sys.exit(inside(demo))
