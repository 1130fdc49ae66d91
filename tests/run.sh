#!/bin/sh
# Install what is missing, build in build/, run all tests. Called from anywhere, without arguments.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
build=$top/build

packages=
wants_suite=
want() { # PACKAGE COMMAND...: wanted unless the command succeeds
	package=$1
	shift
	"$@" >/dev/null 2>&1 || packages="$packages $package"
}
want cmake command -v cmake
want gcc command -v gcc
want g++ command -v g++
want libc6-dev test -e /usr/include/x86_64-linux-gnu/asm/unistd_64.h
want binutils command -v nm
want pkg-config command -v pkg-config
want libuv1-dev test -e /usr/include/uv.h
want libzydis-dev test -e /usr/include/Zydis/Zydis.h
want libcriterion-dev test -e /usr/include/criterion/criterion.h
want clang-format command -v clang-format
want mandoc command -v mandoc
want python3 test -x /usr/bin/python3
/usr/bin/python3 -c 'import test.test_threading' >/dev/null 2>&1 || wants_suite=1
want tinyproxy-bin test -x /usr/bin/tinyproxy
want curl test -x /usr/bin/curl
want apache2-bin test -x /usr/sbin/apache2
want apache2-utils command -v ab
want nginx test -x /usr/sbin/nginx
want memcached test -x /usr/bin/memcached
want redis-server test -x /usr/bin/redis-server
want haproxy test -x /usr/sbin/haproxy
want openssl test -x /usr/bin/openssl
want default-jdk-headless test -x /usr/bin/javac
want nodejs test -x /usr/bin/node
want ruby test -x /usr/bin/ruby
want puma test -x /usr/bin/puma
want ruby-webrick test -e /usr/share/doc/ruby-webrick
want git test -x /usr/bin/git
want iperf test -x /usr/bin/iperf
want ldap-utils test -x /usr/bin/ldapadd
want slapd test -x /usr/sbin/slapd
want rbldnsd test -x /usr/sbin/rbldnsd
want stunnel4 test -x /usr/bin/stunnel4
want mariadb-server test -x /usr/sbin/mariadbd
want mariadb-client test -x /usr/bin/mariadb
want sysbench test -x /usr/bin/sysbench
want caddy test -x /usr/bin/caddy
command -v ninja >/dev/null || command -v make >/dev/null || packages="$packages ninja-build"

# python_suite: the package of CPython's tests, whose name has the version of Debian's python3
python_suite() {
	apt-cache depends python3 | sed -n 's/^ *Depends: \(python3\.[0-9]*\)$/lib\1-testsuite/p'
}

if [ -n "$packages$wants_suite" ]; then
	if [ "$(id -u)" != 0 ]; then
		[ -z "$wants_suite" ] || packages="$packages $(python_suite)"
		echo "missing packages; install them and run again:" >&2
		echo "    sudo apt-get install -y --no-install-recommends$packages" >&2
		exit 1
	fi
	apt-get -o Acquire::Retries=5 update -q
	[ -z "$wants_suite" ] || packages="$packages $(python_suite)"
	# Of run level 1, so that no package starts a server of its own.
	# shellcheck disable=SC2086 # a list of words
	RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -y -q \
		--no-install-recommends $packages
fi

# The folder may be there from the benchmark, which is built without tests.
set -- -S "$top" -B "$build" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DWEFT_BUILD_TESTS=ON
if [ ! -e "$build/CMakeCache.txt" ] && command -v ninja >/dev/null; then
	set -- "$@" -G Ninja
fi
cmake "$@"
cmake --build "$build" --parallel "$(nproc)"

cd "$build"
exec ctest --output-on-failure --no-tests=error -L 'unit|guest|real|lint' -j "$(nproc)"
