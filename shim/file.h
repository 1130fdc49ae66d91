/*
 * Files on disks and networks: what cannot be done from the page cache is an offload thread's.
 */
#ifndef WEFT_FILE_H
#define WEFT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "call.h"
#include "ready.h"

/** More than this is copied by an offload thread, cached or not: 50 us are a long time here. */
#define WEFT__MUCH ((long)256 * 1024)

/** To free fewer blocks than this, of 512 bytes, takes no time worth a thread's. */
#define WEFT__BIG_BLOCKS 2048

/**
 * read(2), write(2) or one of their relatives on a WEFT__FILE or WEFT__MEMORY that is claimed.
 *
 * Switches   when it has to wait
 *
 * @return the call's result, or WEFT__PASS
 */
long weft__file_io(struct weft__call *c);

/** Whether calls that look up a path may wait for a server, or for another task. */
extern bool weft__paths_wait;

/** Find that out from what is mounted, unless the user has said. */
void weft__paths_look(void);

#endif
