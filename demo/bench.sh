#!/bin/sh
# Plain threads and weft side by side: the same unmodified servers, loaded in turn.
#
#     sh demo/bench.sh [--quick]
#
# Installs what is missing (as root, with apt-get), builds, measures, and prints a table;
# bench.csv, rps.svg and cpu.svg are left in build/bench/. Ends with 1 if a byte came back
# wrong, a connection failed or a program did not do its part.
#
# Settings: BUILD, the build folder; WEFT, the launcher to run instead of the one built there.
#
# Every measurement is one line of build/bench/runs.txt, name=value words behind a
# "TEST CASE MODE"; report.awk makes table, CSV and plot data of them.

set -u

ROOT=$(cd "$(dirname "$0")/.." && pwd)
DEMO=$ROOT/demo
BUILD=${BUILD:-$ROOT/build}
# WEFT=1 is what switches the library on, and not a path.
LAUNCHER=${WEFT:-$BUILD/weft}
[ "$LAUNCHER" != 1 ] || LAUNCHER=$BUILD/weft
unset WEFT LD_PRELOAD
PROGRAMS=$BUILD/demo
OUT=$BUILD/bench
MESSAGE_BYTES=64
QUICK=
SERVER=
CLIENT=

die()
{
	echo "bench.sh: $*" >&2
	exit 1
}

# --- Machine and programs -----------------------------------------------------------------------

missing_packages()
{
	while read -r package check; do
		sh -c "$check" >/dev/null 2>&1 || printf ' %s' "$package"
	done <<-'END'
		cmake command -v cmake
		make command -v make
		gcc command -v cc
		libc6-dev echo '#include <stdio.h>' | cc -E -
		pkg-config command -v pkg-config
		libuv1-dev pkg-config --exists libuv
		libzydis-dev echo '#include <Zydis/Zydis.h>' | cc -E -
		util-linux command -v taskset
		wrk command -v wrk
		gnuplot-nox command -v gnuplot
	END
}

install_missing()
{
	packages=$(missing_packages)
	[ -n "$packages" ] || return 0
	command -v apt-get >/dev/null || die "please install what Debian calls:$packages"
	[ "$(id -u)" = 0 ] || die "please run: sudo apt-get install$packages"
	echo "installing:$packages" >&2
	# shellcheck disable=SC2086 # a list of words
	{
		apt-get update &&
			DEBIAN_FRONTEND=noninteractive apt-get install -y \
				--no-install-recommends $packages
	} >&2 || die "could not install:$packages"
}

build()
{
	if [ ! -e "$BUILD/CMakeCache.txt" ]; then
		cmake -S "$ROOT" -B "$BUILD" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
			-DWEFT_BUILD_TESTS=OFF >&2 || die "cmake failed"
	fi
	cmake --build "$BUILD" --parallel >&2 || die "the build failed"
	for program in "$LAUNCHER" "$PROGRAMS/echo_threads" "$PROGRAMS/http_threads" \
		"$PROGRAMS/load" "$PROGRAMS/micro"; do
		[ -x "$program" ] || die "$program is not there"
	done
}

# The first two CPUs that may be used: one for the server, the other for its load.
choose_cpus()
{
	# shellcheck disable=SC2046 # a word each
	set -- $(awk '/^Cpus_allowed_list:/ {
		count = split($2, ranges, ",")
		for (i = 1; i <= count; i++) {
			split(ranges[i], ends, "-")
			for (cpu = ends[1]; cpu <= (ends[2] == "" ? ends[1] : ends[2]); cpu++)
				print cpu
		}
	}' /proc/self/status | head -n 2)
	SERVER_CPU=$1
	CLIENT_CPU=${2:-}
	PINNING="server on CPU $SERVER_CPU, load on CPU $CLIENT_CPU"
	[ $# -ge 2 ] && return
	SERVER_CPU=
	PINNING="one CPU only: server and load share it, nothing is pinned"
	echo "$PINNING" >&2
}

describe_machine()
{
	processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	build_type=$(sed -n 's/^CMAKE_BUILD_TYPE:[^=]*=//p' "$BUILD/CMakeCache.txt")
	cat <<-END
		machine  $processor, $(nproc) CPUs
		kernel   $(uname -sr)
		libc     $(getconf GNU_LIBC_VERSION)
		build    ${build_type:-unknown}
		date     $(date '+%Y-%m-%d %H:%M %Z')
		load     $LOAD_AVERAGE before (1, 5 and 15 minutes)
		pinning  $PINNING
	END
}

# --- Processes ----------------------------------------------------------------------------------

# Become a program: pinned if there is a CPU, ended after SECONDS if there are any, and under
# the launcher if the mode is weft. For the background: $! is then the program itself, or
# timeout(1), which hands signals on.
become() # CPU SECONDS MODE COMMAND...
{
	cpu=$1
	seconds=$2
	mode=$3
	shift 3
	[ "$mode" != weft ] || set -- "$LAUNCHER" "$@"
	[ -z "$seconds" ] || set -- timeout "$seconds" "$@"
	[ -z "$cpu" ] || set -- taskset -c "$cpu" "$@"
	exec "$@"
}

# A zombie does not count: it only waits for us to wait for it.
is_running() # PID
{
	grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

stop() # PID
{
	tries=0
	kill "$1" 2>/dev/null
	while is_running "$1" && [ $tries -lt 60 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	kill -9 "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

stop_all()
{
	[ -z "$CLIENT" ] || stop "$CLIENT"
	[ -z "$SERVER" ] || stop "$SERVER"
	CLIENT=
	SERVER=
}

# Leaves SERVER and PORT set. It rests first: what the run before leaves behind, thousands of
# threads to bury, is not the next one's to pay for.
start_server() # MODE PROGRAM
{
	sleep "$REST_S"
	: >"$OUT/server.out"
	become "$SERVER_CPU" "" "$1" "$PROGRAMS/$2" 0 >"$OUT/server.out" 2>>"$OUT/server.log" &
	SERVER=$!
	tries=0
	while is_running "$SERVER" && [ $tries -lt 100 ]; do
		PORT=$(sed -n 's/^listening on //p' "$OUT/server.out")
		[ -z "$PORT" ] || return 0
		sleep 0.02
		tries=$((tries + 1))
	done
	echo "$2 ($1) did not start" >>"$OUT/server.log"
	return 1
}

# In the background, so that a signal to this script is not kept waiting.
start_client() # COMMAND...
{
	become "$CLIENT_CPU" 30 plain "$@" >"$OUT/client.out" 2>>"$OUT/client.log" &
	CLIENT=$!
}

await_client()
{
	wait "$CLIENT"
	CLIENT=
}

usage_of_server()
{
	"$PROGRAMS/micro" usage "$SERVER"
}

# --- Measurements: each leaves one line of name=value words in $OUT/result, or fails ------------

# Whether a server may have that many descriptors; if not, that is the result.
fits() # CONNECTIONS
{
	[ "$OPEN_FILES" -lt $(($1 + 64)) ] || return 0
	echo "note=does_not_fit:_open_files_are_limited_to_$OPEN_FILES" >"$OUT/result"
	return 1
}

measure_echo() # MODE CONNECTIONS
{
	fits "$2" || return 0
	start_server "$1" echo_threads || return
	start_client "$PROGRAMS/load" -w "$WARMUP_S" -p "$SERVER" \
		127.0.0.1 "$PORT" "$2" "$WINDOW_S" "$MESSAGE_BYTES"
	await_client
	# A status of 1 means wrong bytes or failed connections: a result like any other.
	is_running "$SERVER" && grep '^requests=' "$OUT/client.out" >"$OUT/result"
}

# wrk has no warm-up and makes its connections within its time: the server's CPU time
# includes accepting them.
measure_http() # MODE CONNECTIONS
{
	fits "$2" || return 0
	start_server "$1" http_threads || return
	idle=$(usage_of_server)
	start_client wrk -t 1 -c "$2" -d "${WRK_S}s" --timeout 10s --latency \
		"http://127.0.0.1:$PORT/"
	sleep "$(awk "BEGIN { print $WRK_S * 0.6 }")"
	during=$(usage_of_server)
	await_client
	after=$(usage_of_server) &&
		awk -f "$DEMO/wrk.awk" -v connections="$2" -v idle="$idle" -v during="$during" \
			-v after="$after" "$OUT/client.out" >"$OUT/result"
}

# On the server's CPU, both threads: what passes between two threads of the loaded server.
measure_micro() # MODE ARGUMENT...
{
	micro_mode=$1
	shift
	become "$SERVER_CPU" 30 "$micro_mode" "$PROGRAMS/micro" "$@" \
		>"$OUT/result" 2>>"$OUT/client.log" &
	CLIENT=$!
	await_client
}

# --- The course of things -----------------------------------------------------------------------

elapsed()
{
	echo $(($(date +%s) - STARTED))
}

progress() # TEXT
{
	if [ -t 2 ]; then
		printf '\r\033[K%s' "$1" >&2
	elif [ -n "$1" ]; then
		echo "$1" >&2
	fi
}

# One measurement. Without TOTAL, the steps are only counted.
step() # TEST CASE MODE MEASURE ARGUMENT...
{
	STEP=$((STEP + 1))
	[ -n "$TOTAL" ] || return 0
	step_name="$1 $2 $3"
	shift 3
	# What went wrong once is not waited for again.
	! grep -q "^$step_name broken=1" "$OUT/runs.txt" || return 0
	if [ "$(elapsed)" -ge "$TIME_LIMIT_S" ]; then
		echo "$step_name note=left_out_for_lack_of_time" >>"$OUT/runs.txt"
		return 0
	fi
	progress "[$STEP/$TOTAL, $(elapsed) s] $step_name"
	if "$@"; then
		echo "$step_name $(cat "$OUT/result")" >>"$OUT/runs.txt"
	else
		echo "$step_name broken=1" >>"$OUT/runs.txt"
	fi
	stop_all
}

# The same measurement plain and under weft, turn about, so that both meet the same noise.
in_turn() # ROUNDS TEST CASE MEASURE ARGUMENT...
{
	rounds=$1
	turn_test=$2
	turn_case=$3
	turn_measure=$4
	shift 4
	while [ "$rounds" -gt 0 ]; do
		for turn_mode in plain weft; do
			step "$turn_test" "$turn_case" "$turn_mode" \
				"$turn_measure" "$turn_mode" "$@"
		done
		rounds=$((rounds - 1))
	done
}

course()
{
	STEP=0
	for row in $ECHO_ROWS; do
		in_turn 3 echo "$row" measure_echo "$row"
	done
	for row in $HTTP_ROWS; do
		in_turn 3 http "$row" measure_http "$row"
	done
	in_turn "$MICRO_ROUNDS" micro create measure_micro create
	in_turn "$MICRO_ROUNDS" micro handoff measure_micro handoff
	in_turn "$MICRO_ROUNDS" micro yield measure_micro yield
	in_turn "$MICRO_ROUNDS" micro park_64k measure_micro park 10000 64
	in_turn "$MICRO_ROUNDS" micro park_default measure_micro park 10000 0
	in_turn 1 micro most measure_micro most 100000 64
	step micro start both measure_micro plain exec 50 /bin/true -- "$LAUNCHER" /bin/true
}

# One value over connections, from four columns of plot.dat.
plot() # FILE TITLE FIRST-COLUMN
{
	gnuplot 2>>"$OUT/client.log" <<-END
		set terminal svg size 760,480 background rgb "white"
		set output "$OUT/$1"
		set datafile missing "?"
		set title "$2"
		set xlabel "connections"
		set logscale x
		set xtics (1, 64, 1000, 5000)
		set xrange [0.8:8000]
		set yrange [0:*]
		set grid
		set key outside right top
		data = "$OUT/plot.dat"
		set style data linespoints
		set style line 1 linewidth 2 pointtype 6 dashtype 2 linecolor rgb "#606060"
		set style line 2 linewidth 2 pointtype 7 linecolor rgb "#d95f02"
		set style line 3 linewidth 2 pointtype 4 dashtype 2 linecolor rgb "#606060"
		set style line 4 linewidth 2 pointtype 5 linecolor rgb "#1b9e77"
		plot data using 1:$3 linestyle 1 title "echo, plain", \
			data using 1:$(($3 + 1)) linestyle 2 title "echo, weft", \
			data using 1:$(($3 + 2)) linestyle 3 title "http, plain", \
			data using 1:$(($3 + 3)) linestyle 4 title "http, weft"
	END
}

report()
{
	describe_machine
	echo
	awk -f "$DEMO/report.awk" -v csv="$OUT/bench.csv" -v plot="$OUT/plot.dat" "$OUT/runs.txt"
	verdict=$?
	plot rps.svg "Requests per second" 2
	plot cpu.svg "Server CPU microseconds per request" 6
	echo "bench.csv, rps.svg and cpu.svg are in $OUT"
	return $verdict
}

settle()
{
	if [ -n "$QUICK" ]; then
		ECHO_ROWS="1 64 1000"
		HTTP_ROWS="64"
		REST_S=0.2
		WARMUP_S=0.25
		WINDOW_S=1.2
		WRK_S=1
		MICRO_ROUNDS=1
		TIME_LIMIT_S=52
	else
		ECHO_ROWS="1 64 1000 5000"
		HTTP_ROWS="1 64 1000 5000"
		REST_S=1.2
		WARMUP_S=0.5
		WINDOW_S=3
		WRK_S=3
		MICRO_ROUNDS=3
		TIME_LIMIT_S=270
	fi
	# shellcheck disable=SC3045 # not in POSIX, but in every sh of Linux
	ulimit -n "$(ulimit -H -n)"
	# shellcheck disable=SC3045
	OPEN_FILES=$(ulimit -n)
	[ "$OPEN_FILES" != unlimited ] || OPEN_FILES=1000000
}

main()
{
	case "$*" in
	'') ;;
	--quick) QUICK=1 ;;
	*)
		echo "usage: sh demo/bench.sh [--quick]" >&2
		exit 2
		;;
	esac
	install_missing
	build
	settle
	choose_cpus
	mkdir -p "$OUT"
	: >"$OUT/runs.txt"
	: >"$OUT/server.log"
	: >"$OUT/client.log"
	trap stop_all EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP

	LOAD_AVERAGE=$(cut -d ' ' -f 1-3 /proc/loadavg)
	STARTED=$(date +%s)
	TOTAL=
	course
	TOTAL=$STEP
	course
	progress ""
	report
}

main "$@"
