#!/bin/sh
# Apache, mpm_event: see apache2.inc.
mpm=event
keep=keep_or_again # it ends those that are kept when all threads are busy
. "$(dirname "$0")/apache2.inc"
