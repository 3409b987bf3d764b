"""Answers searches: ssdp_device.py ssdp|ws-discovery INTERFACE ADDRESS

A device of UPnP (M-SEARCH to 239.255.255.250:1900) or of WS-Discovery (Probe to port 3702). It
answers by unicast, to where the search came from, after a moment, as devices do. Prints a line for
each search: the address and port that it came from.
"""

import socket
import sys
import time

kind, interface, address = sys.argv[1:]
port = {"ssdp": 1900, "ws-discovery": 3702}[kind]
device = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
device.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
device.bind(("239.255.255.250", port))
device.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                  socket.inet_aton("239.255.255.250") + socket.inet_aton(address))
answerer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
answerer.bind((address, 0))
print("ready", file=sys.stderr, flush=True)
while True:
    search, source = device.recvfrom(65536)
    if kind == "ssdp" and search.startswith(b"M-SEARCH"):
        answer = (f"HTTP/1.1 200 OK\r\nST: ssdp:all\r\nUSN: uuid:{address}\r\n"
                  f"LOCATION: http://{address}:80/\r\n\r\n")
    elif kind == "ws-discovery" and b"/discovery/Probe<" in search:
        answer = f"<wsa:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/ProbeMatches</wsa:Action>{address}"
    else:
        continue
    print(*source, flush=True)
    time.sleep(0.1)
    answerer.sendto(answer.encode(), source)
