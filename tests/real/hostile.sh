#!/bin/sh
# The echo demo beside clients that nobody wants: silent, slow, deaf, with half a request, resetting.
. "$(dirname "$0")/common.sh"

demo=$(dirname "$WEFT_PROGRAM")/demo
for program in echo_threads hostile load; do
	[ -x "$demo/$program" ] || { echo "not ok - $mode: $demo/$program is there"; exit 1; }
done
ulimit -n "$(ulimit -H -n)"

# threads_are_right: one, and offload threads, under weft; more than there are hostile ones plain
threads_are_right() {
	if [ "$way" = weft ]; then
		[ "$(kernel_threads "$server")" -lt $((19 + carriers)) ]
	else
		[ "$(kernel_threads "$server")" -gt 1000 ]
	fi
}

start "$demo/echo_threads" 0
check "it listens" wait_until grep -q "listening on" "$dir/server.log"
port=$(sed -n 's/^listening on //p' "$dir/server.log")

"$demo/hostile" -i 1000 -a 100 -s 100 -d 20 -r 200 "$port" 15 >"$dir/hostile" 2>&1 &
hostile=$!
pids="$pids $hostile"
check "the hostile are connected" wait_until grep -q ready "$dir/hostile"
check "64 others get every byte they sent" "$demo/load" -w 0 127.0.0.1 "$port" 64 3 64
check "a large message is answered whole" "$demo/load" -w 0 127.0.0.1 "$port" 4 1 200000
check "kernel threads are as they should be" wait_until threads_are_right
check "the hostile have gone" ends "$hostile"
check "none of them was turned away" grep -q ' lost=0$' "$dir/hostile"
check "and it still serves" "$demo/load" -w 0 127.0.0.1 "$port" 1 0.2 64
stops "$server" TERM 143
exit $failed
