#!/bin/sh
# slapd, a listener and a pool of threads over a memory-mapped database: entries added, looked at
# and changed by many clients at once; what is stored is what was sent, also after a restart.
. "$(dirname "$0")/common.sh"

need /usr/sbin/slapd slapd
need /usr/bin/ldapadd ldap-utils
need /usr/bin/python3 python3

helper=$here/slapd_entries.py
people=400
clients=10
port=$(free_port)
url=ldap://127.0.0.1:$port

mkdir "$dir/data"
cat >"$dir/slapd.conf" <<CONF
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile $dir/slapd.pid
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit unlimited
database mdb
suffix dc=example,dc=org
rootdn cn=admin,dc=example,dc=org
rootpw secret
directory $dir/data
maxsize 67108864
index uid eq
CONF

# slapd_starts: in the foreground, for it is told a debug level, of nothing
slapd_starts() {
	start /usr/sbin/slapd -d 0 -h "$url" -f "$dir/slapd.conf"
	listens "$port"
}

# add_all: entries, by one client
add_all() {
	/usr/bin/python3 "$helper" add $people >"$dir/add.ldif"
	timeout $patience /usr/bin/ldapadd -x -H "$url" -D cn=admin,dc=example,dc=org -w secret \
		-f "$dir/add.ldif"
}

# find_all FILE: what a client is told
find_all() {
	timeout $patience /usr/bin/ldapsearch -x -LLL -H "$url" -b dc=example,dc=org '(objectClass=*)' >"$1"
}

# stored VERSION: all entries are found, as they should be
stored() {
	find_all "$dir/found" && /usr/bin/python3 "$helper" compare "$dir/found" $people "$1"
}

# dumped VERSION: all entries are in the database, without a server
dumped() {
	"$launcher" /usr/sbin/slapcat -f "$dir/slapd.conf" -l "$dir/dump" &&
		/usr/bin/python3 "$helper" compare "$dir/dump" $people "$1"
}

# change_part CLIENT: its entries, to version 1 and then 2, while it also asks for all
change_part() {
	for version in 1 2; do
		/usr/bin/python3 "$helper" modify $people $clients "$1" $version >"$dir/modify.$1" &&
			timeout $patience /usr/bin/ldapmodify -x -H "$url" -D cn=admin,dc=example,dc=org -w secret \
				-f "$dir/modify.$1" >"$dir/modified.$1" || return
		find_all "$dir/found.$1" && [ "$(grep -c '^dn: uid=' "$dir/found.$1")" = $people ] || return
	done
}

# change_together: all clients at once, and connections of others that look meanwhile
change_together() {
	changers=
	for client in $(seq 0 $((clients - 1))); do
		change_part "$client" &
		changers="$changers $!"
	done
	/usr/bin/python3 "$helper" look "$port" $people 100 10
	looked=$?
	for changer in $changers; do
		wait "$changer" || looked=1
	done
	return $looked
}

# wrong_password: it is told so
wrong_password() {
	timeout $patience /usr/bin/ldapsearch -x -H "$url" -D cn=admin,dc=example,dc=org -w wrong
	[ $? = 49 ]
}

check "slapd listens" slapd_starts
check "ldapadd adds entries" add_all
check "they are all found" stored 0
check "it runs this way" is_woven "$server"
check "200 connections with searches under way" \
	/usr/bin/python3 "$helper" look "$port" $people 200 10
check "$clients clients change and 100 look" change_together
check "all changes are found" stored 2
check "a wrong password is refused" wrong_password
check "kernel threads are as they should be" threads_fit "$server" 4
stops "$server" TERM
check "the database holds them" dumped 2

check "slapd starts again" slapd_starts
check "all is found" stored 2
stops "$server" INT

check "slapd starts a third time" slapd_starts
kill -9 "$server"
ends "$server"
check "slapd starts after it was killed" slapd_starts
check "all is still found" stored 2
stops "$server" TERM
check "nothing was wrong by its own account" [ ! -s "$dir/server.log" ]
exit $failed
