#!/bin/sh
# All tests on minimal Debian systems, one for each libc. usage: matrix.sh [SUITE...]; else bookworm,
# trixie and sid. Needs root: the systems are made by debootstrap and entered by chroot.
#
# Their packages come from where this machine's own come from, by its apt sources. The systems stay
# in WEFT_MATRIX_CACHE for the next run, which brings them up to date. What is tested is the work
# tree: the files that git tracks, as they are now. Each system runs tests/run.sh, for
# WEFT_MATRIX_MINUTES at most, in namespaces of its own: no mount and no process outlives it.
#
# At the end a line for each libc. The status is 1 when anything failed or could not be tested.

top=$(cd "$(dirname "$0")/.." && pwd)
cache=${WEFT_MATRIX_CACHE:-${XDG_CACHE_HOME:-${TMPDIR:-/tmp}}/weft-matrix}
minutes=${WEFT_MATRIX_MINUTES:-60}
[ $# -gt 0 ] || set -- bookworm trixie sid

give_up() {
	echo "matrix.sh: $*" >&2
	exit 2
}

# debian_mirror: the first of this machine's apt sources that is Debian's
debian_mirror() {
	# shellcheck disable=SC1091,SC2016 # a file of the machine's; apt's own fields
	apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' \
		'Created-By: Packages' | awk -v here="$(. /etc/os-release; echo "$VERSION_CODENAME")" '
			($2 == here || $2 ~ /^(oldstable|stable|testing|unstable|sid)$/) &&
			$3 == "main" { print $1; exit }'
}

# make_system SUITE: in $cache/SUITE, unless it is there
make_system() {
	[ ! -e "$cache/$1" ] || return 0
	rm -rf "$cache/$1.part"
	debootstrap --variant=minbase "$1" "$cache/$1.part" "$mirror" &&
		mv "$cache/$1.part" "$cache/$1"
}

# copy_tree FOLDER: what git tracks, as it is in the work tree, into a new folder
copy_tree() {
	rm -rf "$1"
	mkdir "$1" || return
	git -c safe.directory="$top" -C "$top" ls-files -z |
		tar -C "$top" --null -T - --ignore-failed-read -cf - | tar -C "$1" --no-same-owner -xf -
}

# enter SYSTEM COMMAND...: there, as if on a machine of its own; ends when the time is up
enter() {
	system=$1
	shift
	for file in /etc/resolv.conf /etc/hosts; do
		rm -f "$system$file"
		cp -L "$file" "$system$file"
	done
	# The mirror may be a snapshot of an earlier day.
	echo 'Acquire::Check-Valid-Until "false";' >"$system/etc/apt/apt.conf.d/90snapshot"
	# unshare hears of nothing less than SIGKILL, and that ends all in the new namespaces. The shell
	# in there stays, as the first process: somebody has to bury the orphans.
	# shellcheck disable=SC2016 # for that shell
	timeout -s KILL "${minutes}m" setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --propagation private sh -c 'cd "$1" && shift &&
			mount -t proc proc proc && mount --rbind /sys sys && mount --rbind /dev dev &&
			mount -t tmpfs tmpfs dev/shm && chroot . "$@"
			exit $?' sh "$system" \
		env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
		${http_proxy:+http_proxy="$http_proxy"} DEBIAN_FRONTEND=noninteractive \
		"$@" </dev/null &
	inside=$!
	wait $inside
}

# test_system SUITE: all that is to be done for it; what it says is the log
test_system() {
	make_system "$1" && copy_tree "$cache/$1/weft" &&
		enter "$cache/$1" sh -c 'apt-get update -q && apt-get dist-upgrade -y -q &&
			exec sh /weft/tests/run.sh'
}

# count LOG: "PASSED FAILED SKIPPED", of what ctest wrote
count() {
	awk '/^ *[0-9]+\/[0-9]+ Test +#[0-9]+: / {
			if (/ Passed +[0-9.]+ sec/) passed++
			else if (/\*\*\*Skipped/) skipped++
			else failed++
		}
		END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# verdict SUITE STATUS: its line
verdict() {
	libc=$(chroot "$cache/$1" getconf GNU_LIBC_VERSION 2>/dev/null)
	# shellcheck disable=SC2046 # three numbers
	set -- "$1" "$2" $(count "$cache/$1.log")
	line="${libc:-no libc} ($1): $3 passed, $4 failed, $5 skipped"
	if [ "$2" = 137 ]; then
		line="$line; not done after $minutes minutes"
	elif [ "$2" != 0 ] && [ "$4" = 0 ]; then
		line="$line; did not get to the end"
	elif [ "$3" = 0 ]; then
		line="$line; no test was run"
	fi
	echo "$line"
}

[ "$(id -u)" = 0 ] || give_up "debootstrap and chroot need root: run it again as root"
if ! command -v debootstrap >/dev/null; then
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
		--no-install-recommends debootstrap || give_up "debootstrap cannot be installed"
fi
mirror=$(debian_mirror)
[ -n "$mirror" ] || give_up "the apt sources name no suite of Debian's"
eval "$(apt-config shell proxy Acquire::http::Proxy)"
http_proxy=${http_proxy:-${proxy:-}}
[ -z "$http_proxy" ] || export http_proxy

mkdir -p "$cache" && exec 9>"$cache/lock" || give_up "no cache in $cache"
flock -n 9 || give_up "another run is using $cache"

inside=
trap 'kill -KILL $inside 2>/dev/null; exit 130' INT TERM HUP
failed=0
: >"$cache/verdicts"
for suite; do
	begin=$(date +%s)
	echo "$suite: in $cache/$suite; the log: $cache/$suite.log"
	test_system "$suite" 9>&- >"$cache/$suite.log" 2>&1
	status=$?
	echo "$suite: status $status after $(($(date +%s) - begin)) s"
	sed -n '/^The following tests FAILED/,$p' "$cache/$suite.log"
	verdict "$suite" "$status" >>"$cache/verdicts"
	[ "$status" = 0 ] && grep -q "($suite): [1-9][0-9]* passed, 0 failed, [0-9]* skipped$" \
		"$cache/verdicts" || failed=1
done
cat "$cache/verdicts"
exit $failed
