#!/bin/sh
# mariadb-server with a thread per connection, on data of its own. usage: mariadb.sh plain|weft|weft2 [long]
# long, by hand: some 20 minutes more, for which see mariadb_long.sh.
. "$(dirname "$0")/common.sh"

need /usr/sbin/mariadbd mariadb-server
need /usr/bin/mariadb mariadb-client
need /usr/bin/sysbench sysbench
need /usr/bin/python3 python3
need /usr/bin/openssl openssl

demo=$(dirname "$WEFT_PROGRAM")/demo
[ -x "$demo/load_mysql" ] || { echo "not ok - $mode: $demo/load_mysql is there"; exit 1; }
data=$dir/data
MARIADB_SOCKET=$dir/socket
PYTHONDONTWRITEBYTECODE=1
export MARIADB_SOCKET PYTHONDONTWRITEBYTECODE
port=$(free_port)
rows=3000
tables=3

client() {
	timeout -k 5 $patience /usr/bin/python3 "$here/mariadb_client.py" "$@"
}

admin() {
	timeout -k 5 $patience /usr/bin/mariadb-admin --no-defaults -uroot -S "$MARIADB_SOCKET" "$@"
}

sql() {
	timeout -k 5 $patience /usr/bin/mariadb --no-defaults -uroot -S "$MARIADB_SOCKET" -N "$@"
}

# bench SCRIPT THREADS SECONDS [OPTION...]: an error, a deadlock aside, ends sysbench with status 1
bench() {
	script=$1 threads=$2 seconds=$3
	shift 3
	timeout -k 5 $((seconds + patience)) sysbench "$script" --mysql-socket="$MARIADB_SOCKET" \
		--mysql-user=root --tables=$tables --table-size=$rows --threads="$threads" \
		--time="$seconds" "$@" run
}

# bench_prepare: its tables, in its database
bench_prepare() {
	sql -e 'CREATE DATABASE sbtest' &&
		timeout -k 5 $patience sysbench oltp_read_write --mysql-socket="$MARIADB_SOCKET" \
			--mysql-user=root --tables=$tables --table-size=$rows --threads=2 prepare
}

# points HOST PORT: 16 connections of demo/load_mysql select single rows, and check each
points() {
	timeout -k 5 60 "$demo/load_mysql" -w 0 "$1" "$2" 16 1 root sbtest $tables $rows \
		>"$dir/points" || return
	cat "$dir/points"
	grep -qE '^requests=[1-9].* wrong=0 failed=0$' "$dir/points"
}

# points_fail REASON DATABASE ROWS: none of 4 connections gets anywhere, and that is what it says
points_fail() {
	timeout -k 5 60 "$demo/load_mysql" -w 0 "$MARIADB_SOCKET" - 4 0.1 root "$2" 1 "$3" \
		>"$dir/points" 2>&1
	status=$?
	cat "$dir/points"
	[ $status = 1 ] && grep -q "$1" "$dir/points" && grep -q ' failed=4$' "$dir/points"
}

# install_data: what a new server starts with; its bootstrap makes threads, too
install_data() {
	timeout -k 5 $patience "$launcher" /usr/bin/mariadb-install-db --no-defaults --user=root \
		--datadir="$data" --tmpdir="$dir" --auth-root-authentication-method=normal --skip-test-db \
		--skip-name-resolve --force --innodb-log-file-size=16M
}

# certificates: an authority, the server's and a client's, and another authority that signed nothing
certificates() (
	mkdir "$dir/tls" && cd "$dir/tls" || return
	for authority in authority other; do
		openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj "/CN=$authority" \
			-keyout $authority.key -out $authority.pem || return
	done
	printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' >names
	for holder in localhost client; do
		openssl req -newkey rsa:2048 -nodes -subj "/CN=$holder" -keyout $holder.key \
			-out $holder.request &&
			openssl x509 -req -in $holder.request -CA authority.pem -CAkey authority.key \
				-CAcreateserial -days 3650 -extfile names -out $holder.pem || return
	done
)

answers() {
	for _ in $(seq $((patience * 10))); do
		! admin ping || return 0
		kill -0 "$server" || break
		sleep 0.1
	done
	tail -n 20 "$dir/error.log"
	return 1
}

# begin NAME [OPTION...]: a server on the data
begin() {
	begin_name=$1
	shift
	start /usr/sbin/mariadbd --no-defaults --user=root --datadir="$data" --tmpdir="$dir" \
		--port="$port" --socket="$MARIADB_SOCKET" --bind-address=127.0.0.1 --skip-name-resolve \
		--pid-file="$dir/pid" --log-error="$dir/error.log" --max-connections=400 \
		--max-connect-errors=1000000 --thread-handling=one-thread-per-connection \
		--innodb-flush-log-at-trx-commit=1 --innodb-log-file-size=16M \
		--innodb-buffer-pool-size=24M --local-infile=1 --back-log=400 --table-open-cache=200 \
		--open-files-limit=4000 --ssl-ca="$dir/tls/authority.pem" \
		--ssl-cert="$dir/tls/localhost.pem" --ssl-key="$dir/tls/localhost.key" "$@"
	check "$begin_name" answers
	admin ping >/dev/null 2>&1 || exit 1
}

# no_complaints: the error log has no line that a sound server does not write. CHECK TABLE EXTENDED
# finds entries that are marked as deleted (info_bits=32) and not yet purged: plain ones do too.
no_complaints() {
	! grep -E '\[ERROR\]|\[Warning\]|got signal|Assertion' "$dir/error.log" |
		grep -vE 'index record not found for index .*\(info_bits=32,' |
		grep -vE 'Aborted connection|max_open_files|Access denied|ignored in --skip-name-resolve mode' |
		grep .
}

# shut_down: by mariadb-admin
shut_down() {
	check "mariadb-admin shutdown is taken" admin shutdown
	ends "$server"
	status=$?
	check "and ends it with status 0" [ "$status" = 0 ]
}

# has_ring: whether the server holds a ring of io_uring
has_ring() {
	find "/proc/$server/fd" -lname 'anon_inode:*io_uring*' | grep -q .
}

# uses_ring: that it holds one and says so
uses_ring() {
	client variable innodb_use_native_aio ON && has_ring
}

uses_no_ring() {
	client variable innodb_use_native_aio OFF && ! has_ring
}

# checks_are NAME: the tables are sound, and as they were when the name was first used
checks_are() {
	client checks >"$dir/checks.new" || { cat "$dir/checks.new"; return 1; }
	[ -e "$dir/checks.$1" ] || cp "$dir/checks.new" "$dir/checks.$1"
	diff "$dir/checks.$1" "$dir/checks.new" && [ -s "$dir/checks.new" ]
}

dump() {
	timeout -k 5 $patience mariadb-dump --no-defaults -uroot -S "$MARIADB_SOCKET" --skip-dump-date \
		--skip-comments --hex-blob --order-by-primary "$@"
}

# reloads: a dump makes the same tables elsewhere, whose dump is the same
reloads() {
	for schema in ladder sbtest; do
		dump $schema >"$dir/dump.$schema" && [ -s "$dir/dump.$schema" ] || return
		sql -e "CREATE DATABASE copy_of_$schema" &&
			sql "copy_of_$schema" <"$dir/dump.$schema" &&
			dump "copy_of_$schema" | cmp - "$dir/dump.$schema" &&
			sql -e "DROP DATABASE copy_of_$schema" || return
	done
}

# rows_are_whole: sysbench deletes rows and puts them back in one transaction
rows_are_whole() {
	for table in $(seq $tables); do
		[ "$(sql -e "SELECT COUNT(*), MIN(id), MAX(id) FROM sbtest.sbtest$table")" = \
			"$(printf '%d\t1\t%d' $rows $rows)" ] || return
	done
}

# killed_under_load TIME CLIENTS: SIGKILL while clients insert and sysbench writes
killed_under_load() {
	log=$dir/acknowledged.$1
	sql -e 'DELETE FROM ladder.acknowledged' || return
	client insert "$log" "$2" &
	writers=$!
	bench oltp_read_write 8 60 >/dev/null 2>&1 &
	bench_pid=$!
	for _ in $(seq $((patience * 10))); do
		[ ! -e "$log" ] || [ "$(wc -l <"$log")" -lt 2000 ] || break
		sleep 0.1
	done
	kill -9 "$server"
	ends "$server"
	status=$?
	wait "$bench_pid"
	wait "$writers" && [ $status = 137 ]
}

clients=16

check "certificates are made" certificates
check "the data are made" install_data
[ $failed = 0 ] || exit 1
begin "it starts"
check "it runs as it should" is_woven "$server"
check "a thread serves each connection" client variable thread_handling one-thread-per-connection
rings=
if ldd /usr/sbin/mariadbd | grep -q liburing && client can_ring 2>/dev/null; then
	rings=1
	check "native I/O goes through io_uring" uses_ring
else
	echo "skip - $mode: native I/O through io_uring: not to be had here"
fi
check "tables are filled" client fill
check "sysbench fills its own" bench_prepare
check "sysbench reads and writes, 24 threads" bench oltp_read_write 24 2
check "and leaves all rows" rows_are_whole
check "rows come singly, through a local socket" points "$MARIADB_SOCKET" -
check "rows come singly, through TCP" points 127.0.0.1 "$port"
check "a row that is not there is missed" points_fail "there is no row" sbtest 3000000
check "a database that is not there is missed" points_fail "Unknown database" nowhere $rows
check "sums stay while 16 clients transfer" client transfer 16 40
check "one of two that lock crosswise is told" client deadlock
check "KILL ends waits and connections" client kill
check "waits end when their time is up" client timeouts
check "LOAD DATA and INTO OUTFILE keep every byte" client files "$dir"
check "prepared statements keep every byte" client prepared 16
check "220 connections at once" client many 220
check "threads of the kernel are as they should be" client idle 100 "$server" "$way"
check "threads are kept for the next connection" client cache
check "TLS both ways, verified" client tls "$port" "$dir/tls"
check "strangers keep nobody from work" client strangers "$MARIADB_SOCKET" "$port"
check "a dump makes the same tables" reloads
check "all tables are sound" checks_are stopped
shut_down

begin "it starts again, without native I/O" --innodb-use-native-aio=0
[ -z "$rings" ] || check "and has no ring" uses_no_ring
check "all tables are as they were" checks_are stopped
check "sysbench reads and writes again" bench oltp_read_write 16 2
check "sums stay again" client transfer 8 40
check "all rows are there" rows_are_whole
check "it is killed under load" killed_under_load 1 $clients
begin "it recovers"
check "what was acknowledged is there" client acknowledged "$dir/acknowledged.1" $clients
check "rows are whole" rows_are_whole
check "all tables are sound" checks_are recovered
stops "$server" TERM
if [ "${2:-}" = long ]; then
	. "$here/mariadb_long.sh"
fi
check "the error log has no complaints" no_complaints
exit $failed
