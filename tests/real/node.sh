#!/bin/sh
# Node, which has an event loop of its own and threads behind it: files, names, keys, children and
# workers, and a server under many clients. It must not notice weft.
. "$(dirname "$0")/common.sh"

need /usr/bin/node nodejs
need /usr/bin/python3 python3

client=$here/block_client.py

# serve: start it and wait until it listens
serve() {
	: >"$dir/server.log"
	rm -f "$dir/port"
	start /usr/bin/node "$here/node_server.js" "$dir/port"
	for _ in $(seq $((patience * 10))); do
		[ ! -s "$dir/port" ] || break
		sleep 0.1
	done
	port=$(cat "$dir/port")
}

# said TIMES: so many lines ok in its output, and nothing else
said() {
	cat "$dir/server.log"
	[ "$(grep -c '^ok ' "$dir/server.log")" = "$1" ] && ! grep -qv '^ok ' "$dir/server.log"
}

serve
check "keys, files, names, children and workers are as they should be" said 5
check "it is where it should be" is_woven "$server"
check "300 clients at once get the right bytes" /usr/bin/python3 "$client" load "$port" 300 1500
check "so they do beside slow and broken ones" /usr/bin/python3 "$client" rude "$port" 100 300
check "kernel threads are as they should be" \
	/usr/bin/python3 "$client" idle "$port" "$server" 50 "$way" 5 8
stops "$server" HUP 0
check "it has said goodbye and nothing else" said 6

serve
check "it serves again" /usr/bin/python3 "$client" load "$port" 10 50
stops "$server" TERM 143
exit $failed
