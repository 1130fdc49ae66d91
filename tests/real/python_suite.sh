#!/bin/sh
# Debian's own tests of CPython, plain and under weft: what passes plain has to pass under weft.
# usage: python_suite.sh quick|full [FILE...]
#
# quick  what touches threads and signals most, some 100 seconds
# full   all files that touch threads, signals, descriptors or children, some 15 minutes
#
# FILE is a file of the suite (test_queue), or some of it (test_io:*daemon_threads*). Each runs plain
# and under weft at the same time, and gets a line; then come the methods that passed plain and not
# under weft. Such a method is run again under weft, alone and up to twice, before it counts: on a
# busy machine the suite's own time limits fail now and then, plain too.

here=$(cd "$(dirname "$0")" && pwd)
: "${WEFT_PROGRAM:=$here/../../build/weft}"
python=/usr/bin/python3
package=lib$($python -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null)-testsuite

usage() {
	echo "usage: $0 quick|full [FILE...]" >&2
	exit 2
}

[ $# -gt 0 ] || usage
mode=$1
shift
case $mode in
quick)
	files="test_thread test_threading test_threading_local test_threadsignals test_queue
		test_select test_epoll test_socketserver test_httpservers
		test_signal:*StressTest* test_io:*daemon_threads_shutdown*
		test_asyncio.test_runners test_asyncio.test_server test_asyncio.test_streams
		test_asyncio.test_threads test_asyncio.test_unix_events
		test_concurrent_futures:*ThreadPoolExecutorTest*
		test_concurrent_futures:*ThreadPoolShutdownTest*"
	limit=300
	;;
full)
	files="test_thread test_threading test_threading_local test_threadsignals
		test_threadedtempfile test_queue test_select test_selectors test_poll test_epoll
		test_fork1 test_wait3 test_wait4 test_pty test_eintr test_file_eintr
		test_socketserver test_httpservers test_xmlrpc test_urllib2_localnet test_ftplib
		test_poplib test_imaplib test_smtplib test_asyncore test_asynchat test_ssl
		test_socket test_signal test_posix test_os test_subprocess test_faulthandler
		test_logging test_syslog test_io:*daemon_threads*
		test_multiprocessing_fork:*TestFinalize*
		test_multiprocessing_forkserver:*TestFinalize*
		test_multiprocessing_spawn:*TestFinalize* test_concurrent_futures test_asyncio"
	limit=600
	;;
*) usage ;;
esac
[ $# = 0 ] || files=$*

# No program can be reached by AF_VSOCK here; plain too the method waits for ever.
leave_out="*ThreadedVSOCKSocketStreamTest*"
# Since 3.12 these expect a warning of a fork beside other threads. CPython counts them in
# /proc/self/stat, where under weft there is one.
$python -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && leave_out="$leave_out
	*.test_dummy_thread_after_fork *.test_main_thread_after_fork_from_nonmain_thread
	*.test_process_fork_from_a_threadpool *.test_fork_warns_when_non_python_thread_exists"

if [ ! -x "$WEFT_PROGRAM" ]; then
	echo "not ok - no weft at $WEFT_PROGRAM: build first, or set WEFT_PROGRAM"
	exit 1
fi

# find_suite: set suite, the folder of the suite's files
find_suite() {
	suite=$($python -c 'import os, test.test_threading as t; print(os.path.dirname(t.__file__))' \
		2>/dev/null)
}

find_suite
if [ -z "$suite" ] && [ "$(id -u)" = 0 ]; then
	apt-get update -q >/dev/null 2>&1
	DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
		$package >/dev/null 2>&1
	find_suite
fi
if [ -z "$suite" ]; then
	echo "not ok - python3's own tests are missing: apt-get install $package"
	exit 1
fi

# What takes long has to be asked for since 3.13; before that there is no such word.
walltime="-u walltime"
# shellcheck disable=SC2086 # two words
$python -m test $walltime --list-tests test_queue >/dev/null 2>&1 || walltime=

failed=0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
unset PYTHONUNBUFFERED PYTHONDONTWRITEBYTECODE

# results TRANSCRIPT: "METHOD RESULT" for each method in what python -m test -v wrote; RESULT is ok,
# skipped, FAIL, or unfinished for the one in progress when the transcript ends.
results() {
	awk '
		function name(method, class) {
			if (substr(class, length(class) - length(method)) == "." method)
				return class
			return class "." method
		}
		function note(result) {
			if (verdict[current] != "FAIL")
				verdict[current] = result
			current = ""
		}
		/^(FAIL|ERROR): [A-Za-z_]+[A-Za-z_0-9]* \(/ {
			split($3, part, /[()]/)
			verdict[name($2, part[2])] = "FAIL"
			next
		}
		match($0, /(test|setUp|tearDown)[A-Za-z_0-9]* \((test\.|__main__)[A-Za-z_0-9.]*\)/) &&
		!/\(subtest/ {
			split(substr($0, RSTART, RLENGTH), part, /[ ()]+/)
			current = name(part[1], part[2])
			$0 = substr($0, RSTART + RLENGTH)
		}
		current == "" { next }
		/(^|[^A-Za-z_0-9])(ok|expected failure)[ \t]*$/ { note("ok") }
		/(^|[^A-Za-z_0-9])skipped .*$/ { note("skipped") }
		/(^|[^A-Za-z_0-9])(FAIL|ERROR|unexpected success)[ \t]*$/ { note("FAIL") }
		END {
			if (current != "")
				verdict[current] = "unfinished"
			for (method in verdict)
				print method, verdict[method]
		}' "$1" | sort
}

# run_once WAY LIMIT FILE MATCH: what matches in a file, but what is in $dir/WAY.seen; transcript in
# $dir/WAY.log. Signals have their default actions, which the shell's background jobs have not.
run_once() {
	command=env
	[ "$1" = plain ] || command=$WEFT_PROGRAM
	# The servers of this one are on this machine; the others' are not.
	resources=$walltime
	[ "$3" != test_socketserver ] || resources="$resources -u network"
	mkdir "$dir/$1.work"
	# shellcheck disable=SC2086 # words
	(cd "$dir/$1.work" && exec env --default-signal timeout -k 1 "$2" "$command" $python -m test -v \
		$resources --tempdir "$dir/$1.work" --match "$4" --ignorefile "$dir/$1.seen" "$3" \
		</dev/null >"$dir/$1.log" 2>&1)
	status=$?
	rm -rf "$dir/$1.work"
	return $status
}

# run WAY FILE MATCH: results in $dir/WAY and the time in $dir/WAY.seconds. After a method that did
# not end, or that took the interpreter with it, the rest go on without it.
run() {
	begin=$(date +%s)
	: >"$dir/$1"
	for pattern in $leave_out; do echo "$pattern"; done >"$dir/$1.seen"
	for attempt in 1 2 3 4 5; do
		run_once "$1" "$limit" "$2" "$3"
		status=$?
		results "$dir/$1.log" >"$dir/$1.part"
		cat "$dir/$1.part" >>"$dir/$1"
		# 0 to 4 are the suite's own
		[ $status -gt 4 ] && [ -s "$dir/$1.part" ] || break
		sed 's/ .*//' "$dir/$1.part" >>"$dir/$1.seen"
	done
	echo $(($(date +%s) - begin)) >"$dir/$1.seconds"
}

# compare: the methods that pass plain and not under weft, with what became of them
compare() {
	awk 'NR == FNR { plain[$1] = $2; next }
		{ weft[$1] = $2 }
		END {
			for (method in plain)
				if (plain[method] == "ok" && weft[method] != "ok")
					print method, weft[method] == "" ? "missing" : weft[method]
		}' "$dir/plain" "$dir/weft" | sort
}

# run_again FILE METHOD: under weft, alone, up to twice
run_again() {
	for pattern in $leave_out; do echo "$pattern"; done >"$dir/again.seen"
	for attempt in 1 2; do
		run_once again 300 "$1" "$2"
		results "$dir/again.log" | grep -q ' ok$' && return 0
	done
	return 1
}

# judge FILE: a line for the file, and its methods that differ
judge() {
	failures=0
	lines=0
	: >"$dir/report"
	while read -r method result; do
		lines=$((lines + 1))
		# When everything fails, some of it is enough.
		if [ $lines -le 20 ] && run_again "$1" "$method"; then
			echo "    $method: $result, ok when run again alone"
		else
			echo "    $method: $result, and again alone"
			[ ! -e "$dir/again.log" ] || tail -n 15 "$dir/again.log" | sed 's/^/    | /'
			failures=$((failures + 1))
		fi >>"$dir/report"
	done <"$dir/differ"
	counts="$(grep -c ' ok$' "$dir/plain") ok plain, $(grep -c ' ok$' "$dir/weft") under weft"
	counts="$counts; $(cat "$dir/plain.seconds") and $(cat "$dir/weft.seconds") s"
	if grep -q "^$1 skipped -- " "$dir/plain.log"; then
		echo "skip - $entry: $(sed -n "s/^$1 skipped -- //p" "$dir/plain.log" | head -n 1)"
	elif ! grep -q ' ok$' "$dir/plain"; then
		echo "not ok - $entry: no method passed plain"
		tail -n 20 "$dir/plain.log" | sed 's/^/    /'
		failed=1
	elif [ $failures -gt 0 ]; then
		echo "not ok - $entry: $counts"
		failed=1
	else
		echo "ok - $entry: $counts"
	fi
	cat "$dir/report"
}

for entry in $files; do
	case $entry in
	test_asyncio)
		for file in "$suite"/test_asyncio/test_*.py; do
			file=${file##*/}
			echo "test_asyncio.${file%.py}"
		done
		;;
	*) echo "$entry" ;;
	esac
done >"$dir/files"

# Descriptor 3, since what runs reads nothing but would be given the list.
while read -r entry <&3; do
	file=${entry%%:*}
	match="*"
	[ "$file" = "$entry" ] || match=${entry#*:}
	case $file in test_asyncio.*) file=test.$file ;; esac
	run plain "$file" "$match" 3<&- &
	run weft "$file" "$match" 3<&-
	wait $!
	compare >"$dir/differ"
	judge "$file" 3<&-
done 3<"$dir/files"
exit $failed
