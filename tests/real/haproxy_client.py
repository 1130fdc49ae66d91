"""Origins behind haproxy and clients before it; see haproxy.sh. Ends with 0 if it held."""

import concurrent.futures
import hashlib
import http.client
import http.server
import os
import random
import socket
import socketserver
import ssl
import sys
import threading
import time

# Many clients on a busy machine; only a hang takes so long.
PATIENCE_S = 240


def block(number):
    return hashlib.sha256(str(number).encode()).digest() * (1 + number * 37 % 3000)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = block(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Seen", self.headers.get("X-Forwarded-For", "nobody"))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = hashlib.sha256(body).digest()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


class HttpServer(http.server.ThreadingHTTPServer):
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """haproxy resets idle connections when it has had enough of them."""


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    request_queue_size = 512
    daemon_threads = True


def serve(path):
    web, echo = HttpServer(("127.0.0.1", 0), Handler), EchoServer(("127.0.0.1", 0), Echo)
    with open(path + ".new", "w") as file:
        file.write(f"{web.server_port} {echo.server_address[1]}")
    os.rename(path + ".new", path)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    web.serve_forever()


def all_at_once(function, n):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(function, range(n)))


def connect(port, authority=None):
    if authority is None:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    context = ssl.create_default_context(cafile=authority)
    return http.client.HTTPSConnection("localhost", port, timeout=PATIENCE_S, context=context)


def get(client, number):
    client.request("GET", f"/{number}")
    answer = client.getresponse()
    body = answer.read()
    assert answer.status == 200 and body == block(number), (answer.status, len(body))
    assert answer.headers["X-Seen"] == "127.0.0.1"


def fetch(port, clients, requests, authority=None):
    """Each client has a connection of its own, kept for all its requests."""
    gate = threading.Barrier(clients)

    def one(number):
        client = connect(port, authority)
        client.connect()
        gate.wait(PATIENCE_S)
        for i in range(requests):
            get(client, number * requests + i)
        body = block(number) * 3
        client.request("POST", "/", body)
        assert client.getresponse().read() == hashlib.sha256(body).digest()
        client.close()

    all_at_once(one, clients)


def tunnel(port, clients):
    """Both ways at once, and closed one way before the other."""
    def one(number):
        dice = random.Random(number)
        data = dice.randbytes(dice.choice((1, 1000, 100000, 500000)))
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            def send():
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            found = bytearray()
            while part := client.recv(65536):
                found += part
            sender.join()
            assert found == data, (len(found), len(data))

    all_at_once(one, clients)


def bad(port):
    for request, answer in ((b"nonsense\r\n\r\n", b"400"), (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
                            (b"GET /1 HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"400")):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            client.sendall(request)
            line = client.recv(4096)
            assert line.split()[1] == answer, line
    # Half a request, and gone.
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            client.sendall(b"GET /1 HT")
    get(connect(port), 1)


def untrusted(port):
    client = http.client.HTTPSConnection("localhost", port, timeout=PATIENCE_S,
                                         context=ssl.create_default_context())
    try:
        client.request("GET", "/1")
    except ssl.SSLCertVerificationError:
        return
    raise AssertionError("taken")


def ask(path, command):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(path)
        client.sendall(command.encode() + b"\n")
        found = b""
        while part := client.recv(65536):
            found += part
        return found.decode()


def isolate(port, path):
    """What is asked on its socket stops all threads for a moment, while there is load."""
    stop = threading.Event()

    def load(number):
        client = connect(port)
        while not stop.is_set():
            get(client, number)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        loads = [pool.submit(load, n) for n in range(16)]
        try:
            for i in range(20):
                server = f"web_origin/added{i}"
                assert "New server registered" in ask(path, f"add server {server} 127.0.0.1:1")
                assert "Server deleted" in ask(path, f"del server {server}")
                shown = ask(path, "show threads")
                assert all(f"Thread {thread} " in shown for thread in range(1, 5)), shown
        finally:
            stop.set()
        for future in loads:
            future.result()


def steady(port, marker, stop):
    """A request after the other, each on a new connection, until told to stop: none may fail."""
    def one(number):
        done = 0
        while not os.path.exists(stop):
            client = connect(port)
            get(client, number + done % 50)
            client.close()
            done += 1
            if number == 0 and not os.path.exists(marker):
                open(marker, "w").close()
        return done

    assert min(all_at_once(one, 24)) > 0


def slow(port, marker, go):
    """Requests that have begun when the end is asked for are answered, whenever they are complete."""
    clients = []
    for number in range(20):
        client = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabc")
        clients.append(client)
    get(connect(port), 1)
    open(marker, "w").close()
    end = time.monotonic() + PATIENCE_S
    while not os.path.exists(go):
        assert time.monotonic() < end
        time.sleep(0.05)
    for client in clients:
        client.sendall(b"def")
    for client in clients:
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert answer.status == 200 and answer.read() == hashlib.sha256(b"abcdef").digest()


def main():
    name, *rest = sys.argv[1:]
    functions = {f.__name__: f for f in (serve, fetch, tunnel, bad, untrusted, isolate, steady, slow)}
    functions[name](*(int(word) if word.isdigit() else word for word in rest))


main()
