#!/bin/sh
# Plain threads and weft side by side: the same unmodified servers, loaded in turn.
#
#     sh demo/bench.sh [--quick]
#
# Installs what is missing (as root, with apt-get), builds, measures, and prints a table;
# bench.csv, rps.svg and cpu.svg are left in build/bench/. Ends with 1 if a byte came back
# wrong, a connection failed or a program did not do its part. Settings are those of measure.sh;
# report.awk makes table, CSV and plot data of runs.txt.

set -u

. "$(dirname "$0")/measure.sh"

OUT=$BUILD/bench
MESSAGE_BYTES=64
QUICK=

wanted_packages()
{
	common_packages
}

measure_echo() # MODE CONNECTIONS
{
	fits "$2" || return 0
	start_server "$1" "$PROGRAMS/echo_threads" 0 || return
	run_load load "$2" "" "$MESSAGE_BYTES"
}

measure_http() # MODE CONNECTIONS
{
	fits "$2" || return 0
	start_server "$1" "$PROGRAMS/http_threads" 0 || return
	run_wrk "$2" "http://127.0.0.1:$PORT/"
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
	awk -f "$DEMO/runs.awk" -f "$DEMO/report.awk" -v csv="$OUT/bench.csv" -v plot="$OUT/plot.dat" "$OUT/runs.txt"
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
