/* See page_cache.h. */
#include "page_cache.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "denied.h"
#include "scheduler.h"

/* A neighbourhood, how many hits make it worth a question, how many reads the answer is good for. */
#define REGION ((uint64_t)256 * 1024)
#define HITS 16
#define SURE 255

/* For how long: as many looks at the loop, some milliseconds, and no idle wait. */
#define YOUNG (WEFT__IDLE_AGE - 1)

#define AHEAD ((uint64_t)1024 * 1024) /* more than the kernel reads ahead */

long weft__cache_look(long number, struct weft__range range)
{
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} now;
	struct stat status;
	uint64_t end;
	long err;

	if (weft__denied[SYS_cachestat])
		return -ENOSYS;
	err = weft__raw(SYS_fstat, number, &status);
	if (err != 0 || (uint64_t)status.st_size <= range.start)
		return err;
	end = range.start + range.bytes;
	if (end > (uint64_t)status.st_size)
		end = (uint64_t)status.st_size;
	range.start -= range.start % WEFT__PAGE;
	range.bytes = end - range.start;
	err = weft__raw(SYS_cachestat, number, &range, &now, 0);
	if (err != 0)
		return err;
	return now.cached >= (range.bytes + WEFT__PAGE - 1) / WEFT__PAGE ? 0 : -EAGAIN;
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
