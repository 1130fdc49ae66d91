#!/bin/sh
# redis-server: one event loop, with threads that fsync and free, and with ones that read and write.
. "$(dirname "$0")/common.sh"

need /usr/bin/redis-server redis-server
need /usr/bin/python3 python3

client() {
	function=$1
	shift
	timeout -k 5 $patience /usr/bin/python3 "$here/redis_client.py" "$function" "$port" "$@"
}

# threads_are_right LEAST: under weft all on the carriers, once the offload threads have ended
threads_are_right() {
	if [ "$way" = plain ]; then
		[ "$(kernel_threads "$server")" -ge "$1" ]
		return
	fi
	wait_until only_carriers "$server"
}

# run_server OPTION...: with the data of the one before
run_server() {
	port=$(free_port)
	start /usr/bin/redis-server --port "$port" --bind 127.0.0.1 --dir "$dir/data" --save "" \
		--appendonly yes --enable-debug-command yes "$@"
	check "it listens: $*" listens "$port"
}

# same_data: as the digest that was taken before
same_data() {
	client digest >"$dir/after"
	cat "$dir/before" "$dir/after"
	cmp "$dir/before" "$dir/after"
}

# quiet: its log warns of nothing but how the machine is set
quiet() {
	! grep -E '^[0-9]+:[A-Z] .{20,30} # ' "$dir/server.log" |
		grep -v -e 'WARNING' -e 'Redis is starting' -e 'Redis version=' -e 'Configuration loaded' -e 'Server initialized' \
			-e 'User requested shutdown' -e 'Redis is now ready to exit' |
		grep . && ! grep -i -e 'bug report' -e 'assert' "$dir/server.log"
}

mkdir "$dir/data"

run_server --appendfsync everysec
check "it runs as it should" is_woven "$server"
check "100 clients at once: values, totals, lists, transactions, pipelines" client traffic 100 20
check "30 subscribers hear all, in order" client publish 30 100
check "bad requests get answers; who blocks is woken" client nonsense
check "children save while data changes" client save
check "kernel threads are as they should be" threads_are_right 4
check "its data has a digest" client digest
client digest >"$dir/before"
stops "$server" TERM

run_server --appendfsync always --io-threads 4 --io-threads-do-reads yes
check "the data is the same after a restart" same_data
check "60 clients at once, 4 threads" client traffic 60 10
check "the threads are used" client threads_are_used
check "20 subscribers hear all, in order, 4 threads" client publish 20 40
check "children save while data changes, 4 threads" client save
check "kernel threads are as they should be, 4 threads" threads_are_right 7
client busy "$dir/busy" &
busy=$!
pids="$pids $busy"
check "clients keep it busy" wait_until test -e "$dir/busy"
sleep 0.5
check "SHUTDOWN is done" client shutdown
ends "$server"
check "it ends with status 0" [ $? = 0 ]
check "the clients saw nothing wrong until its end" ends "$busy"

run_server --appendfsync everysec --io-threads 4
check "nothing is lost of what was answered" client kept "$dir/busy"
stops "$server" INT
check "it warned of nothing" quiet
exit $failed
