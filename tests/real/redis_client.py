"""Clients of redis-server; see redis.sh. Ends with 0 if it held."""

import concurrent.futures
import hashlib
import os
import random
import socket
import sys
import threading
import time

# Many clients on a busy machine; only a hang takes so long.
PATIENCE_S = 240


def value(key, size):
    return (hashlib.sha256(key.encode()).digest() * (size // 32 + 1))[:size]


class Refused(Exception):
    pass


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(parts))

    def exactly(self, n):
        data = self.file.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def answer(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode())
        if kind == b"+":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.exactly(int(rest) + 2)[:-2]
        assert kind == b"*", line
        return [self.answer() for _ in range(int(rest))]

    def ask(self, *words):
        self.send(*words)
        return self.answer()

    def info(self, name):
        for line in self.ask("INFO", "everything").decode().split("\r\n"):
            if line.startswith(name + ":"):
                return line.split(":", 1)[1]
        raise KeyError(name)

    def close(self):
        self.file.close()
        self.socket.close()


def all_at_once(function, n):
    with concurrent.futures.ThreadPoolExecutor(n) as pool:
        return list(pool.map(function, range(n)))


def wait_for(what):
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it does not come to it"
        time.sleep(0.02)


def move_money(client, dice):
    """Optimistic locking: what another changes in between makes EXEC do nothing."""
    source, target = dice.sample(range(10), 2)
    for _ in range(1000):
        assert client.ask("WATCH", f"account-{source}") == "OK"
        left = int(client.ask("GET", f"account-{source}"))
        assert client.ask("MULTI") == "OK"
        assert client.ask("SET", f"account-{source}", left - 1) == "QUEUED"
        assert client.ask("INCR", f"account-{target}") == "QUEUED"
        if client.ask("EXEC") is not None:
            return
    raise AssertionError("never done")


def one_client(port, number, rounds):
    client = Client(port)
    dice = random.Random(number)
    for i in range(rounds):
        key = f"key-{number}-{i}"
        data = value(key, dice.choice((0, 1, 100, 1000, 5000, 70000)))
        assert client.ask("SET", key, data) == "OK"
        assert client.ask("GET", key) == data
        client.ask("INCRBY", "counter", 3)
        client.ask("RPUSH", f"list-{number % 7}", f"{number}-{i}")
    for _ in range(2):
        move_money(client, dice)
    # Many requests before the first answer is read.
    asked = [f"key-{number}-{dice.randrange(rounds)}" for _ in range(100)]
    for key in asked:
        client.send("GET", key)
    for key in asked:
        data = client.answer()
        assert data == value(key, len(data))
    return client


def traffic(port, clients, rounds):
    first = Client(port)
    assert first.ask("FLUSHALL", "ASYNC") == "OK"
    first.ask("SET", "counter", 0)
    for i in range(10):
        first.ask("SET", f"account-{i}", 100)
    others = all_at_once(lambda n: one_client(port, n, rounds), clients)
    assert int(first.info("connected_clients")) == clients + 1
    for client in others:
        client.close()
    assert int(first.ask("GET", "counter")) == 3 * rounds * clients
    assert sum(int(first.ask("GET", f"account-{i}")) for i in range(10)) == 1000
    found = []
    for i in range(7):
        found += first.ask("LRANGE", f"list-{i}", 0, -1)
    assert sorted(found) == sorted(f"{n}-{i}".encode() for n in range(clients) for i in range(rounds))


def publish(port, subscribers, messages):
    """Each subscriber gets all messages of each publisher, in that one's order."""
    def subscribe(_):
        client = Client(port)
        assert client.ask("SUBSCRIBE", "news") == [b"subscribe", b"news", 1]
        return client

    def tell(number):
        client = Client(port)
        for i in range(messages):
            assert client.ask("PUBLISH", "news", f"{number} {i}") == subscribers

    def listen(client):
        expected = [0] * 4
        for _ in range(4 * messages):
            number, i = map(int, client.answer()[2].split())
            assert expected[number] == i
            expected[number] += 1

    clients = all_at_once(subscribe, subscribers)
    with concurrent.futures.ThreadPoolExecutor(subscribers) as pool:
        heard = [pool.submit(listen, client) for client in clients]
        all_at_once(tell, 4)
        for future in heard:
            future.result()


def save(port):
    """Children that write all data down, while it changes."""
    client = Client(port)
    stop = threading.Event()

    def change(number):
        own = Client(port)
        i = 0
        while not stop.is_set():
            own.ask("SET", f"changing-{number}-{i % 100}", value(str(i), 500))
            i += 1

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        changing = [pool.submit(change, n) for n in range(8)]
        try:
            for _ in range(2):
                client.ask("BGSAVE")
                wait_for(lambda: client.info("rdb_bgsave_in_progress") == "0")
                assert client.info("rdb_last_bgsave_status") == "ok"
            client.ask("BGREWRITEAOF")
            wait_for(lambda: client.info("aof_rewrite_in_progress") == "0" and
                     client.info("aof_rewrite_scheduled") == "0")
            assert client.info("aof_last_bgrewrite_status") == "ok"
        finally:
            stop.set()
        for future in changing:
            future.result()
    assert client.info("aof_last_write_status") == "ok"
    # What is big is freed by a thread of its own.
    for i in range(30000):
        client.send("RPUSH", "big", i)
    for i in range(30000):
        client.answer()
    assert client.ask("UNLINK", "big") == 1
    wait_for(lambda: client.info("lazyfree_pending_objects") == "0")


def threads_are_used(port):
    """The threads read and write when there are many clients at once."""
    client = Client(port)
    before = int(client.info("io_threaded_writes_processed"))

    def burst(_):
        own = Client(port)
        for _ in range(5):
            for i in range(50):
                own.send("GET", "counter")
            for i in range(50):
                own.answer()

    wait_for(lambda: all_at_once(burst, 40) and
             int(client.info("io_threaded_writes_processed")) > before and
             int(client.info("io_threaded_reads_processed")) > 0)


def nonsense(port):
    client = Client(port)
    for words, error in ((("NOSUCH",), "ERR unknown command"), (("GET",), "ERR wrong number"),
                         (("INCR", "list-0"), "WRONGTYPE"), (("EXEC",), "ERR EXEC without MULTI")):
        try:
            client.ask(*words)
            raise AssertionError("taken")
        except Refused as refused:
            assert str(refused).startswith(error), refused
    half = Client(port)
    half.socket.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n$1000\r\nabc")
    half.close()
    assert client.ask("EXISTS", "half") == 0
    # Who waits for what another brings.
    client.send("BLPOP", "queue", 0)
    other = Client(port)
    wait_for(lambda: other.info("blocked_clients") == "1")
    other.ask("RPUSH", "queue", "brought")
    assert client.answer() == [b"queue", b"brought"]
    assert client.ask("BLPOP", "queue", 0.2) is None


def digest(port):
    client = Client(port)
    wait_for(lambda: client.info("loading") == "0")
    print(client.ask("DBSIZE"), client.ask("DEBUG", "DIGEST"))


def shutdown(port):
    try:
        Client(port).ask("SHUTDOWN")
        raise AssertionError("still there")
    except EOFError:
        pass


def busy(port, marker):
    """Load that lasts until the server goes; counts what it was told is done."""
    clients = [Client(port) for _ in range(32)]
    done = [0] * 32

    def one(number):
        try:
            while True:
                clients[number].ask("INCR", f"busy-{number}")
                done[number] += 1
                if number == 0 and not os.path.exists(marker):
                    open(marker, "w").close()
        except (OSError, EOFError):
            return

    all_at_once(one, 32)
    with open(marker, "w") as file:
        file.write(" ".join(map(str, done)))


def kept(port, marker):
    """Nothing of what was answered is lost, and at most one more of each client was done."""
    client = Client(port)
    wait_for(lambda: client.info("loading") == "0")
    with open(marker) as file:
        for number, done in enumerate(file.read().split()):
            found = int(client.ask("GET", f"busy-{number}") or 0)
            assert int(done) <= found <= int(done) + 1, (number, done, found)


def main():
    name, port, *rest = sys.argv[1:]
    functions = {f.__name__: f for f in (traffic, publish, save, threads_are_used, nonsense, digest,
                                         shutdown, busy, kept)}
    functions[name](int(port), *(int(word) if word.isdigit() else word for word in rest))


main()
