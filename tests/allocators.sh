#!/bin/sh
# All guests with another allocator preloaded, plain and under weft: same transcript, same end.
# usage: allocators.sh [LIBRARY...]; else jemalloc, tcmalloc and mimalloc, installed when missing.
# Run tests/run.sh first: it builds.

top=$(cd "$(dirname "$0")/.." && pwd)
runner=${GUEST_RUNNER:-$top/build/guest_runner}
libs=/usr/lib/x86_64-linux-gnu

if [ ! -x "$runner" ]; then
	echo "not ok - no $runner: build first, or set GUEST_RUNNER"
	exit 1
fi
if [ $# = 0 ]; then
	set -- $libs/libjemalloc.so.2 $libs/libtcmalloc_minimal.so.4 $libs/libmimalloc.so.2
	packages=
	[ -e $libs/libjemalloc.so.2 ] || packages="$packages libjemalloc2"
	[ -e $libs/libtcmalloc_minimal.so.4 ] || packages="$packages libtcmalloc-minimal4"
	[ -e $libs/libmimalloc.so.2 ] || packages="$packages libmimalloc2.0"
	if [ -n "$packages" ] && [ "$(id -u)" = 0 ]; then
		apt-get update -q >/dev/null 2>&1
		# shellcheck disable=SC2086 # a list of words
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
			$packages >/dev/null 2>&1
	fi
fi

failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM
for library; do
	if [ ! -e "$library" ]; then
		echo "not ok - $library is missing; packages:$packages"
		failed=1
		continue
	fi
	begin=$(date +%s)
	GUEST_PRELOAD=$library "$runner" --color=never >"$output" 2>&1
	status=$?
	# Synthesis: Tested: N | Passing: N | Failing: N | Crashing: N
	counts=$(sed -n 's/.*Synthesis: *//p' "$output")
	counts="${counts:-the runner ended with $status}; $(($(date +%s) - begin)) s"
	if [ $status = 0 ] && [ -n "$counts" ]; then
		echo "ok - $library: $counts"
	else
		echo "not ok - $library: $counts"
		grep -v Synthesis "$output" | sed 's/^/    /'
		failed=1
	fi
done
exit $failed
