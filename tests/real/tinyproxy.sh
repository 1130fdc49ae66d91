#!/bin/sh
# tinyproxy, a thread per connection, between a local server and many clients at once.
. "$(dirname "$0")/common.sh"

need /usr/bin/tinyproxy tinyproxy-bin
need /usr/bin/python3 python3
need /usr/bin/curl curl

client=$here/proxy_client.py

/usr/bin/python3 "$client" serve "$dir/origin" &
origin_pid=$!
pids="$pids $origin_pid"
wait_until test -s "$dir/origin" || { echo "not ok - $mode: the local server is up"; exit 1; }
origin=$(cat "$dir/origin")
port=$(free_port)

cat >"$dir/tinyproxy.conf" <<CONF
Port $port
Listen 127.0.0.1
Timeout 60
MaxClients 300
Allow 127.0.0.1
LogFile "$dir/tinyproxy.log"
PidFile "$dir/tinyproxy.pid"
LogLevel Warning
CONF

"$launcher" /usr/bin/tinyproxy -d -c "$dir/tinyproxy.conf" >"$dir/tinyproxy.out" 2>&1 &
proxy=$!
pids="$pids $proxy"
check "tinyproxy listens" /usr/bin/python3 "$client" connect "$port"
check "curl fetches through it" curl -sS --fail --max-time $patience -o /dev/null \
	-x "http://127.0.0.1:$port" "http://127.0.0.1:$origin/1"
check "100 clients fetch at once, hashes are right" /usr/bin/python3 "$client" fetch "$port" "$origin" 100 1000
check "CONNECT passes bytes both ways" /usr/bin/python3 "$client" tunnel "$port" "$origin" 50
check "bad requests get answers" /usr/bin/python3 "$client" bad "$port"
check "kernel threads are as they should be" /usr/bin/python3 "$client" threads "$port" "$proxy" "$way"
check "and it still serves" /usr/bin/python3 "$client" fetch "$port" "$origin" 10 50

kill -TERM "$proxy"
wait "$proxy"
status=$?
check "SIGTERM ends it with status 0" [ "$status" = 0 ]
kill "$origin_pid"
exit $failed
