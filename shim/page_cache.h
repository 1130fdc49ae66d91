/*
 * What of a file is in the page cache, as far as it shows.
 *
 * RWF_NOWAIT tells of each read, but costs a tenth of one of 4 KB, and submits requests to read
 * ahead, for which it may have to wait. So where many reads in a row have been in the cache, or one
 * has not, cachestat(2) is asked for the neighbourhood (Linux 6.5; of files that
 * are the caller's or that it may write). Wrong answers cost time, nothing else.
 */
#ifndef WEFT_PAGE_CACHE_H
#define WEFT_PAGE_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "ready.h"

/** For a position: that of the open file. */
#define WEFT__CURRENT (-1L)

#define WEFT__PAGE 4096

/** A range of a file; how much is told of less where the file ends before. */
struct weft__range {
	uint64_t start, bytes;
};

/** Whether all of a range is in the cache: 0, -EAGAIN, or another error when it cannot be told. */
long weft__cache_look(long number, struct weft__range range);

/**
 * As weft__cache_look(), of any file that can be read: by reading it to nowhere with RWF_NOWAIT, unless
 * that has been done lately. It costs 0.1 us a page, and of what is not there it begins to read the
 * first part.
 *
 * @param range  becomes what was looked at of it, from a page's beginning; none of it lies behind the
 *               file's end
 */
long weft__cache_probe(long number, struct weft__range *range);

/** Whether a read is known to be in the cache: for some more reads, and some milliseconds. */
bool weft__cache_is_sure(struct weft__cached *cached, long position, long bytes);

/** Whether a read is better not tried: one has missed, and not all is there since that is ahead. */
bool weft__cache_is_cold(struct weft__cached *cached, long number, long position, long bytes);

/** A read of n bytes has been in the cache. */
void weft__cache_hit(struct weft__cached *cached, long number, long position, long n);

/** The position of the open file has moved by n. */
void weft__cache_moved(struct weft__cached *cached, long number, long n);

#endif
