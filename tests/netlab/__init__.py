"""The laboratory of the network tests: namespaces, traffic, and the judges of both.

    world     namespaces, links, programs in them; a story begins with `play(story)`
    expect    check, equal, until: what a test expects, and how it fails
    process   a program in the background
    daemon    the relay under test: configuration, status, reload, end
    traffic   `mcr gen`, `mcr sink`, and a stream that must arrive exactly
    ledger    counts at both ends, compared with the relay's own status
    counters  nftables, counting at one interface
    capture   the headers of what arrives
    frames    raw Ethernet frames, built by name
    offload   an interface's offloads
    seccomp   system calls of the relay that are made to fail
    kernel    what the running kernel has
    programs/ small programs that stories run in a namespace (World.start_program, run_program)

The stories of tests/net, the package's tests, tools/demo and tools/pps stand on it. meson and the tools
name the folder above in PYTHONPATH; by the link tests/net/netlab a story also runs without:

    python3 tests/net/STORY.py     MCR=FILE names another program than build/mcr
"""
