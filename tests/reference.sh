#!/bin/sh
# The reference: pages without errors, of all that there is, and headers that are judged rightly.
#
#   reference.sh SOURCE_FOLDER BUILD_FOLDER
#
# Each check prints one line, as those of lint.sh do. What the reference makes of the sample in
# reference/include/ is kept beside it; to keep it anew, when it is meant to change,
#
#   KEEP=1 reference.sh SOURCE_FOLDER BUILD_FOLDER

source=${1:?source folder}
build=${2:?build folder}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sample=$source/tests/reference
failed=0

check() {
	rule=$(echo "$1" | tr _ ' ')
	"$@" >"$dir/wrong" 2>&1
	shift
	if [ -s "$dir/wrong" ]; then
		echo "not ok - $rule${1:+: $1}"
		head -n 40 "$dir/wrong" | sed 's/^/    /'
		failed=1
	else
		echo "ok - $rule${1:+: $1}"
	fi
}

reference() {
	sh "$source/runtime/docs/reference.sh" "$@"
}

# --- what headers are made into ---

# with_awk PATH_OF_AWK OPTIONS...: the sample and the API, as this awk makes them
with_awk() {
	mkdir -p "$dir/bin"
	printf '#!/bin/sh\nexec %s "$@"\n' "$*" >"$dir/bin/awk"
	chmod +x "$dir/bin/awk"
	(
		PATH=$dir/bin:$PATH
		reference check "$sample/include"
		reference build "$sample/include" "$dir/sample" 1.2.3 2001-02-03
		reference build "$source/runtime/include" "$dir/api" 1.2.3 2001-02-03
	)
}

the_sample_is_as_kept() {
	with_awk "$@"
	(cd "$dir/sample/man/man3" && grep '^\.so' ./*.3) >"$dir/aliases"
	sed -n '/^<section id="family_sample">$/,/^<.section>$/p' "$dir/sample/weft.html" >"$dir/sample.html"
	set -- "$dir/sample/man/man3/weft_sample.3" "$dir/sample.html" "$dir/aliases"
	[ -z "${KEEP:-}" ] || cp "$@" "$sample/"
	for made; do
		diff "$sample/$(basename "$made")" "$made"
	done
}

all_awks_agree() {
	with_awk "$@"
	reference build "$source/runtime/include" "$dir/usual" 1.2.3 2001-02-03
	diff -rq "$dir/usual" "$dir/api"
}

# --- what is wrong is found ---

# A broken sample: broken SAYS FILE SED_SCRIPT
is_found() {
	rm -rf "$dir/broken"
	cp -R "$sample/include" "$dir/broken"
	sed "$3" "$sample/include/$2" >"$dir/broken/$2"
	cmp -s "$sample/include/$2" "$dir/broken/$2" && echo "the script changes nothing"
	reference check "$dir/broken" >"$dir/said"
	grep -q "$1" "$dir/said" || { echo "not said: $1; but:"; cat "$dir/said"; }
}

check_what_is_found() {
	of=weft/sample.h
	check is_found 'weft_sample_count: has no contract' $of 's/^WEFT_API void weft_sample_count/\
&/'
	check is_found 'weft_more: has no contract' $of '/^#define WEFT_API/a\
WEFT_API void weft_more(void);'
	check is_found 'weft_sample_close: does not say whether it switches' $of '/Close a/,/^WEFT_API/s/ \* Switches.*/ */'
	check is_found 'weft_sample_close: does not say whether it switches' $of '/Close a/,/^WEFT_API/s/Switches   no/Switches   perhaps/'
	check is_found 'weft_sample_close: does not say in what context' $of '/Close a/,/^WEFT_API/s/ \* Context.*/ */'
	check is_found 'weft_sample_close: does not say what it returns' $of '/Close a/,/^WEFT_API/s/ \* @return.*/ */'
	check is_found 'weft_sample_close: lists no error' $of 's/0, or what weft_sample_open.*/0/'
	check is_found 'weft_sample_close: names an error outside' $of 's/0, or what weft_sample_open.*/0 or -EINVAL/'
	check is_found 'weft_sample_open: says nothing of -EINVAL' $of 's/-EINVAL  path.*/-EINVAL/;/ fn is$/d'
	check is_found 'weft_sample_open: lists -ENFILE twice' $of 's/-EMFILE, /-ENFILE, /'
	check is_found 'weft_sample_open: lists -ENONE, which is no error' $of 's/-EMFILE, /-ENONE, /'
	check is_found 'weft_sample_open: does not say which errors' $of 's/as open(2)$/as it comes/'
	check is_found 'weft_sample_open: has no parameter where' $of 's/@param path /@param where /'
	check is_found 'weft_sample_count: returns nothing' $of '/Count samples/,/^WEFT_API/s/ \* Context.*/&\
 *\
 * @return 0/'
	check is_found 'weft_sample_close: its contract does not begin' $of 's/Close a sample\./close it/'
	check is_found 'names weft_nothing(), which no header declares' $of 's/names weft_sample_close/names weft_nothing/'
	check is_found 'weft/sample.h: no comment at its head' $of '1,/^ \*\//d'
	check is_found 'weft/sample.h: weft.h does not include it' weft.h '/include/d'
}

# --- the pages of the build ---

pages() {
	find "$build/man" "$dir/sample/man" -name '*.[13]' | xargs grep -L '^\.so '
}

pages_have_no_errors() {
	[ "$(pages | wc -l)" -ge 4 ] || echo "where are the pages?"
	pages | xargs mandoc -Tlint -W warning
}

pages_have_no_errors_of_groff() {
	pages | while read -r page; do
		groff -man -Tutf8 -ww -z "$page" 2>&1 | sed "s|^|$page: |"
	done
}

# What the compiler sees, not what the reference reads: the names of all that is exported.
declared() {
	echo '#include <weft.h>' | cc -E -P -I "$source/runtime/include" - | tr '\n' ' ' | tr ';{}' '\n\n\n' |
		sed -n '/visibility/s/.*visibility("default")))[^(]*[ *]\(weft_[a-z0-9_]*\) *(.*/\1/p'
}

exported() {
	nm -D --defined-only "$build/libweft.so" | sed -n 's/.* [TtDdBbRr] \(weft_[a-z0-9][a-z0-9_]*\)$/\1/p'
}

every_function_has_a_page_and_an_anchor() {
	{ declared; exported; } | sort -u >"$dir/names"
	[ "$(declared | wc -l)" -ge 10 ] || echo "few functions declared"
	[ "$(exported | wc -l)" -ge 10 ] || echo "few functions exported"
	while read -r name; do
		page=$build/man/man3/$name.3
		[ -e "$page" ] || { echo "no page $name.3"; continue; }
		target=$(sed -n 's/^\.so //p' "$page")
		grep -qx "\.SS $name()" "$build/man/${target:-man3/$name.3}" || echo "$name.3 does not tell of it"
		grep -q "<h3 id=\"$name\">" "$build/weft.html" || echo "$name has no anchor in weft.html"
	done <"$dir/names"
}

every_alias_leads_to_a_page() {
	grep -h '^\.so ' "$build"/man/man3/*.3 | sed 's/^\.so //' | sort -u | while read -r page; do
		grep -q '^\.TH ' "$build/man/$page" || echo "$page is no page"
	done
}

# Well-formed, each anchor once, no link into nothing.
page_of_the_api_hangs_together() {
	python3 - "$build/weft.html" "$dir/sample/weft.html" <<-'END'
		import sys, xml.etree.ElementTree as tree
		for path in sys.argv[1:]:
		    page = tree.parse(path)
		    anchors = [e.get("id") for e in page.iter() if e.get("id")]
		    for name in sorted({a for a in anchors if anchors.count(a) > 1}):
		        print(path, "has the anchor", name, "more than once")
		    for link in page.iter("a"):
		        if link.get("href")[1:] not in anchors:
		            print(path, "has a link to", link.get("href"))
	END
}

# --- the launcher's ---

launchers_page_has_every_setting() {
	sed 's/\\-/-/g; s/\\f[BIR]//g' "$build/man/man1/weft.1" >"$dir/weft.1"
	sed -n 's/^SETTING([A-Z_]*, "\([a-z-]*\)", "\(=*\)", "\([A-Z_]*\)",.*/--\1\2 \3/p' \
		"$source/shim/settings.def" >"$dir/settings"
	[ "$(wc -l <"$dir/settings")" -ge 5 ] || echo "few settings found"
	while read -r option variable; do
		grep -q -- "^$option" "$dir/weft.1" || echo "nothing of $option"
		grep -q "^\.B $variable$" "$dir/weft.1" || echo "nothing of $variable"
	done <"$dir/settings"
}

launchers_page_is_that_of_its_help() {
	date=$(sed -n 's/^\.TH weft 1 \([^ ]*\).*/\1/p' "$build/man/man1/weft.1")
	version=$(sed -n 's/^\.TH weft 1 [^ ]* "weft \([^"]*\)".*/\1/p' "$build/man/man1/weft.1")
	[ "$("$build/weft" --version)" = "weft $version" ] || echo "it is of version $version"
	sh "$source/shim/launcher/manual.sh" "$build/weft" "$dir/made.1" "$version" "$date"
	diff "$build/man/man1/weft.1" "$dir/made.1"
}

a_page_with_more_than_the_help_is_refused() {
	printf 'usage: weft [options] [--] program\n\n  --other  WEFT_OTHER  other\n\n  check  look\n' |
		awk -v version=1 -v date=1 -v template="$source/shim/launcher/weft.1.in" \
			-f "$source/shim/launcher/manual.awk" >/dev/null 2>"$dir/said" && echo "it is not"
	grep -q '@more --stats: there is no such option' "$dir/said" || cat "$dir/said"
}

check the_sample_is_as_kept "$(command -v awk)"
for awk in mawk gawk 'gawk --posix' original-awk 'busybox awk'; do
	program=$(command -v "${awk%% *}") || continue
	# shellcheck disable=SC2046 # words
	check all_awks_agree "$program" $(echo "$awk" | sed 's/^[^ ]* *//')
done
check_what_is_found
if command -v mandoc >/dev/null; then
	check pages_have_no_errors
elif command -v groff >/dev/null; then
	check pages_have_no_errors_of_groff
else
	echo "skip - pages have no errors: neither mandoc nor groff here"
fi
check every_function_has_a_page_and_an_anchor
check every_alias_leads_to_a_page
check page_of_the_api_hangs_together
check launchers_page_has_every_setting
check launchers_page_is_that_of_its_help
check a_page_with_more_than_the_help_is_refused
exit $failed
