"""Keeps clients of the control socket that ask for the whole status again and again, until SIGTERM; then prints how
many answers there were.

    status_flood.py CONTROL_SOCKET CLIENTS
"""

import selectors
import signal
import socket
import sys

path, clients = sys.argv[1], int(sys.argv[2])
selector, ended, answers = selectors.DefaultSelector(), [], 0


def ask():
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    client.sendall(b'{"command":"status"}\n')
    selector.register(client, selectors.EVENT_READ)


signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
for _ in range(clients):
    ask()
while not ended:
    for key, _ in selector.select(0.1):
        try:
            if key.fileobj.recv(1 << 20):
                continue
        except ConnectionResetError:  # cut off: it has waited too long for its turn
            pass
        selector.unregister(key.fileobj)
        key.fileobj.close()
        answers += 1
        if answers == 1:
            print("ready", file=sys.stderr, flush=True)
        ask()
print(answers, flush=True)
