#!/usr/bin/env python3
"""A client of a catalog that takes its time: sends or fetches a file little by little until the file GO appears, then the rest at once.

    slow_client.py get URL FILE GO        what is fetched goes to FILE
    slow_client.py put URL FILE GO        with the variable TOKEN

Prints the status once it has the whole answer.
"""
import http.client
import os
import socket
import sys
import time
import urllib.parse

method, url, file, go = sys.argv[1:]
place = urllib.parse.urlsplit(url)
client = socket.socket()
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # or the kernel would fetch it all for us
client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
client.connect((place.hostname, place.port))
connection = http.client.HTTPConnection(place.hostname, place.port)
connection.sock = client


def pieces(read):
    while piece := read(8192):
        yield piece
        if not os.path.exists(go):
            time.sleep(0.1)


if method == "put":
    with open(file, "rb") as source:
        size = os.path.getsize(file)
        connection.request("PUT", place.path, body=pieces(source.read),
                           headers={"Content-Length": str(size), "Authorization": "Bearer " + os.environ["TOKEN"]})
    response = connection.getresponse()
    response.read()
else:
    connection.request("GET", place.path)
    response = connection.getresponse()
    with open(file, "wb", buffering=0) as target:
        for piece in pieces(response.read):
            target.write(piece)
print(response.status)
