"""One client's requests over TLS, one after another, to several ports in turn.

Reads a plan from standard input: {"ports", "path", "bytes", "count", "block"}.
Writes each port's latencies in microseconds, in the order of the ports. Plain
blocking sockets: the kernel acknowledges as it does for everybody.
"""

import json
import socket
import ssl
import sys
import time


class Client:
    def __init__(self, port, path):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port))
        self.connection = context.wrap_socket(plain)
        self.request = f"GET {path} HTTP/1.1\r\nHost: one.test\r\n\r\n".encode()
        self.buffer = memoryview(bytearray(256 * 1024))

    def ask(self, length):
        """Microseconds from the request's first byte to the body's last."""
        connection, buffer = self.connection, self.buffer
        began = time.perf_counter_ns()
        connection.sendall(self.request)
        held = 0
        while True:
            count = connection.recv_into(buffer[held:])
            if count == 0:
                raise EOFError("The connection ended within a head")
            held += count
            end = bytes(buffer[:held]).find(b"\r\n\r\n")
            if end >= 0:
                break
        if not bytes(buffer[:12]) == b"HTTP/1.1 200":
            raise ValueError(bytes(buffer[:held]))
        left = length - (held - end - 4)
        while left > 0:
            count = connection.recv_into(buffer)
            if count == 0:
                raise EOFError("The connection ended within a body")
            left -= count
        if left < 0:
            raise ValueError("The body is longer than it should be")
        return (time.perf_counter_ns() - began) / 1000


plan = json.load(sys.stdin)
clients = [Client(port, plan["path"]) for port in plan["ports"]]
latencies = [[] for _ in clients]
block, warm_up = plan["block"], plan["warmUp"]
# The first requests meet compilers and the kernel's quick acknowledgements.
while len(latencies[0]) < warm_up + plan["count"]:
    for client, taken in zip(clients, latencies):
        for _ in range(block):
            taken.append(client.ask(plan["bytes"]))
json.dump([taken[warm_up:] for taken in latencies], sys.stdout)
