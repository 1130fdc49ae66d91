#!/bin/sh
# Apache, mpm_worker: see apache2.inc.
mpm=worker
keep=keep
mutexes="default pthread sysvsem posixsem fcntl flock"
. "$(dirname "$0")/apache2.inc"
