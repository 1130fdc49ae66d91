#!/bin/sh
# The OCSP responder of openssl(1), which takes one connection after the other. Under weft it is split: a
# client that says a byte a second keeps no other waiting. Plain it would.
. "$(dirname "$0")/common.sh"

need /usr/bin/openssl openssl
need /usr/bin/python3 python3

clients=40
[ "$way" = weft ] && export WEFT_ITERATIVE=1
slow=
cd "$dir" || exit 1
openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out cert.pem -days 30 -subj /CN=localhost \
	>request.log 2>&1
: >index

# A byte a second, for as long as it is let.
be_slow() {
	/usr/bin/python3 - "$port" <<-'END' &
		import socket, sys, time
		connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		open("slow", "w").write("it is there")
		while True:
		    connection.send(b"P")
		    time.sleep(1)
	END
	slow=$!
	pids="$pids $slow"
}

# Each serial number is unknown to the responder, which signs that for each.
ask_all() {
	asking=
	for i in $(seq $clients); do
		openssl ocsp -issuer cert.pem -serial "$i" -url "http://127.0.0.1:$port" \
			-CAfile cert.pem -VAfile cert.pem >"answer.$i" 2>&1 &
		asking="$asking $!"
	done
	for pid in $asking; do
		wait "$pid" || return 1
	done
	for i in $(seq $clients); do
		grep -q "^$i: unknown" "answer.$i" && grep -q 'verify OK' "answer.$i" ||
			{ cat "answer.$i"; return 1; }
	done
}

port=$(free_port)
start /usr/bin/openssl ocsp -index index -port "$port" -rsigner cert.pem -rkey key.pem -CA cert.pem
check "ocsp listens" listens "$port"
if [ "$way" = weft ]; then
	be_slow
	check "a slow client is there" wait_until test -s slow
fi
check "$clients ask at once, and each answer is its own" ask_all
check "a slow one does not mind" kill -0 $$ ${slow:+"$slow"}
check "they ask once more" ask_all
check "it is as it should be" is_woven "$server"
kill -TERM "$server"
ends "$server"
check "SIGTERM kills it" ended_with "$?" 143
exit $failed
