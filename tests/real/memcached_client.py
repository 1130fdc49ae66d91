"""Clients of memcached; see memcached.sh. Ends with 0 if it held."""

import concurrent.futures
import hashlib
import os
import random
import socket
import struct
import sys
import time

# Many clients on a busy machine; only a hang takes so long.
PATIENCE_S = 240


def value(key, size):
    return (hashlib.sha256(key.encode()).digest() * (size // 32 + 1))[:size]


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.file = self.socket.makefile("rb")

    def line(self):
        line = self.file.readline()
        if not line.endswith(b"\n"):
            raise EOFError(line)
        assert line.endswith(b"\r\n"), line
        return line[:-2].decode()

    def ask(self, text):
        self.socket.sendall(text.encode() + b"\r\n")
        return self.line()

    def store(self, command, key, data, extra="", expires=0):
        head = f"{command} {key} 7 {expires} {len(data)}{extra}\r\n"
        self.socket.sendall(head.encode() + data + b"\r\n")
        return self.line()

    def set(self, key, data, expires=0):
        answer = self.store("set", key, data, expires=expires)
        assert answer == "STORED", answer

    def answers(self):
        """Of a get or gets: {key: (data, cas)}"""
        found = {}
        while (line := self.line()) != "END":
            word = line.split()
            assert word[0] == "VALUE" and word[2] == "7", line
            data = self.file.read(int(word[3]) + 2)
            if len(data) < int(word[3]) + 2:
                raise EOFError(line)
            assert data.endswith(b"\r\n")
            found[word[1]] = (data[:-2], word[4] if len(word) > 4 else None)
        return found

    def get(self, *keys, command="get"):
        self.socket.sendall(f"{command} {' '.join(keys)}\r\n".encode())
        return self.answers()

    def stats(self, what=""):
        self.socket.sendall(f"stats {what}".strip().encode() + b"\r\n")
        found = {}
        while (line := self.line()) != "END":
            _, name, number = line.split(" ", 2)
            found[name] = number
        return found

    def close(self):
        self.file.close()
        self.socket.close()


def increase_by_cas(client, key):
    for _ in range(10000):
        data, cas = client.get(key, command="gets")[key]
        answer = client.store("cas", key, b"%d" % (int(data) + 1), f" {cas}")
        if answer == "STORED":
            return
        assert answer == "EXISTS", answer
    raise AssertionError("never stored")


def one_client(port, number, rounds):
    client = Client(port)
    dice = random.Random(number)
    for i in range(rounds):
        key = f"key-{number}-{i}"
        data = value(key, dice.choice((0, 1, 100, 1000, 5000, 70000)))
        client.set(key, data)
        assert client.get(key, "none")[key][0] == data
        client.ask("incr counter 3")
    for _ in range(3):
        increase_by_cas(client, "by-cas")
    # Many requests before the first answer is read.
    asked = [f"key-{number}-{dice.randrange(rounds)}" for _ in range(50)]
    client.socket.sendall("".join(f"get {key}\r\n" for key in asked).encode())
    for key in asked:
        data = client.answers()[key][0]
        assert data == value(key, len(data))
    assert client.ask(f"delete key-{number}-0") == "DELETED"
    assert client.ask(f"delete key-{number}-0") == "NOT_FOUND"
    assert client.get(f"key-{number}-0") == {}
    return client


def traffic(port, clients, rounds):
    first = Client(port)
    first.set("counter", b"0")
    first.set("by-cas", b"0")
    with concurrent.futures.ThreadPoolExecutor(clients) as pool:
        # All stay connected until the last is done.
        others = list(pool.map(lambda n: one_client(port, n, rounds), range(clients)))
    stats = first.stats()
    assert int(stats["curr_connections"]) >= clients + 1, stats["curr_connections"]
    for client in others:
        client.close()
    assert first.get("counter")["counter"][0].strip() == b"%d" % (3 * rounds * clients)
    assert first.get("by-cas")["by-cas"][0] == b"%d" % (3 * clients)
    assert int(stats["evictions"]) == 0


def big(port):
    def one(number):
        client = Client(port)
        key = f"big-{number}"
        data = value(key, 1000000 - number)
        for _ in range(3):
            client.set(key, data)
            assert client.get(key)[key][0] == data
        too_big = client.store("set", "too-big", bytes(2 << 20))
        assert too_big == "SERVER_ERROR object too large for cache", too_big
        assert client.get("too-big") == {}
        client.close()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(one, range(12)))


def nonsense(port):
    client = Client(port)
    assert client.ask("no such command") == "ERROR"
    assert client.ask("incr none 1") == "NOT_FOUND"
    client.set("text", b"text")
    assert client.ask("incr text 1").startswith("CLIENT_ERROR")
    assert client.store("add", "text", b"other") == "NOT_STORED"
    assert client.store("append", "text", b"+") == "STORED"
    assert client.store("prepend", "text", b"-") == "STORED"
    assert client.get("text")["text"][0] == b"-text+"
    # By another client: from version 1.6.45, an empty line comes after that answer.
    assert Client(port).ask("get " + "k" * 251).startswith("CLIENT_ERROR")
    assert client.get("text")["text"][0] == b"-text+"
    # Who goes away in the middle of a value leaves nothing behind.
    half = Client(port)
    half.socket.sendall(b"set half 0 0 1000\r\nabc")
    half.close()
    assert client.get("half") == {}


def udp(port):
    client = Client(port)
    data = value("udp", 6000)
    client.set("udp", data)
    for ask in range(20):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp_socket:
            udp_socket.settimeout(PATIENCE_S)
            udp_socket.sendto(struct.pack("!HHHH", ask, 0, 1, 0) + b"get udp\r\n", ("127.0.0.1", port))
            parts, total = {}, 1
            while len(parts) < total:
                packet = udp_socket.recv(65536)
                number, part, total, _ = struct.unpack("!HHHH", packet[:8])
                assert number == ask
                parts[part] = packet[8:]
        text = b"".join(parts[i] for i in range(total))
        assert text == b"VALUE udp 7 6000\r\n" + data + b"\r\nEND\r\n"


def wait_for(what):
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, "it does not come to it"
        time.sleep(0.05)


def background(port):
    """What has threads of its own: the growth of the table, the crawler, moving pages of memory."""
    client = Client(port)
    # A flush spares what is of its own second, so more than one may be needed.
    wait_for(lambda: client.ask("flush_all") == "OK" and
             client.ask("lru_crawler crawl all").split()[0] in ("OK", "BUSY") and
             int(client.stats()["curr_items"]) == 0)
    before = int(client.stats()["hash_power_level"])
    for start in range(0, 120000, 1000):
        client.socket.sendall(b"".join(b"set small-%d 7 0 10 noreply\r\n0123456789\r\n" % i
                                       for i in range(start, start + 1000)))
    assert client.ask("version").startswith("VERSION")
    wait_for(lambda: int(client.stats()["hash_power_level"]) > before and
             client.stats()["hash_is_expanding"] == "0")
    found = {}
    for start in range(0, 120000, 3000):
        found.update(client.get(*(f"small-{i}" for i in range(start, start + 3000))))
    assert len(found) == 120000 and all(data == b"0123456789" for data, _ in found.values())
    # Half of them are over in a second; nobody asks for them.
    for start in range(0, 120000, 2000):
        client.socket.sendall(b"".join(b"touch small-%d 1 noreply\r\n" % i
                                       for i in range(start, start + 2000, 2)))
    wait_for(lambda: client.ask("lru_crawler crawl all").split()[0] in ("OK", "BUSY") and
             int(client.stats()["curr_items"]) <= 60000)
    # Pages go from the class of the small ones to that of the big ones.
    client.set("page", value("page", 300000))
    slabs = client.stats("slabs")
    small = max((name.split(":")[0] for name in slabs if name.endswith(":total_pages")),
                key=lambda number: int(slabs[number + ":total_pages"]))
    large = [name.split(":")[0] for name in slabs if name.endswith(":chunk_size")][-1]
    moved = int(client.stats()["slabs_moved"])
    for _ in range(3):
        wait_for(lambda: not client.ask(f"slabs reassign {small} {large}").startswith("BUSY"))
    wait_for(lambda: int(client.stats()["slabs_moved"]) > moved and
             client.stats()["slab_reassign_running"] == "0")
    assert client.get("page")["page"][0] == value("page", 300000)


def keep(port):
    client = Client(port)
    for i in range(1000):
        client.set(f"kept-{i}", value(f"kept-{i}", i * 10))


def kept(port):
    client = Client(port)
    for i in range(1000):
        assert client.get(f"kept-{i}")[f"kept-{i}"][0] == value(f"kept-{i}", i * 10), i


def busy(port, marker):
    """Load that lasts until the server goes; it may only end by the end of a connection."""
    clients = [Client(port) for _ in range(32)]

    def one(number):
        client = clients[number]
        try:
            while True:
                key = f"busy-{number}"
                client.set(key, value(key, 2000))
                assert client.get(key)[key][0] == value(key, 2000)
                if number == 0 and not os.path.exists(marker):
                    open(marker, "w").close()
        except (OSError, EOFError):
            return

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        list(pool.map(one, range(32)))


def main():
    name, port, *rest = sys.argv[1:]
    functions = {f.__name__: f for f in (traffic, big, nonsense, udp, background, keep, kept, busy)}
    functions[name](int(port), *(int(word) if word.isdigit() else word for word in rest))


main()
