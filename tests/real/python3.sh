#!/bin/sh
# CPython: threads and queues, threading and forking servers under many clients, with TLS too, pools
# of threads and processes, subprocesses started by threads, sockets with timeouts, a database.
. "$(dirname "$0")/common.sh"

python=/usr/bin/python3
need $python python3
need /usr/bin/openssl openssl

for name in $($python "$here/python3_cases.py" --list); do
	check "$name" "$launcher" $python "$here/python3_cases.py" "$name" "$way"
done
exit $failed
