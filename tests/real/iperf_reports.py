"""Compares what iperf's two ends say in CSV: iperf_reports.py CLIENT SERVER STREAMS [BYTES]

Each stream of the client's report has to be in the server's, with the same number of bytes (of
BYTES, if given). The server's report may hold other runs' streams, and may still be on its way."""

import sys
import time


def streams(path):
    """both ends, in no order; bytes"""
    with open(path) as file:
        for line in file:
            fields = line.split(",")
            # Lines and a heading are between them; a sum's number is -1.
            if len(fields) >= 9 and fields[5].isdigit() and line.endswith("\n"):
                yield frozenset((tuple(fields[1:3]), tuple(fields[3:5]))), int(fields[7])


def differ(client, server, count, size):
    sent = list(streams(client))
    # What the client receives in a full-duplex stream, it reports without its own end.
    known = {ends for ends, _ in sent if all(port != "0" for _, port in ends)}
    taken = [stream for stream in streams(server) if stream[0] in known]
    if len(sent) != count or len(taken) != count:
        return "%d streams at the client, %d at the server, not %d" % (len(sent), len(taken), count)
    if not set(stream for stream in sent if stream[0] in known) <= set(taken):
        return "a stream has other bytes at the server: %s, %s" % (sent, taken)
    if sorted(size for _, size in sent) != sorted(size for _, size in taken):
        return "other bytes: %s, %s" % (sent, taken)
    if not all(size == found if size else found > 0 for _, found in sent):
        return "not %s bytes each: %s" % (size, sent)
    return None


def main(client, server, count, size=0):
    for _ in range(2400):
        difference = differ(client, server, int(count), int(size))
        if difference is None:
            return
        time.sleep(0.1)
    raise SystemExit(difference)


if __name__ == "__main__":
    main(*sys.argv[1:])
