# Sourced by compare.sh: the servers that it compares. One is
#
#     NAME_needs    what must be installed, a line each: PACKAGE FILE, the server's own package first
#     NAME_unit     of its throughput, if that is not requests/s
#     NAME_most     connections, if it is not for a thousand
#     NAME_title    in tables and pictures, if that is not NAME
#     NAME_start MODE          launch it on PORT (launch_server), leave SERVER set
#     NAME_load CONNECTIONS    leave a line of name=value words in $OUT/result (run_load, run_wrk)
#
# and a word in ALL_SERVERS. FILES/NAME is a folder for its files. What a server needs besides, on
# the load's CPU, is a helper, started before it. A server that does not say "listening on PORT"
# finds a free port in PORT.
#
# Each is set up as one would for a thousand connections on one core, the same plain and under weft.

ALL_SERVERS="echo hostile http pool tinyproxy stunnel4 mariadb_point mariadb_sysbench mariadb_rw \
apache_worker apache_event nginx haproxy memcached redis slapd python3 puma webrick java node iperf"

# --- The demos, and beside the echo server what one would write instead -------------------------

echo_needs="golang-go /usr/bin/go"
echo_title="demo/echo_threads"
http_needs=
http_title="demo/http_threads"
pool_needs=
pool_title="demo/pool_echo"

echo_start() # MODE
{
	case $1 in
	plain | weft) start_server "$1" "$PROGRAMS/echo_threads" 0 ;;
	go) start_server plain env GOMAXPROCS=1 "$FILES/echo_go" 0 ;;
	*) start_server plain "$PROGRAMS/echo_$1" 0 ;;
	esac
}

echo_load()
{
	run_load load "$1" "" "$MESSAGE_BYTES"
}

# Beside 5,000 silent connections, 200 with half a request, 500 that send a byte a second, 50 that do
# not read, and 500 a second that are reset.
hostile_needs=
hostile_title="echo, beside hostile"

hostile_start() # MODE
{
	start_server "$1" "$PROGRAMS/echo_threads" 0
}

hostile_load()
{
	start_helper "$PROGRAMS/hostile" -i 5000 -a 200 -s 500 -d 50 -r 500 "$PORT" 60
	until grep -q ready "$OUT/helper.out"; do
		is_running "$HELPER" || return
		sleep 0.05
	done
	run_load load "$1" "" "$MESSAGE_BYTES"
}

http_start()
{
	start_server "$1" "$PROGRAMS/http_threads" 0
}

http_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/"
}

pool_start()
{
	start_server "$1" "$PROGRAMS/pool_echo" 0 1024
}

pool_load()
{
	run_load load "$1" "" "$MESSAGE_BYTES"
}

# --- Helpers ------------------------------------------------------------------------------------

# A quick origin: one process of nginx. Leaves HELPER and ORIGIN set.
start_origin()
{
	ORIGIN=$(free_port)
	cat >"$FILES/origin.conf" <<-END
		daemon off;
		master_process off;
		pid $FILES/origin.pid;
		error_log stderr crit;
		events { worker_connections 8192; }
		http {
			access_log off;
			keepalive_requests 1000000000;
			server {
				listen 127.0.0.1:$ORIGIN backlog=4096;
				location / { return 200 "Hello from the origin.\n"; }
			}
		}
	END
	start_helper nginx -c "$FILES/origin.conf" -e stderr
	await_helper "$ORIGIN"
}

# One of the demos. Leaves HELPER and ORIGIN set.
start_demo_origin() # PROGRAM
{
	start_helper "$PROGRAMS/$1" 0
	ORIGIN=
	while is_running "$HELPER" && [ -z "$ORIGIN" ]; do
		ORIGIN=$(sed -n 's/^listening on //p' "$OUT/helper.out")
	done
}

# --- Proxies ------------------------------------------------------------------------------------

# A connection for each request, to it and to the origin.
tinyproxy_needs="tinyproxy-bin /usr/bin/tinyproxy
	perl-base /usr/bin/perl"

tinyproxy_start()
{
	start_demo_origin http_threads
	cat >"$FILES/tinyproxy.conf" <<-END
		Port $PORT
		Listen 127.0.0.1
		Timeout 60
		MaxClients 2000
		Allow 127.0.0.1
		LogFile "$FILES/tinyproxy.log"
		PidFile "$FILES/tinyproxy.pid"
		LogLevel Critical
	END
	launch_server "$1" tinyproxy -d -c "$FILES/tinyproxy.conf"
}

# What one client alone is answered is what every client has to get.
tinyproxy_load()
{
	printf 'GET http://127.0.0.1:%s/ HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$ORIGIN" \
		>"$FILES/request"
	perl -MIO::Socket::INET -e '
		my $socket = IO::Socket::INET->new(shift) or die "$@\n";
		print $socket <STDIN>;
		$socket->flush;
		print <$socket>;' "127.0.0.1:$PORT" <"$FILES/request" >"$FILES/answer"
	grep -q '^Hello' "$FILES/answer" || return
	run_load load "$1" -r "$FILES/request" "$FILES/answer"
}

# TLS in front of an echo server; the load verifies the certificate and every byte.
stunnel4_needs="stunnel4 /usr/bin/stunnel4
	openssl /usr/bin/openssl"

stunnel4_start()
{
	[ -e "$FILES/key.pem" ] ||
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
			-subj /CN=localhost -addext subjectAltName=DNS:localhost \
			-keyout "$FILES/key.pem" -out "$FILES/cert.pem" 2>>"$OUT/server.log"
	start_demo_origin echo_epoll
	cat >"$FILES/stunnel.conf" <<-END
		foreground = quiet
		pid =
		debug = err
		[echo]
		accept = 127.0.0.1:$PORT
		connect = 127.0.0.1:$ORIGIN
		cert = $FILES/cert.pem
		key = $FILES/key.pem
	END
	launch_server "$1" stunnel4 "$FILES/stunnel.conf"
}

stunnel4_load()
{
	run_load load_tls "$1" "-c $FILES/cert.pem" "$MESSAGE_BYTES"
}

haproxy_needs="haproxy /usr/sbin/haproxy
	nginx-light /usr/sbin/nginx"

haproxy_start()
{
	start_origin
	cat >"$FILES/haproxy.cfg" <<-END
		global
			nbthread 2
			maxconn 4000
		defaults
			mode http
			timeout connect 10s
			timeout client 60s
			timeout server 60s
		frontend in
			bind 127.0.0.1:$PORT
			default_backend out
		backend out
			server origin 127.0.0.1:$ORIGIN
	END
	launch_server "$1" haproxy -db -f "$FILES/haproxy.cfg"
}

haproxy_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/"
}

# --- Web servers --------------------------------------------------------------------------------

apache_worker_needs="apache2-bin /usr/sbin/apache2"
apache_worker_title="apache2 mpm_worker"
apache_event_needs=$apache_worker_needs
apache_event_title="apache2 mpm_event"

# One child process, with a thread for each connection: with fewer, event turns connections away
# while all are busy.
start_apache() # MODE MPM
{
	mkdir -p "$FILES/www"
	[ -e "$FILES/www/page" ] || head -c 1024 /dev/zero | tr '\0' x >"$FILES/www/page"
	cat >"$FILES/apache.conf" <<-END
		ServerName localhost
		ServerRoot $FILES
		DefaultRuntimeDir $FILES
		LoadModule mpm_$2_module /usr/lib/apache2/modules/mod_mpm_$2.so
		LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
		<IfModule unixd_module>
			User www-data
			Group www-data
		</IfModule>
		Listen 127.0.0.1:$PORT
		ListenBacklog 4096
		PidFile apache.pid
		ErrorLog apache.log
		DocumentRoot $FILES/www
		Timeout 60
		KeepAlive On
		KeepAliveTimeout 60
		MaxKeepAliveRequests 0
		ServerLimit 1
		StartServers 1
		ThreadLimit 1100
		ThreadsPerChild 1100
		MinSpareThreads 1
		MaxSpareThreads 1100
		MaxRequestWorkers 1100
	END
	launch_server "$1" apache2 -D FOREGROUND -f "$FILES/apache.conf"
}

apache_worker_start()
{
	start_apache "$1" worker
}

apache_event_start()
{
	start_apache "$1" event
}

apache_worker_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/page"
}

apache_event_load()
{
	apache_worker_load "$1"
}

# Files are read by its thread pool.
nginx_needs="nginx-light /usr/sbin/nginx"
nginx_title="nginx, thread pool"

nginx_start()
{
	mkdir -p "$FILES/www"
	[ -e "$FILES/www/page" ] || head -c 1024 /dev/zero | tr '\0' x >"$FILES/www/page"
	cat >"$FILES/nginx.conf" <<-END
		daemon off;
		worker_processes 1;
		pid $FILES/nginx.pid;
		error_log stderr crit;
		thread_pool default threads=32;
		events { worker_connections 8192; }
		http {
			access_log off;
			keepalive_requests 1000000000;
			aio threads;
			server {
				listen 127.0.0.1:$PORT backlog=4096;
				root $FILES/www;
			}
		}
	END
	launch_server "$1" nginx -c "$FILES/nginx.conf" -e stderr
}

nginx_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/page"
}

# --- Languages ----------------------------------------------------------------------------------

# http.server with a thread for each connection.
python3_needs="python3 /usr/bin/python3"
python3_title="python3 http.server"

python3_start()
{
	launch_server "$1" /usr/bin/python3 "$DEMO/servers/http_threads.py" "$PORT"
}

python3_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/"
}

# A reactor, and a pool of 64 threads.
puma_needs="puma /usr/bin/puma"
puma_title="ruby puma"

puma_start()
{
	cat >"$FILES/puma.rb" <<-END
		quiet
		environment "production"
		threads 64, 64
		bind "tcp://127.0.0.1:$PORT?backlog=4096"
		app do |env|
			[200, { "Content-Type" => "text/plain" }, ["Hello from a thread.\n"]]
		end
	END
	launch_server "$1" /usr/bin/puma --config "$FILES/puma.rb"
}

puma_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/"
}

# A thread for each connection.
webrick_needs="ruby-webrick /usr/share/doc/ruby-webrick
	ruby /usr/bin/ruby"
webrick_title="ruby WEBrick"

webrick_start()
{
	launch_server "$1" /usr/bin/ruby "$DEMO/servers/http_threads.rb" "$PORT"
}

webrick_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/"
}

# An echo server with a thread for each connection.
java_needs="default-jdk-headless /usr/bin/javac"
java_title="java, echo"

java_start()
{
	[ -e "$FILES/EchoThreads.class" ] ||
		javac -d "$FILES" "$DEMO/servers/EchoThreads.java" 2>>"$OUT/server.log"
	start_server "$1" /usr/bin/java -cp "$FILES" EchoThreads 0
}

java_load()
{
	run_load load "$1" "" "$MESSAGE_BYTES"
}

# One thread for all connections, and a pool that has nothing to do here.
node_needs="nodejs /usr/bin/node"

node_start()
{
	launch_server "$1" /usr/bin/node "$DEMO/servers/http.js" "$PORT"
}

node_load()
{
	run_wrk "$1" "http://127.0.0.1:$PORT/"
}

# --- Data ---------------------------------------------------------------------------------------

# A table of 100,000 rows, made once, copied for each start; a thread for each connection. The load
# on point selects is one event loop that spins, so that the server sets the pace; and beside it
# sysbench, whose sleeping threads it is much of the server's work to wake.
mariadb_point_needs="mariadb-server /usr/sbin/mariadbd
	sysbench /usr/bin/sysbench"
mariadb_point_title="mariadb, point select"
mariadb_point_unit=queries/s
mariadb_sysbench_needs=$mariadb_point_needs
mariadb_sysbench_title="mariadb, point select, sysbench"
mariadb_sysbench_unit=queries/s
mariadb_rw_needs=$mariadb_point_needs
mariadb_rw_title="mariadb, read-write"
mariadb_rw_unit=transactions/s

launch_mariadb() # MODE DATA-FOLDER
{
	launch_server "$1" mariadbd --no-defaults --user="$(id -un)" --datadir="$2" \
		--port="$PORT" --bind-address=127.0.0.1 --socket="$FILES/mariadb.sock" \
		--pid-file="$FILES/mariadb.pid" --log-error="$FILES/mariadb.log" \
		--innodb-log-file-size=32M --innodb-buffer-pool-size=128M --skip-name-resolve \
		--thread-handling=one-thread-per-connection --thread-cache-size=64 \
		--max-connections=1100 --back-log=2000
}

MARIADB_ROWS=100000

mariadb_options()
{
	echo "--mysql-host=127.0.0.1 --mysql-port=$PORT --mysql-user=bench --mysql-db=bench" \
		"--table-size=$MARIADB_ROWS"
}

make_mariadb_data()
{
	mariadb-install-db --no-defaults --user="$(id -un)" --datadir="$FILES/data.new" \
		--innodb-log-file-size=32M --auth-root-authentication-method=normal \
		>>"$OUT/server.log" 2>&1 &&
		launch_mariadb plain "$FILES/data.new" &&
		await_server 1500 listens "$PORT" &&
		mariadb --no-defaults --socket="$FILES/mariadb.sock" --user=root --execute="
			CREATE DATABASE bench;
			CREATE USER bench@'127.0.0.1';
			GRANT ALL ON bench.* TO bench@'127.0.0.1'" &&
		sysbench oltp_common $(mariadb_options) prepare >>"$OUT/server.log" 2>&1 &&
		stop "$SERVER" &&
		mv "$FILES/data.new" "$FILES/data"
}

mariadb_point_start()
{
	[ -e "$FILES/data" ] || make_mariadb_data || return
	rm -rf "$FILES/data.now"
	cp -r "$FILES/data" "$FILES/data.now"
	launch_mariadb "$1" "$FILES/data.now"
}

mariadb_sysbench_start()
{
	mariadb_point_start "$1"
}

mariadb_rw_start()
{
	mariadb_point_start "$1"
}

mariadb_point_load()
{
	run_load load_mysql "$1" "${CLIENT_CPU:+-s}" bench bench 1 "$MARIADB_ROWS"
}

mariadb_sysbench_load()
{
	measure_sysbench "$1" oltp_point_select
}

mariadb_rw_load()
{
	measure_sysbench "$1" oltp_read_write
}

# sysbench's statistics begin anew with the checkpoint after its first second: what the server uses
# is read there and when the last statistics come, and the time, for what sysbench takes for the time
# between is not so exact when it is behind.
measure_sysbench() # CONNECTIONS TEST
{
	idle=$(usage_of_server)
	during=
	after=
	rm -f "$OUT/client.fifo"
	mkfifo "$OUT/client.fifo"
	become "$CLIENT_CPU" 60 plain sysbench "$2" $(mariadb_options) --threads="$1" \
		--time=$((WRK_S + 1)) --histogram --report-checkpoints=1 run \
		>"$OUT/client.fifo" 2>>"$OUT/client.log" &
	CLIENT=$!
	while read -r line; do
		case $line in
		*'Checkpoint report'*)
			during=$(usage_of_server)
			begun=$(date +%s.%N)
			;;
		'Latency histogram'*)
			after=$(usage_of_server)
			ended=$(date +%s.%N)
			;;
		esac
		echo "$line"
	done <"$OUT/client.fifo" >"$OUT/client.out"
	await_client
	[ -n "$after" ] &&
		awk -f "$DEMO/usage.awk" -f "$DEMO/servers/sysbench.awk" -v connections="$1" \
			-v idle="$idle" -v before="$during" -v during="$during" -v after="$after" \
			-v seconds="$(awk "BEGIN { print $ended - $begun }")" \
			"$OUT/client.out" >"$OUT/result"
}

# Megabytes a second over connections that all send as fast as they can.
iperf_needs="iperf /usr/bin/iperf"
iperf_unit=MB/s
iperf_most=64

iperf_start()
{
	launch_server "$1" iperf --server --bind 127.0.0.1 --port "$PORT"
}

iperf_load()
{
	run_for_seconds "$DEMO/servers/iperf.awk" "$1" iperf --client 127.0.0.1 --port "$PORT" \
		--parallel "$1" --time "$WRK_S" --reportstyle C
}

memcached_needs="memcached /usr/bin/memcached"

memcached_start()
{
	launch_server "$1" memcached -l 127.0.0.1 -p "$PORT" -U 0 -c 4096 -b 4096 -t 4 -u "$(id -un)"
}

memcached_load()
{
	value=$(printf '%064d' 1)
	printf 'set key 0 0 64\r\n%s\r\n' "$value" >"$FILES/set"
	printf 'STORED\r\n' >"$FILES/stored"
	printf 'get key\r\n' >"$FILES/get"
	printf 'VALUE key 0 64\r\n%s\r\nEND\r\n' "$value" >"$FILES/got"
	say_once "$FILES/set" "$FILES/stored" && run_load load "$1" "" "$FILES/get" "$FILES/got"
}

redis_needs="redis-server /usr/bin/redis-server"
redis_title="redis-server"

redis_start()
{
	launch_server "$1" redis-server --port "$PORT" --bind 127.0.0.1 --save "" --appendonly no \
		--tcp-backlog 4096 --maxclients 4096 --dir "$FILES"
}

redis_load()
{
	value=$(printf '%064d' 1)
	printf '*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$64\r\n%s\r\n' "$value" >"$FILES/set"
	printf '+OK\r\n' >"$FILES/stored"
	printf '*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n' >"$FILES/get"
	printf '$64\r\n%s\r\n' "$value" >"$FILES/got"
	say_once "$FILES/set" "$FILES/stored" && run_load load "$1" "" "$FILES/get" "$FILES/got"
}

# Searches for one entry, by a pool of 16 threads.
slapd_needs="slapd /usr/sbin/slapd"

make_slapd_data()
{
	mkdir -p "$FILES/slapd"
	cat >"$FILES/slapd.conf" <<-END
		include /etc/ldap/schema/core.schema
		modulepath /usr/lib/ldap
		moduleload back_mdb
		pidfile $FILES/slapd.pid
		database mdb
		suffix "dc=bench"
		directory $FILES/slapd
	END
	slapadd -q -f "$FILES/slapd.conf" >>"$OUT/server.log" 2>&1 <<-END
		dn: dc=bench
		objectClass: dcObject
		objectClass: organization
		o: bench
		dc: bench

		dn: cn=one,dc=bench
		objectClass: organizationalRole
		cn: one
		description: an entry
	END
}

slapd_start()
{
	[ -e "$FILES/slapd" ] || make_slapd_data || return
	launch_server "$1" slapd -d 0 -f "$FILES/slapd.conf" -h "ldap://127.0.0.1:$PORT"
}

# LDAP in its encoding: message 1 searches cn=one for any objectClass and wants the description; the
# entry and the end of the search come back.
slapd_load()
{
	{
		printf '\60\101\2\1\1\143\74\4\17cn=one,dc=bench\12\1\0\12\1\0\2\1\0\2\1\0\1\1\0'
		printf '\207\13objectClass\60\15\4\13description'
	} >"$FILES/search"
	{
		printf '\60\63\2\1\1\144\56\4\17cn=one,dc=bench'
		printf '\60\33\60\31\4\13description\61\12\4\10an entry'
		printf '\60\14\2\1\1\145\7\12\1\0\4\0\4\0'
	} >"$FILES/found"
	run_load load "$1" "" "$FILES/search" "$FILES/found"
}
