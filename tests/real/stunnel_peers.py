"""What stunnel4.sh puts before and behind stunnel; see there. Ends with 0 if it held."""

import asyncio
import hashlib
import os
import ssl
import sys

HOST = "127.0.0.1"
LIMIT = 240  # seconds, for what hangs


def block(number):
    return hashlib.sha256(str(number).encode()).digest() * (1 + number * 37 % 600)


async def serve(path):
    """An echo server at two ports, written to the path; the second turns the bits around."""

    def echo(table):
        async def answer(reader, writer):
            while data := await reader.read(65536):
                writer.write(data.translate(table))
                await writer.drain()
            writer.close()

        return answer

    ports = []
    for table in (None, bytes(255 - byte for byte in range(256))):
        server = await asyncio.start_server(echo(table), HOST, 0, backlog=1024)
        ports.append(server.sockets[0].getsockname()[1])
    with open(path + ".new", "w") as file:
        file.write("%d %d" % tuple(ports))
    os.rename(path + ".new", path)
    await asyncio.Event().wait()


async def exchange(reader, writer, number, turned=False):
    """Send a block while it comes back, and compare."""
    data = block(number)

    async def send():
        writer.write(data)
        await writer.drain()

    sending = asyncio.create_task(send())
    answer = await reader.readexactly(len(data))
    await sending
    if turned:
        answer = bytes(255 - byte for byte in answer)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(data).digest(), "other bytes"


async def close(reader, writer):
    """End the stream and see the other end's end."""
    if writer.can_write_eof():
        writer.write_eof()
        assert await reader.read() == b""
    writer.close()


async def together(port, context, connections, rounds):
    """All connections are there before the first byte is sent; then all send at once."""
    connected = asyncio.Semaphore(50)
    everybody = [0, asyncio.Event()]

    async def one(number):
        async with connected:
            reader, writer = await asyncio.open_connection(HOST, int(port), ssl=context)
            await exchange(reader, writer, number % 50)
        everybody[0] += 1
        if everybody[0] == int(connections):
            everybody[1].set()
        await everybody[1].wait()
        for step in range(int(rounds)):
            await exchange(reader, writer, number * int(rounds) + step)
        await close(reader, writer)

    await asyncio.gather(*(one(number) for number in range(int(connections))))


async def plain(port, connections, rounds):
    await together(port, None, connections, rounds)


def context_of(folder, certificate):
    context = ssl.create_default_context(cafile=folder + "/ca.crt")
    if certificate != "none":
        path = "%s/%s" % (folder, certificate)
        context.load_cert_chain(path + ".crt", path + ".key")
    return context


async def tls(port, folder, connections, rounds):
    """Clients that speak TLS themselves, verify the server and show a certificate."""
    await together(port, context_of(folder, "client"), connections, rounds)


async def refused(port, folder, certificate):
    """A client of that certificate gets no byte through; "plain" speaks no TLS at all."""
    context = None if certificate == "plain" else context_of(folder, certificate)
    try:
        reader, writer = await asyncio.open_connection(HOST, int(port), ssl=context)
        writer.write(block(1))
        await writer.drain()
        answer = await reader.read(1)
    except OSError:
        return
    assert answer == b"", "it answered"


async def turned(port, connections):
    """Those go to the second of the two echo servers."""

    async def one(number):
        reader, writer = await asyncio.open_connection(HOST, int(port))
        await exchange(reader, writer, number, turned=True)
        await close(reader, writer)

    await asyncio.gather(*(one(number) for number in range(int(connections))))


async def hold(port, connections, folder):
    """Open connections and use them; again when folder/again is there, after which they end."""
    ends = []
    for number in range(int(connections)):
        ends.append(await asyncio.open_connection(HOST, int(port)))
        await exchange(*ends[-1], number)
    open(folder + "/held", "w").close()
    while not os.path.exists(folder + "/again"):
        await asyncio.sleep(0.05)
    for number, (reader, writer) in enumerate(ends):
        await exchange(reader, writer, number + 1)
        await close(reader, writer)


if __name__ == "__main__":
    COMMANDS = {command.__name__: command for command in (serve, plain, tls, refused, turned, hold)}
    work = COMMANDS[sys.argv[1]](*sys.argv[2:])
    asyncio.run(work if sys.argv[1] == "serve" else asyncio.wait_for(work, LIMIT))
