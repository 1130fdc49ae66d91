#!/bin/sh
# All guests with their calls caught, plain and under weft: same transcript, same end.
# usage: catch.sh [all|only]...; else both. Run tests/run.sh first: it builds.

top=$(cd "$(dirname "$0")/.." && pwd)
runner=${GUEST_RUNNER:-$top/build/guest_runner}
# Futexes of other kernel threads, and of a child that sleeps, show where libc is patched only. Filters
# that deny rt_sigreturn leave no way to catch every call.
not_with_only='!(what_clone_makes_shares_futexes_with_threads|locks_that_inherit_priority_are_shared_with_children|a_server_that_allows_itself_only_its_own_calls_serves|filters_that_pass_trap_refuse_or_kill_do_so)'

if [ ! -x "$runner" ]; then
	echo "not ok - $runner is missing: build first, or set GUEST_RUNNER"
	exit 1
fi
[ $# = 0 ] && set -- all only

failed=0
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM
for mode; do
	filter='guests/*'
	[ "$mode" = only ] && filter="guests/$not_with_only"
	begin=$(date +%s)
	GUEST_CATCH=$mode "$runner" --color=never --filter "$filter" >"$output" 2>&1
	status=$?
	# Synthesis: Tested: N | Passing: N | Failing: N | Crashing: N
	counts=$(sed -n 's/.*Synthesis: *//p' "$output")
	counts="${counts:-the runner ended with $status}; $(($(date +%s) - begin)) s"
	if [ $status = 0 ]; then
		echo "ok - WEFT_CATCH=$mode: $counts"
	else
		echo "not ok - WEFT_CATCH=$mode: $counts"
		grep -v Synthesis "$output" | sed 's/^/    /'
		failed=1
	fi
done
exit $failed
