# Sourced by mariadb.sh: what takes minutes. More load, the pool of threads in place of a thread for
# each connection, more kills, and those of MariaDB's own tests that have to do with threads, locks,
# time limits, connections and recovery.

load_s=30
rows=20000
mtr_tests="
	main.kill main.kill-2 main.kill_query-6728 main.grant_kill main.lock main.lock_kill
	main.lock_multi main.lock_multi_bug38499 main.lock_multi_bug38691 main.lock_user
	main.lock_tables_lost_commit main.tablelock main.deadlock_innodb main.create_delayed
	main.connect main.reset_connection main.wait_timeout main.timeout main.transaction_timeout
	main.thread_stack_overrun main.thread_pool_info main.pool_of_threads main.no-threads
	main.sp-threads main.sp-lock main.flush main.flush_block_commit main.flush-innodb
	main.innodb_mysql_lock main.innodb_mysql_lock2 main.mdl main.shutdown main.events_1
	main.events_bugs main.events_restart main.events_stress main.ssl main.ssl_timeout
	main.ssl_crl main.ssl_8k_key main.loaddata main.outfile_loaddata main.mysqldump
	main.mysqlslap main.ps main.prepare main.signal main.xa main.backup_locks
	main.mysql_client_test_nonblock main.non_blocking_api main.func_misc main.trans_read_only
	main.concurrent_innodb_safelog main.stat_tables_flush innodb.innodb-lock
	innodb.deadlock_detect innodb.alter_kill innodb.innodb_lock_wait_timeout_1 innodb.log_file
	innodb.recovery_shutdown innodb.read_only_recovery innodb.innodb_force_recovery
	innodb.skip_locked_nowait innodb.xa_recovery innodb.purge innodb.undo_log innodb.doublewrite
	innodb.innodb-32k-crash innodb.trx_deadlock maria.maria3 maria.lock maria.kill
	handler.innodb handler.interface heap.heap stress.ddl_innodb innodb.log_file_size
"

# bench_again: the tables of sysbench with more rows
bench_again() {
	sql -e 'DROP DATABASE sbtest' && bench_prepare
}

# serves: what the quick part asks of a thread per connection
serves() {
	check "$1: sums stay while 32 clients transfer" client transfer 32 200
	check "$1: one of two that lock crosswise is told" client deadlock
	check "$1: KILL ends waits and connections" client kill
	check "$1: waits end when their time is up" client timeouts
	check "$1: prepared statements keep every byte" client prepared 32
	check "$1: 300 connections at once" client many 300
	check "$1: TLS both ways, verified" client tls "$port" "$dir/tls"
	check "$1: strangers keep nobody from work" client strangers "$MARIADB_SOCKET" "$port"
}

# loaded NAME: sysbench in all ways
loaded() {
	for kind in read_write write_only point_select update_index read_only; do
		check "$1: $kind, 64 threads" bench oltp_$kind 64 $load_s
	done
	check "$1: all rows are there" rows_are_whole
}

# own_tests FOLDER: MariaDB's, as far as they are there; its servers say that they are on weft
own_tests() (
	cd "$1" || return
	set --
	for name in $mtr_tests; do
		file=${name#*.}.test
		[ ! -e "main/$file" ] && [ ! -e "suite/${name%%.*}/$file" ] &&
			[ ! -e "suite/${name%%.*}/t/$file" ] || set -- "$@" "$name"
	done
	[ $# -gt 50 ] || return
	timeout -k 5 3600 "$launcher" perl mariadb-test-run.pl --vardir="$dir/mtr" --parallel=2 \
		--tmpdir="$dir/mtr.tmp" --mysqld=--user=root --mysqld-env=WEFT_STATS=1 --force \
		--max-test-fail=0 --retry=0 --testcase-timeout=10 "$@" || return
	[ "$way" = plain ] || grep -rq 'weft: tasks: ' "$dir/mtr"
)

begin "it starts with a thread per connection"
check "sysbench gets more rows" bench_again
loaded "io_uring"
check "all tables are sound" checks_are loaded
shut_down
begin "it starts without native I/O" --innodb-use-native-aio=0
check "all tables are as they were" checks_are loaded
loaded "no io_uring"
for turn in 2 3 4 5 6; do
	check "it is killed under load again" killed_under_load $turn $clients
	begin "it recovers"
	check "what was acknowledged is there" client acknowledged "$dir/acknowledged.$turn" \
		$clients
	check "rows are whole" rows_are_whole
done
stops "$server" TERM
begin "it starts with the pool of threads" --thread-handling=pool-of-threads --thread-pool-size=2
check "the pool serves" client variable thread_handling pool-of-threads
serves "pool"
loaded "pool"
check "all tables are sound" checks_are pooled
shut_down

need /usr/bin/perl perl
need /usr/share/mysql/mysql-test/mariadb-test-run.pl mariadb-test
check "MariaDB's own tests pass" own_tests /usr/share/mysql/mysql-test
begin "it starts once more"
check "all tables are as they were" checks_are pooled
stops "$server" TERM
