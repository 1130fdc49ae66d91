#!/bin/sh
# memcached: an event loop for each of its worker threads, and threads that look after its memory.
. "$(dirname "$0")/common.sh"

need /usr/bin/memcached memcached
need /usr/bin/python3 python3

client() {
	function=$1
	shift
	timeout -k 5 $patience /usr/bin/python3 "$here/memcached_client.py" "$function" "$port" "$@"
}

# threads_are_right: all of them on the carriers under weft, once the offload threads have ended
threads_are_right() {
	if [ "$way" = plain ]; then
		[ "$(kernel_threads "$server")" -gt "$1" ]
		return
	fi
	wait_until only_carriers "$server"
}

# run_server THREADS OPTION...
run_server() {
	threads=$1
	shift
	port=$(free_port)
	start /usr/bin/memcached -l 127.0.0.1 -p "$port" -U "$port" -t "$threads" -c 2000 "$@"
	check "it listens, $threads threads" listens "$port"
}

# quiet: its log has nothing but what it says of a new file, and of the signals that ended it
quiet() {
	! grep -v -e '^Signal handled: ' -e '^Gracefully stopping$' -e '^\[restart\] no metadata save file' \
		"$dir/server.log" | grep .
}

run_server 4 -u nobody -m 256
check "it runs as it should" is_woven "$server"
check "300 clients at once, 4 threads: values, totals, pipelines" client traffic 300 20
check "values of a megabyte" client big
check "bad requests get answers" client nonsense
check "its table grows, the crawler and the rebalancer work" client background
check "kernel threads are as they should be" threads_are_right 4
stops "$server" TERM

run_server 16 -u nobody -m 256
check "300 clients at once, 16 threads: values, totals, pipelines" client traffic 300 20
check "kernel threads are as they should be, 16 threads" threads_are_right 16
check "and it still serves" client big
stops "$server" INT

run_server 4 -u nobody
check "what does not fit in one datagram comes in several" client udp
client busy "$dir/busy" &
busy=$!
pids="$pids $busy"
check "clients keep it busy" wait_until test -e "$dir/busy"
stops "$server" TERM
check "they saw nothing wrong until its end" ends "$busy"

# As root for its file, which is in a folder of root's.
run_server 4 -u root -e "$dir/memory" -m 64
check "values are kept in a file" client keep
stops "$server" USR1
sleep 1.1 # it takes no file of the second in which it starts
run_server 4 -u root -e "$dir/memory" -m 64
check "and are there after a restart" client kept
stops "$server" USR1
check "it said nothing else" quiet
exit $failed
