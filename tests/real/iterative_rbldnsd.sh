#!/bin/sh
# rbldnsd, a name server for lists of addresses, takes one datagram after the other. Under weft there is
# a copy of it for each.
. "$(dirname "$0")/common.sh"

need /usr/sbin/rbldnsd rbldnsd
need /usr/bin/python3 python3

[ "$way" = weft ] && export WEFT_ITERATIVE=1 WEFT_STATS=1
port=$(free_port)
chmod 755 "$dir" # it reads the list as another user
cat >"$dir/list" <<-'END'
	:127.0.0.2:listed $
	10.0.0.0/16
	:127.0.0.9:other $
	10.1.0.0/16
END

# Each of 40 sockets asks for 50 addresses: of one list, of the other, of none.
ask_all() {
	/usr/bin/python3 - "$port" <<-'END'
		import socket, struct, sys
		def question(number, host):
		    name = b"".join(bytes([len(p)]) + p for p in host.encode().split(b".")) + b"\0"
		    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + name + struct.pack(">2H", 1, 1)
		def expected(i):
		    return (None, b"\x7f\0\0\2", b"\x7f\0\0\x09")[i % 3]
		sockets = []
		for i in range(40):
		    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		    one.settimeout(60)
		    one.connect(("127.0.0.1", int(sys.argv[1])))
		    sockets.append(one)
		for turn in range(50):
		    for i, one in enumerate(sockets):
		        net = {0: 77, 1: 0, 2: 1}[(i + turn) % 3]
		        one.send(question(turn * 100 + i, f"{turn}.{i}.{net}.10.bl.test"))
		    for i, one in enumerate(sockets):
		        answer = one.recv(2048)
		        number, flags, _, answers = struct.unpack(">4H", answer[:8])
		        wanted = expected(i + turn)
		        assert number == turn * 100 + i, (number, turn, i)
		        assert flags & 15 == (3 if wanted is None else 0), (flags, turn, i)
		        assert wanted is None or (answers == 1 and wanted in answer), (answer, turn, i)
	END
}

start /usr/sbin/rbldnsd -n -b "127.0.0.1/$port" -w "$dir" -u rbldns bl.test:ip4set:list
check "rbldnsd listens" wait_until grep -q "listening on 127.0.0.1/$port" "$dir/server.log"
check "2000 questions have their answers" ask_all
check "it is as it should be" is_woven "$server"
kill -TERM "$server"
ends "$server"
check "it has ended well" [ $? = 0 ]
if [ "$way" = weft ]; then
	check "each datagram had a copy" grep -q '2000 copies' "$dir/server.log"
fi
exit $failed
