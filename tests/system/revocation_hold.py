#!/usr/bin/env python3
"""Somebody who holds connections open and does nothing: one event stream and one idle keep-alive
connection at each controller's api. Decides nothing: says when each opened, gave something and
ended. Only for tests/system/revocation.sh.

    revocation_hold.py PAPERS CA PATH NAME=ADDRESS...     PATH: what the idle connections ask for

Prints lines `NAME stream|idle open|ended|event|CODE`; a line on standard input has each idle
connection ask once more. Ends with standard input.
"""
import os
import socket
import ssl
import sys
import threading


def say(name, kind, what):
    os.write(1, f"{name} {kind} {what}\n".encode())


def connect(address):
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.load_cert_chain(f"{sys.argv[1]}/cert.pem", f"{sys.argv[1]}/key.pem")
    plain = socket.create_connection((address, 8443))
    return context.wrap_socket(plain, server_hostname=address)


def ask(tls, address, path, accept):
    tls.sendall(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: {accept}\r\n\r\n".encode())


def read(tls):
    try:
        return tls.recv(65536)
    except OSError:
        return b""


def stream(name, address):
    tls = connect(address)
    ask(tls, address, "/v1/events", "text/event-stream")
    opened = False
    while data := read(tls):
        if not opened:
            opened = True
            code = data.split(b" ", 2)[1].decode()
            say(name, "stream", "open" if code == "200" else code)
        if b"data:" in data:
            say(name, "stream", "event")
    say(name, "stream", "ended")


def idle(name, address, tls):
    opened = False
    while data := read(tls):
        if data.startswith(b"HTTP/"):
            code = data.split(b" ", 2)[1].decode()
            say(name, "idle", code if opened else "open")
            opened = True
    say(name, "idle", "ended")


def main():
    idles = []
    for word in sys.argv[4:]:
        name, address = word.split("=")
        threading.Thread(target=stream, args=(name, address), daemon=True).start()
        tls = connect(address)
        threading.Thread(target=idle, args=(name, address, tls), daemon=True).start()
        ask(tls, address, sys.argv[3], "application/json")
        idles.append((address, tls))
    for _ in sys.stdin:
        for address, tls in idles:
            try:
                ask(tls, address, sys.argv[3], "application/json")
            except OSError:
                pass  # It has ended, and its reader says so.


main()
