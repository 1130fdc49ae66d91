/* See page_cache.h. */
#include "page_cache.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "denied.h"
#include "scheduler.h"

/* A neighbourhood, how many hits make it worth a question, how many reads the answer is good for. */
#define REGION ((uint64_t)256 * 1024)
#define HITS 16
#define SURE 255

/* For how long: as many looks at the loop, some milliseconds, and no idle wait. */
#define YOUNG (WEFT__IDLE_AGE - 1)

#define PROBED_PAGES 32 /* the most that a probe reads */

#define AHEAD ((uint64_t)1024 * 1024) /* more than the kernel reads ahead */

/*
 * What probes have found lately: a file is opened again for each who wants it. An entry is replaced
 * when another file, or another part, comes to its place.
 */
#define FOUND 64

static struct found {
	uint64_t device, inode, start, end;
	uint32_t age; /* of the carrier, when the first probe was */
} found[FOUND];

/*
 * Have a range begin with a page and end with the file; without bytes if it lies behind that. What a
 * device has does not show.
 */
static long clip(long number, struct weft__range *range, struct stat *status)
{
	uint64_t end = range->start + range->bytes;
	long err = weft__raw(SYS_fstat, number, status);

	if (err != 0)
		return err;
	if (!S_ISREG(status->st_mode))
		return -EINVAL;
	if (end > (uint64_t)status->st_size)
		end = (uint64_t)status->st_size;
	range->start -= range->start % WEFT__PAGE;
	range->bytes = end > range->start ? end - range->start : 0;
	return 0;
}

static uint64_t pages_of(const struct weft__range *range)
{
	return (range->bytes + WEFT__PAGE - 1) / WEFT__PAGE;
}

long weft__cache_look(long number, struct weft__range range)
{
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} now;
	struct stat status;
	long err;

	if (weft__denied[SYS_cachestat])
		return -ENOSYS;
	err = clip(number, &range, &status);
	if (err != 0 || range.bytes == 0)
		return err;
	err = weft__raw(SYS_cachestat, number, &range, &now, 0);
	if (err != 0)
		return err;
	return now.cached >= pages_of(&range) ? 0 : -EAGAIN;
}

/* Read a range to nowhere; 0, -EAGAIN or another error. */
static long read_through(long number, const struct weft__range *range)
{
	static char page[WEFT__PAGE];
	struct iovec pages[PROBED_PAGES];
	long n;

	if (weft__denied[SYS_preadv2])
		return -ENOSYS;
	for (size_t i = 0; i < pages_of(range); i++)
		pages[i] = (struct iovec){page, sizeof(page)};
	n = weft__raw(SYS_preadv2, number, pages, pages_of(range), range->start, 0, RWF_NOWAIT);
	if (n < 0)
		return n;
	return (uint64_t)n >= range->bytes ? 0 : -EAGAIN;
}

/* How much of a range, from its start on, is known to be there from what was found. */
static uint64_t found_of(const struct found *it, const struct stat *status,
			 const struct weft__range *range)
{
	if (it->device != status->st_dev || it->inode != status->st_ino ||
	    weft__current->carrier->age - it->age > YOUNG || range->start < it->start ||
	    range->start >= it->end)
		return 0;
	return it->end - range->start;
}

static void find(struct found *it, const struct stat *status, const struct weft__range *range)
{
	struct weft__range before = {range->start - 1, 1};

	if (range->start == 0 || found_of(it, status, &before) == 0)
		*it = (struct found){.device = status->st_dev,
				     .inode = status->st_ino,
				     .start = range->start,
				     .age = weft__current->carrier->age};
	it->end = range->start + range->bytes;
}

long weft__cache_probe(long number, struct weft__range *range)
{
	struct stat status;
	struct found *it;
	uint64_t bytes;
	long err = clip(number, range, &status);

	if (err != 0 || range->bytes == 0)
		return err;
	it = &found[(status.st_ino ^ status.st_dev) % FOUND];
	bytes = found_of(it, &status, range);
	if (bytes == 0) {
		if (range->bytes > PROBED_PAGES * WEFT__PAGE)
			range->bytes = PROBED_PAGES * WEFT__PAGE;
		err = read_through(number, range);
		if (err == 0)
			find(it, &status, range);
		return err;
	}
	if (range->bytes > bytes)
		range->bytes = bytes;
	return 0;
}

bool weft__cache_is_sure(struct weft__cached *cached, long position, long bytes)
{
	if (position == WEFT__CURRENT)
		position = cached->placed ? (long)cached->position : -1;
	if (cached->left == 0 || position < 0 || (uint64_t)position / REGION != cached->region ||
	    (uint64_t)(position + bytes - 1) / REGION != cached->region ||
	    weft__current->carrier->age - cached->age > YOUNG)
		return false;
	cached->left--;
	return true;
}

bool weft__cache_is_cold(struct weft__cached *cached, long number, long position, long bytes)
{
	struct weft__range ahead;

	if (!cached->cold)
		return false;
	if (position == WEFT__CURRENT)
		position = weft__raw(SYS_lseek, number, 0, SEEK_CUR);
	ahead = (struct weft__range){(uint64_t)position, (uint64_t)bytes + AHEAD};
	cached->cold = position >= 0 && weft__cache_look(number, ahead) == -EAGAIN;
	return cached->cold;
}

void weft__cache_moved(struct weft__cached *cached, long number, long n)
{
	long position;

	if (n < 0)
		return;
	if (cached->placed) {
		cached->position += (uint64_t)n;
		return;
	}
	position = weft__raw(SYS_lseek, number, 0, SEEK_CUR);
	cached->placed = position >= 0;
	cached->position = (uint64_t)position;
}

void weft__cache_hit(struct weft__cached *cached, long number, long position, long n)
{
	uint32_t region, age = weft__current->carrier->age;

	if (position == WEFT__CURRENT) {
		weft__cache_moved(cached, number, n);
		position = (long)cached->position - n;
	}
	region = (uint32_t)((uint64_t)position / REGION);
	if (region != cached->region || age - cached->age > YOUNG) {
		cached->region = region;
		cached->age = age;
		cached->hits = cached->left = 0;
	}
	if (++cached->hits < HITS)
		return;
	cached->hits = 0;
	if (weft__cache_look(number, (struct weft__range){region * REGION, REGION}) == 0) {
		cached->age = age;
		cached->hits = HITS - 1;
		cached->left = SURE;
	}
}
