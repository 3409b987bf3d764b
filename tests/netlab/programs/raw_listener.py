#!/usr/bin/env python3
"""Holds a raw socket open and reads nothing: raw_listener.py "FAMILY, TYPE, PROTOCOL"."""

import signal
import socket
import sys

names = {**vars(socket)}
held = socket.socket(*eval(sys.argv[1], names))  # pylint: disable=eval-used
print("ready", file=sys.stderr, flush=True)
signal.pause()
