#!/bin/sh
# iperf 2, a thread per stream at both ends and one that reports: TCP one way, back, both ways over
# two connections and over one, UDP; what the two ends say has arrived is the same to the byte.
#
# Each stream has an address of its own: version 2.1.8 sums up those of one host in a record that
# it frees too early, and crashes by that, plain, every few runs.
. "$(dirname "$0")/common.sh"

need /usr/bin/iperf iperf
need /usr/bin/python3 python3

# serve PORT [OPTION...]: a server, whose report is in $report and whose errors are in server.log
serve() {
	report=$dir/report.$1
	"$launcher" /usr/bin/iperf -s -B 127.0.0.1 -y C -p "$@" >"$report" 2>>"$dir/server.log" &
	server=$!
	pids="$pids $server"
}

# client REPORT OPTION...: with its report in $dir/REPORT. Plain it crashes all the same, much less
# often, and is run again then; under weft it has no excuse.
client() {
	into=$1
	shift
	for _ in 1 2 3; do
		timeout -k 5 $patience "$launcher" /usr/bin/iperf -c 127.0.0.1 -y C "$@" \
			>"$dir/$into" 2>"$dir/$into.log"
		client_status=$?
		[ "$way" = plain ] && [ $client_status = 139 ] || break
	done
	return $client_status
}

# agree REPORT STREAMS [BYTES]: both ends of that client
agree() {
	report_of=$dir/$1
	shift
	/usr/bin/python3 "$here/iperf_reports.py" "$report_of" "$report" "$@"
}

# run STREAMS BYTES OPTION...: one client; both ends agree. The addresses are those of no earlier
# one, for ports come again.
runs=0
run() {
	streams=$1
	bytes=$2
	shift 2
	runs=$((runs + 1))
	client one -B "127.0.$runs.1" --incr-srcip -p "$port" "$@"
	status=$?
	cat "$dir/one.log"
	[ $status = 0 ] && agree one "$streams" "$bytes"
}

# both_ways: two clients at once, one that sends and one that is sent to. (Clients with -d or -r ask
# the server to connect before they make sure that they listen, and sometimes it is faster.)
both_ways() {
	client there -B 127.1.1.1 --incr-srcip -p "$port" -P 10 -n 1M &
	there=$!
	client back -B 127.1.2.1 --incr-srcip -p "$port" -P 10 -n 1M -R
	result=$?
	wait $there || result=1
	cat "$dir/there.log" "$dir/back.log"
	[ $result = 0 ] && agree there 10 1048576 && agree back 10 1048576
}

# streams_run COUNT: more than that many connections are open at the server
streams_run() {
	[ "$(ls -l "/proc/$server/fd" | grep -c socket:)" -gt "$1" ]
}

# interrupted: a client that would run for long, by its user: it says what it has sent
interrupted() {
	"$launcher" /usr/bin/iperf -c 127.0.0.1 -B 127.2.1.1 --incr-srcip -y C -p "$port" -P 50 -b 4M \
		-t 100 >"$dir/long" 2>"$dir/long.log" &
	long=$!
	pids="$pids $long"
	check "50 streams run" wait_until streams_run 50
	check "the server runs this way" is_woven "$server"
	check "the client runs this way" is_woven "$long"
	check "kernel threads are as they should be" threads_fit "$server" 50
	stops "$long" INT
	check "both ends of what was interrupted agree" agree long 50
}

port=$(free_port)
serve "$port"
check "the TCP server listens" listens "$port"
check "one stream" run 1 8388608 -n 8M
check "50 streams at once" run 50 1048576 -P 50 -n 1M
check "20 streams from the server" run 20 1048576 -P 20 -n 1M -R
check "10 streams each way at once" both_ways
check "10 streams that each go both ways" run 20 0 -P 10 -t 1 --full-duplex
interrupted
check "and it still serves" run 5 1048576 -P 5 -n 1M
stops "$server" INT

# A port each: the server connects the socket that it listens with, and what others send to the
# port meanwhile is lost. Even if it is slow, its sockets have room for all that is sent.
port=$(free_port)
serve "$port-$((port + 15))" -u
check "a UDP server listens at 16 ports" wait_until streams_run 15
check "16 streams of datagrams" run 16 103870 --incr-dstport -u -P 16 -n 100K -b 10M
check "kernel threads are as they should be" threads_fit "$server" 16
stops "$server" TERM

# What it says as a matter of course, plain too: that it waits for its threads, that it connects
# (version 2.1.8 calls that a failure), and that a client has not waited for its last answer.
usual='Interrupt again to force quit|Numerical argument out of domain|ack of last datagram failed'
grep -vE "$usual" "$dir/server.log" >"$dir/unusual"
check "no server had an error to tell" cmp "$dir/unusual" /dev/null
exit $failed
