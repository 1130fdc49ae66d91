#!/bin/sh
# Plain threads and weft side by side: the same unmodified servers, loaded in turn.
#
#     sh demo/bench.sh [--quick]
#
# Installs what is missing (as root, with apt-get), builds, measures, and prints tables, in 20
# minutes, or a minute and a half with --quick; bench.csv, rps.svg, cpu.svg and growth.svg are left
# in build/bench/. Ends with 1 if a byte came back wrong, a connection failed or a program did not
# do its part. What the limits of this machine do not let happen is said in the tables. Settings
# are those of measure.sh; report.awk makes tables, CSV and plot data of runs.txt.

set -u

. "$(dirname "$0")/measure.sh"

OUT=$BUILD/bench
MESSAGE_BYTES=64
# A port is used once a minute: enough for 50,000 new connections a second in a round.
CHURN_SOURCES=16
# The memory that a measurement of many may take, sockets and both programs included.
MANY_KB=60
GROWTH_PLAIN_KB=30
GROWTH_KB=12
ALONE_S=240
QUICK=

wanted_packages()
{
	common_packages
}

measure_echo() # MODE CONNECTIONS [LOAD-OPTIONS [HOGS]]
{
	fits "$2" || return 0
	start_server "$1" "$PROGRAMS/echo_threads" -b "${4:-0}" 0 || return
	run_load load "$2" "${3:-}" "$MESSAGE_BYTES"
}

fits_cpus()
{
	[ -n "$BOTH_CPUS" ] || cannot "needs two CPUs"
}

# On two CPUs, all that is started.
measure_on_both() # MODE MEASURE ARGUMENT...
{
	both_mode=$1
	both_measure=$2
	shift 2
	{ fits_cpus && fits_launcher "$both_mode"; } || return 0
	share_cpus
	"$both_measure" "$both_mode" "$@"
	both_status=$?
	part_cpus
	return $both_status
}

# A connection for each message.
measure_churn() # MODE CONNECTIONS-AT-ONCE
{
	measure_echo "$1" "$2" "--leave --sources $CHURN_SOURCES"
}

measure_idle() # MODE ACTIVE IDLE
{
	{ fits $(($2 + $3)) && fits_threads "$1" $(($2 + $3)); } || return 0
	measure_echo "$1" "$2" "--idle $3"
}

measure_many() # MODE CONNECTIONS
{
	kept_open_files=$OPEN_FILES
	fits "$2" || allow_open_files $(($2 + 64))
	many_status=0
	! { fits_memory $(($2 * MANY_KB)) && fits "$2" && fits_threads "$1" "$2"; } ||
		measure_echo "$1" "$2" || many_status=1
	allow_open_files "$kept_open_files"
	return $many_status
}

# Whose processor time it is cannot be told: it is left out, and what hogs weigh, too.
measure_hogs() # MODE CONNECTIONS HOGS
{
	measure_echo "$1" "$2" "" "$3" && sed -E -i 's/ (cpu_us|kb)=[^ ]*//g' "$OUT/result"
}

measure_http() # MODE CONNECTIONS
{
	fits "$2" || return 0
	start_server "$1" "$PROGRAMS/http_threads" 0 || return
	run_wrk "$2" "http://127.0.0.1:$PORT/"
}

# The same connections, served by a thread each, and by one that accepts and serves one after the other.
measure_iterative() # MODE CONNECTIONS
{
	fits "$2" || return 0
	iterative_program=iterative_echo
	[ "$1" != weft ] || iterative_program=echo_threads
	start_server "$1" "$PROGRAMS/$iterative_program" 0 || return
	run_load load "$2" "" "$MESSAGE_BYTES"
}

# Quick clients of such a server, beside one that sends a byte a second.
measure_slow() # MODE QUICK
{
	start_server "$1" "$PROGRAMS/iterative_http" 0 || return
	start_client "$PROGRAMS/beside" "$PORT" "$2" "$WINDOW_S"
	await_client && grep '^requests=' "$OUT/client.out" >"$OUT/result"
}

# A program by itself, on the server's CPU with all its threads.
measure_alone() # MODE PROGRAM ARGUMENT...
{
	alone_mode=$1
	alone_program=$2
	shift 2
	become "$SERVER_CPU" "$ALONE_S" "$alone_mode" "$PROGRAMS/$alone_program" "$@" \
		>"$OUT/result" 2>>"$OUT/client.log" &
	CLIENT=$!
	await_client
	[ -s "$OUT/result" ]
}

# What passes between two threads of the loaded server.
measure_micro() # MODE ARGUMENT...
{
	micro_mode=$1
	shift
	measure_alone "$micro_mode" micro "$@"
}

# Plain as far as it can: of the first size beyond the kernel's limit, what the limit leaves.
measure_growth() # MODE THREADS
{
	growth_threads=$2
	if ! fits_threads "$1" "$2"; then
		growth_threads=$(threads_allowed)
		[ $((growth_threads * 10)) -gt "$2" ] || return 0
	fi
	growth_kb=$GROWTH_KB
	[ "$1" != plain ] || growth_kb=$GROWTH_PLAIN_KB
	fits_memory $((growth_threads * growth_kb)) || return 0
	measure_alone "$1" micro park "$growth_threads" 64
}

course()
{
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
	course_of_crowds
	course_of_iterative
	course_of_hogs
	course_of_cores
}

course_of_crowds()
{
	for row in $CHURN_ROWS; do
		in_turn "$ROUNDS" churn "$row" measure_churn "$row"
	done
	for row in $GROWTH_ROWS; do
		in_turn "$ROUNDS" growth "$row" measure_growth "$row"
	done
	for row in $LAST_GROWTH_ROWS; do
		in_turn 1 growth "$row" measure_growth "$row"
	done
	for row in $IDLE_ROWS; do
		in_turn "$ROUNDS" idle "64+$row" measure_idle 64 "$row"
	done
	for row in $MANY_ROWS; do
		CLIENT_S=150
		in_turn 1 many "$row" measure_many "$row"
		CLIENT_S=30
	done
}

course_of_iterative()
{
	MODES="weft split"
	for row in $ITERATIVE_ROWS; do
		in_turn "$ROUNDS" iterative "$row" measure_iterative "$row"
	done
	MODES="plain split"
	in_turn "$ROUNDS" slow 100 measure_slow 100
	MODES="plain weft"
}

course_of_hogs()
{
	for row in $HOGS_ROWS; do
		in_turn "$ROUNDS" hogs "100+$row" measure_hogs 100 "$row"
	done
	in_turn "$ROUNDS" ticker idle measure_alone ticker idle "$TICKER_S"
	in_turn "$ROUNDS" ticker busy measure_alone ticker busy 1000 20 "$TICKER_S"
	[ -n "$QUICK" ] || in_turn "$ROUNDS" ticker hogs measure_alone ticker busy 1000 0 "$TICKER_S"
}

course_of_cores()
{
	MODES="plain2 weft1 weft2"
	for row in $CORES_ROWS; do
		in_turn "$ROUNDS" cores "$row" measure_on_both measure_echo "$row"
	done
	for row in $PAIRS_ROWS; do
		in_turn "$ROUNDS" pairs "$row" measure_on_both measure_alone pairs "$row" "$WINDOW_S"
	done
	MODES="plain weft"
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

# Time and memory of a thread over the number of threads, from growth.dat.
plot_growth()
{
	gnuplot 2>>"$OUT/client.log" <<-END
		set terminal svg size 900,420 background rgb "white"
		set output "$OUT/growth.svg"
		set datafile missing "?"
		set multiplot layout 1,2 title "What a parked thread costs"
		set xlabel "threads"
		set logscale xy
		set format x "10^{%L}"
		set xrange [500:2000000]
		set grid xtics ytics mytics
		set key top left
		data = "$OUT/growth.dat"
		set style data linespoints
		set style line 1 linewidth 2 pointtype 6 dashtype 2 linecolor rgb "#606060"
		set style line 2 linewidth 2 pointtype 7 linecolor rgb "#d95f02"
		set title "to create, park, wake and join it, us"
		set yrange [0.5:200]
		plot data using 1:2 linestyle 1 title "plain", \
			data using 4:5 linestyle 2 title "weft"
		set title "its memory, KB"
		set yrange [1:100]
		plot data using 1:3 linestyle 1 title "plain", \
			data using 4:6 linestyle 2 title "weft"
		unset multiplot
	END
}

report()
{
	describe_machine
	echo
	awk -f "$DEMO/runs.awk" -f "$DEMO/report.awk" -v csv="$OUT/bench.csv" \
		-v plot="$OUT/plot.dat" -v growth="$OUT/growth.dat" "$OUT/runs.txt"
	verdict=$?
	plot rps.svg "Requests per second" 2
	plot cpu.svg "Server CPU microseconds per request" 6
	plot_growth
	echo "bench.csv, rps.svg, cpu.svg and growth.svg are in $OUT"
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
		ROUNDS=1
		CORES_ROWS="64 1000"
		PAIRS_ROWS=
		CHURN_ROWS="64"
		ITERATIVE_ROWS="1000"
		IDLE_ROWS=
		MANY_ROWS=
		HOGS_ROWS="1"
		TICKER_S=1
		GROWTH_ROWS="1000 10000"
		LAST_GROWTH_ROWS=
		TIME_LIMIT_S=85
	else
		ECHO_ROWS="1 64 1000 5000"
		HTTP_ROWS="1 64 1000 5000"
		REST_S=1.2
		WARMUP_S=0.5
		WINDOW_S=3
		WRK_S=3
		MICRO_ROUNDS=3
		ROUNDS=3
		CORES_ROWS="1 64 1000 10000"
		PAIRS_ROWS="1 64 1000"
		CHURN_ROWS="1 64 1000"
		ITERATIVE_ROWS="64 1000 5000"
		IDLE_ROWS="10000"
		MANY_ROWS="15000 100000"
		HOGS_ROWS="1 4"
		TICKER_S=3
		GROWTH_ROWS="1000 10000 100000"
		LAST_GROWTH_ROWS="1000000"
		TIME_LIMIT_S=1300
	fi
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
	measure_and_report
}

main "$@"
