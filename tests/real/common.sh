# Sourced by the tests of programs from Debian's packages. Sets way (plain or weft), carriers (how
# many kernel threads that makes, under weft: two and the spare for weft2), dir (a temporary folder, removed at the end), launcher, and the
# functions below.

mode=${1:-}
way=$mode
carriers=1
case $mode in
plain | weft) ;;
weft2)
	way=weft
	carriers=3
	WEFT_CARRIERS=2
	export WEFT_CARRIERS
	;;
*)
	echo "usage: $0 plain|weft|weft2" >&2
	exit 2
	;;
esac

here=$(cd "$(dirname "$0")" && pwd)
: "${WEFT_PROGRAM:=$here/../../build/weft}"
if [ "$way" = weft ] && [ ! -x "$WEFT_PROGRAM" ]; then
	echo "not ok - no weft at $WEFT_PROGRAM: build first, or set WEFT_PROGRAM"
	exit 1
fi

# What goes before a command to run it that way; both become the command, keeping its process id.
launcher=env
[ "$way" = weft ] && launcher=$WEFT_PROGRAM

# After so many seconds what is waited for is taken for hung: on a machine with a tenth of the
# processor nothing is.
patience=300

failed=0
pids=
dir=$(mktemp -d)

clean_up() {
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null
	done
	while read -r port_taken; do
		rmdir "$port_taken"
	done 2>/dev/null <"$dir/ports"
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...: run the command, with patience if it is none of our functions; a line ok or
# not ok, with its output when it failed
check() {
	name=$1
	shift
	case $(type "$1") in
	*function*) ;;
	*) set -- timeout -k 5 $patience "$@" ;;
	esac
	if "$@" >"$dir/output" 2>&1; then
		echo "ok - $mode: $name"
	else
		echo "not ok - $mode: $name (status $?)"
		tail -n 40 "$dir/output" | sed 's/^/    /'
		failed=1
	fi
}

# need PROGRAM PACKAGE: install the package if the program is missing
need() {
	[ -x "$1" ] && return
	if [ "$(id -u)" = 0 ]; then
		apt-get update -q >/dev/null 2>&1
		# Of run level 1, so that no package starts a server of its own.
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive \
			apt-get install -y -q --no-install-recommends "$2" >/dev/null 2>&1
	fi
	if [ ! -x "$1" ]; then
		echo "not ok - $1 is missing: apt-get install $2"
		exit 1
	fi
}

# in_use PORT: whether anybody on this machine listens on it
in_use() {
	awk -v port="$(printf ':%04X' "$1")" '$4 == "0A" && $2 ~ port "$" { found = 1 }
		END { exit !found }' /proc/net/tcp /proc/net/tcp6
}

# free_port: a high port that nobody listens on, and the 15 behind it. Until our end they are ours
# among the tests that run at the same time.
free_port() {
	while :; do
		port_found=$(awk -v seed="$(od -An -N3 -tu4 /dev/urandom)" \
			'BEGIN { srand(seed); print 20000 + 16 * int(rand() * 750) }')
		in_use "$port_found" && continue
		mkdir "${TMPDIR:-/tmp}/weft-test-port.$port_found" 2>/dev/null && break
	done
	echo "${TMPDIR:-/tmp}/weft-test-port.$port_found" >>"$dir/ports"
	echo "$port_found"
}

# wait_until COMMAND...: until the command succeeds, with patience
wait_until() {
	for _ in $(seq $((patience * 10))); do
		"$@" && return
		sleep 0.1
	done
	return 1
}

# listens PORT: wait until somebody does
listens() {
	wait_until in_use "$1"
}

# start COMMAND...: in the background, this way; its pid is left in server, its output in
# $dir/server.log
start() {
	"$launcher" "$@" >>"$dir/server.log" 2>&1 &
	server=$!
	pids="$pids $server"
}

# ends PID: wait for a child of ours, with patience, and give its status
ends() {
	for _ in $(seq $((patience * 10))); do
		grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null || break
		sleep 0.1
	done
	grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status" 2>/dev/null && return 124
	wait "$1"
}

# ended_with STATUS WANTED: that it is; what it says is shown when not
ended_with() {
	echo "$1, wanted $2"
	[ "$1" = "$2" ]
}

# stops PID SIGNAL [STATUS]: that the signal ends it with this status (0)
stops() {
	kill -"$2" "$1"
	ends "$1"
	status=$?
	check "SIG$2 ends it with status ${3:-0}" ended_with "$status" "${3:-0}"
}

# is_woven PID: under weft, that the process runs on weft (its library is there); plain, that not
is_woven() {
	if [ "$way" = weft ]; then
		grep -q libweft-preload "/proc/$1/maps"
	else
		! grep -q libweft-preload "/proc/$1/maps"
	fi
}

# kernel_threads PID: how many it has
kernel_threads() {
	ls "/proc/$1/task" | wc -l
}

# only_carriers PID: under weft, that it has these kernel threads alone. Offload threads end half a
# second after they are needed: what is two for longer is no carrier and one of those.
only_carriers() {
	[ "$(kernel_threads "$1")" = "$carriers" ] &&
		{ [ "$carriers" = 1 ] || { sleep 1 && [ "$(kernel_threads "$1")" = "$carriers" ]; }; }
}

threads_fit_now() { # PID LEAST
	count=$(kernel_threads "$1")
	if [ "$way" = weft ]; then
		[ "$count" -le $((7 + carriers)) ]
	else
		[ "$count" -ge "$2" ]
	fi
}

# threads_fit PID LEAST: that many at least, plain; a few under weft, once idle ones have ended
threads_fit() {
	wait_until threads_fit_now "$1" "$2" && return
	echo "$count kernel threads"
	return 1
}
