#!/bin/sh
# Ruby: puma with threads, alone and as a cluster of processes, under many clients, restarted and
# stopped; and what Ruby's own threads, queues, timeouts and children promise, WEBrick among it.
. "$(dirname "$0")/common.sh"

need /usr/bin/ruby ruby
need /usr/bin/puma puma
need /usr/share/doc/ruby-webrick ruby-webrick
need /usr/bin/python3 python3

client=$here/block_client.py

# serve ARGUMENT...: start puma with these, and 8 threads
serve() {
	port=$(free_port)
	: >"$dir/server.log"
	start /usr/bin/puma -q -e production -t 8:8 -b "tcp://127.0.0.1:$port" -S "$dir/state" "$@" \
		"$here/ruby_app.ru"
	check "puma $* listens" listens "$port"
	check "the server is where it should be" is_woven "$server"
}

# says TIMES TEXT: whether the log comes to have so many lines with it
says() {
	for _ in $(seq $((patience * 10))); do
		[ "$(grep -c "$2" "$dir/server.log")" -lt "$1" ] || return 0
		sleep 0.1
	done
	cat "$dir/server.log"
	return 1
}

# children PID: its children's ids
children() {
	cat "/proc/$1/task/"*/children 2>/dev/null
}

no_errors() {
	! grep -iE 'error|exception|warn|weft:' "$dir/server.log"
}

# two_children [PID...]: that it has two, which run this way and are none of these
two_children() {
	found=$(children "$server")
	echo "children: $found"
	[ "$(echo "$found" | wc -w)" = 2 ] || return 1
	for child in $found; do
		is_woven "$child" || return 1
		case " $* " in
		*" $child "*) return 1 ;;
		esac
	done
}

check "ruby's threads do as they should" "$launcher" /usr/bin/ruby "$here/ruby_cases.rb"

serve
check "200 clients at once get the right bytes" /usr/bin/python3 "$client" load "$port" 200 800
check "so they do beside slow and broken ones" /usr/bin/python3 "$client" rude "$port" 50 200
check "kernel threads are as they should be" \
	/usr/bin/python3 "$client" idle "$port" "$server" 8 "$way" 9 8
kill -USR2 "$server"
check "a restart keeps the process" says 2 'Puma starting in single mode'
check "and serves" /usr/bin/python3 "$client" load "$port" 50 200
stops "$server" TERM 143
check "its log has no errors" no_errors

serve -w 2
check "two workers come up" says 2 'Worker . (PID: [0-9]*) booted'
check "they are where they should be" two_children
check "100 clients at once get the right bytes" /usr/bin/python3 "$client" load "$port" 100 400
workers=$(children "$server")
kill -USR1 "$server"
check "a phased restart brings two more" says 4 'Worker . (PID: [0-9]*) booted'
# shellcheck disable=SC2086 # a list of words
check "in place of the others" two_children $workers
check "which serve" /usr/bin/python3 "$client" load "$port" 50 200
stops "$server" INT 0
check "its log has no errors" no_errors
exit $failed
