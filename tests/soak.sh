#!/bin/sh
# MariaDB and the echo server under load, with connections coming and going, to see whether memory,
# descriptors, tasks and latency stay flat. usage: soak.sh [MINUTES [plain|weft|weft2]]; else 10, weft.
# Run tests/run.sh first: it builds. soak.csv, of all that was measured, is left in build/soak/.
minutes=${1:-10}
set -- "${2:-weft}"

top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
: "${WEFT_PROGRAM:=$build/weft}"
. "$top/tests/real/common.sh"

need /usr/sbin/mariadbd mariadb-server
need /usr/bin/sysbench sysbench
need /usr/bin/python3 python3
: "${SOAK_ECHO:=$build/demo/echo_threads}"
for program in "$SOAK_ECHO" "$build/demo/load" "$build/tasks_of"; do
	[ -x "$program" ] || { echo "not ok - no $program: build first"; exit 1; }
done
mkdir -p "$build/soak" || exit 1

socket=$dir/socket
sql() {
	timeout -k 5 60 /usr/bin/mariadb --no-defaults -uroot -S "$socket" "$@"
}

# mariadb_is_up: it answers, within 60 s
mariadb_is_up() {
	for _ in $(seq 600); do
		! sql -e 'SELECT 1' 2>/dev/null || return 0
		sleep 0.1
	done
	tail -n 20 "$dir/error.log"
	return 1
}

# prepare_mariadb: rows for sysbench and for the clients that come and go
prepare_mariadb() {
	sql -e 'CREATE DATABASE sbtest; CREATE DATABASE ladder' &&
		sysbench oltp_read_write --mysql-socket="$socket" --mysql-user=root --tables=4 \
			--table-size=10000 prepare
}

# echo_is_up: leaves its port in echo_port
echo_is_up() {
	for _ in $(seq 300); do
		echo_port=$(sed -n 's/^listening on //p' "$dir/echo.log")
		[ -z "$echo_port" ] || return 0
		sleep 0.1
	done
	return 1
}

check "the data are made" timeout 100 /usr/bin/mariadb-install-db --no-defaults --user=root \
	--datadir="$dir/data" --tmpdir="$dir" --auth-root-authentication-method=normal \
	--skip-test-db --skip-name-resolve --force
start /usr/sbin/mariadbd --no-defaults --user=root --datadir="$dir/data" --tmpdir="$dir" \
	--socket="$socket" --skip-networking --log-error="$dir/error.log" --max-connections=400 \
	--thread-handling=one-thread-per-connection --innodb-buffer-pool-size=16M \
	--thread-cache-size=8 --log-warnings=0
mariadb=$server
check "MariaDB is up" mariadb_is_up
check "its tables are filled" prepare_mariadb
"$launcher" "$SOAK_ECHO" 0 >"$dir/echo.log" 2>&1 &
echo=$!
pids="$pids $echo"
check "the echo server is up" echo_is_up
[ $failed = 0 ] || exit 1
check "they run as they should" is_woven "$mariadb"

PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$top/tests/soak.py" --minutes "$minutes" --way "$way" \
	--mariadb "$mariadb" --socket "$socket" --echo "$echo" --port "$echo_port" \
	--load "$build/demo/load" --tasks-of "$build/tasks_of" --csv "$build/soak/soak.csv" || failed=1

no_errors() {
	! grep -E '\[ERROR\]|got signal|Assertion' "$dir/error.log"
}

stops "$mariadb" TERM
check "MariaDB's log has no errors" no_errors
stops "$echo" TERM 143
exit $failed
