"""Searches and prints who answers: ssdp_searcher.py ssdp|ws-discovery ADDRESS [SECONDS [TIMES]]

One line for each answer: the address it came from, and the first line of it that bears an address.
"""

import re
import socket
import sys
import time

kind, address = sys.argv[1:3]
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 2
times = int(sys.argv[4]) if len(sys.argv) > 4 else 1
if kind == "ssdp":
    port = 1900
    search = (b"M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\n"
              b"MX: 1\r\nST: ssdp:all\r\n\r\n")
else:
    port = 3702
    search = (b"<s:Envelope><wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe"
              b"</wsa:Action></s:Envelope>")
searcher = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
searcher.bind((address, 0))
searcher.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
for _ in range(times):
    searcher.sendto(search, ("239.255.255.250", port))
    time.sleep(0.15 if times > 1 else 0)
deadline = time.monotonic() + seconds
while (left := deadline - time.monotonic()) > 0:
    searcher.settimeout(left)
    try:
        answer, source = searcher.recvfrom(65536)
    except TimeoutError:
        break
    device = re.search(rb"uuid:([0-9.]+)|ProbeMatches</wsa:Action>([0-9.]+)", answer)
    print(source[0], (device[1] or device[2]).decode(), flush=True)
