"""Sends superframes: segment_sender.py GROUP PORT; each line of stdin is a segment size and bytes in hex.

The kernel gets each line as one message with that UDP_SEGMENT.
"""

import socket
import sys
import time

UDP_SEGMENT = 103  # <linux/udp.h>
PAUSE = 0.002  # so that no queue on the way overflows

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.1.0.2"))
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 16)
for line in sys.stdin:
    segment, data = line.split()
    sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, int(segment))
    sender.sendto(bytes.fromhex(data), (sys.argv[1], int(sys.argv[2])))
    time.sleep(PAUSE)
