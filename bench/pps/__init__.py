"""The pps harness: how fast MCR relays, beside its rivals, in one run (entry point: tools/pps).

    cases     what is relayed: streams, outputs, rules
    topology  generator, relay and sink in network namespaces, and the counters between them
    trial     one rate for some seconds: what came, what left, what it cost, does it balance
    search    the highest rate without loss (NDR) and with at most 0.1 % (PDR), by bisection
    relay     MCR as the thing under test, in each of its modes
    rivals    socat, the kernel's multicast routing by smcroute, another relay
    matrix    the cells of a run, and all that is measured of one
    fixed     the same at rates that users have: CPU, the relay's core, latency
    inspection  what inspection costs, with 1,000 rules
    merging     what merging costs, beside a plain rule
    aims      the figures that the project wants to reach, judged
    report    JSON, the table, Markdown
    plot      the same as SVG
"""
