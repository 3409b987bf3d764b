"""Streams as they are judged behind the relay: by `mcr sink --inspect`, and by tshark beside it."""

import json
import re
import signal

from netlab.expect import equal, until
from netlab.process import Process


class StreamSink:
    """`mcr sink --inspect` in the background, listening when this returns."""

    def __init__(self, world, group, port, inspect="auto"):
        self.world = world
        self.process = world.start("sink", ["sink", "--interface", "s0", "--group", group, "--port",
                                            port, "--inspect", inspect, "--json"], "sink")
        until(lambda: "ready" in self.process.err(), "the sink is ready")

    def stop(self):
        """Its JSON, when it has read everything."""
        until(lambda: not self.world.udp_queued("sink"), "the sink has read everything")
        self.process.signal(signal.SIGTERM)
        equal(self.process.wait(10), 0, "exit code of mcr sink")
        return json.loads(self.process.out())


class RtpCapture:
    """dumpcap at the sink, and what tshark says of the RTP in it."""

    serial = 0

    def __init__(self, world, port):
        self.world, self.port = world, port
        # To its standard output dumpcap writes without delay.
        RtpCapture.serial += 1
        self.process = Process(world.directory, f"dumpcap{RtpCapture.serial}",
                               ["ip", "netns", "exec", "sink", "dumpcap", "-i", "s0", "-f",
                                f"udp port {port}", "-w", "-"])
        world.processes.append(self.process)
        until(lambda: "File:" in self.process.err(), "dumpcap captures")

    def _tshark(self, options):
        return self.world.sh(f"tshark -r {self.process.out_path} -d udp.port=={self.port},rtp"
                             f" {options} 2>/dev/null", seconds=60, ok=False)

    def stream(self, packets):
        """(packets, lost) of the only stream, by `tshark -z rtp,streams`, once so many were seen.
        To tshark a duplicate fills the place of a lost one."""
        until(lambda: len(self._tshark("-T fields -e rtp.seq").split()) >= packets,
              f"dumpcap has seen {packets} datagrams", 20)
        self.process.kill()
        text = self._tshark("-q -z rtp,streams")
        rows = re.findall(r"0x[0-9A-Fa-f]+\s+.*?\s(\d+)\s+(-?\d+) \(", text)
        equal(len(rows), 1, f"streams that tshark finds: {text}")
        return tuple(map(int, rows[0]))
