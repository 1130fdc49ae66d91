/*
 * See text.h.
 *
 * There are two ways. The usual one takes the text's right to be executed, writes, and gives it
 * back. From the first to the second mprotect nothing in libc, nor the vDSO, may run: no call, no
 * signal handler. CMakeLists.txt keeps the compiler from turning the loops of this file into calls
 * of memcpy.
 *
 * Where what was written may not be executed any more (PR_SET_MDWE of Linux 6.3, the seccomp rules
 * of systemd's MemoryDenyWriteExecute), a changed copy is made in a memory file and mapped over the
 * original. It costs memory for all that lies between the first and the last change, and whoever
 * looks at /proc/self/maps sees no library there.
 */
#include "text.h"

#include <errno.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "raw.h"

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x0010U
#endif

#define PAGE 4096UL
#define ROOM_STEP 0x10000UL
#define REACH (1UL << 30)
#define INT3 0xcc

uint8_t *weft__put(uint8_t *at, const void *from, size_t n)
{
	const uint8_t *byte = from;

	while (n-- > 0)
		*at++ = *byte++;
	return at;
}

uint8_t *weft__put_distance(uint8_t *at, uintptr_t address, uintptr_t to)
{
	int32_t distance = (int32_t)(to - address - 4);

	return weft__put(at, &distance, 4);
}

uint8_t *weft__put_jump(uint8_t *at, uintptr_t address, uintptr_t to)
{
	*at++ = 0xe9;
	return weft__put_distance(at, address + 1, to);
}

static uint8_t *put_short_jump(uint8_t *at, uintptr_t address, uintptr_t to)
{
	*at++ = 0xeb;
	*at++ = (uint8_t)(to - address - 2);
	return at;
}

static uintptr_t page_of(uintptr_t address)
{
	return address & ~(PAGE - 1);
}

static size_t whole_pages(size_t bytes)
{
	return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* Whether the region is there now; *err says whether it is worth going on otherwise. */
static bool try_room(uintptr_t at, size_t bytes, long *err)
{
	long start = weft__raw(SYS_mmap, at, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	*err = weft__failed(start) ? start : -EEXIST;
	if (start == (long)at)
		return true;
	if (!weft__failed(start)) /* before Linux 4.17 the flag is only a hint */
		weft__raw(SYS_munmap, start, bytes);
	return false;
}

/*
 * The first free place behind a library, or before it. Before the program first: behind it the heap
 * begins, which grows (brk(2)).
 */
int weft__region_map(const struct weft__object *object, size_t bytes, struct weft__region *region)
{
	struct weft__text text = {0, 0};
	uintptr_t first = 0, last = 0, at;
	bool down = object->name[0] == '\0';

	while (weft__object_next_text(object, &text)) {
		first = first == 0 ? text.start : first;
		last = text.end;
	}
	region->bytes = whole_pages(bytes);
	for (int way = 0; way < 2; way++, down = !down) {
		long err = -EEXIST;

		at = down ? (first - region->bytes) & ~(ROOM_STEP - 1)
			  : (last + ROOM_STEP - 1) & ~(ROOM_STEP - 1);
		/* EEXIST: taken; else it is the end of all addresses, where the vDSO may lie. */
		while (err == -EEXIST && (down ? last - at : at - first) < REACH) {
			if (try_room(at, region->bytes, &err)) {
				region->start = (uint8_t *)at;
				return 0;
			}
			at = down ? at - ROOM_STEP : at + ROOM_STEP;
		}
	}
	return -ENOMEM;
}

void weft__region_unmap(struct weft__region *region)
{
	if (region->start != NULL)
		weft__raw(SYS_munmap, region->start, region->bytes);
	region->start = NULL;
}

/* Write jumps into the bytes that are to stand at `start`, int3 behind them: nobody gets there. */
static void put_jumps(uint8_t *bytes, uintptr_t start, const struct weft__jump *jumps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t *at = bytes + (jumps[i].start - start);
		const uint8_t *end = bytes + (jumps[i].end - start);

		at = end - at < WEFT__LONG_JUMP ? put_short_jump(at, jumps[i].start, jumps[i].to)
						: weft__put_jump(at, jumps[i].start, jumps[i].to);
		while (at < end)
			*at++ = INT3;
	}
}

static long open_memory(void)
{
	/* Unless it may be executed by its mode, vm.memfd_noexec may have it that it never is. */
	long fd = weft__raw(SYS_memfd_create, "weft", MFD_CLOEXEC | MFD_EXEC);

	return fd == -EINVAL ? weft__raw(SYS_memfd_create, "weft", MFD_CLOEXEC) : fd;
}

/* Write pages to a file of memory, and jumps over them. */
static long fill_memory(long fd, uintptr_t start, size_t bytes, const struct weft__jump *jumps,
			size_t n)
{
	long written, shadow;

	for (size_t done = 0; done < bytes; done += (size_t)written) {
		written = weft__raw(SYS_pwrite64, fd, start + done, bytes - done, done);
		if (written <= 0)
			return written == 0 ? -EIO : written;
	}
	shadow = weft__raw(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (weft__failed(shadow))
		return shadow;
	put_jumps((uint8_t *)shadow, start, jumps, n);
	weft__raw(SYS_munmap, shadow, bytes);
	return 0;
}

/* Replace pages by an executable copy of them with jumps. */
static int map_copy(uintptr_t start, size_t bytes, const struct weft__jump *jumps, size_t n)
{
	long fd = open_memory(), err;

	if (weft__failed(fd))
		return (int)fd;
	err = fill_memory(fd, start, bytes, jumps, n);
	if (err == 0)
		err = weft__raw(SYS_mmap, start, bytes, PROT_READ | PROT_EXEC,
				MAP_PRIVATE | MAP_FIXED, fd, 0);
	weft__raw(SYS_close, fd);
	return weft__failed(err) ? (int)err : 0;
}

int weft__region_seal(const struct weft__region *region)
{
	if (weft__raw(SYS_mprotect, region->start, region->bytes, PROT_READ | PROT_EXEC) == 0)
		return 0;
	return map_copy((uintptr_t)region->start, region->bytes, NULL, 0);
}

/* Whether text may be written and then be executed again. */
static bool may_rewrite(uintptr_t text_page)
{
	long copy = weft__raw(SYS_mmap, 0, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			      -1, 0);
	bool may;

	if (weft__failed(copy))
		return false;
	may = weft__raw(SYS_mprotect, copy, PAGE, PROT_READ | PROT_WRITE) == 0;
	if (may) {
		*(volatile char *)copy = *(volatile char *)text_page;
		may = weft__raw(SYS_mprotect, copy, PAGE, PROT_READ | PROT_EXEC) == 0;
	}
	weft__raw(SYS_munmap, copy, PAGE);
	return may;
}

static int rewrite(const struct weft__text *text, const struct weft__jump *jumps, size_t n)
{
	uintptr_t start = page_of(text->start);
	size_t bytes = whole_pages(text->end - start);
	long err = weft__raw(SYS_mprotect, start, bytes, PROT_READ | PROT_WRITE);

	if (err != 0)
		return (int)err;
	put_jumps((uint8_t *)start, start, jumps, n);
	err = weft__raw(SYS_mprotect, start, bytes, PROT_READ | PROT_EXEC);
	weft__check(err == 0); /* may_rewrite() has tried it; libc cannot run any more */
	return 0;
}

static int change(const struct weft__text *text, const struct weft__jump *jumps, size_t n)
{
	uintptr_t start = UINTPTR_MAX, end = 0;
	int err = -EACCES;

	for (size_t i = 0; i < n; i++) {
		if (jumps[i].start < start)
			start = page_of(jumps[i].start);
		if (jumps[i].end > end)
			end = jumps[i].end;
	}
	if (may_rewrite(page_of(text->start)))
		err = rewrite(text, jumps, n);
	if (err != 0)
		err = map_copy(start, whole_pages(end - start), jumps, n);
	/* The vDSO is replaced as a whole or not at all (special mappings cannot be split). */
	if (err == -EINVAL) {
		start = page_of(text->start);
		err = map_copy(start, whole_pages(text->end - start), jumps, n);
	}
	return err;
}

int weft__text_change(const struct weft__text *text, const struct weft__jump *jumps, size_t n)
{
	uint64_t all = UINT64_MAX, before;
	int err;

	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	err = change(text, jumps, n);
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(all));
	return err;
}
