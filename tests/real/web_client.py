"""The files of a web server, and the clients that ask for them; see web.inc.

    web_client.py DIR site              make the files, in DIR/site
    web_client.py DIR KIND PORT [MANY [PREFIX]]
                                    be so many clients at once, whose paths begin so; ends with 0 if
                                    every answer was right

How many requests were made is added to DIR/made, a line each time, for whoever counts the log's.
"""

import asyncio
import functools
import gzip
import os
import random
import re
import ssl
import sys

SIZES = [0, 1, 100, 1000, 4095, 4096, 4097, 8000, 20000, 65536, 65537, 250000, 1000003]
TEXTS = 8
BIG = 6000011
HANG = 240  # seconds; nothing takes as long


def content(name):
    number = int(re.search(r"\d+", name)[0])
    dice = random.Random(number)
    if name.startswith("text"):
        words = [dice.randbytes(5).hex() for _ in range(200)]
        return " ".join(dice.choices(words, k=500 + 700 * number)).encode()
    if name.startswith("big"):
        return dice.randbytes(BIG)
    return dice.randbytes(SIZES[number % len(SIZES)])


content = functools.lru_cache(None)(content)


def site(folder):
    names = ["file%d" % i for i in range(3 * len(SIZES))]
    names += ["text%d.txt" % i for i in range(TEXTS)] + ["big%d" % i for i in range(2)]
    os.makedirs(folder + "/site", exist_ok=True)
    for name in names:
        with open(folder + "/site/" + name, "wb") as file:
            file.write(content(name))


class Connection:
    def __init__(self, port, context=None):
        self.port, self.context = port, context

    async def connect(self):
        self.between = False  # an answer has come, and the next has not begun
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=self.context, limit=1 << 20,
            server_hostname="localhost" if self.context else None)

    async def disconnect(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except (OSError, ssl.SSLError):
            pass  # the answer is whole, how the connection ends is its own affair

    async def __aenter__(self):
        await self.connect()
        return self

    async def __aexit__(self, *_):
        await self.disconnect()

    def send(self, path, method="GET", body=None, chunked=False, **headers):
        head = ["%s %s HTTP/1.1" % (method, path), "Host: localhost"]
        head += ["%s: %s" % (key.replace("_", "-"), value) for key, value in headers.items()]
        if chunked:
            head.append("Transfer-Encoding: chunked")
        elif body is not None:
            head.append("Content-Length: %d" % len(body))
        data = "\r\n".join(head + ["", ""]).encode()
        if chunked:
            pieces = [body[i:i + 3000] for i in range(0, len(body), 3000)]
            data += b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            data += b"0\r\n\r\n"
        elif body is not None:
            data += body
        self.writer.write(data)
        Clients.made += 1

    async def answer(self, method="GET"):
        """The status, the headers by their names in small letters, the body."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.between = False
        answer = await self.rest_of_answer(method, head)
        self.between = True
        return answer

    async def rest_of_answer(self, method, head):
        status = int(head[0].split()[1])
        headers = {}
        for line in head[1:]:
            if line:
                key, value = line.split(": ", 1)
                headers[key.lower()] = value
        if method == "HEAD" or status in (204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            assert await self.reader.readexactly(2) == b"\r\n"
        elif "content-length" in headers:
            body = await self.reader.readexactly(int(headers["content-length"]))
        else:
            body = await self.reader.read()
        return status, headers, body

    async def ask(self, path, method="GET", **what):
        """On another connection if the server ends this one between two requests, as it may."""
        for _ in range(10):
            self.send(path, method, **what)
            try:
                return await self.answer(method)
            except (ConnectionError, asyncio.IncompleteReadError) as end:
                if not self.between or getattr(end, "partial", b""):
                    raise
            Clients.made -= 1
            Clients.ended += 1
            await self.disconnect()
            await self.connect()
        raise AssertionError("no connection lasts")


async def ask_one(connection, prefix, dice, **headers):
    """Some request for a file, its answer checked."""
    name = "file%d" % dice.randrange(3 * len(SIZES))
    whole = content(name)
    kind = dice.randrange(8)
    if kind == 0:
        status, answer, body = await connection.ask(prefix + name, "HEAD", **headers)
        assert status == 200 and body == b""
        assert int(answer.get("content-length", len(whole))) == len(whole), answer
    elif kind == 1 and len(whole) > 10:
        first = dice.randrange(len(whole) - 1)
        last = dice.randrange(first, len(whole))
        status, answer, body = await connection.ask(
            prefix + name, Range="bytes=%d-%d" % (first, last), **headers)
        assert status == 206 and body == whole[first:last + 1], (name, status, first, last)
        assert answer["content-range"] == "bytes %d-%d/%d" % (first, last, len(whole))
    elif kind == 2:
        _, answer, _ = await connection.ask(prefix + name, "HEAD")
        status, _, body = await connection.ask(
            prefix + name, If_None_Match=answer["etag"], **headers)
        assert (status, body) == (304, b""), (name, status)
    elif kind == 3:
        status, _, _ = await connection.ask(prefix + "none", **headers)
        assert status == 404, status
    else:
        status, _, body = await connection.ask(prefix + name, **headers)
        assert status == 200 and body == whole, (name, status, len(body), len(whole))


class Clients:
    """One kind of client a function: what the number'th of them does."""

    made = 0
    ended = 0  # connections, by the server, between two requests

    def __init__(self, folder, port, prefix):
        self.folder, self.port, self.prefix = folder, int(port), prefix
        self.context = None

    async def keep(self, number, requests=6):
        dice = random.Random(number)
        async with Connection(self.port, self.context) as connection:
            for _ in range(requests):
                await ask_one(connection, self.prefix, dice)

    async def keep_or_again(self, number):
        """As keep, where a connection may end between two requests."""
        await self.keep(number)

    async def close(self, number, requests=2):
        dice = random.Random(1000 + number)
        number %= 3 * len(SIZES)
        for _ in range(requests):
            async with Connection(self.port, self.context) as connection:
                status, _, body = await connection.ask(
                    self.prefix + "file%d" % number, Connection="close")
                assert status == 200 and body == content("file%d" % number), (status, len(body))
                assert await connection.reader.read() == b""
            number = dice.randrange(3 * len(SIZES))

    async def pipeline(self, number, depth=20):
        async with Connection(self.port) as connection:
            names = ["file%d" % ((number + i) % (3 * len(SIZES))) for i in range(depth)]
            for name in names:
                connection.send(self.prefix + name)
            for name in names:
                status, _, body = await connection.answer()
                assert status == 200 and body == content(name), (name, status, len(body))

    async def zipped(self, number):
        async with Connection(self.port) as connection:
            for i in range(4):
                name = "text%d.txt" % ((number + i) % TEXTS)
                status, answer, body = await connection.ask(self.prefix + name, Accept_Encoding="gzip")
                assert status == 200 and answer["content-encoding"] == "gzip", answer
                assert len(body) < len(content(name)) and gzip.decompress(body) == content(name)

    async def big(self, number):
        name = "big%d" % (number % 2)
        async with Connection(self.port) as connection:
            status, _, body = await connection.ask(self.prefix + name)
            assert status == 200 and body == content(name), (status, len(body))
            status, _, body = await connection.ask(self.prefix + name, Range="bytes=%d-" % (BIG - 7777))
            assert status == 206 and body == content(name)[-7777:], (status, len(body))

    async def slow(self, number):
        """Reads a big file in small steps, or sends its request so."""
        async with Connection(self.port) as connection:
            if number % 2:
                for byte in b"GET %sfile2 HTTP/1.1\r\nHost: localhost\r\n\r\n" % self.prefix.encode():
                    connection.writer.write(bytes([byte]))
                    await asyncio.sleep(0.03)
                Clients.made += 1
                status, _, body = await connection.answer()
                assert status == 200 and body == content("file2"), status
                return
            connection.writer.transport.pause_reading()
            connection.send(self.prefix + "big0")
            await asyncio.sleep(0.5)
            connection.writer.transport.resume_reading()
            status, _, body = await connection.answer()
            assert status == 200 and body == content("big0"), (status, len(body))

    async def echo(self, number):
        dice = random.Random(number)
        async with Connection(self.port) as connection:
            for i in range(2):
                sent = dice.randbytes(dice.choice([1, 5000, 70000, 300000]))
                status, _, body = await connection.ask(
                    "/cgi/echo", "POST", body=sent, chunked=i % 2 == 1)
                assert status == 200 and body == sent, (status, len(body), len(sent))

    async def put(self, number):
        """Stores a file under a name of its own, and has it back."""
        name = "/put/%d" % number
        async with Connection(self.port) as connection:
            for size in (10, 100000, 1500000):
                sent = random.Random(size + number).randbytes(size)
                status, _, _ = await connection.ask(name, "PUT", body=sent)
                assert status in (201, 204), status
                status, _, body = await connection.ask(name)
                assert status == 200 and body == sent, (status, len(body))

    async def some(self, number):
        await self.keep(number, 3)
        await self.close(number, 1)

    async def secure(self, number):
        self.context = ssl.create_default_context(cafile=self.folder + "/cert.pem")
        self.context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # the server's own, and so a CA's
        await self.keep(number, 3)
        await self.close(number, 1)

    async def until_stop(self, number):
        """New connections for as long as DIR/stop is not there: none may be refused."""
        while not os.path.exists(self.folder + "/stop"):
            await self.close(number, 1)

    async def held(self, number):
        """A download that is going on while the server is told to stop, once DIR/held is there."""
        async with Connection(self.port) as connection:
            connection.writer.transport.pause_reading()
            connection.send(self.prefix + "big%d" % (number % 2), Connection="close")
            await asyncio.sleep(0.3)
            with open(self.folder + "/held", "a") as file:
                file.write("held\n")
            await asyncio.sleep(1.5)
            connection.writer.transport.resume_reading()
            status, _, body = await connection.answer()
            assert status == 200 and body == content("big%d" % (number % 2)), (status, len(body))


async def run(clients, kind, many):
    await asyncio.wait_for(
        asyncio.gather(*[getattr(clients, kind)(number) for number in range(many)]), HANG)


def main(folder, kind, port=None, many="1", prefix="/"):
    if kind == "site":
        site(folder)
        return
    asyncio.run(run(Clients(folder, port, prefix), kind, int(many)))
    with open(folder + "/made", "a") as file:
        file.write("%d\n" % Clients.made)
    assert kind != "keep" or Clients.ended == 0, Clients.ended


if __name__ == "__main__":
    main(*sys.argv[1:])
