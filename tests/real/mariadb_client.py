"""The clients of MariaDB; see mariadb.sh. Ends with 0 if all held."""

import contextlib
import ctypes
import hashlib
import os
import random
import socket
import struct
import sys
import threading
import time

from mariadb_library import (Connection, Error, Statement, LOCAL_INFILE, SSL_CA, SSL_CERT, SSL_KEY,
                             VERIFY_CERT)

ACCOUNTS, BALANCE = 64, 1000
CHANGED, DEADLOCK, LOCK_TIMEOUT, INTERRUPTED, GONE, LOST = 1020, 1213, 1205, 1317, 2006, 2013
KILLED, STATEMENT_TIMEOUT = 1927, 1969
ENDED = (GONE, LOST, KILLED)
IO_URING_SETUP = 425
ENDLESS = ("SELECT COUNT(*) FROM sbtest.sbtest1 a, sbtest.sbtest1 b, sbtest.sbtest1 c "
           "WHERE a.k + b.k + c.k < 0")

LOCAL = os.environ.get("MARIADB_SOCKET")


def connect(path=LOCAL, port=0, database="ladder", options=()):
    return Connection(path, port, database, options)


def at_once(count, run):
    """Run run(0) .. run(count - 1) in as many threads; raise what the first of them raised."""
    errors = []

    def one(number):
        try:
            run(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def fails_with(numbers, run, *arguments):
    try:
        run(*arguments)
    except Error as error:
        assert error.number in numbers, error
    else:
        raise AssertionError("%s did not fail" % (arguments,))


def within(seconds, holds, what):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def block(number, least=1, most=70000):
    length = least + number * 7919 % (most - least)
    return (hashlib.sha256(str(number).encode()).digest() * (length // 32 + 1))[:length]


def fill():
    with connect(database="") as c:
        c.query("CREATE DATABASE ladder")
        c.query("USE ladder")
        c.query("CREATE TABLE accounts (id INT PRIMARY KEY, balance INT NOT NULL) ENGINE=InnoDB")
        c.query("CREATE TABLE ledger (id INT AUTO_INCREMENT PRIMARY KEY, source INT, target INT, "
                "amount INT, teller INT, turn INT, UNIQUE (teller, turn)) ENGINE=InnoDB")
        c.query("CREATE TABLE acknowledged (client INT, turn INT, body VARBINARY(300), "
                "PRIMARY KEY (client, turn)) ENGINE=InnoDB")
        c.query("CREATE TABLE texts (id INT PRIMARY KEY, body VARCHAR(200) CHARACTER SET utf8mb4) "
                "ENGINE=Aria")
        c.query("INSERT INTO accounts VALUES " +
                ",".join("(%d,%d)" % (i, BALANCE) for i in range(ACCOUNTS)))


def sums(c):
    """What no transfer may change, and that the ledger accounts for every balance."""
    total, count = c.query("SELECT SUM(balance), COUNT(*) FROM accounts")[0]
    assert (int(total), int(count)) == (ACCOUNTS * BALANCE, ACCOUNTS), (total, count)
    wrong = c.query("""
        SELECT a.id, a.balance, l.moved FROM accounts a LEFT JOIN (
            SELECT id, SUM(amount) moved FROM (
                SELECT target id, amount FROM ledger UNION ALL SELECT source, -amount FROM ledger
            ) both_ways GROUP BY id) l ON l.id = a.id
        WHERE a.balance <> %d + COALESCE(l.moved, 0)""" % BALANCE)
    assert wrong == [], wrong


def move(c, source, target, amount, teller, turn):
    c.query("START TRANSACTION")
    c.query("UPDATE accounts SET balance = balance - %d WHERE id = %d" % (amount, source))
    c.query("UPDATE accounts SET balance = balance + %d WHERE id = %d" % (amount, target))
    c.query("INSERT INTO ledger (source, target, amount, teller, turn) VALUES (%d,%d,%d,%d,%d)"
            % (source, target, amount, teller, turn))
    c.query("ROLLBACK" if turn % 10 == 9 else "COMMIT")


def transfer(tellers, turns):
    """Transactions that lock the same rows in any order; readers see sums that hold meanwhile."""
    done = threading.Event()
    tellers, turns = int(tellers), int(turns)

    def tell(teller):
        chance = random.Random(teller)
        with connect() as c:
            for turn in range(turns):
                source, target = chance.sample(range(ACCOUNTS), 2)
                while True:
                    try:
                        move(c, source, target, chance.randrange(1, 50), teller, turn)
                        break
                    except Error as error:
                        if error.number not in (CHANGED, DEADLOCK, LOCK_TIMEOUT):
                            raise
                        c.query("ROLLBACK")

    def look():
        with connect() as c:
            while not done.is_set():
                c.query("START TRANSACTION WITH CONSISTENT SNAPSHOT")
                sums(c)
                c.query("COMMIT")

    def one(number):
        if number >= tellers:
            look()
            return
        try:
            tell(number)
        finally:
            counted.append(number)
            if len(counted) == tellers:
                done.set()

    counted = []
    with connect() as c:
        c.query("DELETE FROM ledger")
        c.query("UPDATE accounts SET balance = %d" % BALANCE)
        at_once(tellers + 2, one)
        sums(c)
        committed = sum(turn % 10 != 9 for turn in range(turns)) * tellers
        assert c.number("SELECT COUNT(*) FROM ledger") == committed


def checks():
    """Sums, and CHECK TABLE of every table; prints their checksums, to be compared."""
    with connect() as c:
        sums(c)
        for schema in ("ladder", "sbtest"):
            tables = [row[0].decode() for row in c.query("SHOW TABLES IN " + schema)]
            for name in sorted(tables):
                answer = c.query("CHECK TABLE %s.%s EXTENDED" % (schema, name))
                assert answer[-1][3] == b"OK", answer
                print(schema, name, c.query("CHECKSUM TABLE %s.%s" % (schema, name))[0][1],
                      c.number("SELECT COUNT(*) FROM %s.%s" % (schema, name)))


def waits(c, identifier, state):
    """Until a connection is seen in that state."""
    def seen():
        rows = c.query("SELECT state FROM information_schema.processlist WHERE id = %d "
                       "AND command = 'Query'" % identifier)
        return rows != [] and rows[0][0] is not None and state in rows[0][0]

    within(240, seen, state)


def kill():
    """KILL QUERY and KILL CONNECTION of connections that wait, each in its own way."""
    with connect() as holder, connect() as c:
        c.query("CREATE OR REPLACE TABLE held (id INT PRIMARY KEY, n INT) ENGINE=InnoDB")
        c.query("CREATE OR REPLACE TABLE locked (id INT) ENGINE=InnoDB")
        c.query("INSERT INTO held VALUES (1, 0)")
        holder.query("LOCK TABLES locked WRITE, held WRITE")
        holder.query("UNLOCK TABLES")
        holder.query("DO GET_LOCK('the lock', 0)")
        holder.query("START TRANSACTION")
        holder.query("SELECT * FROM locked")
        holder.query("UPDATE held SET n = 1 WHERE id = 1")
        # what they do, how they are seen to wait, what they answer to KILL QUERY
        cases = [("SELECT GET_LOCK('the lock', 100)", b"User lock", (INTERRUPTED, [(None,)])),
                 ("SELECT SLEEP(100)", b"User sleep", (INTERRUPTED, [(b"1",)])),
                 ("UPDATE held SET n = 2 WHERE id = 1", b"Updating", (INTERRUPTED,)),
                 ("ALTER TABLE locked ADD n INT", b"Waiting for table metadata", (INTERRUPTED,)),
                 (ENDLESS, b"Sending data", (INTERRUPTED,))]
        for sql, state, answers in cases:
            kill_one(c, sql, state, "QUERY", answers)
            kill_one(c, sql, state, "CONNECTION", (*answers, *ENDED))
        holder.query("ROLLBACK")
        assert c.number("SELECT n FROM held") == 0


def kill_one(c, sql, state, how, allowed):
    with connect() as victim:
        identifier = victim.identifier()
        outcome = []
        thread = threading.Thread(target=lambda: outcome.append(ask(victim, sql)))
        thread.start()
        waits(c, identifier, state)
        c.query("KILL %s %d" % (how, identifier))
        thread.join(240)
        assert not thread.is_alive(), (sql, how, "goes on")
        assert outcome[0] in allowed, (sql, how, outcome)
        if how == "QUERY":
            assert victim.value("SELECT 'alive'") == b"alive"
        else:
            fails_with(ENDED, victim.query, "SELECT 1")
            within(240, lambda: c.query("SELECT 1 FROM information_schema.processlist WHERE id = %d"
                                       % identifier) == [], "killed and still there")


def ask(c, sql):
    try:
        return c.query(sql)
    except Error as error:
        return error.number


def timeouts():
    """Waits that the server ends: row locks, user locks, statements, idle connections."""
    with connect() as holder, connect() as c:
        c.query("CREATE OR REPLACE TABLE held (id INT PRIMARY KEY, n INT) ENGINE=InnoDB")
        c.query("INSERT INTO held VALUES (1, 0)")
        holder.query("START TRANSACTION")
        holder.query("UPDATE held SET n = 1 WHERE id = 1")
        holder.query("DO GET_LOCK('mine', 0)")
        c.query("SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, "
                "max_statement_time = 0")
        fails_with((LOCK_TIMEOUT,), c.query, "UPDATE held SET n = 2 WHERE id = 1")
        fails_with((LOCK_TIMEOUT,), c.query, "ALTER TABLE held ADD m INT")
        assert c.number("SELECT GET_LOCK('mine', 0.2)") == 0
        begin = time.monotonic()
        assert c.number("SELECT SLEEP(0.3)") == 0
        assert time.monotonic() - begin >= 0.29
        c.query("SET innodb_lock_wait_timeout = 50, max_statement_time = 0.3")
        fails_with((STATEMENT_TIMEOUT,), c.query, ENDLESS)
        fails_with((STATEMENT_TIMEOUT,), c.query, "UPDATE held SET n = 2 WHERE id = 1")
        holder.query("ROLLBACK")
        with connect() as idle:
            identifier = idle.identifier()
            idle.query("SET wait_timeout = 1")
            within(240, lambda: c.query("SELECT 1 FROM information_schema.processlist WHERE id = %d"
                                       % identifier) == [], "idle for ever")
            fails_with(ENDED, idle.query, "SELECT 1")


def deadlock():
    """Two that lock crosswise: one is told, the other goes on, every time."""
    with connect() as c:
        c.query("CREATE OR REPLACE TABLE crossed (id INT PRIMARY KEY, n INT) ENGINE=InnoDB")
        c.query("INSERT INTO crossed VALUES (0, 0), (1, 0)")
    meet = threading.Barrier(2, timeout=240)
    rolled_back = []

    def one(number):
        with connect() as c:
            for turn in range(20):
                c.query("START TRANSACTION")
                c.query("UPDATE crossed SET n = n + 1 WHERE id = %d" % number)
                meet.wait()
                try:
                    c.query("UPDATE crossed SET n = n + 1 WHERE id = %d" % (1 - number))
                    c.query("COMMIT")
                except Error as error:
                    assert error.number == DEADLOCK, error
                    rolled_back.append(turn)
                meet.wait()

    at_once(2, one)
    assert sorted(rolled_back) == list(range(20)), rolled_back
    with connect() as c:
        assert c.query("SELECT n FROM crossed") == [(b"20",), (b"20",)]


def files(folder):
    """LOAD DATA of a file of the server's and of the client's, SELECT INTO OUTFILE: equal bytes."""
    def name(number, kind):
        return os.path.join(folder, "%d.%s" % (number, kind))

    def one(number):
        lines = ["%d\t%s" % (i, hashlib.sha256(b"%d %d" % (number, i)).hexdigest() * (i % 4))
                 for i in range(3000)]
        text = "\n".join(lines) + "\n"
        with open(name(number, "in"), "w", encoding="ascii") as file:
            file.write(text)
        local = "LOCAL " if number % 2 else ""
        with connect(options=[(LOCAL_INFILE, b"\1\0\0\0")]) as c:
            c.query("CREATE OR REPLACE TABLE loaded%d (id INT PRIMARY KEY, body TEXT) ENGINE=%s"
                    % (number, ("InnoDB", "Aria", "MyISAM")[number % 3]))
            c.query("LOAD DATA %sINFILE '%s' INTO TABLE loaded%d"
                    % (local, name(number, "in"), number))
            assert c.changed() == 3000
            c.query("SELECT * FROM loaded%d ORDER BY id INTO OUTFILE '%s'"
                    % (number, name(number, "out")))
            c.query("DROP TABLE loaded%d" % number)
        with open(name(number, "out"), encoding="ascii") as file:
            assert file.read() == text, number

    at_once(6, one)


def many(count):
    """Connections open at once, each with answers of its own, large and small."""
    count = int(count)
    opened = threading.Barrier(count, timeout=240)

    def one(number):
        with connect() as c:
            opened.wait()
            for turn in range(3):
                body = block(number * 3 + turn)
                sql = b"SELECT '%s', CONNECTION_ID(), REPEAT('%d,', %d)" % (
                    body.hex().encode(), number, number * 10)
                row = c.query(sql)[0]
                assert bytes.fromhex(row[0].decode()) == body
                assert int(row[1]) == c.identifier()
                assert row[2] == b"%d," % number * (number * 10)
            opened.wait()

    at_once(count, one)


def idle(count, pid, way):
    """What that many connections take of the kernel's threads."""
    with contextlib.ExitStack() as stack:
        for _ in range(int(count)):
            stack.enter_context(connect())
        threads = len(os.listdir("/proc/%s/task" % pid))
        # offload threads aside
        assert threads <= 70 if way == "weft" else threads >= int(count), threads


def cache():
    """Threads that end a connection serve the next: thread_cache_size."""
    def status(c, name):
        return int(c.query("SHOW GLOBAL STATUS LIKE '%s'" % name)[0][1])

    with connect() as c:
        c.query("SET GLOBAL thread_cache_size = 20")
        for _ in range(2):
            with contextlib.ExitStack() as stack:
                for _ in range(20):
                    stack.enter_context(connect())
            within(240, lambda: status(c, "Threads_connected") == 1, "connections do not end")
        within(240, lambda: status(c, "Threads_cached") >= 15, "threads are not kept")
        created = status(c, "Threads_created")
        with contextlib.ExitStack() as stack:
            for _ in range(15):
                assert stack.enter_context(connect()).value("SELECT 1") == b"1"
            assert status(c, "Threads_created") == created


def prepared(clients):
    """Prepared statements in the binary protocol; what comes back is what was sent."""
    def one(number):
        with connect() as c:
            statement = Statement(c, "SELECT REVERSE(?)", 1 << 17)
            for turn in range(20):
                body = block(number * 100 + turn)
                assert statement.execute(body) == body[::-1]
            statement.close()

    at_once(int(clients), one)


def tls(port, folder):
    """Clients that verify the server's certificate and show their own; others are refused."""
    def options(authority, *more):
        return [(SSL_CA, os.path.join(folder, authority).encode()), (VERIFY_CERT, b"\1"), *more]

    own = [(SSL_CERT, os.path.join(folder, "client.pem").encode()),
           (SSL_KEY, os.path.join(folder, "client.key").encode())]
    with connect() as c:
        c.query("CREATE OR REPLACE USER root@'127.0.0.1' REQUIRE X509")
        c.query("GRANT ALL ON *.* TO root@'127.0.0.1'")

    def one(number):
        for turn in range(4):
            with connect(None, port, options=options("authority.pem", *own)) as c:
                assert c.cipher()
                assert c.query("SHOW STATUS LIKE 'Ssl_cipher'")[0][1] == c.cipher()
                body = block(number * 10 + turn)
                assert c.value(b"SELECT '%s'" % body.hex().encode()) == body.hex().encode()

    at_once(24, one)
    for refused in (options("other.pem", *own), options("authority.pem"), []):
        try:
            connect(None, port, options=refused).query("SELECT 1")
        except Error:
            continue
        raise AssertionError("was let in: %s" % refused)
    with connect() as c:
        c.query("DROP USER root@'127.0.0.1'")


def strangers(path, port):
    """Clients that say nothing, half of something or nonsense keep no others from their work."""
    half = b"\x20\0\0\1\x85\xa6\xff"
    greeted = [b"", half, b"\xff" * 200, b"GET / HTTP/1.0\r\n\r\n"]
    with contextlib.ExitStack() as stack:
        for number in range(40):
            if number % 2:
                stranger = socket.create_connection(("127.0.0.1", int(port)), 240)
            else:
                stranger = socket.socket(socket.AF_UNIX)
                stranger.settimeout(240)
                stranger.connect(path)
            stack.enter_context(stranger)
            if number % 3:
                stranger.recv(1000)
            stranger.sendall(greeted[number % 4])
            if number % 5 == 0 and number % 2:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                stranger.close()
        at_once(10, lambda number: [serve(number * 20 + turn) for turn in range(5)])


def serve(number):
    with connect() as c:
        assert c.number("SELECT %d + 1" % number) == number + 1


def insert(path, clients):
    """Rows until the server is gone; each is written down when the server has said it is there."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def one(client):
        turn = 0
        with contextlib.suppress(Error), connect() as c:
            while True:
                c.query(b"INSERT INTO acknowledged VALUES (%d, %d, x'%s')"
                        % (client, turn, row_body(client, turn)))
                os.write(log, b"%d %d\n" % (client, turn))
                turn += 1

    at_once(int(clients), one)


def row_body(client, turn):
    return block(client * 1000003 + turn, 1, 300).hex().encode()


def acknowledged(path, clients):
    """That they are all there, whole, and besides at most one of each client, not yet confirmed."""
    with open(path, encoding="ascii") as file:
        written = {tuple(map(int, line.split())) for line in file}
    with connect() as c:
        found = {(int(client), int(turn)): body for client, turn, body
                 in c.query("SELECT client, turn, LOWER(HEX(body)) FROM acknowledged")}
    assert len(written) > 100, len(written)
    assert not written - set(found), sorted(written - set(found))[:20]
    for client in range(int(clients)):
        more = [turn for who, turn in set(found) - written if who == client]
        assert more in ([], [sum(who == client for who, _ in written)]), (client, more)
    for (client, turn), body in found.items():
        assert body == row_body(client, turn), (client, turn)


def variable(name, value):
    with connect(database="") as c:
        found = c.query("SHOW GLOBAL VARIABLES LIKE '%s'" % name)[0][1].decode()
    assert found == value, found


def can_ring():
    """Whether this process may make a ring of io_uring."""
    fd = ctypes.CDLL(None).syscall(IO_URING_SETUP, 4, ctypes.create_string_buffer(120))
    assert fd >= 0


COMMANDS = (acknowledged, cache, can_ring, checks, deadlock, files, fill, idle, insert, kill, many,
            prepared, strangers, timeouts, tls, transfer, variable)

if __name__ == "__main__":
    {command.__name__: command for command in COMMANDS}[sys.argv[1]](*sys.argv[2:])
