"""Sends datagrams to a host and says how it answered: udp_asker.py ADDRESS PORT [COUNT]

Prints "refused" after an ICMP refusal, "silent" without one. Three datagrams by default.
"""

import socket
import sys

WAIT = 0.2  # seconds for an answer to each

count = int(sys.argv[3]) if len(sys.argv) > 3 else 3
family, _, _, _, to = socket.getaddrinfo(sys.argv[1], sys.argv[2], type=socket.SOCK_DGRAM)[0]
asker = socket.socket(family, socket.SOCK_DGRAM)
asker.connect(to)
asker.settimeout(WAIT)
answer = "silent"
for _ in range(count):
    try:
        asker.send(b"ask")
        asker.recv(100)
    except TimeoutError:
        pass
    except ConnectionRefusedError:
        answer = "refused"
        break
print(answer)
