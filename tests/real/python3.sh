#!/bin/sh
# CPython: threads and queues, a threading HTTP server under many clients, pools of workers,
# subprocesses started by threads, sockets with timeouts.
. "$(dirname "$0")/common.sh"

python=/usr/bin/python3
need $python python3

for name in $($python "$here/python3_cases.py" --list); do
	check "$name" "$launcher" $python "$here/python3_cases.py" "$name" "$way"
done
exit $failed
