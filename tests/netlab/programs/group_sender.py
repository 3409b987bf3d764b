"""Sends one datagram to a group, from the group's port, with TTL 255, as mDNS does.

    group_sender.py INTERFACE ADDRESS GROUP PORT TEXT
"""

import socket
import sys

interface, address, group, port, text = sys.argv[1:]
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
sender.bind((address, int(port)))
sender.sendto(text.encode(), (group, int(port)))
