"""Entries for slapd.sh, and clients that look at many of them at once. Ends with 0 if it held."""

import asyncio
import base64
import hashlib
import sys

SUFFIX = "dc=example,dc=org"
PEOPLE = "ou=people," + SUFFIX
LIMIT = 55  # seconds, for what hangs


def payload(number, version):
    """A value of up to 4 KB, of all bytes."""
    digest = hashlib.sha256(b"%d %d" % (number, version)).digest()
    return digest * (1 + number % 128)


def name(number):
    return "uid=u%d,%s" % (number, PEOPLE)


def person(number, version):
    return {
        "objectClass": [b"inetOrgPerson"],
        "uid": [b"u%d" % number],
        "cn": [b"Person %d" % number],
        "sn": [b"Number %d" % number],
        "mail": [b"u%d@example.org" % number, b"u%d@example.net" % number],
        "audio": [payload(number, version)],
    }


def ldif(attribute, value):
    return "%s:: %s\n" % (attribute, base64.b64encode(value).decode())


def add(count):
    """LDIF of all entries, as they are first"""
    print("dn: %s\nobjectClass: dcObject\nobjectClass: organization" % SUFFIX)
    print("o: example\ndc: example\n")
    print("dn: %s\nobjectClass: organizationalUnit\nou: people\n" % PEOPLE)
    for number in range(int(count)):
        lines = [ldif(key, value) for key, values in person(number, 0).items() for value in values]
        print("dn: %s\n%s" % (name(number), "".join(lines)))


def modify(count, clients, client, version):
    """LDIF that brings that client's part of them, those of every second number, to a version"""
    for number in range(2 * int(client), int(count), 2 * int(clients)):
        value = ldif("audio", payload(number, int(version)))
        print("dn: %s\nchangetype: modify\nreplace: audio\n%s-\n" % (name(number), value))


def entries(path):
    """what is in a file of LDIF: {name: {attribute: values}}"""
    with open(path) as file:
        text = file.read().replace("\n ", "")
    for block in text.split("\n\n"):
        entry = {}
        for line in block.splitlines():
            if line.startswith("#") or not line:
                continue
            key, value = line.split(":", 1)
            if value.startswith(":"):
                value = base64.b64decode(value[1:])
            else:
                value = value.strip().encode()
            entry.setdefault(key, []).append(value)
        if entry:
            yield entry.pop("dn")[0].decode(), entry


def compare(path, count, version, first=0, step=1):
    """Those entries, each once and with nothing missing, are in the file."""
    found = list(entries(path))
    found = [(dn, entry) for dn, entry in found if dn.startswith("uid=")]
    wanted = range(int(first), int(count), int(step))
    assert len(found) == len(wanted) == len(dict(found)), "%d entries" % len(found)
    for number in wanted:
        entry = dict(found)[name(number)]
        expected = person(number, int(version) if number % 2 == 0 else 0)
        for key, values in expected.items():
            assert sorted(entry[key]) == sorted(values), (number, key)


def length(data):
    if len(data) < 128:
        return bytes([len(data)])
    return b"\x82" + len(data).to_bytes(2, "big")


def element(tag, *parts):
    data = b"".join(parts)
    return bytes([tag]) + length(data) + data


def search_request(message, number):
    """LDAP's request for one entry and its audio"""
    uid = element(0xA3, element(4, b"uid"), element(4, b"u%d" % number))
    whole_tree = element(4, SUFFIX.encode()) + element(10, b"\2") + element(10, b"\0")
    no_limits = element(2, b"\0") + element(2, b"\0") + element(1, b"\0")
    wanted = element(0x30, element(4, b"audio"))
    search = element(0x63, whole_tree, no_limits, uid, wanted)
    return element(0x30, element(2, message.to_bytes(2, "big")), search)


async def read_message(reader):
    head = await reader.readexactly(2)
    size = head[1]
    if size & 128:
        size = int.from_bytes(await reader.readexactly(size & 127), "big")
    return await reader.readexactly(size)


async def look(port, count, connections, searches):
    """Connections that are there all at once, each with several searches under way"""
    connected = asyncio.Barrier(int(connections))

    async def one(first):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        await connected.wait()
        # Odd ones: nobody changes those.
        numbers = [(first * 14 + 2 * step) % int(count) | 1 for step in range(int(searches))]
        for message, number in enumerate(numbers):
            writer.write(search_request(message + 1, number))
        found = {}
        for _ in range(2 * len(numbers)):
            answer = await read_message(reader)
            message = int.from_bytes(answer[2:2 + answer[1]], "big")
            if payload(numbers[message - 1], 0) in answer:
                found[message] = True
        assert len(found) == len(numbers), "%d of %d found" % (len(found), len(numbers))
        writer.write(element(0x30, element(2, b"\x7f"), element(0x42)))  # unbind
        assert await reader.read() == b""
        writer.close()

    await asyncio.gather(*(one(number) for number in range(int(connections))))


if __name__ == "__main__":
    COMMANDS = {command.__name__: command for command in (add, modify, compare, look)}
    work = COMMANDS[sys.argv[1]](*sys.argv[2:])
    if work is not None:
        asyncio.run(asyncio.wait_for(work, LIMIT))
