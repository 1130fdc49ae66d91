"""Clients of the servers of ruby.sh, java.sh and node.sh, which all answer the same requests:

    GET /block/N    200, block(N)
    POST /hash      200, the SHA-256 of the body in hexadecimal digits
    else            404

A command, the port, and what the command takes; ends with 0 if the answers were right to the byte.
"""

import asyncio
import hashlib
import resource
import socket
import struct
import sys

HOST = "127.0.0.1"
PATIENCE = 240


def block(number):
    return hashlib.sha256(b"%d" % number).digest() * (200 + number % 800)


async def read_answer(reader):
    """Status and body, of the given length or in chunks."""
    status = int((await reader.readline()).split()[1])
    fields = {}
    while (line := await reader.readline()).strip():
        name, value = line.decode().split(":", 1)
        fields[name.strip().lower()] = value.strip()
    if fields.get("transfer-encoding") != "chunked":
        return status, await reader.readexactly(int(fields["content-length"]))
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return status, body


async def ask(reader, writer, request, body=b""):
    fields = b"Host: localhost\r\n"
    if body:
        fields += b"Content-Length: %d\r\n" % len(body)
    writer.write(b"%s HTTP/1.1\r\n%s\r\n" % (request, fields) + body)
    await writer.drain()
    return await read_answer(reader)


async def ask_for(number, reader, writer):
    """One of three requests, by the number; the answer has to be right."""
    if number % 7 == 6:
        status, body = await ask(reader, writer, b"GET /none/%d" % number)
        right = status == 404
    elif number % 3 == 2:
        sent = block(number) * (1 + number % 5)
        status, body = await ask(reader, writer, b"POST /hash", sent)
        right = (status, body.decode()) == (200, hashlib.sha256(sent).hexdigest())
    else:
        status, body = await ask(reader, writer, b"GET /block/%d" % number)
        right = (status, body) == (200, block(number))
    if not right:
        raise AssertionError("answer to %d: %d %r" % (number, status, body[:80]))


async def client(port, numbers, all_here):
    """All the requests on one connection, which is there before the first is made by anybody."""
    reader, writer = await asyncio.open_connection(HOST, port)
    all_here[0] -= 1
    if all_here[0] == 0:
        all_here[1].set()
    await all_here[1].wait()
    for number in numbers:
        await ask_for(number, reader, writer)
    writer.close()


async def lingering(port):
    """A byte at a time, then the rest."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for byte in b"GET /block/5 HTTP/1.1\r\nHo":
        writer.write(b"%c" % byte)
        await asyncio.sleep(0.01)
    writer.write(b"st: localhost\r\n\r\n")
    if await read_answer(reader) != (200, block(5)):
        raise AssertionError("wrong answer to a slow client")
    writer.close()


def break_off(port, sent, reset):
    """Leave in the middle of a request or of its answer, by a reset or not."""
    with socket.create_connection((HOST, port), PATIENCE) as connection:
        connection.sendall(sent)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def everybody(port, clients, requests):
    all_here = [clients, asyncio.Event()]
    return await asyncio.wait_for(asyncio.gather(
        *(client(port, range(n, requests, clients), all_here) for n in range(clients))), PATIENCE)


def load(port, clients, requests):
    """So many clients, all connected at once, make so many requests between them."""
    asyncio.run(everybody(int(port), int(clients), int(requests)))


def rude(port, clients, requests):
    """The same beside clients that break off, and some that are slow."""

    async def both():
        for number in range(20):
            break_off(int(port), b"GET /block/1 HTTP/1.1\r\nHos", number % 2)
            break_off(int(port), b"POST /hash HTTP/1.1\r\nContent-Length: 9999\r\n\r\nabc", number % 2)
            break_off(int(port), b"GET /block/799 HTTP/1.1\r\nHost: localhost\r\n\r\n", number % 2)
        slow = [asyncio.create_task(lingering(int(port))) for _ in range(10)]
        await everybody(int(port), int(clients), int(requests))
        await asyncio.wait_for(asyncio.gather(*slow), PATIENCE)

    asyncio.run(both())


def idle(port, pid, connections, way, least, most):
    """With so many idle connections, kernel threads: `least` plain, `most` at most under weft."""

    async def count():
        held = [await asyncio.open_connection(HOST, int(port)) for _ in range(int(connections))]
        for reader, writer in held:
            if await ask(reader, writer, b"GET /block/0") != (200, block(0)):
                raise AssertionError("wrong answer")
        # Those that weft lends to calls end when they are idle.
        while not fits(kernel_threads()):
            await asyncio.sleep(0.1)

    def kernel_threads():
        with open("/proc/%s/status" % pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("Threads:"))

    def fits(threads):
        return threads <= int(most) if way == "weft" else threads >= int(least)

    try:
        asyncio.run(asyncio.wait_for(count(), PATIENCE))
    finally:
        print(kernel_threads(), "kernel threads")


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    {"load": load, "rude": rude, "idle": idle}[sys.argv[1]](*sys.argv[2:])
