"""Sends 5000 bytes that are no HTTP request, and waits for an answer or the end: tcp_rubbish.py PORT"""

import socket
import sys

client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=2)
client.send(b"x" * 5000)
client.recv(1)
