#!/bin/sh
# Servers that others wrote, plain and under weft, and the echo server beside what one would write
# instead of it.
#
#     sh demo/compare.sh [--quick] [--only NAME,...]
#
# Installs what is missing (as root, with apt-get), builds, measures each server with 1, 64 and 1000
# connections, plain and under weft in turn on the same CPU, and prints tables of medians;
# compare.csv, table.md and compare.svg are left in build/compare/. A full run of all servers takes
# 27 minutes and leaves the picture in demo/compare.svg, too; --quick takes 4. Ends with 1 if a byte
# came back wrong, a connection failed or a program did not do its part. Settings are those of
# measure.sh; the servers are in servers/servers.sh, compare.awk makes tables of runs.txt.

set -u

. "$(dirname "$0")/measure.sh"

OUT=$BUILD/compare
MESSAGE_BYTES=64
QUICK=
FILES=

. "$DEMO/servers/servers.sh"

usage_error()
{
	echo "usage: sh demo/compare.sh [--quick] [--only NAME,...]" >&2
	echo "names: $ALL_SERVERS" >&2
	exit 2
}

# What the table of servers says of one: NEEDS, UNIT, TITLE and MOST.
look_up() # NAME
{
	UNIT=requests/s
	TITLE=$1
	MOST=1000
	eval "NEEDS=\$${1}_needs UNIT=\${${1}_unit:-\$UNIT}"
	eval "TITLE=\${${1}_title:-\$TITLE} MOST=\${${1}_most:-\$MOST}"
}

wanted_packages()
{
	common_packages
	echo "libssl-dev pkg-config --exists openssl"
	for server in $SERVERS; do
		look_up "$server"
		echo "$NEEDS" | while read -r package file; do
			[ -z "$package" ] || echo "$package test -e $file"
		done
	done
}

# A line for each server, for compare.awk: name, title, unit, package and version.
describe_servers()
{
	for server in $SERVERS; do
		look_up "$server"
		# shellcheck disable=SC2086 # the first word of several
		set -- $NEEDS
		version=$(dpkg-query -W -f '${Package} ${Version}' "${1:-none}" 2>/dev/null)
		printf '%s\t%s\t%s\t%s\n' "$server" "$TITLE" "$UNIT" "$version"
	done
}

# --- Ports and helpers --------------------------------------------------------------------------

# Whether anybody on this machine listens there.
listens() # PORT
{
	awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && $2 ~ port "$" { found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6
}

# Below the ports that connections take of themselves (ip_local_port_range).
free_port()
{
	while :; do
		found_port=$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))
		listens "$found_port" || break
	done
	echo "$found_port"
}

start_helper() # COMMAND...
{
	become "$CLIENT_CPU" "" plain "$@" >"$OUT/helper.out" 2>>"$OUT/server.log" &
	HELPER=$!
}

await_helper() # PORT
{
	while is_running "$HELPER" && ! listens "$1"; do
		sleep 0.02
	done
}

# One exchange, to have something there to ask for.
say_once() # REQUEST-FILE ANSWER-FILE
{
	"$PROGRAMS/load" -w 0 127.0.0.1 "$PORT" 1 0.01 "$1" "$2" >>"$OUT/client.log"
}

# --- Measurements -------------------------------------------------------------------------------

# Under weft its library is there, in the process that was started.
runs_in_mode() # MODE
{
	[ "$1" != weft ] || grep -q libweft-preload "/proc/$SERVER/maps"
}

# What weft had to say since that line of the log, as the result.
take_refusal() # LINES
{
	refusal=$(tail -n "+$(($1 + 1))" "$OUT/server.log" | sed -n 's/^weft: //p' | head -n 1 |
		tr ' ' _)
	[ -n "$refusal" ] && echo "note=$refusal" >"$OUT/result"
}

measure_server() # MODE NAME CONNECTIONS
{
	fits "$3" || return 0
	PORT=$(free_port)
	log_lines=$(wc -l <"$OUT/server.log")
	if ! { "$2_start" "$1" && await_server 1500 listens "$PORT" && runs_in_mode "$1"; }; then
		[ "$1" = weft ] && ! is_running "$SERVER" && take_refusal "$log_lines"
		return
	fi
	"$2_load" "$3" && is_running "$SERVER"
}

# Rounds go over all servers, so that noise meets them alike, and what the time limit takes away is
# repetitions.
course()
{
	round=0
	while [ $round -lt $ROUNDS ]; do
		for server in $SERVERS; do
			MODES="plain weft"
			[ "$server" != echo ] || MODES="plain weft epoll libuv go"
			look_up "$server"
			for row in $ROWS; do
				[ "$row" -gt "$MOST" ] ||
					in_turn 1 "$server" "$row" measure_server "$server" "$row"
			done
		done
		round=$((round + 1))
	done
}

# --- The report ---------------------------------------------------------------------------------

report()
{
	describe_servers >"$OUT/servers.txt"
	describe_machine | tee "$OUT/machine.txt"
	echo
	awk -f "$DEMO/runs.awk" -f "$DEMO/compare.awk" -v servers="$OUT/servers.txt" \
		-v machine="$OUT/machine.txt" -v csv="$OUT/compare.csv" -v table="$OUT/table.md" \
		-v plot="$OUT/plot.dat" -v rivals="$OUT/rivals.dat" "$OUT/runs.txt"
	verdict=$?
	gnuplot -e "out='$OUT'" "$DEMO/compare.gp" 2>>"$OUT/client.log"
	[ -z "$COMPLETE" ] || cp "$OUT/compare.svg" "$DEMO/compare.svg"
	echo "compare.csv, table.md and compare.svg are in $OUT"
	return $verdict
}

settle()
{
	if [ -n "$QUICK" ]; then
		ROWS="64 1000"
		ROUNDS=1
		REST_S=0.1
		WARMUP_S=0.25
		WINDOW_S=1
		WRK_S=1
		TIME_LIMIT_S=230
	else
		ROWS="1 64 1000"
		ROUNDS=3
		REST_S=0.4
		WARMUP_S=0.4
		WINDOW_S=1.5
		WRK_S=2
		TIME_LIMIT_S=1520
	fi
}

parse_arguments()
{
	SERVERS=$ALL_SERVERS
	COMPLETE=1
	while [ $# -gt 0 ]; do
		case $1 in
		--quick)
			QUICK=1
			;;
		--only)
			[ $# -ge 2 ] || usage_error
			SERVERS=$(echo "$2" | tr ',' ' ')
			COMPLETE=
			shift
			;;
		*) usage_error ;;
		esac
		shift
	done
	[ -z "$QUICK" ] || COMPLETE=
	for server in $SERVERS; do
		case " $ALL_SERVERS " in
		*" $server "*) ;;
		*) usage_error ;;
		esac
	done
}

build_servers()
{
	build
	# The folder may be there from before OpenSSL was.
	[ -x "$PROGRAMS/load_tls" ] || { cmake "$BUILD" >&2 && build; } || die "load_tls is not there"
	case " $SERVERS " in
	*" echo "*)
		GO111MODULE=off CGO_ENABLED=0 GOCACHE=$OUT/go-cache go build -o "$FILES/echo_go" \
			"$DEMO/rivals/echo.go" >&2 || die "the build of echo.go failed"
		;;
	esac
}

clean_up()
{
	stop_all
	rm -rf "$FILES"
}

main()
{
	parse_arguments "$@"
	install_missing
	settle
	choose_cpus
	mkdir -p "$OUT"
	# Servers that lower their privileges have to find their files.
	FILES=$(mktemp -d) || die "no temporary folder"
	trap clean_up EXIT
	chmod 755 "$FILES"
	build_servers
	measure_and_report
}

main "$@"
