/* See buffers.h. */
#include "buffers.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <sys/mman.h>

#include "denied.h"

#define MOST_BYTES 32768
#define PAGE 4096

/* The last one that was mapped, and no call about memory since; it is kept once it is unmapped. */
static struct {
	uintptr_t start;
	size_t bytes;
	bool is_kept;
} last;

bool weft__buffer_asked_for(const struct weft__call *c)
{
	return c->arg[0] == 0 && (size_t)c->arg[1] <= MOST_BYTES &&
	       c->arg[2] == (PROT_READ | PROT_WRITE) && c->arg[3] == (MAP_PRIVATE | MAP_ANONYMOUS);
}

/* It may be gone, by a call that weft has not seen. */
static bool clear(uintptr_t start, size_t bytes)
{
	static const char zeros[PAGE];

	for (size_t at = 0; at < bytes; at += PAGE)
		if (weft__copy((void *)(start + at), zeros, PAGE) != 0)
			return false;
	return true;
}

/*
 * All of it is about to be used. Having its pages at once saves as many faults, of 1 to 3 us each in a
 * virtual machine; a page is cleared in 0.1 us.
 */
long weft__buffer_map(const struct weft__call *c)
{
	long start;

	if (last.is_kept && last.bytes == (size_t)c->arg[1] && clear(last.start, last.bytes)) {
		last.is_kept = false;
		return (long)last.start;
	}
	weft__buffer_forget();
	start = weft__raw(SYS_mmap, c->arg[0], c->arg[1], c->arg[2], c->arg[3] | MAP_POPULATE,
			  c->arg[4], c->arg[5]);
	if (!weft__failed(start)) {
		last.start = (uintptr_t)start;
		last.bytes = (size_t)c->arg[1];
	}
	return start;
}

static bool is_libcs(uintptr_t address)
{
	static struct dl_find_object libc;

	return (libc.dlfo_map_start != NULL ||
		_dl_find_object((void *)(uintptr_t)gnu_get_libc_version, &libc) == 0) &&
	       address >= (uintptr_t)libc.dlfo_map_start && address < (uintptr_t)libc.dlfo_map_end;
}

/* Whether its own munmap(), which has no frame, was called by libc itself. */
static bool is_by_libc(const struct weft__call *c)
{
	uintptr_t caller;

	return is_libcs(c->pc) && weft__copy(&caller, (void *)c->sp, sizeof(caller)) == 0 &&
	       is_libcs(caller);
}

bool weft__buffer_keep(const struct weft__call *c)
{
	if (last.is_kept || last.bytes == 0 || last.start != (uintptr_t)c->arg[0] ||
	    last.bytes != (size_t)c->arg[1] || weft__denied[SYS_munmap] || !is_by_libc(c)) {
		weft__buffer_forget();
		return false;
	}
	last.is_kept = true;
	return true;
}

void weft__buffer_forget(void)
{
	if (last.is_kept)
		weft__raw(SYS_munmap, last.start, last.bytes);
	last.start = last.bytes = 0;
	last.is_kept = false;
}
