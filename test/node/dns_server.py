#!/usr/bin/env python3
"""A DNS server that gives one name's addresses, for tests of who is asked for it.

  dns_server.py ADDRESS:PORT NAME FILE

FILE has the addresses, one a line, and is read for each question. Other names do not exist.
"""
import socket
import struct
import sys

place, name, addresses = sys.argv[1:4]
host, port = place.rsplit(":", 1)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((host, int(port)))
while True:
    question, client = server.recvfrom(4096)
    end, labels = 12, []
    while question[end]:
        labels.append(question[end + 1 : end + 1 + question[end]].decode())
        end += 1 + question[end]
    asked = question[12 : end + 5]
    is_known = ".".join(labels) == name
    is_ipv4 = question[end + 1 : end + 3] == b"\0\1"
    found = open(addresses).read().split() if is_known and is_ipv4 else []
    answer = question[:2] + struct.pack(">HHHHH", 0x8180 | (0 if is_known else 3), 1, len(found), 0, 0) + asked
    for address in found:
        answer += b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 30, 4) + socket.inet_aton(address)
    server.sendto(answer, client)
