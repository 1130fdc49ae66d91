# Sourced by bench.sh and compare.sh: the machine, processes, loads, and the course of measurements.
#
# Settings: BUILD, the build folder; WEFT, the launcher to run instead of the one built there.
#
# Who sources it sets OUT, where logs and results are left; REST_S, WARMUP_S, WINDOW_S and WRK_S,
# seconds; TIME_LIMIT_S, after which measurements are left out; and has functions wanted_packages,
# course and report. It may set CLIENT_S, the most seconds for a load with all that comes before and
# after its window. Every measurement is one line of $OUT/runs.txt, name=value words behind a
# "TEST CASE MODE".

ROOT=$(cd "$(dirname "$0")/.." && pwd)
DEMO=$ROOT/demo
BUILD=${BUILD:-$ROOT/build}
# WEFT=1 is what switches the library on, and not a path.
LAUNCHER=${WEFT:-$BUILD/weft}
[ "$LAUNCHER" != 1 ] || LAUNCHER=$BUILD/weft
# How many kernel threads there are is for the mode to say.
unset WEFT WEFT_CARRIERS LD_PRELOAD
PROGRAMS=$BUILD/demo
MODES="plain weft"
CLIENT_S=30
SERVER=
CLIENT=
HELPER=

die()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# --- Machine and programs -----------------------------------------------------------------------

# What both need, a line each: PACKAGE COMMAND. The package is missing if the command fails.
common_packages()
{
	cat <<-'END'
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

missing_packages()
{
	wanted_packages | while read -r package check; do
		sh -c "$check" >/dev/null 2>&1 || printf ' %s' "$package"
	done
}

install_missing()
{
	packages=$(missing_packages)
	[ -n "$packages" ] || return 0
	command -v apt-get >/dev/null || die "please install what Debian calls:$packages"
	[ "$(id -u)" = 0 ] || die "please run: sudo apt-get install$packages"
	echo "installing:$packages" >&2
	# Of run level 1, so that no package starts a server of its own.
	# shellcheck disable=SC2086 # a list of words
	{
		apt-get update &&
			RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y \
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

# Server and load on a CPU each, or on both of these two.
part_cpus()
{
	SERVER_CPU=${BOTH_CPUS%,*}
	CLIENT_CPU=${BOTH_CPUS#*,}
}

share_cpus()
{
	SERVER_CPU=$BOTH_CPUS
	CLIENT_CPU=$BOTH_CPUS
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
	CPUS=$(nproc)
	BOTH_CPUS=
	[ $# -lt 2 ] || BOTH_CPUS=$1,$2
	part_cpus
	PINNING="server on CPU $SERVER_CPU, load on CPU $CLIENT_CPU"
	[ -z "$BOTH_CPUS" ] || return 0
	PINNING="one CPU only: server and load share it, nothing is pinned"
	echo "$PINNING" >&2
}

describe_machine()
{
	processor=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)
	build_type=$(sed -n 's/^CMAKE_BUILD_TYPE:[^=]*=//p' "$BUILD/CMakeCache.txt")
	cat <<-END
		machine  $processor, $CPUS CPUs
		kernel   $(uname -sr)
		libc     $(getconf GNU_LIBC_VERSION)
		build    ${build_type:-unknown}
		date     $(date '+%Y-%m-%d %H:%M %Z')
		load     $LOAD_AVERAGE before (1, 5 and 15 minutes)
		pinning  $PINNING
	END
}

# --- Processes ----------------------------------------------------------------------------------

# Become a program: in a session of its own, pinned if there is a CPU, ended after SECONDS if there
# are any, and under the launcher if the mode is weft, which takes one kernel thread, or weft and
# their number, or split, which is weft for a server of one thread. For the background: $! is then the program itself, or timeout(1), which hands signals
# on, and leads its process group.
become() # CPUS SECONDS MODE COMMAND...
{
	cpu=$1
	seconds=$2
	mode=$3
	shift 3
	case $mode in
	weft | weft1) set -- "$LAUNCHER" "$@" ;;
	split) set -- "$LAUNCHER" --iterative "$@" ;;
	weft[0-9]*) set -- "$LAUNCHER" -j "${mode#weft}" "$@" ;;
	esac
	[ -z "$seconds" ] || set -- timeout "$seconds" "$@"
	[ -z "$cpu" ] || set -- taskset -c "$cpu" "$@"
	exec setsid "$@"
}

# A zombie does not count: it only waits for us to wait for it.
is_running() # PID
{
	grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null
}

# With all that it may leave behind.
stop() # PID
{
	tries=0
	kill "$1" 2>/dev/null
	while is_running "$1" && [ $tries -lt 60 ]; do
		sleep 0.05
		tries=$((tries + 1))
	done
	kill -9 "-$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

stop_all()
{
	for running in $CLIENT $SERVER $HELPER; do
		stop "$running"
	done
	CLIENT=
	SERVER=
	HELPER=
}

# Leaves SERVER set. It rests first: what the run before leaves behind, thousands of threads to
# bury, is not the next one's to pay for.
launch_server() # MODE COMMAND...
{
	sleep "$REST_S"
	: >"$OUT/server.out"
	launch_mode=$1
	shift
	become "$SERVER_CPU" "" "$launch_mode" "$@" >"$OUT/server.out" 2>>"$OUT/server.log" &
	SERVER=$!
}

# Wait until a command succeeds, for as long as the server runs and TRIES last, 20 ms each.
await_server() # TRIES COMMAND...
{
	tries=$1
	shift
	while is_running "$SERVER" && [ "$tries" -gt 0 ]; do
		! "$@" || return 0
		sleep 0.02
		tries=$((tries - 1))
	done
	echo "the server did not start" >>"$OUT/server.log"
	return 1
}

says_port()
{
	PORT=$(sed -n 's/^listening on //p' "$OUT/server.out")
	[ -n "$PORT" ]
}

# A server that says "listening on PORT". Leaves SERVER and PORT set.
start_server() # MODE COMMAND...
{
	launch_server "$@"
	await_server 500 says_port
}

# In the background, so that a signal to this script is not kept waiting.
start_client() # COMMAND...
{
	become "$CLIENT_CPU" "$CLIENT_S" plain "$@" >"$OUT/client.out" 2>>"$OUT/client.log" &
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

# --- Loads: each leaves one line of name=value words in $OUT/result, or fails -------------------

# Leave as the result why a measurement is not possible here, and fail.
cannot() # REASON
{
	echo "note=$1" | tr ' ' _ >"$OUT/result"
	return 1
}

# Whether a server may have that many descriptors; if not, that is the result.
fits() # CONNECTIONS
{
	[ "$OPEN_FILES" -ge $(($1 + 64)) ] ||
		cannot "does not fit: open files are limited to $OPEN_FILES"
}

# How many threads the kernel may have, each with two mappings, less a thousand for all others.
threads_allowed()
{
	awk 'FILENAME ~ /max_map_count$/ { $1 /= 2 }
		FNR == 1 && (NR == 1 || $1 < least) { least = $1 }
		END { print int(least) - 1000 }' \
		/proc/sys/kernel/pid_max /proc/sys/kernel/threads-max /proc/sys/vm/max_map_count
}

# Whether there may be a kernel thread for each connection, where there is to be.
fits_threads() # MODE CONNECTIONS
{
	case $1 in
	plain*) [ "$(threads_allowed)" -ge "$2" ] ||
		cannot "does not fit: the kernel allows about $(threads_allowed) threads" ;;
	esac
}

fits_memory() # KB
{
	available_kb=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
	[ "$available_kb" -ge "$1" ] ||
		cannot "does not fit: $((available_kb / 1024)) of $(($1 / 1024)) MB are available"
}

# Whether the launcher can do what the mode asks for.
fits_launcher() # MODE
{
	case $1 in
	weft1) ;;
	weft[0-9]*) "$LAUNCHER" -j "${1#weft}" true 2>>"$OUT/server.log" ||
		cannot "this launcher has no option -j" ;;
	esac
}

# demo/load, load_tls or load_mysql, with further options and what is exchanged as on their command
# line.
run_load() # PROGRAM CONNECTIONS OPTIONS WORD...
{
	load_program=$1
	load_connections=$2
	load_options=$3
	shift 3
	# shellcheck disable=SC2086 # options are words
	start_client "$PROGRAMS/$load_program" -w "$WARMUP_S" -p "$SERVER" $load_options \
		127.0.0.1 "$PORT" "$load_connections" "$WINDOW_S" "$@"
	await_client
	# A status of 1 means wrong bytes or failed connections: a result like any other.
	is_running "$SERVER" && grep '^requests=' "$OUT/client.out" >"$OUT/result"
}

# wrk has no warm-up and makes its connections within its time: the server's CPU time
# includes accepting them.
run_wrk() # CONNECTIONS ARGUMENT...
{
	wrk_connections=$1
	shift
	run_for_seconds "$DEMO/wrk.awk" "$wrk_connections" \
		wrk -t 1 -c "$wrk_connections" -d "${WRK_S}s" --timeout 10s --latency "$@"
}

# A load of WRK_S seconds, whose own report the awk program reads.
run_for_seconds() # AWK-FILE CONNECTIONS COMMAND...
{
	report_reader=$1
	report_connections=$2
	shift 2
	idle=$(usage_of_server)
	start_client "$@"
	sleep "$(awk "BEGIN { print $WRK_S * 0.6 }")"
	during=$(usage_of_server)
	await_client
	after=$(usage_of_server) &&
		awk -f "$DEMO/usage.awk" -f "$report_reader" -v connections="$report_connections" \
			-v idle="$idle" -v before="$idle" -v during="$during" -v after="$after" \
			"$OUT/client.out" >"$OUT/result"
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
	# What went wrong twice is not waited for again.
	[ "$(grep -c "^$step_name broken=1" "$OUT/runs.txt")" -lt 2 ] || return 0
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

# The same measurement in each of MODES, turn about, so that all meet the same noise.
in_turn() # ROUNDS TEST CASE MEASURE ARGUMENT...
{
	rounds=$1
	turn_test=$2
	turn_case=$3
	turn_measure=$4
	shift 4
	while [ "$rounds" -gt 0 ]; do
		for turn_mode in $MODES; do
			step "$turn_test" "$turn_case" "$turn_mode" \
				"$turn_measure" "$turn_mode" "$@"
		done
		rounds=$((rounds - 1))
	done
}

# As far as that is allowed; root may go beyond the hard limit. Leaves OPEN_FILES set.
allow_open_files() # NUMBER
{
	# shellcheck disable=SC3045 # not in POSIX, but in every sh of Linux
	ulimit -S -n "$1" 2>/dev/null || ulimit -n "$1" 2>/dev/null
	# shellcheck disable=SC3045
	OPEN_FILES=$(ulimit -n)
	[ "$OPEN_FILES" != unlimited ] || OPEN_FILES=1000000
}

# Count the steps of the course, take it, and report.
measure_and_report()
{
	# shellcheck disable=SC3045 # as above
	allow_open_files "$(ulimit -H -n)"
	: >"$OUT/runs.txt"
	: >"$OUT/server.log"
	: >"$OUT/client.log"
	# What the script itself runs is not for the server's CPU.
	[ -z "$CLIENT_CPU" ] || taskset -cp "$CLIENT_CPU" $$ >/dev/null
	LOAD_AVERAGE=$(cut -d ' ' -f 1-3 /proc/loadavg)
	STARTED=$(date +%s)
	TOTAL=
	STEP=0
	course
	TOTAL=$STEP
	STEP=0
	course
	progress ""
	report
}

trap 'stop_all' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
