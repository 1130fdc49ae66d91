#!/bin/sh
# The guests that are storms, under weft, with many rounds. usage: storms.sh [ROUNDS]; else 10000.
# A line each, with its time; a storm that fails is followed by what it said. Preempted ten times as
# often as by default, too. Run tests/run.sh first: it builds.

top=$(cd "$(dirname "$0")/.." && pwd)
: "${WEFT_PROGRAM:=$top/build/weft}"
guests=${GUEST_DIR:-$top/build/guests}
rounds=${1:-10000}

if [ ! -x "$WEFT_PROGRAM" ]; then
	echo "not ok - no weft at $WEFT_PROGRAM: build first, or set WEFT_PROGRAM"
	exit 1
fi
failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# storm ROUNDS GUEST OPTION...: what it says has to be what it says plain with a few rounds
storm() {
	count=$1
	guest=$2
	shift 2
	timeout 60 "$guests/$guest" >"$dir/plain" 2>&1
	begin=$(date +%s)
	timeout -k 1 1800 "$WEFT_PROGRAM" "$@" -- "$guests/$guest" "$count" >"$dir/weft" 2>&1
	status=$?
	what="$guest${*:+ $*}: $count rounds, $(($(date +%s) - begin)) s"
	# what depends on the count, of which plain had another
	sed 's/[0-9][0-9]* times$//; s/\(ended well\): .*/\1/' "$dir/plain" >"$dir/expected"
	sed 's/[0-9][0-9]* times$//; s/\(ended well\): .*/\1/' "$dir/weft" >"$dir/found"
	if [ $status = 0 ] && cmp -s "$dir/expected" "$dir/found"; then
		echo "ok - $what"
	else
		echo "not ok - $what, status $status"
		tail -n 20 "$dir/weft" | sed 's/^/    /'
		failed=1
	fi
}

for option in --preempt-ms=10 --preempt-ms=1; do
	storm "$rounds" signal_value_storm $option
	storm "$rounds" signal_jump_storm $option
	storm "$rounds" cancel_points_storm $option
	# each of its rounds is for every call and two kinds of stack
	storm $((rounds / 100 + 1)) signal_jump $option
	storm $((rounds / 10 + 1)) fork_locks $option
done
exit $failed
