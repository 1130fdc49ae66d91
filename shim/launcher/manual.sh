#!/bin/sh
# Write the manual page of the launcher: manual.sh LAUNCHER OUT VERSION DATE
# On failure no page is left that looks like one.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
help=$("$1" --help)
mkdir -p "$(dirname "$2")"
if ! printf '%s\n' "$help" |
	awk -v version="$3" -v date="$4" -v template="$here/weft.1.in" -f "$here/manual.awk" >"$2"; then
	rm -f "$2"
	exit 1
fi
