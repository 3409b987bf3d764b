"""Prints the status code of a request and, on the lines after it, the body.

    http_client.py PORT|SOCKET METHOD PATH [HEADER: VALUE]...
"""

import http.client
import socket
import sys

where, method, path, *headers = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", int(where) if where.isdigit() else 80, timeout=10)
if not where.isdigit():
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    connection.sock.connect(where)
connection.request(method, path, headers=dict(header.split(": ", 1) for header in headers))
response = connection.getresponse()
sys.stdout.write(f"{response.status}\n{response.read().decode()}")
