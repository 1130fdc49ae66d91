# Sourced by the tests of programs from Debian's packages. Sets way (plain or weft), dir (a
# temporary folder, removed at the end), launcher, check and need.

way=${1:-}
case $way in
plain | weft) ;;
*)
	echo "usage: $0 plain|weft" >&2
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

failed=0
pids=
dir=$(mktemp -d)

clean_up() {
	for pid in $pids; do
		kill -9 "$pid" 2>/dev/null
	done
	rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...: run the command; a line ok or not ok, with its output when it failed
check() {
	name=$1
	shift
	if timeout -k 5 60 "$@" >"$dir/output" 2>&1; then
		echo "ok - $way: $name"
	else
		echo "not ok - $way: $name (status $?)"
		tail -n 40 "$dir/output" | sed 's/^/    /'
		failed=1
	fi
}

# need PROGRAM PACKAGE: install the package if the program is missing
need() {
	[ -x "$1" ] && return
	if [ "$(id -u)" = 0 ]; then
		apt-get update -q >/dev/null 2>&1
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" \
			>/dev/null 2>&1
	fi
	if [ ! -x "$1" ]; then
		echo "not ok - $1 is missing: apt-get install $2"
		exit 1
	fi
}
