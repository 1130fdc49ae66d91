/*
 * Small blocks that are mapped, one each: buffers.
 *
 * A program may have malloc(3) map all but the smallest blocks (M_MMAP_THRESHOLD of mallopt(3)). Then
 * each costs two calls and the pages in between, 7 us and more in a virtual machine: of the 80 us of a
 * message through stunnel it is 15. So a block that free(3) unmaps is kept until the next call about
 * memory, and given to whom that maps as much, cleared. For any other such call it is unmapped first:
 * none of them finds it. Only libc's own calls are answered so, for a block that is free is malloc's;
 * what the program unmaps itself is gone at once.
 */
#ifndef WEFT_BUFFERS_H
#define WEFT_BUFFERS_H

#include "call.h"

/** Whether it is a buffer that is to be mapped. */
bool weft__buffer_asked_for(const struct weft__call *c);

/** Map one (mmap(2)). */
long weft__buffer_map(const struct weft__call *c);

/** Keep one that is to be unmapped, and is fit for it; whether it was. Else as weft__buffer_forget(). */
bool weft__buffer_keep(const struct weft__call *c);

/** Another call about memory is coming: unmap what is kept, and keep nothing that was mapped before. */
void weft__buffer_forget(void);

#endif
