#!/bin/sh
# haproxy with four threads, each of which has an event loop of its own: HTTP, TLS, TCP, reload, soft stop.
. "$(dirname "$0")/common.sh"

need /usr/sbin/haproxy haproxy
need /usr/bin/python3 python3
need /usr/bin/openssl openssl

client() {
	timeout -k 5 $patience /usr/bin/python3 "$here/haproxy_client.py" "$@"
}

# workers: the processes that the master has made
workers() {
	for stat in /proc/[0-9]*/stat; do
		sed -n "s/^\([0-9]*\) (.*) [^Z] $server .*/\1/p" "$stat" 2>/dev/null
	done
}

# worker_changes OLD: wait until there is another, and the old one has gone
worker_changes() {
	for _ in $(seq $((patience * 10))); do
		now=$(workers)
		case $now in
		"" | *"$1"* | *[!0-9]*) sleep 0.1 ;;
		*) return 0 ;;
		esac
	done
	return 1
}

# quiet: its log has nothing but what it says of its processes and of what it was asked for, and
# from version 3.0 on that four threads are more than the machine has CPUs
quiet() {
	! grep -v -e '^\[NOTICE\]' -e ' Proxy .* stopped ' \
		-e '^\[WARNING\] .*: This configuration [a-z]* 4 threads .* a total of [1-3] CPUs' \
		-e 'orker ([0-9]*) exited with code 0 (Exit)' \
		-e 'Exiting Master process' -e 'All workers exited. Exiting... (0)' "$dir/server.log" | grep .
}

# threads_are_right PID: under weft all on the carriers, once the offload threads have ended
threads_are_right() {
	if [ "$way" = plain ]; then
		[ "$(kernel_threads "$1")" = 4 ]
		return
	fi
	wait_until only_carriers "$1"
}

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost -keyout "$dir/key" -out "$dir/cert" 2>/dev/null
cat "$dir/cert" "$dir/key" >"$dir/both"

/usr/bin/python3 "$here/haproxy_client.py" serve "$dir/origin" &
pids="$pids $!"
check "the local servers are up" wait_until test -e "$dir/origin"
read -r web echo <"$dir/origin"
port=$(free_port)
tls_port=$(free_port)
tcp_port=$(free_port)

cat >"$dir/haproxy.cfg" <<CONF
global
	nbthread 4
	maxconn 2000
	stats socket $dir/stats.sock mode 600 level admin expose-fd listeners
	tune.ssl.default-dh-param 2048
	hard-stop-after 60s
defaults
	timeout connect 60s
	timeout client 60s
	timeout server 60s
	timeout tunnel 60s
frontend web
	mode http
	option forwardfor
	bind 127.0.0.1:$port
	bind 127.0.0.1:$tls_port ssl crt $dir/both
	default_backend web_origin
backend web_origin
	mode http
	balance roundrobin
	server origin 127.0.0.1:$web
frontend tcp
	mode tcp
	bind 127.0.0.1:$tcp_port
	default_backend tcp_origin
backend tcp_origin
	mode tcp
	server origin 127.0.0.1:$echo
CONF

start /usr/sbin/haproxy -W -f "$dir/haproxy.cfg"
check "it listens" listens "$port"
worker=$(workers)
check "there is one worker" [ "$(echo "$worker" | wc -w)" = 1 ]
check "it runs as it should" is_woven "$worker"
check "200 clients at once, hashes are right" client fetch "$port" 200 10
check "100 clients by TLS, verified" client fetch "$tls_port" 100 5 "$dir/cert"
check "who does not know its authority does not trust it" client untrusted "$tls_port"
check "TCP passes bytes both ways, 100 connections" client tunnel "$tcp_port" 100
check "bad requests get answers" client bad "$port"
check "threads are stopped for a moment under load" client isolate "$port" "$dir/stats.sock"
check "kernel threads are as they should be" threads_are_right "$worker"

client steady "$port" "$dir/steady" "$dir/stop" &
steady=$!
pids="$pids $steady"
check "clients keep it busy" wait_until test -e "$dir/steady"
for n in 1 2; do
	old=$(workers)
	kill -USR2 "$server"
	check "reload $n brings a new worker, the old one ends" worker_changes "$old"
done
: >"$dir/stop"
check "no request failed meanwhile" ends "$steady"
worker=$(workers)
check "the new worker runs as it should" is_woven "$worker"

client slow "$port" "$dir/slow" "$dir/go" &
slow=$!
pids="$pids $slow"
check "requests have begun" wait_until test -e "$dir/slow"
kill -USR1 "$server"
sleep 0.5
: >"$dir/go"
check "what has begun is answered after a soft stop" ends "$slow"
ends "$server"
check "SIGUSR1 ends it with status 0" [ $? = 0 ]

# Versions differ in the status that SIGTERM leaves.
/usr/sbin/haproxy -db -f "$dir/haproxy.cfg" >"$dir/plain.log" 2>&1 &
server=$!
pids="$pids $server"
listens "$port"
kill -TERM "$server"
ends "$server"
plain_status=$?
start /usr/sbin/haproxy -db -f "$dir/haproxy.cfg"
check "it listens again, without a master" listens "$port"
check "and serves" client fetch "$port" 20 5
stops "$server" TERM "$plain_status"
check "it warned of nothing" quiet
exit $failed
