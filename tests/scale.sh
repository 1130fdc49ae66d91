#!/bin/sh
# Very many threads, and connections, in programs under weft: what they take, and that none is lost.
# usage: scale.sh [THREADS [threads|connections]]; else a million, for which 10 GB have to be free, and
# both. A tenth as many connections, over as many servers as the limit of open files asks for.
#
# Counts and memory are asserted, times are told: what a thread costs of them at 10,000 and at THREADS.
# Run tests/run.sh first: it builds.

top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
: "${WEFT_PROGRAM:=$build/weft}"
threads=${1:-1000000}
parts=${2:-threads connections}
connections=$((threads / 10))
stack_kb=16

# Before that, the guard of a stack is a mapping, of which there are not enough.
if [ "$(printf '%s\n' 6.13 "$(uname -r)" | sort -V | head -n 1)" != 6.13 ]; then
	echo "skipped: Linux 6.13 or later is needed, this is $(uname -r)"
	exit 77
fi
for program in "$WEFT_PROGRAM" "$build/guests/crowd" "$build/demo/micro" "$build/demo/load"; do
	[ -x "$program" ] || { echo "not ok - no $program: build first"; exit 1; }
done
failed=0
dir=$(mktemp -d)
servers=
trap '[ -z "$servers" ] || kill $servers; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# field NAME FILE: the number of its name=value word
field() {
	sed -n "s/.*\\b$1=\\([0-9.]*\\).*/\\1/p" "$2"
}

# most WHAT VALUE LIMIT: the value is there and not above
most() {
	if [ -n "$2" ] && awk "BEGIN { exit !($2 <= $3) }"; then
		echo "ok - $1: $2, at most $3"
	else
		echo "not ok - $1: ${2:-nothing}, not at most $3"
		failed=1
	fi
}

# crowd THREADS STACK_KB BYTES: says the same as plain with few, and takes no more
crowd() {
	timeout 120 "$build/guests/crowd" >"$dir/plain" 2>&1
	timeout -k 1 1800 "$WEFT_PROGRAM" -- "$build/guests/crowd" "$1" "$2" >"$dir/weft" 2>"$dir/took"
	status=$?
	# the counts differ; and so many are not copied for a child
	for said in plain weft; do
		sed '/^[^ ]* first/s/[0-9]* wait/all wait/; s/[1-9][0-9]* wait$/all wait/; /^a child/d' \
			"$dir/$said" >"$dir/$said.facts"
	done
	if [ $status = 0 ] && cmp -s "$dir/plain.facts" "$dir/weft.facts"; then
		echo "ok - $1 threads of $2 KB come, wait, are signalled, and go"
	else
		echo "not ok - $1 threads of $2 KB, status $status"
		tail -n 20 "$dir/weft" "$dir/took" | sed 's/^/    /'
		failed=1
	fi
	most "bytes a thread, page tables included" "$(field bytes_per_thread "$dir/took")" "$3"
	most "mappings" "$(field mappings "$dir/took")" $(($1 / 50 + 1000))
	# of the first few thousand each one that leaves parts a mapping
	most "mappings when every other one has left" "$(field mappings_with_gaps "$dir/took")" \
		$(($1 / 50 + 3000))
	most "percent of that left when they have gone" "$(field left_percent "$dir/took")" 25
	most "mappings left" "$(field mappings_left "$dir/took")" 300
}

# What a thread takes is glibc's two pages (its record and thread variables in one, its frames in the
# other), 336 bytes for the table of thread variables, and what the page tables do: for stacks of more
# than 2 MB a page of theirs each.
threads_come_and_go() {
	crowd "$threads" $stack_kb 8800
	crowd $((threads / 2)) 0 13500
	for count in 10000 "$threads"; do
		timeout -k 1 1800 "$WEFT_PROGRAM" -- \
			"$build/demo/micro" park "$count" $stack_kb >"$dir/micro" 2>&1
		if grep -q "^threads=$count asked=$count .*err=none" "$dir/micro"; then
			echo "ok - $(cat "$dir/micro")"
		else
			echo "not ok - $(cat "$dir/micro")"
			failed=1
		fi
	done
}

# serve: a server more, whose number and port are in $server and $port
serve() {
	"$WEFT_PROGRAM" -- "$build/demo/echo_threads" 0 >"$dir/port" 9>&- &
	server=$!
	servers="$servers $server"
	for _ in $(seq 300); do
		port=$(sed -n 's/listening on //p' "$dir/port")
		[ -z "$port" ] || return
		sleep 0.1
	done
}

# descriptors PID..: how many they have
descriptors() {
	for pid; do
		ls "/proc/$pid/fd"
	done | wc -l
}

# load CONNECTIONS NUMBER: a server, and its load, which starts when all have opened theirs
load() {
	serve
	idle=$((idle + $(descriptors "$server")))
	"$build/demo/load" -g -w 2 -p "$server" 127.0.0.1 "$port" "$1" 10 64 \
		<"$dir/gate" >"$dir/load.$2" 2>"$dir/opened.$2" 9>&- &
	loads="$loads $!"
}

# opened: how many loads have opened all they could
opened() {
	cat "$dir"/opened.* | grep -c opened
}

# end_loads: let them start, and wait for their end
end_loads() {
	exec 9>&-
	for pid in $loads; do
		wait "$pid" || { echo "not ok - a load ended with $?"; failed=1; }
	done
	sed 's/^/    /' "$dir"/load.*
}

connections_stay() {
	ulimit -n $((connections + 1000)) 2>/dev/null || ulimit -n "$(ulimit -Hn)"
	each=$(($(ulimit -n) - 1000))
	left=$connections
	number=0
	loads=
	idle=0
	mkfifo "$dir/gate"
	exec 9<>"$dir/gate"
	while [ $left -gt 0 ]; do
		number=$((number + 1))
		share=$((left < each ? left : each))
		left=$((left - share))
		load $share $number
	done
	while [ "$(opened)" -lt $number ] && kill -0 $loads 2>/dev/null; do
		sleep 0.5
	done
	at_once=$(($(descriptors $servers) - idle))
	end_loads
	most "connections lost, of $connections at $number servers" \
		"$(awk '{ for (i = 1; i <= NF; i++) if (sub(/^failed=/, "", $i)) { lost += $i; n++ } }
			END { if (n == '$number') print lost + 0 }' "$dir"/load.*)" 0
	# fewer than none: a server has made descriptors of its own meanwhile
	most "connections missing while all are open" $((connections - at_once)) 0
}

for part in $parts; do
	case $part in
	threads) threads_come_and_go ;;
	connections) connections_stay ;;
	esac
done
exit $failed
