"""Listens on a TCP port of 127.0.0.1 until it is killed: tcp_port_holder.py PORT"""

import signal
import socket
import sys

server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", file=sys.stderr, flush=True)
signal.pause()
