#!/bin/sh
# nginx with several workers and their pools of threads: files sent, copied and read past the cache,
# TLS, uploads, and a proxy to itself.
. "$(dirname "$0")/web.inc"

need /usr/sbin/nginx nginx

port=$(free_port)
tls_port=$(free_port)
mkdir "$dir/put" "$dir/temp"
[ "$(id -u)" != 0 ] || chown www-data "$dir/put" "$dir/temp"

cat >"$conf" <<CONF
$([ "$(id -u)" != 0 ] || echo "user www-data;")
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log warn;
worker_processes 3;
thread_pool default threads=16 max_queue=65536;
thread_pool other threads=4;
events {
	worker_connections 1000;
}
http {
	log_format line '\$request_method \$uri \$status \$body_bytes_sent end';
	access_log $dir/access.log line;
	default_type application/octet-stream;
	types { text/plain txt; }
	gzip on;
	gzip_types text/plain;
	client_body_temp_path $dir/temp/body;
	client_max_body_size 10m;
	proxy_temp_path $dir/temp/proxy;
	fastcgi_temp_path $dir/temp/fastcgi;
	scgi_temp_path $dir/temp/scgi;
	uwsgi_temp_path $dir/temp/uwsgi;
	keepalive_requests 100000;
	log_not_found off;
	aio threads;
	aio_write on;
	sendfile on;
	server {
		listen 127.0.0.1:$port backlog=511;
		listen 127.0.0.1:$tls_port ssl;
		ssl_certificate $dir/cert.pem;
		ssl_certificate_key $dir/key.pem;
		root $dir/site;
		location /copied/ { alias $dir/site/; sendfile off; aio threads=other; }
		location /direct/ { alias $dir/site/; directio 4k; }
		location /proxied/ { proxy_pass http://127.0.0.1:$port/; }
		location /put/ { root $dir; dav_methods PUT; }
	}
}
CONF

nginx() {
	start /usr/sbin/nginx -p "$dir" -e "$dir/error.log" -c "$conf"
}

serves() {
	check "200 clients keep their connections" client keep "$port" 200
	check "200 clients make new ones" client close "$port" 200
	check "files are copied" client keep "$port" 60 /copied/
	check "files are read from the disk" client keep "$port" 60 /direct/
	check "50 clients send 20 requests each before they read" client pipeline "$port" 50
	check "big files" client big "$port" 15
	check "big files are copied" client big "$port" 6 /copied/
	check "big files are read from the disk" client big "$port" 6 /direct/
	check "slow clients" client slow "$port" 30
	check "slow clients, files are copied" client slow "$port" 20 /copied/
	check "compressed text" client zipped "$port" 40
	check "files are stored" client put "$port" 30
	check "TLS, verified" client secure "$tls_port" 40
	check "through a proxy" client some "$port" 40 /proxied/
	check "big files through a proxy, slow clients" client slow "$port" 20 /proxied/
}

# Until there are three children that were not there before.
reload() { # GENERATION
	before=$(children)
	/usr/bin/env kill -HUP "$server"
	for _ in $(seq $((patience * 10))); do
		new=$(for pid in $(children); do
			case " $(echo $before) " in *" $pid "*) ;; *) echo "$pid" ;; esac
		done | wc -l)
		[ "$new" -lt 3 ] || return 0
		sleep 0.1
	done
	return 1
}

children() {
	grep -l "^PPid:[[:space:]]*$server\$" /proc/[0-9]*/status 2>/dev/null | cut -d/ -f3
}

# Of what it warns, the files that it puts aside for slow ones are as should be.
log_is_clean() {
	! grep -v -E '\[warn\] .* (an upstream response|a client request body) is buffered to a temporary file ' \
		"$dir/error.log" && [ ! -s "$dir/server.log" ]
}

nginx
check "it listens" listens "$port"
serves
check "its workers have the threads they should" has_threads 20
check "reloads refuse nobody" restarts reload
check "200 clients again" client keep_or_again "$port" 200
check "SIGQUIT lets downloads end" stops_gracefully kill -QUIT "$server"
check "it ends with status 0" ends "$server"
check "nothing is left" gone

nginx
check "it listens again" listens "$port"
check "100 clients" client keep "$port" 100
stops "$server" TERM
check "nothing is left of it" gone
check "every request is logged once" log_is_whole
check "the error log is clean" log_is_clean
exit $failed
