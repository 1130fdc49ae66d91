"""The server behind and the clients before tinyproxy; see tinyproxy.sh. Ends with 0 if it held."""

import concurrent.futures
import hashlib
import http.server
import os
import socket
import sys
import time
import urllib.request

PATIENCE_S = 240


def block(number):
    return hashlib.sha256(str(number).encode()).digest() * (1 + number * 37 % 5000)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = block(int(self.path[1:]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(hashlib.sha256(body).digest())

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512


def serve(path):
    server = Server(("127.0.0.1", 0), Handler)
    with open(path + ".new", "w") as file:
        file.write(str(server.server_port))
    os.rename(path + ".new", path)
    server.serve_forever()


def connect(port):
    for _ in range(PATIENCE_S * 10):
        try:
            socket.create_connection(("127.0.0.1", int(port)), 5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("nobody listens")


def fetch(port, origin, clients, pages):
    proxy = urllib.request.ProxyHandler({"http": "http://127.0.0.1:" + port})
    opener = urllib.request.build_opener(proxy)
    url = "http://127.0.0.1:%s/" % origin

    def fetch_one(number):
        with opener.open(url + str(number), timeout=PATIENCE_S) as response:
            if response.read() != block(number):
                return False
        if number % 5:
            return True
        with opener.open(url, data=block(number), timeout=PATIENCE_S) as response:
            return response.read() == hashlib.sha256(block(number)).digest()

    with concurrent.futures.ThreadPoolExecutor(int(clients)) as pool:
        assert all(pool.map(fetch_one, range(int(pages))))


def ask(port, request):
    with socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S) as connection:
        connection.sendall(request)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


def tunnel(port, origin, clients):
    def pass_through(number):
        with socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S) as connection:
            connection.sendall(b"CONNECT 127.0.0.1:%s HTTP/1.0\r\n\r\n" % origin.encode())
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = connection.recv(1)
                assert piece
                answer += piece
            assert b" 200 " in answer.split(b"\r\n")[0]
            connection.sendall(b"GET /%d HTTP/1.0\r\n\r\n" % number)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer.split(b"\r\n\r\n", 1)[1] == block(number)

    with concurrent.futures.ThreadPoolExecutor(int(clients)) as pool:
        assert all(pool.map(pass_through, range(200)))


def bad(port):
    refused = socket.socket()
    refused.bind(("127.0.0.1", 0))
    nowhere = b"http://127.0.0.1:%d/" % refused.getsockname()[1]
    assert b" 400 " in ask(port, b"nonsense\r\n\r\n").split(b"\r\n")[0]
    assert b" 50" in ask(port, b"GET %s HTTP/1.0\r\n\r\n" % nowhere).split(b"\r\n")[0]
    socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S).close()


def kernel_threads(pid):
    with open("/proc/%s/status" % pid) as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def threads(port, pid, way):
    idle = [socket.create_connection(("127.0.0.1", int(port)), PATIENCE_S) for _ in range(50)]
    time.sleep(0.5)  # the server takes the last of them
    end = time.monotonic() + PATIENCE_S
    # offload threads aside, which end when they are idle: a few, whatever the number of connections
    while True:
        count = kernel_threads(pid)
        if count <= 8 if way == "weft" else count >= 51:
            break
        assert time.monotonic() < end, count
        time.sleep(0.1)
    for connection in idle:
        connection.close()


if __name__ == "__main__":
    COMMANDS = {"serve": serve, "connect": connect, "fetch": fetch, "tunnel": tunnel, "bad": bad, "threads": threads}
    COMMANDS[sys.argv[1]](*sys.argv[2:])
