/*
 * See patch.h.
 *
 * One stub per site, in a region of its own within reach of the text:
 *
 *	        [instructions of the window before the syscall]
 *	        lea   native(%rip), %rcx
 *	        jmp   *entry(%rip)
 *	        .quad address behind the syscall in the original text
 *	native: syscall
 *	        [instructions of the window behind it]
 *	        jmp   end of the window
 *
 * While the text is writable it is not executable, so from the first to the second mprotect
 * nothing in libc may run: no call, no signal handler. CMakeLists.txt keeps the compiler from
 * turning the loops of this file into calls of memcpy.
 */
#include "patch.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "call.h"
#include "site.h"

#define STUB_BYTES 96
#define PAGE 4096UL
#define REACH (1UL << 30)

struct region {
	uint8_t *start;
	size_t bytes;
};

static uint8_t *put(uint8_t *at, const void *from, size_t n)
{
	const uint8_t *byte = from;

	while (n-- > 0)
		*at++ = *byte++;
	return at;
}

static uint8_t *put_relative(uint8_t *at, uintptr_t to)
{
	int32_t distance = (int32_t)(to - (uintptr_t)at - 4);

	return put(at, &distance, 4);
}

static uint8_t *put_jump(uint8_t *at, uintptr_t to)
{
	*at++ = 0xe9;
	return put_relative(at, to);
}

/* Map room for the stubs at the first free place behind the text. */
static int map_region(const struct weft__text *text, size_t n, struct region *region)
{
	uintptr_t at = (text->end + 0xffff) & ~(uintptr_t)0xffff;

	region->bytes = ((n + 1) * STUB_BYTES + PAGE - 1) & ~(PAGE - 1);
	for (; at < text->end + REACH; at += 0x10000) {
		void *start = mmap((void *)at, region->bytes, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

		if (start == (void *)at) {
			region->start = start;
			return 0;
		}
		if (start != MAP_FAILED) /* before Linux 4.17 the flag is only a hint */
			munmap(start, region->bytes);
	}
	return -ENOMEM;
}

static void build_stub(uint8_t *at, uintptr_t entry_slot, const struct weft__site *site)
{
	static const uint8_t lea_rcx[] = {0x48, 0x8d, 0x0d}, jmp_slot[] = {0xff, 0x25};
	uintptr_t behind = site->syscall + 2;
	uint8_t *native;

	at = put(at, (const void *)site->start, site->syscall - site->start);
	native = at + sizeof(lea_rcx) + 4 + sizeof(jmp_slot) + 4 + sizeof(behind);
	at = put_relative(put(at, lea_rcx, sizeof(lea_rcx)), (uintptr_t)native);
	at = put_relative(put(at, jmp_slot, sizeof(jmp_slot)), entry_slot);
	at = put(at, &behind, sizeof(behind));
	at = put(at, (const void *)site->syscall, site->end - site->syscall);
	put_jump(at, site->end);
}

static int build_stubs(const struct weft__text *text, const struct weft__sites *sites,
		       struct region *region)
{
	uintptr_t entry = (uintptr_t)weft__entry;
	int err = map_region(text, sites->n, region);

	if (err != 0)
		return err;
	put(region->start, &entry, sizeof(entry));
	for (size_t i = 0; i < sites->n; i++)
		build_stub(region->start + (i + 1) * STUB_BYTES, (uintptr_t)region->start,
			   &sites->site[i]);
	if (mprotect(region->start, region->bytes, PROT_READ | PROT_EXEC) != 0)
		return -errno;
	return 0;
}

/* Whether text may be written and then be executed again (systemd's MemoryDenyWriteExecute). */
static bool may_rewrite(uintptr_t text_page)
{
	void *copy = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool may = copy != MAP_FAILED && mprotect(copy, PAGE, PROT_READ | PROT_WRITE) == 0;

	if (may) {
		*(volatile char *)copy = *(volatile char *)text_page;
		may = mprotect(copy, PAGE, PROT_READ | PROT_EXEC) == 0;
	}
	if (copy != MAP_FAILED)
		munmap(copy, PAGE);
	return may;
}

static void divert(const struct weft__site *site, uintptr_t stub)
{
	uint8_t *at = (uint8_t *)site->start;

	/* Behind the jump comes what nobody reaches: int3. */
	for (at = put_jump(at, stub); at < (uint8_t *)site->end; at++)
		*at = 0xcc;
}

static int rewrite(const struct weft__text *text, const struct weft__sites *sites,
		   const struct region *region)
{
	uintptr_t start = text->start & ~(PAGE - 1);
	size_t bytes = ((text->end + PAGE - 1) & ~(PAGE - 1)) - start;
	uint64_t all = UINT64_MAX, before;
	long err;

	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	err = weft__raw(SYS_mprotect, start, bytes, PROT_READ | PROT_WRITE);
	if (err == 0) {
		for (size_t i = 0; i < sites->n; i++)
			divert(&sites->site[i], (uintptr_t)region->start + (i + 1) * STUB_BYTES);
		err = weft__raw(SYS_mprotect, start, bytes, PROT_READ | PROT_EXEC);
		weft__check(err == 0); /* may_rewrite() has tried it; libc cannot run any more */
	}
	weft__raw(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(all));
	return (int)err;
}

/* Every handler's number, and every site whose number only shows at run time. */
static int wanted(int nr)
{
	return nr < 0 || (nr < WEFT__CALLS && weft__handlers[nr] != NULL);
}

int weft__patch_libc(struct weft__patch_result *result)
{
	struct weft__text text;
	struct weft__sites sites = {.site = NULL};
	struct region region = {NULL, 0};
	int err;

	result->refused = "libc.so.6 is not loaded, or not as glibc lays it out";
	err = weft__find_text("libc.so.6", &text);
	if (err != 0)
		return err;
	result->refused = "its text may not be rewritten";
	if (!may_rewrite(text.start & ~(PAGE - 1)))
		return -EACCES;
	result->refused = "out of memory";
	err = weft__find_sites(&text, wanted, &sites);
	if (err != 0)
		return err;
	result->refused = "no system calls found in libc.so.6";
	err = -ENOTSUP;
	if (sites.n == 0)
		goto free_sites;
	result->refused = "no room for the stubs near libc's text";
	err = build_stubs(&text, &sites, &region);
	if (err == 0) {
		result->refused = "its text may not be rewritten";
		err = rewrite(&text, &sites, &region);
	}
	if (err != 0 && region.start != NULL)
		munmap(region.start, region.bytes);
	if (err == 0) {
		result->refused = NULL;
		result->patched = sites.n;
		result->unfit = sites.unfit;
	}
free_sites:
	free(sites.site);
	return err;
}
