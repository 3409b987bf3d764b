#!/usr/bin/env python3
"""Relays of one user beneath a limit of locked memory (RLIMIT_MEMLOCK), without CAP_IPC_LOCK.

    gen (g0) ---- (r0) relay, eight of them (r1) ---- (s0) sink

The limit counts for all processes of a user together. A relay does with 64 KiB; of those that find
nothing left each says which limit it met, and what to do.
"""

from netlab.daemon import Daemon, by_the_worker, config, rule
from netlab.expect import Failure, check, equal, phase, until
from netlab.ledger import Ledger
from netlab.traffic import Gen, exact
from netlab.world import play

GROUP, OUT, PORT, SIZE, COUNT = "239.1.1.1", "239.2.1.1", 5000, 500, 400
RULE = rule("one", GROUP, PORT, [("r1", OUT)])
RELAYS, LEAST = 8, 5  # of RELAYS as many run at 8 MiB, on the kernel that charges a ring most


def limited(kib):
    return ("prlimit", f"--memlock={kib << 10}:{kib << 10}", "setpriv", "--bounding-set=-ipc_lock",
            "--inh-caps=-all")


def room_for_a_ring(world, file, prefix):
    """The kernel gives the memory of rings back late, those of other tests, too."""
    until(lambda: "no locked memory" not in world.call("doctor", "-c", file, prefix=prefix).stdout,
          "there is room for a ring", 20)


def one(world):
    phase("64 KiB: one relay, and it says that this is little")
    daemon = Daemon(world, config(RULE, workers=2), "small", prefix=limited(64))
    room_for_a_ring(world, daemon.file, daemon.prefix)

    def starts():  # memory of rings that are gone comes back late, now and then after there was room
        try:
            daemon.start()
        except Failure:
            return False
        return True

    until(starts, "it starts", 30)
    check("locked memory is short" in daemon.log(), f"what it says of its limit: {daemon.log()}")
    ledger = Ledger(world, daemon, size=SIZE)
    exact(world, ledger, GROUP, PORT, COUNT, rate=1000, size=SIZE, out=(OUT, PORT))
    daemon.stop()


def eight(world):
    phase("8 MiB: eight relays")
    prefix = limited(8192)
    daemons = [Daemon(world, config(RULE, workers=2), f"relay{n}", prefix=prefix) for n in range(RELAYS)]
    room_for_a_ring(world, daemons[0].file, prefix)
    running = []
    for daemon in daemons:
        try:
            running.append(daemon.start())
        except Failure:
            equal(daemon.process.wait(1), 71, f"exit code of {daemon.name}: {daemon.log()}")
            for words in ("Cannot allocate memory", "RLIMIT_MEMLOCK = 8192 KiB", "LimitMEMLOCK", "CAP_IPC_LOCK"):
                check(words in daemon.log(), f"{daemon.name} says {words}: {daemon.log()}")
    print(f"{len(running)} of {RELAYS} relays run")
    check(len(running) >= LEAST, f"relays that run: {len(running)}")
    Gen(world, GROUP, PORT, size=SIZE, count=COUNT).wait()
    for daemon in running:
        until(lambda: daemon.status()["totals"]["matched"] == COUNT, f"{daemon.name} has relayed all", 10)
        daemon.stop()


def story(world):
    by_the_worker("this is about io_uring")
    world.line()
    one(world)
    eight(world)


play(story)
