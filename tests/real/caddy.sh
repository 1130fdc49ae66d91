#!/bin/sh
# caddy, a web server in Go: a runtime that makes its calls itself, on stacks of its own. Files over
# HTTP and over TLS with certificates of its own authority, many at once. As its calls are caught, it
# has one carrier, however many are asked for.
. "$(dirname "$0")/common.sh"
wanted=$carriers
carriers=1

need /usr/bin/caddy caddy
need /usr/bin/curl curl

port=$(free_port)
tls_port=$(free_port)
while [ "$tls_port" = "$port" ]; do
	tls_port=$(free_port)
done
mkdir "$dir/files" "$dir/got" "$dir/home"
for i in 1 2 3 4 5; do
	head -c $((i * i * 40000 + i)) /dev/urandom >"$dir/files/$i"
done
cat >"$dir/Caddyfile" <<CONF
{
	admin off
	storage file_system $dir/storage
	skip_install_trust
	auto_https disable_redirects
	local_certs
	log {
		output file $dir/caddy.log
	}
}
http://127.0.0.1:$port, https://localhost:$tls_port {
	root * $dir/files
	file_server
}
CONF
authority=$dir/storage/pki/authorities/local/root.crt

# has_certificates: wait until the authority is made and a client believes it
has_certificates() {
	for _ in $(seq $((patience * 10))); do
		curl -s --noproxy '*' --cacert "$authority" --max-time 5 -o "$dir/output.1" \
			"https://localhost:$tls_port/1" && return
		sleep 0.1
	done
	return 1
}

# fetch URL: each file ten times, 25 at once, and compare them all
fetch() {
	rm -f "$dir/got"/*
	for i in 1 2 3 4 5; do
		for n in 0 1 2 3 4 5 6 7 8 9; do
			printf 'url = %s/%s\noutput = %s/got/%s.%s\n' "$1" $i "$dir" $i $n
		done
	done >"$dir/urls"
	curl -sS --fail --noproxy '*' --cacert "$authority" --max-time $patience --parallel \
		--parallel-max 25 --parallel-immediate -K "$dir/urls" || return
	for i in 1 2 3 4 5; do
		for n in 0 1 2 3 4 5 6 7 8 9; do
			cmp "$dir/files/$i" "$dir/got/$i.$n" || return
		done
	done
}

# has_kernel_threads: one under weft, when its offload threads have gone; Go's own when plain
has_kernel_threads() {
	[ "$way" = weft ] || { [ "$(kernel_threads "$server")" -gt 2 ]; return; }
	wait_until only_carriers "$server"
}

# says_so: that there are fewer carriers than asked for, in one line, and that line alone
says_so() {
	said=$(grep '^weft: .*carrier' "$dir/server.log")
	case $wanted in
	1) [ -z "$said" ] ;;
	*) [ "$said" = 'weft: one carrier instead of 2: calls are caught (WEFT_CATCH)' ] ;;
	esac
}

# is_missing: what is not there is 404, and a bad request 400
is_missing() {
	[ "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' --max-time $patience \
		"http://127.0.0.1:$port/none")" = 404 ] &&
		[ "$(curl -s --noproxy '*' -o /dev/null -w '%{http_code}' --max-time $patience \
			-H 'Content-Length: x' "http://127.0.0.1:$port/1")" = 400 ]
}

HOME=$dir/home
XDG_DATA_HOME=$dir/home XDG_CONFIG_HOME=$dir/home
export HOME XDG_DATA_HOME XDG_CONFIG_HOME
start /usr/bin/caddy run --adapter caddyfile --config "$dir/Caddyfile"
check "caddy listens" listens "$port"
check "it listens for TLS" listens "$tls_port"
check "it is run that way" is_woven "$server"
check "it is said when it has fewer carriers" says_so
check "a client believes its certificate" has_certificates
check "files come whole, 25 at once" fetch "http://127.0.0.1:$port"
check "files come whole over TLS, 25 at once" fetch "https://localhost:$tls_port"
check "what is wrong is answered" is_missing
check "kernel threads are as they should be" has_kernel_threads
check "and it still serves" fetch "http://127.0.0.1:$port"
stops "$server" TERM
check "its log has no errors" [ "$(grep -cE '"level":"(error|fatal|panic)"' "$dir/caddy.log")" = 0 ]
exit $failed
