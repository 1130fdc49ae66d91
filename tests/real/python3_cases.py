"""What python3.sh runs, a case at a time: python3_cases.py CASE plain|weft. Ends with 0 if it held."""

import asyncio
import concurrent.futures
import hashlib
import http.server
import multiprocessing
import os
import queue
import re
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


def kernel_threads():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))


def block(number):
    return hashlib.sha256(str(number).encode()).digest() * (200 + number % 800)


def threads_and_queues():
    tasks, results = queue.Queue(maxsize=8), queue.Queue()

    def work():
        while (number := tasks.get()) is not None:
            results.put((number, hashlib.sha256(block(number)).hexdigest()))

    workers = [threading.Thread(target=work) for _ in range(50)]
    for worker in workers:
        worker.start()
    for number in range(2000):
        tasks.put(number)
    for _ in workers:
        tasks.put(None)
    for worker in workers:
        worker.join()
    found = dict(results.get_nowait() for _ in range(results.qsize()))
    assert len(found) == 2000
    assert all(found[n] == hashlib.sha256(block(n)).hexdigest() for n in range(2000))


def parked_threads_are_kernel_threads_only_when_plain():
    release = threading.Event()
    threads = [threading.Thread(target=release.wait) for _ in range(100)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    count = kernel_threads()
    release.set()
    for thread in threads:
        thread.join()
    # beside the one that runs all, offload threads come and go
    assert count < 10 if sys.argv[2] == "weft" else count == 101, count


def locks_conditions_events_and_timers():
    lock, condition, log = threading.RLock(), threading.Condition(), []
    barrier, semaphore = threading.Barrier(10), threading.BoundedSemaphore(3)
    inside, most = 0, 0

    def work(number):
        nonlocal inside, most
        barrier.wait(240)
        with semaphore:
            with lock, lock:
                inside += 1
                most = max(most, inside)
            time.sleep(0.002)
            with lock:
                inside -= 1
        with condition:
            log.append(number)
            condition.notify_all()

    for number in range(10):
        threading.Thread(target=work, args=(number,)).start()
    with condition:
        assert condition.wait_for(lambda: len(log) == 10, timeout=240)
    assert sorted(log) == list(range(10)) and most <= 3
    fired = threading.Event()
    began = time.monotonic()
    threading.Timer(1, fired.set).start()
    assert not fired.wait(0.01)
    assert fired.wait(240) and time.monotonic() - began >= 1
    local = threading.local()
    local.mine = 1
    seen = []
    thread = threading.Thread(target=lambda: seen.append(hasattr(local, "mine")))
    thread.start()
    thread.join()
    assert seen == [False]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(block(int(self.path[1:])))

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).digest())

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512


def threading_http_server_and_many_clients():
    server = Server(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = "http://127.0.0.1:%d/" % server.server_port

    def fetch(number):
        with opener.open(url + str(number), timeout=240) as response:
            right = response.read() == block(number)
        with opener.open(url, data=block(number) * 10, timeout=240) as response:
            return right and response.read() == hashlib.sha256(block(number) * 10).digest()

    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        assert all(pool.map(fetch, range(500)))
    server.shutdown()
    serving.join()
    server.server_close()


def pools_of_workers_and_their_errors():
    def work(number):
        time.sleep(0.001)
        if number == 7:
            raise ValueError(number)
        return number * number

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(work, number) for number in range(200)]
        done, waiting = concurrent.futures.wait(futures, timeout=240)
        assert not waiting and len(done) == 200
        assert isinstance(futures[7].exception(), ValueError)
        assert sum(f.result() for f in futures if f is not futures[7]) == 2646700 - 49
        slow = pool.submit(time.sleep, 1)
        try:
            slow.result(timeout=0.01)
            raise AssertionError("no timeout")
        except concurrent.futures.TimeoutError:
            pass
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert list(pool.map(abs, range(-50, 0))) == list(range(50, 0, -1))


def subprocesses_started_by_threads():
    def run(number):
        text = str(number) * 20000
        done = subprocess.run(
            ["sh", "-c", "cat; echo err >&2; exit %d" % (number % 100)],
            input=text.encode(), capture_output=True, timeout=240)
        return (done.stdout == text.encode() and done.stderr == b"err\n"
                and done.returncode == number % 100)

    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        assert all(pool.map(run, range(60)))
    sleeper = subprocess.Popen(["sleep", "100"])
    try:
        sleeper.wait(timeout=0.02)
        raise AssertionError("no timeout")
    except subprocess.TimeoutExpired:
        sleeper.terminate()
    assert sleeper.wait(timeout=240) == -signal.SIGTERM
    assert os.system("exit 3") >> 8 == 3
    assert os.popen("echo popen").read() == "popen\n"


def sockets_with_timeouts():
    def one(number):
        near, far = socket.socketpair()
        with near, far:
            near.settimeout(0.02)
            began = time.monotonic()
            try:
                near.recv(1)
                return False
            except socket.timeout:
                early = time.monotonic() - began < 0.02
            near.settimeout(240)
            threading.Timer(0.01, far.sendall, (block(number),)).start()
            data = b""
            while len(data) < len(block(number)):
                data += near.recv(65536)
            return data == block(number) and not early

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        assert all(pool.map(one, range(100)))
    refused = socket.socket()
    refused.bind(("127.0.0.1", 0))
    try:
        socket.create_connection(refused.getsockname(), timeout=5)
        raise AssertionError("not refused")
    except ConnectionRefusedError:
        pass
    assert ("127.0.0.1", 80) in [a[4] for a in socket.getaddrinfo("localhost", 80, socket.AF_INET)]


def asyncio_beside_threads():
    async def main():
        loop = asyncio.get_running_loop()
        slept = [loop.run_in_executor(None, time.sleep, 0.05) for _ in range(20)]
        ticks = 0
        while not all(future.done() for future in slept):
            await asyncio.sleep(0.005)
            ticks += 1
        child = await asyncio.create_subprocess_exec("echo", "child", stdout=subprocess.PIPE)
        out, _ = await asyncio.wait_for(child.communicate(), 240)
        assert ticks > 2 and out == b"child\n"

    threading.Thread(target=int).start()
    asyncio.run(main())


def sigterm_and_sigint_end_it():
    for number, expected in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, -signal.SIGINT)):
        there, here = os.pipe()
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            event = threading.Event()
            threading.Thread(target=event.wait, daemon=True).start()
            os.write(here, b"x")
            event.wait()
        assert os.read(there, 1) == b"x"
        time.sleep(0.1)
        os.kill(child, number)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == expected
    caught = []
    signal.signal(signal.SIGUSR1, lambda *args: caught.append(args[0]))
    threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    end = time.monotonic() + 240
    while not caught and time.monotonic() < end:
        time.sleep(0.05)
    assert caught == [signal.SIGUSR1]


# What python3 -m http.server runs, with room for all clients to connect at once.
SERVE_FOLDER = """
import http.server, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
http.server.test(http.server.SimpleHTTPRequestHandler, Server, port=0, bind="127.0.0.1")
"""


def http_server_module_and_big_files():
    with tempfile.TemporaryDirectory() as folder:
        for number in range(10):
            with open(os.path.join(folder, str(number)), "wb") as file:
                file.write(block(number) * 50)
        digests = [hashlib.sha256(block(number) * 50).digest() for number in range(10)]
        server = subprocess.Popen(
            [sys.executable, "-u", "-c", SERVE_FOLDER],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        port = int(re.search(rb"port (\d+)", server.stdout.readline()).group(1))
        noise = []
        drain = threading.Thread(target=lambda: noise.extend(server.stderr))
        drain.start()
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def fetch(number):
            with opener.open("http://127.0.0.1:%d/%d" % (port, number % 10), timeout=240) as answer:
                return hashlib.sha256(answer.read()).digest() == digests[number % 10]

        with concurrent.futures.ThreadPoolExecutor(200) as pool:
            assert all(pool.map(fetch, range(600)))
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=240) == 0
        drain.join()
        assert len([line for line in noise if b'" 200 -' in line]) == len(noise) == 600, noise


class HashHandler(socketserver.StreamRequestHandler):
    def handle(self):
        # Until it is told to end: a child of ours may have the client's end of the connection, too.
        while size := int(self.rfile.readline()):
            self.wfile.write(hashlib.sha256(self.rfile.read(size)).digest())


class DatagramHandler(socketserver.BaseRequestHandler):
    def handle(self):
        data, near = self.request
        near.sendto(hashlib.sha256(data).digest(), self.client_address)


class TCPServer(socketserver.ThreadingTCPServer):
    request_queue_size = 512


class ForkingServer(socketserver.ForkingTCPServer):
    request_queue_size = 512


def ask_for_hashes(connection, number, rounds):
    for turn in range(rounds):
        data = block(number + turn)
        connection.sendall(b"%d\n" % len(data) + data)
        digest = b""
        while len(digest) < 32:
            piece = connection.recv(32 - len(digest))
            assert piece
            digest += piece
        assert digest == hashlib.sha256(data).digest()
    connection.sendall(b"0\n")


def serve_while(server, use, clients):
    """Each client calls use(its number, the server's address), all at once."""
    with server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            with concurrent.futures.ThreadPoolExecutor(clients) as pool:
                list(pool.map(lambda number: use(number, server.server_address), range(clients)))
        finally:
            server.shutdown()
            serving.join()


def servers_of_socketserver():
    def stream(number, address):
        with socket.create_connection(address, 50) as connection:
            ask_for_hashes(connection, number, 5)

    def datagram(number, address):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
            near.settimeout(1)
            data = block(number)[:5000]
            for _ in range(50):  # one may be lost
                near.sendto(data, address)
                try:
                    assert near.recv(100) == hashlib.sha256(data).digest()
                    return
                except socket.timeout:
                    pass
            raise AssertionError("no answer")

    nowhere = ("127.0.0.1", 0)
    serve_while(TCPServer(nowhere, HashHandler), stream, 200)
    serve_while(socketserver.ThreadingUDPServer(nowhere, DatagramHandler), datagram, 50)
    serve_while(ForkingServer(nowhere, HashHandler), stream, 30)


def tls_server_with_threads():
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = os.path.join(folder, "key"), os.path.join(folder, "certificate")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "30", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate,
             "-addext", "subjectAltName=DNS:localhost",
             "-addext", "keyUsage=critical,digitalSignature,keyCertSign"],
            check=True, capture_output=True)
        ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ours.load_cert_chain(certificate, key)
        theirs = ssl.create_default_context(cafile=certificate)
        stranger = ssl.create_default_context()

    class Server(TCPServer):
        def finish_request(self, request, client_address):
            with ours.wrap_socket(request, server_side=True) as secured:
                self.RequestHandlerClass(secured, client_address, self)

        def handle_error(self, request, client_address):
            if not isinstance(sys.exc_info()[1], (ssl.SSLError, ConnectionError)):
                super().handle_error(request, client_address)

    def use(number, address):
        with socket.create_connection(address, 50) as plain:
            if number % 10 == 9:
                try:
                    stranger.wrap_socket(plain, server_hostname="localhost")
                    raise AssertionError("a certificate of nobody's is accepted")
                except ssl.SSLCertVerificationError:
                    return
            with theirs.wrap_socket(plain, server_hostname="localhost") as secured:
                ask_for_hashes(secured, number, 5)

    serve_while(Server(("127.0.0.1", 0), HashHandler), use, 100)


def pools_of_processes():
    for method in "fork", "spawn":
        context = multiprocessing.get_context(method)
        with concurrent.futures.ProcessPoolExecutor(3, mp_context=context) as pool:
            assert list(pool.map(block, range(60), chunksize=5)) == [block(n) for n in range(60)]
            error = pool.submit(int, "x").exception(timeout=240)
            assert isinstance(error, ValueError), error
        with context.Pool(3) as pool:
            waiting = [pool.apply_async(block, (number,)) for number in range(30)]
            assert [each.get(50) for each in waiting] == [block(number) for number in range(30)]


def put_blocks(numbers, results, lock, total):
    while (number := numbers.get(timeout=240)) is not None:
        with lock:
            total.value += number
        results.put((number, hashlib.sha256(block(number)).digest()))


def queues_between_processes():
    context = multiprocessing.get_context("fork")
    numbers, results, lock = context.Queue(10), context.Queue(), context.Lock()
    total = context.Value("l", 0, lock=False)
    children = [context.Process(target=put_blocks, args=(numbers, results, lock, total))
                for _ in range(4)]
    for child in children:
        child.start()
    threading.Thread(target=lambda: [numbers.put(n) for n in [*range(300), *[None] * 4]]).start()
    found = dict(results.get(timeout=240) for _ in range(300))
    for child in children:
        child.join(50)
        assert child.exitcode == 0, child.exitcode
    assert total.value == sum(range(300)), total.value
    assert all(found[n] == hashlib.sha256(block(n)).digest() for n in range(300))


def sqlite_from_many_threads():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "data")

        def connect():
            return sqlite3.connect(path, timeout=240, isolation_level=None)

        with connect() as first:
            first.execute("PRAGMA journal_mode=WAL")
            first.execute("PRAGMA synchronous=OFF")
            first.execute("CREATE TABLE rows (thread INTEGER, number INTEGER, data BLOB)")
            first.execute("CREATE TABLE total (sum INTEGER)")
            first.execute("INSERT INTO total VALUES (0)")

        def work(thread):
            own = connect()
            for number in range(10):
                own.execute("BEGIN IMMEDIATE")
                own.execute("INSERT INTO rows VALUES (?, ?, ?)", (thread, number, block(number)))
                own.execute("UPDATE total SET sum = sum + ?", (number,))
                own.execute("COMMIT")
                count, = own.execute(
                    "SELECT count(*) FROM rows WHERE thread = ?", (thread,)).fetchone()
                assert count == number + 1
            own.close()

        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            list(pool.map(work, range(20)))
        last = connect()
        assert last.execute("SELECT sum FROM total").fetchone() == (900,)
        rows = last.execute("SELECT number, data FROM rows").fetchall()
        assert len(rows) == 200 and all(data == block(number) for number, data in rows)
        assert last.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        last.close()


CASES = (
    threads_and_queues,
    parked_threads_are_kernel_threads_only_when_plain,
    locks_conditions_events_and_timers,
    threading_http_server_and_many_clients,
    pools_of_workers_and_their_errors,
    subprocesses_started_by_threads,
    sockets_with_timeouts,
    asyncio_beside_threads,
    sigterm_and_sigint_end_it,
    http_server_module_and_big_files,
    servers_of_socketserver,
    tls_server_with_threads,
    pools_of_processes,
    queues_between_processes,
    sqlite_from_many_threads,
)

if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print(*(case.__name__ for case in CASES), sep="\n")
    else:
        next(case for case in CASES if case.__name__ == sys.argv[1])()
