"""Makes the device tun0, as VPN programs do.

    tun_program.py FIFO

Writes the packets, lines of hex in FIFO, to the device. Prints destination, port and payload bytes of
each UDP packet that it reads from the device.
"""

import fcntl
import os
import struct
import sys
import threading

TUNSETIFF, IFF_TUN_NO_PI = 0x400454CA, 0x1001  # <linux/if_tun.h>
HEADERS = 28  # IPv4 and UDP

tun = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN_NO_PI))
print("ready", file=sys.stderr, flush=True)


def read():
    while True:
        packet = os.read(tun, 65536)
        if packet[0] >> 4 == 4 and packet[9] == 17:
            port = struct.unpack("!H", packet[22:24])[0]
            print(".".join(map(str, packet[16:20])), port, len(packet) - HEADERS, flush=True)


threading.Thread(target=read, daemon=True).start()
with open(sys.argv[1], encoding="ascii") as fifo:
    for line in fifo:
        os.write(tun, bytes.fromhex(line))
