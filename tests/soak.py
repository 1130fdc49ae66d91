"""Loads two servers, looks at them and judges; see soak.sh.

    idle -> warm-up -> idle, measured -> rounds of load, a sample in each -> idle, measured

A round has steady load, which is the same in each, and clients that come and go. What is compared
is the last third of the rounds with the second; and the two idle times.
"""

import argparse
import concurrent.futures
import contextlib
import csv
import os
import random
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "real"))

from mariadb_library import Connection  # noqa: E402 (its folder is not this one)

ROUND_S = 5
STEADY_S = 3
STEADY_CONNECTIONS = 150
COMING_AND_GOING = 4
QUIET_S = 4
FIELDS = ("seconds", "server", "phase", "memory_kb", "descriptors", "kernel_threads", "tasks",
          "p50_us", "p99_us", "clients")
# From one third to the next. MariaDB's memory grows for long by itself, plain as well: glibc gives
# its threads one arena after another, and each keeps what once was needed.
MOST_GROWTH_KB = {"echo": 512, "mariadb": 8192}


class Server:
    """A process to look at, and what its coming and going clients have found."""

    def __init__(self, name, pid, visit, pause_s):
        self.name, self.pid, self.visit, self.pause_s = name, pid, visit, pause_s
        self.samples = []
        self.times_us = []
        self.clients = 0
        self.wrong = []
        self.lock = threading.Lock()

    def look(self, phase):
        status = {}
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            for line in file:
                name, value = line.split(":", 1)
                status[name] = value.split()
        threads = int(status["Threads"][0])
        tasks = threads
        if options.way == "weft":
            tasks = int(subprocess.run([options.tasks_of, str(self.pid)], check=True, timeout=60,
                                       capture_output=True).stdout)
        with self.lock:
            times, self.times_us = sorted(self.times_us), []
        sample = {
            "seconds": round(time.monotonic() - began, 1), "server": self.name, "phase": phase,
            "memory_kb": int(status["VmRSS"][0]) + int(status["VmPTE"][0]),
            "descriptors": len(os.listdir("/proc/%d/fd" % self.pid)),
            "kernel_threads": threads, "tasks": tasks,
            "p50_us": round(times[len(times) // 2]) if times else 0,
            "p99_us": round(times[len(times) * 99 // 100]) if times else 0,
            "clients": self.clients}
        self.samples.append(sample)
        table.writerow(sample)
        csv_file.flush()
        return sample

    def come_and_go(self, seed):
        chance = random.Random(seed)
        while not stopping.is_set():
            begin = time.monotonic()
            try:
                self.visit(chance)
            except Exception as error:
                with self.lock:
                    self.wrong.append(repr(error))
                time.sleep(0.1)
            took = time.monotonic() - begin
            with self.lock:
                self.times_us.append(took * 1e6)
                self.clients += 1
            time.sleep(self.pause_s)

    def series(self, field):
        return [sample[field] for sample in self.samples if sample["phase"] == "load"]


def leave(connection, chance):
    """Close, close hard with a reset, or say first that nothing more comes."""
    how = chance.randrange(3)
    if how == 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif how == 1:
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""


def visit_echo(chance):
    with socket.create_connection(("127.0.0.1", options.port), 60) as connection:
        for _ in range(chance.randrange(5)):
            sent = chance.randbytes(chance.randrange(1, 9000))
            connection.sendall(sent)
            got = b""
            while len(got) < len(sent):
                part = connection.recv(65536)
                assert part, "ended early"
                got += part
            assert got == sent
        if chance.randrange(8) == 0:
            connection.sendall(b"x" * 70000)  # whose answer nobody reads
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            leave(connection, chance)


def visit_mariadb(chance):
    if chance.randrange(8) == 0:
        with socket.socket(socket.AF_UNIX) as stranger:  # leaves in the middle of the greeting
            stranger.settimeout(60)
            stranger.connect(options.socket)
            stranger.recv(chance.randrange(1, 100))
        return
    with Connection(options.socket, database="sbtest") as c:
        for _ in range(chance.randrange(1, 4)):
            row = chance.randrange(1, 10001)
            assert c.number("SELECT id FROM sbtest%d WHERE id = %d"
                            % (chance.randrange(1, 5), row)) == row
        if chance.randrange(4) == 0:
            c.query("CREATE TEMPORARY TABLE t (id INT) ENGINE=MEMORY")
            c.query("INSERT INTO t VALUES (1), (2)")
            assert c.number("SELECT SUM(id) FROM t") == 3


def load_echo():
    """A round of the demo's load: every byte is checked, and who is not answered fails."""
    return subprocess.Popen([options.load, "-w", "0.2", "127.0.0.1", str(options.port),
                             str(STEADY_CONNECTIONS), str(STEADY_S), "64"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def load_mariadb():
    return subprocess.Popen(["sysbench", "oltp_read_write", "--mysql-socket=" + options.socket,
                             "--mysql-user=root", "--tables=4", "--table-size=10000",
                             "--threads=8", "--rate=60", "--time=%d" % (STEADY_S + 1), "run"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def one_round(servers, phase):
    end = time.monotonic() + ROUND_S
    steady = [load_echo(), load_mariadb()]
    time.sleep(STEADY_S * 0.7)
    for server in servers:
        server.look(phase)
    for process in steady:
        output = process.communicate(timeout=120)[0]
        if process.returncode != 0:
            what = "its load ended with status %d: %s" % (process.returncode, output)
            servers[steady.index(process)].wrong.append(what)
    time.sleep(max(0, end - time.monotonic()))


def load_for(seconds, servers, phase):
    stopping.clear()
    end = time.monotonic() + seconds
    with concurrent.futures.ThreadPoolExecutor(COMING_AND_GOING * len(servers)) as pool:
        visitors = [pool.submit(server.come_and_go, seed) for server in servers
                    for seed in range(COMING_AND_GOING)]
        try:
            while time.monotonic() < end:
                one_round(servers, phase)
        finally:
            stopping.set()
    for visitor in visitors:
        visitor.result()


def judge(server, name, holds, told):
    print("%sok - %s: %s (%s)" % ("" if holds else "not ", server.name, name, told))
    return holds


def is_flat(server, field, average, factor, more):
    series = server.series(field)
    third = len(series) // 3
    before, after = average(series[third:2 * third]), average(series[2 * third:])
    return judge(server, field + " is flat", after <= before * factor + more,
                 "second third %.0f, last third %.0f" % (before, after))


def judge_all(server, rested, at_end):
    mean, median = statistics.mean, statistics.median
    series = server.series("memory_kb")
    # the echo server gives back all that a connection needed
    before = rested["memory_kb"] if server.name == "echo" else series[-1]
    growth_kb = MOST_GROWTH_KB[server.name]
    return all([
        judge(server, "no client found anything wrong", not server.wrong,
              "%d clients came and went; %s" % (server.clients, server.wrong[:3])),
        is_flat(server, "memory_kb", mean, 1, growth_kb),
        is_flat(server, "descriptors", mean, 1.05, 4),
        is_flat(server, "kernel_threads", mean, 1.5, 8),
        is_flat(server, "tasks", mean, 1.05, 4),
        # other programs of the machine show in these
        is_flat(server, "p50_us", median, 3, 2000),
        is_flat(server, "p99_us", median, 3, 20000),
        judge(server, "memory ends as it was", at_end["memory_kb"] <= before + growth_kb,
              "%d, at the end %d" % (before, at_end["memory_kb"])),
        judge(server, "descriptors end as they were idle",
              at_end["descriptors"] <= rested["descriptors"] + 4,
              "%d, at the end %d" % (rested["descriptors"], at_end["descriptors"])),
        judge(server, "tasks end as they were idle", at_end["tasks"] <= rested["tasks"] + 4,
              "%d, at the end %d" % (rested["tasks"], at_end["tasks"])),
    ])


def main():
    servers = [Server("echo", options.echo, visit_echo, 0.02),
               Server("mariadb", options.mariadb, visit_mariadb, 0.05)]
    seconds = options.minutes * 60
    load_for(max(30, seconds / 10), servers, "warm-up")
    time.sleep(QUIET_S)
    rested = [server.look("idle") for server in servers]
    load_for(seconds, servers, "load")
    time.sleep(QUIET_S)
    ends = [server.look("idle") for server in servers]
    sound = [judge_all(*each) for each in zip(servers, rested, ends)]
    return 0 if all(sound) else 1


def parse_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float)
    for name in ("mariadb", "echo", "port"):
        parser.add_argument("--" + name, type=int)
    for name in ("way", "socket", "load", "tasks-of", "csv"):
        parser.add_argument("--" + name)
    return parser.parse_args()


if __name__ == "__main__":
    options = parse_options()
    stopping = threading.Event()
    began = time.monotonic()
    with contextlib.closing(open(options.csv, "w", encoding="ascii", newline="")) as csv_file:
        table = csv.DictWriter(csv_file, FIELDS)
        table.writeheader()
        sys.exit(main())
