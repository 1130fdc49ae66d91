#!/bin/sh
# Apache, mpm_event: see apache2.inc.
mpm=event
keep=keep_or_again # it ends those that are kept when all threads are busy
pooled=disablereuse=on # and its proxy answers 502 when it asks through one that is being ended
. "$(dirname "$0")/apache2.inc"
