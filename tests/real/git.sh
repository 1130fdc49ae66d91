#!/bin/sh
# git: a daemon that starts a process per client, and clients whose index-pack and pack-objects
# compute in threads; what is cloned, fetched and pushed has the same trees, and is whole.
. "$(dirname "$0")/common.sh"

need /usr/bin/git git
need /usr/bin/python3 python3

# Settings of this machine and its user play no part; threads are used however small the pack is.
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL="$dir/gitconfig" GIT_TERMINAL_PROMPT=0
cat >"$dir/gitconfig" <<CONF
[user]
	name = Nobody
	email = nobody@example.org
[init]
	defaultBranch = main
[safe]
	directory = *
[pack]
	threads = 4
[index]
	threads = 4
[grep]
	threads = 4
[checkout]
	workers = 4
	thresholdForParallelism = 10
[maintenance]
	auto = false
[gc]
	auto = 0
CONF

mkdir "$dir/served" "$dir/clones"
origin=$dir/served/origin.git
port=$(free_port)
url=git://127.0.0.1:$port/origin.git

# woven COMMAND...: git that way, with patience
woven() {
	timeout -k 5 $patience "$launcher" /usr/bin/git "$@"
}

# changes FOLDER FIRST COUNT: so many commits of files that are alike, so that there are deltas
changes() {
	/usr/bin/python3 - "$@" <<-'EOP' >"$dir/stream" && git -C "$1" fast-import --quiet <"$dir/stream"
		import hashlib, subprocess, sys

		def data(content):
		    sys.stdout.buffer.write(b"data %d\n%s\n" % (len(content), content))

		def body(file, version):
		    lines = [hashlib.sha256(b"%d %d" % (file, line)).hexdigest() for line in range(60)]
		    for step in range(version + 1):
		        lines[step * 7 % 60] = hashlib.sha256(b"%d %d" % (file, step)).hexdigest()
		    return "\n".join(lines).encode()

		top, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		for commit in range(first, first + count):
		    print("commit refs/heads/main")
		    print("committer Nobody <nobody@example.org> %d +0000" % (1700000000 + commit))
		    sys.stdout.flush()
		    data(b"change %d" % commit)
		    if commit == first and first > 0:
		        print("from refs/heads/main^0")
		    for file in range(200) if commit == 0 else range(commit % 10, 200, 10):
		        print("M 100644 inline folder%d/file%d" % (file % 20, file))
		        sys.stdout.flush()
		        data(body(file, commit))
	EOP
}

# same CLONE: its main has the origin's tree, its history is the same, and it is whole
same() {
	[ "$(git -C "$1" rev-parse main 'main^{tree}')" = \
		"$(git -C "$origin" rev-parse main 'main^{tree}')" ] &&
		[ -z "$(git -C "$1" status --porcelain)" ] &&
		woven -C "$1" fsck --full --strict --no-progress
}

# serve: the daemon, in the foreground
serve() {
	start /usr/bin/git daemon --reuseaddr --export-all --enable=receive-pack --listen=127.0.0.1 \
		--port="$port" --base-path="$dir/served" --max-connections=40
	listens "$port"
}

# all_succeed PID...: wait for children of ours
all_succeed() {
	succeeded=0
	for one; do
		wait "$one" || succeeded=1
	done
	return $succeeded
}

# clone_together COUNT: at once
clone_together() {
	cloning=
	for number in $(seq "$1"); do
		woven clone --quiet "$url" "$dir/clones/$number" &
		cloning="$cloning $!"
	done
	all_succeed $cloning
	result=$?
	for number in $(seq "$1"); do
		same "$dir/clones/$number" || result=1
	done
	return $result
}

# fetch_together COUNT: what has come since
fetch_together() {
	fetching=
	for number in $(seq "$1"); do
		woven -C "$dir/clones/$number" pull --quiet --ff-only &
		fetching="$fetching $!"
	done
	all_succeed $fetching
	result=$?
	for number in $(seq "$1"); do
		same "$dir/clones/$number" || result=1
	done
	return $result
}

# push_together COUNT: each a branch of its own, with commits of its own
push_together() {
	pushing=
	for number in $(seq "$1"); do
		git -C "$dir/clones/$number" checkout --quiet -b "branch$number" &&
			echo "$number" >"$dir/clones/$number/own" &&
			git -C "$dir/clones/$number" add own &&
			git -C "$dir/clones/$number" commit --quiet -m "own $number" || return
		woven -C "$dir/clones/$number" push --quiet origin "branch$number" &
		pushing="$pushing $!"
	done
	all_succeed $pushing
	result=$?
	for number in $(seq "$1"); do
		[ "$(git -C "$origin" rev-parse "branch$number")" = \
			"$(git -C "$dir/clones/$number" rev-parse HEAD)" ] || result=1
	done
	return $result
}

# repacked: with threads, from nothing; the pack has the objects that there were
repacked() {
	git -C "$origin" rev-list --all --objects | sort >"$dir/before"
	woven -C "$origin" repack -a -d -f -q --threads=4 --depth=20 &&
		git -C "$origin" rev-list --all --objects | sort >"$dir/after" &&
		cmp "$dir/before" "$dir/after" &&
		[ "$(ls "$origin/objects/pack/"*.pack | wc -l)" = 1 ] &&
		pack=$(ls "$origin/objects/pack/"*.pack) &&
		woven -C "$origin" fsck --full --strict --no-progress
}

# indexed: one pack by several threads, with the same index as by one
indexed() {
	woven index-pack --strict --threads=4 -o "$dir/four.idx" "$pack" &&
		git index-pack --threads=1 -o "$dir/one.idx" "$pack" &&
		cmp "$dir/one.idx" "$dir/four.idx"
}

# threads_were_tasks: under weft, when a pack is indexed, by weft's own account
threads_were_tasks() {
	[ "$way" = weft ] || return 0
	WEFT_STATS=1 woven index-pack --threads=4 -o "$dir/x.idx" "$pack" >"$dir/stats" 2>&1
	cat "$dir/stats"
	grep -qE '^weft: tasks: [^,]*[4-9]' "$dir/stats"
}

# found: by four threads in the work tree
found() {
	woven -C "$dir/clones/1" grep -c "$(sed -n 9p "$dir/clones/1/folder7/file7")" >"$dir/grep.this" &&
		[ "$(cat "$dir/grep.this")" = folder7/file7:1 ]
}

# refused: what is not there
refused() {
	woven clone --quiet "git://127.0.0.1:$port/none.git" "$dir/none"
	[ $? = 128 ]
}

git init --quiet --bare "$origin"
check "a repository is made" changes "$origin" 0 40
check "it is packed by threads" repacked
check "a pack is indexed by threads" indexed
check "the daemon listens" serve
check "it runs this way" is_woven "$server"
check "10 clients clone at once" clone_together 10
check "more changes" changes "$origin" 40 20
check "10 clients fetch at once" fetch_together 10
check "10 clients push at once" push_together 10
check "the repository is whole and packs again" repacked
check "grep finds by threads" found
check "a repository that is not there is refused" refused
check "its threads are tasks" threads_were_tasks
stops "$server" TERM 143
exit $failed
