"""Prints the status code of a request and, on the lines after it, the body.

    http_client.py PORT METHOD PATH
"""

import http.client
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
connection.request(sys.argv[2], sys.argv[3])
response = connection.getresponse()
sys.stdout.write(f"{response.status}\n{response.read().decode()}")
