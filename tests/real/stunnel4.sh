#!/bin/sh
# stunnel, a thread per connection, at both ends of the TLS between clients and an echo server:
# certificates on both sides, 200 connections at once, reload, another log, clean end.
. "$(dirname "$0")/common.sh"

need /usr/bin/stunnel4 stunnel4
need /usr/bin/openssl openssl
need /usr/bin/python3 python3

peers=$here/stunnel_peers.py
new_key='-newkey ec -pkeyopt ec_paramgen_curve:P-256'

# authority NAME: a certificate authority of that name
authority() {
	# shellcheck disable=SC2086 # a list of words
	openssl req -x509 $new_key -nodes -days 2 -subj "/CN=$1" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
		-keyout "$dir/$1.key" -out "$dir/$1.crt"
}

# certificate NAME AUTHORITY: of 127.0.0.1, signed by that authority
certificate() {
	# shellcheck disable=SC2086 # a list of words
	openssl req -new $new_key -nodes -subj "/CN=$1" -keyout "$dir/$1.key" -out "$dir/$1.csr" || return
	printf 'subjectAltName=IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n' >"$dir/extensions"
	openssl x509 -req -in "$dir/$1.csr" -CA "$dir/$2.crt" -CAkey "$dir/$2.key" -CAcreateserial \
		-days 2 -extfile "$dir/extensions" -out "$dir/$1.crt"
}

certificates() {
	authority ca && authority strangers && certificate server ca && certificate client ca &&
		certificate stranger strangers
}

# configure NAME CONNECT AUTHORITY LINE...: NAME.conf, certificate NAME, peers of that authority
configure() {
	name=$1
	connect=$2
	from=$3
	shift 3
	cat >"$dir/$name.conf" <<-CONF
		foreground = yes
		pid = $dir/$name.pid
		output = $dir/$name.events
		debug = notice
		[$name]
		cert = $dir/$name.crt
		key = $dir/$name.key
		CAfile = $dir/$from.crt
		verifyChain = yes
		connect = 127.0.0.1:$connect
	CONF
	printf '%s\n' "$@" >>"$dir/$name.conf"
}

# tunnel NAME: start a stunnel of that configuration; its pid is left in server
tunnel() {
	start /usr/bin/stunnel4 "$dir/$1.conf"
}

# says FILE COUNT PATTERN: so many lines of it come to match
says() {
	for _ in $(seq $((patience * 10))); do
		[ "$(grep -c "$3" "$1")" -lt "$2" ] || return 0
		sleep 0.1
	done
	tail "$1"
	return 1
}

# held_through_reload: connections of before go on where they went, new ones go to the other server
held_through_reload() {
	/usr/bin/python3 "$peers" hold "$near" 20 "$dir" >"$dir/hold.log" 2>&1 &
	holder=$!
	pids="$pids $holder"
	wait_until test -e "$dir/held"
	check "kernel threads of the TLS server are as they should be" threads_fit "$far_end" 21
	check "kernel threads of the TLS client are as they should be" threads_fit "$near_end" 21
	configure server "$second" ca "accept = 127.0.0.1:$far"
	kill -HUP "$far_end"
	check "SIGHUP reads the configuration again" says "$dir/server.events" 2 'Configuration successful'
	check "new connections go where it says now" /usr/bin/python3 "$peers" turned "$near" 50
	touch "$dir/again"
	ends "$holder"
	held=$?
	mv "$dir/hold.log" "$dir/held"
	check "open ones stay where they were" [ "$held" = 0 ]
}

# reopen: another log
reopen() {
	mv "$dir/server.events" "$dir/server.events.1"
	kill -USR1 "$far_end"
	wait_until test -s "$dir/server.events" &&
		/usr/bin/python3 "$peers" turned "$near" 5 &&
		says "$dir/server.events" 5 'accepted connection'
}

# all_closed NAME: by its logs, each connection it accepted has ended. At SIGTERM it joins the threads
# it has then; of one that ends by itself just then it logs that the join failed, on any library.
all_closed() {
	cat "$dir/$1".events* >"$dir/seen"
	[ "$(grep -c 'accepted connection' "$dir/seen")" = \
		"$(grep -c -E 'Connection (reset|closed)\b' "$dir/seen")" ]
}

# errors NAME: what went wrong, by its logs; that nobody staples is an error to version 5.72 and later
errors() {
	cat "$dir/$1".events* | sed -n 's/^.* LOG[0-3]\[[^]]*\]: //p' |
		grep -vx 'OCSP: No OCSP stapling response received'
}

# only_refusals NAME COUNT: so many errors, each of a connection that had to be refused
only_refusals() {
	why='peer did not return a certificate|certificate verify failed|tlsv1 alert unknown ca'
	why="$why|wrong version number|packet length too long"
	errors "$1" >"$dir/errors"
	cat "$dir/errors"
	[ "$(wc -l <"$dir/errors")" = "$2" ] &&
		[ "$(grep -c -E ":($why)(: .*)?\$" "$dir/errors")" = "$2" ]
}

check "certificates are made" certificates
/usr/bin/python3 "$peers" serve "$dir/echo" &
echo_pid=$!
pids="$pids $echo_pid"
check "the echo server is up" wait_until test -s "$dir/echo"
read -r first second <"$dir/echo"

far=$(free_port)
near=$(free_port)
astray=$(free_port)
configure server "$first" ca "accept = 127.0.0.1:$far"
configure client "$far" ca "accept = 127.0.0.1:$near" client=yes 'checkIP = 127.0.0.1' \
	'[astray]' client=yes "accept = 127.0.0.1:$astray" "connect = 127.0.0.1:$far" \
	"CAfile = $dir/strangers.crt" 'verifyChain = yes' "cert = $dir/client.crt" "key = $dir/client.key"
tunnel server
far_end=$server
check "the TLS server listens" listens "$far"
tunnel client
near_end=$server
check "the TLS client listens" listens "$near"

check "200 connections through both, all at once" /usr/bin/python3 "$peers" plain "$near" 200 3
check "50 TLS clients at the server" /usr/bin/python3 "$peers" tls "$far" "$dir" 50 3
check "the server runs this way" is_woven "$far_end"
check "the client runs this way" is_woven "$near_end"
check "no errors so far at the server" only_refusals server 0
check "no errors so far at the client" only_refusals client 0
check "no certificate, no answer" /usr/bin/python3 "$peers" refused "$far" "$dir" none
check "a stranger's certificate, no answer" /usr/bin/python3 "$peers" refused "$far" "$dir" stranger
check "no TLS, no answer" /usr/bin/python3 "$peers" refused "$far" "$dir" plain
check "a server of no known authority gets no byte" \
	/usr/bin/python3 "$peers" refused "$astray" "$dir" plain
held_through_reload
check "SIGUSR1 opens another log" reopen
check "and 20 more connections" /usr/bin/python3 "$peers" turned "$near" 20
check "each connection has ended at the client" wait_until all_closed client
check "and at the server" wait_until all_closed server
stops "$near_end" TERM
stops "$far_end" TERM
check "the server had no errors but the four it refused" only_refusals server 4
check "the client had none but the server it refused" only_refusals client 1
kill "$echo_pid"
exit $failed
