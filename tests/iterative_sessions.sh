#!/bin/sh
# An iterative server whose state is all on its stack, split by weft, against one that forks for each
# connection: what each of so many randomised sessions hears is the same. And one client that sends a byte
# a second delays nobody, as it does without weft.
# usage: iterative_sessions.sh [SESSIONS [AT_ONCE [SEED]]]; else 10,000, 500 at once, a seed of the time.
#
# Run tests/run.sh first: it builds.

top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
: "${WEFT_PROGRAM:=$build/weft}"
sessions=${1:-10000}
at_once=${2:-500}
seed=${3:-$(date +%s)}
program=$build/guests/sessions
for needed in "$WEFT_PROGRAM" "$program"; do
	[ -x "$needed" ] || { echo "not ok - no $needed: build first"; exit 1; }
done
dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill $server; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# begin NAME COMMAND...: run a server, whose port is then in $dir/port
begin() {
	says=$dir/$1.says
	shift
	rm -f "$dir/port"
	"$@" >"$dir/port" 2>"$says" &
	server=$!
	while [ ! -s "$dir/port" ] && kill -0 $server; do sleep 0.05; done
}

end() {
	kill $server
	wait $server 2>/dev/null
	server=
}

# hear NAME COMMAND...: what the clients hear of a server goes to $dir/NAME
hear() {
	begin "$@"
	if ! "$program" ask "$(cat "$dir/port")" "$seed" "$sessions" "$at_once" >"$dir/$1"; then
		echo "not ok - $1: the clients fail"
		cat "$says"
		exit 1
	fi
	end
}

# first NAME BYTES COMMAND...: who is done first, of a slow client and 200 others
first() {
	name=$1
	bytes=$2
	shift 2
	begin "$name" "$@"
	"$program" slow "$(cat "$dir/port")" "$bytes" 200 2>&1 >"$dir/slow" | tail -n 1
	end
}

hear forking "$program" serve fork
hear split "$WEFT_PROGRAM" --iterative --stats "$program" serve iterative
if cmp -s "$dir/forking" "$dir/split"; then
	echo "ok - $sessions sessions (seed $seed) hear the same: $(wc -c <"$dir/split") bytes"
else
	echo "not ok - sessions with seed $seed hear what they should not"
	diff "$dir/forking" "$dir/split" | head -n 40
	exit 1
fi
counts=$(sed -n 's/^weft: iterative: //p' "$dir/split.says")
echo "$counts"
most=$(echo "$counts" | sed -n 's/.*at most \([0-9]*\) at once.*/\1/p')
if [ "${most:-0}" -gt 1 ]; then
	echo "ok - they were served at once"
else
	echo "not ok - they were served in turn"
	exit 1
fi

who=$(first plain 3 "$program" serve iterative)
[ "$who" = "done first: the slow one" ] || { echo "not ok - without weft: $who"; exit 1; }
who=$(first split 200 "$WEFT_PROGRAM" --iterative "$program" serve iterative)
[ "$who" = "done first: the others" ] || { echo "not ok - a slow client delays others: $who"; exit 1; }
echo "ok - a client that sends a byte a second delays nobody"
