#!/bin/sh
# An example prints what it should: classic.sh EXPECTED PROGRAM [ARGUMENTS]

expected=${1:?expected output}
shift
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$@" >"$out" || { echo "exit status $?"; cat "$out"; exit 1; }
diff "$expected" "$out"
