#!/bin/sh
# Java: a server with a thread for each connection under many clients, and what the JVM's threads,
# locks, collectors, faults and children promise; the compiler, which is a JVM as well, is run too.
. "$(dirname "$0")/common.sh"

need /usr/bin/javac default-jdk-headless
need /usr/bin/python3 python3

client=$here/block_client.py

# Not more processors than two, whatever there are: each collector has as many threads.
java="/usr/bin/java -Xmx64m -XX:ActiveProcessorCount=2 -cp $dir"

# wait_for FILE: until it is there, with patience
wait_for() {
	for _ in $(seq $((patience * 10))); do
		[ ! -s "$1" ] || return 0
		sleep 0.1
	done
	cat "$dir/server.log"
	return 1
}

# says TEXT: whether the server's output comes to have it
says() {
	for _ in $(seq $((patience * 10))); do
		! grep -q "$1" "$dir/server.log" || return 0
		sleep 0.1
	done
	cat "$dir/server.log"
	return 1
}

no_errors() {
	! grep -E 'Exception|Error|^weft' "$dir/server.log"
}

# cases OPTION [CASE...]: all of them, or these, in a JVM of their own
cases() {
	option=$1
	shift
	# shellcheck disable=SC2086 # a list of words
	timeout -s KILL $patience "$launcher" $java "$option" Cases "$@"
}

check "javac compiles" "$launcher" /usr/bin/javac -d "$dir" "$here/java_server.java" \
	"$here/java_cases.java"
check "all holds with the G1 collector" cases -XX:+UseG1GC
check "what the collector is part of holds with the serial one" cases -XX:+UseSerialGC \
	garbageIsCollectedUnderThreads memoryRunsOutForOneAndIsThereAgain faultsBecomeExceptions

# shellcheck disable=SC2086 # a list of words
start $java Server "$dir/port"
check "the server listens" wait_for "$dir/port"
port=$(cat "$dir/port")
check "it is where it should be" is_woven "$server"
check "300 clients at once get the right bytes" /usr/bin/python3 "$client" load "$port" 300 1500
check "so they do beside slow and broken ones" /usr/bin/python3 "$client" rude "$port" 100 300
check "kernel threads are as they should be" \
	/usr/bin/python3 "$client" idle "$port" "$server" 100 "$way" 101 8
kill -QUIT "$server"
check "SIGQUIT shows all threads" says '^JNI global refs'
check "and it still serves" /usr/bin/python3 "$client" load "$port" 10 50
stops "$server" TERM 143
check "its shutdown hook has run and locks have excluded" says '^answers counted$'
check "it has said no more" no_errors
exit $failed
