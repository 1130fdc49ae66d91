#!/bin/sh
# curl --parallel, which looks up names in threads of its own, at a local server: many files at
# once over plain HTTP, sizes from nothing to a megabyte, what it sends, and what it cannot get.
. "$(dirname "$0")/common.sh"

need /usr/bin/curl curl
need /usr/bin/python3 python3

files=300

# make_files: in $dir/files, and their hashes
make_files() {
	mkdir "$dir/files" "$dir/upload"
	/usr/bin/python3 - "$dir/files" $files <<-'EOP'
		import hashlib, sys

		for number in range(int(sys.argv[2])):
		    block = hashlib.sha256(b"%d" % number).digest()
		    size = 2**20 + 7 if number % 50 == 49 else number * 37 % 20000
		    with open("%s/%d" % (sys.argv[1], number), "wb") as file:
		        file.write((block * (size // 32 + 1))[:size])
	EOP
	(cd "$dir/files" && sha256sum -- *) >"$dir/sums"
}

# same FOLDER: it holds all files, and nothing else
same() {
	[ "$(ls "$1" | wc -l)" = $files ] && (cd "$1" && sha256sum --quiet -c "$dir/sums")
}

# serve: a server of plain threads that also takes files; its port comes to be in $dir/port
serve() {
	exec /usr/bin/python3 - "$dir" 2>/dev/null <<-'EOP'
		import http.server, os, sys

		top = sys.argv[1]

		class Handler(http.server.SimpleHTTPRequestHandler):
		    protocol_version = "HTTP/1.1"

		    def __init__(self, *args):
		        super().__init__(*args, directory=top + "/files")

		    def end_headers(self):
		        if self.close_connection:
		            self.send_header("Connection", "close")
		        super().end_headers()

		    def do_PUT(self):
		        with open(top + "/upload/" + os.path.basename(self.path), "wb") as file:
		            file.write(self.rfile.read(int(self.headers["Content-Length"])))
		        self.send_response(201)
		        self.send_header("Content-Length", "0")
		        self.end_headers()

		class Server(http.server.ThreadingHTTPServer):
		    request_queue_size = 512

		server = Server(("127.0.0.1", 0), Handler)
		with open(top + "/port.new", "w") as file:
		    file.write(str(server.server_port))
		os.rename(top + "/port.new", top + "/port")
		server.serve_forever()
	EOP
}

# fetch FOLDER OPTION...: all files, from several names of this machine, each of them looked up
fetch() {
	folder=$1
	shift
	mkdir "$folder"
	timeout -k 5 $patience "$launcher" /usr/bin/curl -sS --fail --parallel "$@" \
		-o "$folder/#1" "http://localhost:$port/[0-$((files - 1))]"
}

# several_hosts: files in turn by address, by the name, and by names that only curl is told
several_hosts() {
	mkdir "$dir/several"
	for number in $(seq 0 $((files - 1))); do
		case $((number % 3)) in
		0) host=localhost ;;
		1) host=127.0.0.1 ;;
		2) host=host$number.test ;;
		esac
		printf 'url = "http://%s:%s/%s"\noutput = "%s/several/%s"\n' $host "$port" "$number" \
			"$dir" "$number"
		[ $((number % 3)) != 2 ] || printf 'resolve = "%s:%s:127.0.0.1"\n' $host "$port"
	done >"$dir/config"
	timeout -k 5 $patience "$launcher" /usr/bin/curl -sS --fail --parallel --parallel-max 100 \
		-K "$dir/config" && same "$dir/several"
}

# send_all: every file to the server
send_all() {
	(cd "$dir/files" && timeout -k 5 $patience "$launcher" /usr/bin/curl -sS --fail --parallel \
		--parallel-max 40 -T "{$(seq -s, 0 $((files - 1)))}" "http://localhost:$port/") &&
		same "$dir/upload"
}

# gives STATUS OPTION...: what curl ends with
gives() {
	expected=$1
	shift
	timeout -k 5 $patience "$launcher" /usr/bin/curl -sS --parallel -o /dev/null "$@"
	status=$?
	echo "status $status"
	[ $status = "$expected" ]
}

# runs_this_way: while it waits for a server that never answers; then it is terminated
runs_this_way() {
	/usr/bin/python3 -c '
import socket, time
with socket.create_server(("127.0.0.1", int(__import__("sys").argv[1]))): time.sleep(120)
' "$silent" &
	pids="$pids $!"
	listens "$silent" || return
	start /usr/bin/curl -sS --parallel -o /dev/null "http://localhost:$silent/"
	for _ in $(seq $((patience * 10))); do
		! ls -l "/proc/$server/fd" | grep -q socket: || break
		sleep 0.1
	done
	is_woven "$server" || return
	kill -TERM "$server"
	ends "$server"
	[ $? = 143 ]
}

check "files are made" make_files
serve &
pids="$pids $!"
check "the local server is up" wait_until test -s "$dir/port"
port=$(cat "$dir/port")
silent=$(free_port)

check "$files files, 50 at once" fetch "$dir/few" --parallel-max 50
check "their hashes are right" same "$dir/few"
check "$files files, 250 at once, a name looked up for each" \
	fetch "$dir/many" --parallel-max 250 --parallel-immediate --http1.0
check "their hashes are right" same "$dir/many"
check "several hosts at once" several_hosts
check "what it sends arrives" send_all
check "a file that is not there" gives 22 --fail "http://localhost:$port/none"
check "a name that is not there" gives 6 http://nowhere.invalid/
check "a port that nobody has" gives 7 http://localhost:1/
check "it runs this way, and is terminated" runs_this_way
exit $failed
