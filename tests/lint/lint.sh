#!/bin/sh
# The rules of the house that a machine can check: lint.sh SOURCE_FOLDER BUILD_FOLDER
# Each check prints one line, ok, not ok or skip; what is wrong follows, indented.

source=${1:?source folder}
build=${2:?build folder}
cd "$source" || exit 2

numbers=/usr/include/x86_64-linux-gnu/asm/unistd_64.h
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# check FUNCTION: it prints what is wrong; nothing means that all is well
check() {
	rule=$(echo "$1" | tr _ ' ')
	"$1" >"$dir/wrong" 2>&1
	if [ -s "$dir/wrong" ]; then
		echo "not ok - $rule"
		head -n 40 "$dir/wrong" | sed 's/^/    /'
		failed=1
	else
		echo "ok - $rule"
	fi
}

code_files() {
	find runtime shim demo tests -name '*.[chS]' -o -name '*.cpp'
}

# symbols LIBRARY: the names it exports, without versions
symbols() {
	nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }'
}

uv_only_in_hub() {
	code_files | xargs grep -ln '^ *# *include *[<"]uv' |
		grep -vxE 'runtime/hub\.c|demo/rivals/echo_libuv\.c|tests/unit/api_loop\.c'
}

runtime_includes_nothing_of_shim() {
	grep -rnE '^ *# *include .*shim' runtime
	find shim -name '*.h' | while read -r header; do
		name=$(basename "$header")
		[ -n "$(find runtime -name "$name")" ] || grep -rnE "^ *# *include *\"(.*/)?$name\"" runtime
	done
}

# Those of its own API are others.
programs_know_nothing_of_weft() {
	find demo tests/semantics -name '*.[ch]' -o -name '*.cpp' |
		grep -vE '^demo/(classic/|native\.c$)' | xargs grep -ni 'weft'
}

runtime_exports_only_weft_names() {
	symbols "$build/libweft.so" >"$dir/symbols"
	[ -s "$dir/symbols" ] || echo "libweft.so exports nothing"
	grep -v '^weft_' "$dir/symbols"
}

preload_exports_only_what_it_must() {
	symbols "$build/libweft-preload.so" >"$dir/symbols"
	for name in pthread_create thrd_create; do
		grep -qx "$name" "$dir/symbols" || echo "$name is not exported"
	done
	grep -vxE 'pthread_create|thrd_create|__register_atfork|__asan_default_options|weft_.*' "$dir/symbols" |
		grep -vxE 'timer_create|mq_notify|(aio_(read|write|fsync)|lio_listio)(64)?|getaddrinfo_a' |
		grep -vxE 'accept4?|bind|recvfrom|__recvfrom_chk|recvmsg|(__)?pp?oll(_chk)?|p?select' # iterative.h
}

calls_are_all_there_once_and_in_order() {
	sed -n 's/^CALL(\([0-9]*\), *\([a-z0-9_]*\),.*/\1 \2/p' shim/calls.def >"$dir/calls"
	[ -s "$dir/calls" ] || echo "no CALL(number, name, ...) line found"
	awk 'NR > 1 && $1 <= last { print "out of order: " $0 } { last = $1 }' "$dir/calls"
	sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$/\2 \1/p' "$numbers" |
		grep -vxFf "$dir/calls" | sed 's/^/missing or of another name: /'
}

calls_of_libc_are_classified() {
	"$build/weft" check --sites /bin/sh >"$dir/sites" || echo "weft check --sites failed"
	[ "$(grep -c '/libc\.so\.6  ' "$dir/sites")" -ge 400 ] || echo "too few sites found in libc"
	grep -E '/libc\.so\.6  .* unclassified ' "$dir/sites"
}

# What a guest prints as names it runs: see ticks.h.
each_answered_call_has_a_test() {
	sed -n 's/^GUEST[_A-Z]*(\(calls_[a-z0-9_]*\),.*/\1/p' tests/semantics/table.def |
		while read -r guest; do
			"$build/guests/$guest" names || echo "$guest tells no names" >&2
		done >"$dir/tested"
	sed -nE 's/^CALL\([0-9]*, *([a-z0-9_]*), *(PARK|OFFLOAD|EMULATE),.*/\1/p' shim/calls.def |
		grep -vxFf "$dir/tested"
}

readme_table_is_that_of_calls_def() {
	"$build/weft" calls --markdown >"$dir/expected" || echo "weft calls --markdown failed"
	sed -n '/^<!-- calls -->$/,/^<!-- \/calls -->$/p' README.md | sed '1d;$d' >"$dir/found"
	# a blank line after and before the markers is as good as none
	sed '/^$/d' "$dir/expected" >"$dir/expected.dense"
	sed '/^$/d' "$dir/found" >"$dir/found.dense"
	diff "$dir/found.dense" "$dir/expected.dense"
}

# Switches, context, what is returned: contracts as of weft.h and all it includes (check.awk).
contracts_of_the_api_are_complete() {
	sh runtime/docs/reference.sh check runtime/include
}

top_level_holds_only_what_was_agreed() {
	find . -mindepth 1 -maxdepth 1 ! -name '.*' | sed 's|^\./||' |
		grep -vxE 'shim|runtime|tests|demo|CMakeLists\.txt|README\.md|LICENSE|CMakePresets\.json|build.*'
}

nothing_is_left_for_later() {
	find . -name .git -prune -o -path './build*' -prune -o -type f -print |
		xargs grep -nE 'TO''DO|FIX''ME'
}

no_paths_of_one_machine() {
	find . -name .git -prune -o -path './build*' -prune -o -type f -print |
		xargs grep -nE '/wo''rk/|/ho''me/[a-z]|/ro''ot/'
}

format_is_that_of_clang_format() {
	find runtime shim demo tests -name '*.[ch]' -o -name '*.cpp' |
		xargs clang-format --dry-run -Werror 2>&1 | grep 'error:'
}

check uv_only_in_hub
check runtime_includes_nothing_of_shim
check programs_know_nothing_of_weft
check runtime_exports_only_weft_names
check preload_exports_only_what_it_must
check calls_are_all_there_once_and_in_order
check calls_of_libc_are_classified
check each_answered_call_has_a_test
check readme_table_is_that_of_calls_def
check contracts_of_the_api_are_complete
check top_level_holds_only_what_was_agreed
check nothing_is_left_for_later
check no_paths_of_one_machine
# Versions do not agree on all of it: the house's is that of Debian 12.
case $(clang-format --version 2>/dev/null) in
*" version 14."*) check format_is_that_of_clang_format ;;
*) echo "skip - format is that of clang format: no clang-format 14 here" ;;
esac
exit $failed
