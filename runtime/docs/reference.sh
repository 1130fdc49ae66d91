#!/bin/sh
# The reference, made from the headers of the API and from nothing else:
#
#   reference.sh list INCLUDE                          the headers, weft.h and those it includes, in order
#   reference.sh check INCLUDE                         print what is wrong with their contracts
#   reference.sh build INCLUDE OUT VERSION DATE        write OUT/man/man3/*.3 and OUT/weft.html
#
# INCLUDE is the folder of weft.h. Any awk(1) of POSIX will do.
set -eu

docs=$(cd "$(dirname "$0")" && pwd)
action=${1:?list, check or build}
include=${2:?the folder of weft.h}

headers() {
	echo weft.h
	sed -n 's/^# *include *["<]\(weft\/[a-z_]*\.h\)[">].*/\1/p' "$include/weft.h"
}

# What the system calls errors; nothing where its headers are elsewhere.
errnos() {
	cat /usr/include/asm-generic/errno-base.h /usr/include/asm-generic/errno.h 2>/dev/null |
		sed -n 's/^#define[[:space:]]*\(E[A-Z0-9]*\)[[:space:]].*/\1/p' | tr '\n' ' '
}

check() {
	awk -v errnos="$(errnos)" -f "$docs/contract.awk" -f "$docs/check.awk" "$@"
	for header in weft/*.h; do
		[ ! -e "$header" ] || headers | grep -qxF "$header" || echo "$header: weft.h does not include it"
	done
}

# build OUT VERSION DATE HEADER...: all pages anew, so that none stays of a function that is gone
build() {
	out=$1 version=$2 date=$3
	shift 3
	rm -rf "$out/man/man3"
	mkdir -p "$out/man/man3"
	awk -v out="$out/man" -v version="$version" -v date="$date" -v overview="$docs/overview.txt" \
		-f "$docs/contract.awk" -f "$docs/text.awk" -f "$docs/man.awk" "$@"
	awk -v version="$version" -v date="$date" -v overview="$docs/overview.txt" \
		-f "$docs/contract.awk" -f "$docs/text.awk" -f "$docs/html.awk" "$@" >"$out/weft.html"
}

case $action in
list) headers ;;
check)
	cd "$include"
	include=.
	# shellcheck disable=SC2046 # a list of words
	check $(headers)
	;;
build)
	out=${3:?where to}
	mkdir -p "$out"
	out=$(cd "$out" && pwd)
	cd "$include"
	include=.
	# shellcheck disable=SC2046 # a list of words
	build "$out" "${4:?version}" "${5:?date}" $(headers)
	;;
*) exit 2 ;;
esac
