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
 *	        [zeros]
 *	        .byte how many bytes before the lea
 *
 * In place of a first stub each region has a struct head.
 *
 * While the text is writable it is not executable, so from the first to the second mprotect
 * nothing in libc, nor the vDSO, may run: no call, no signal handler. CMakeLists.txt keeps the compiler from
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

#define LEA_BYTES 7
#define JMP_BYTES 6
#define BEHIND_BYTES 8

struct region {
	uint8_t *start;
	size_t bytes;
};

struct head {
	uintptr_t entry;
	const struct head *next; /* in `regions` */
	const uint8_t *end;      /* of the stubs */
};

static const struct head *regions;

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
		else if (errno != EEXIST) /* the vDSO may lie at the end of all addresses */
			break;
	}
	return -ENOMEM;
}

static void build_stub(uint8_t *at, uintptr_t entry_slot, const struct weft__site *site)
{
	static const uint8_t lea_rcx[] = {0x48, 0x8d, 0x0d}, jmp_slot[] = {0xff, 0x25};
	uintptr_t behind = site->syscall + 2;
	uint8_t *stub = at, *native;

	at = put(at, (const void *)site->start, site->syscall - site->start);
	native = at + LEA_BYTES + JMP_BYTES + BEHIND_BYTES;
	at = put_relative(put(at, lea_rcx, sizeof(lea_rcx)), (uintptr_t)native);
	at = put_relative(put(at, jmp_slot, sizeof(jmp_slot)), entry_slot);
	at = put(at, &behind, sizeof(behind));
	at = put(at, (const void *)site->syscall, site->end - site->syscall);
	put_jump(at, site->end);
	stub[STUB_BYTES - 1] = (uint8_t)(site->syscall - site->start);
}

static int build_stubs(const struct weft__text *text, const struct weft__sites *sites,
		       uintptr_t entry, struct region *region)
{
	int err = map_region(text, sites->n, region);
	struct head *head = (struct head *)region->start;

	if (err != 0)
		return err;
	*head = (struct head){entry, regions, region->start + (sites->n + 1) * STUB_BYTES};
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

/* Turn the sites of a text, which may be rewritten, into jumps; what refused it, or NULL. */
static const char *patch_text(const struct weft__text *text, const struct weft__sites *sites,
			      uintptr_t entry)
{
	struct region region = {NULL, 0};
	const char *refused = NULL;

	if (build_stubs(text, sites, entry, &region) != 0)
		refused = "no room for the stubs near its text";
	else if (rewrite(text, sites, &region) != 0)
		refused = "its text may not be rewritten";
	if (refused == NULL)
		regions = (const struct head *)region.start;
	else if (region.start != NULL)
		munmap(region.start, region.bytes);
	return refused;
}

static const char *patch_object(const char *prefix, weft__wanted *wanted, uintptr_t entry,
				struct weft__patch_result *result)
{
	struct weft__text text;
	struct weft__sites sites;
	const char *refused = "no system calls found in it";

	if (weft__find_text(prefix, &text) != 0)
		return "it is not loaded, or not laid out as usual";
	if (!may_rewrite(text.start & ~(PAGE - 1)))
		return "its text may not be rewritten";
	if (weft__find_sites(&text, wanted, &sites) != 0)
		return "out of memory";
	if (sites.n > 0)
		refused = patch_text(&text, &sites, entry);
	result->patched = sites.n;
	result->unfit = sites.unfit;
	free(sites.site);
	return refused;
}

/* Every handler's number, and every site whose number only shows at run time. */
static int wanted_of_libc(int nr)
{
	return nr < 0 || (nr < WEFT__CALLS && weft__handlers[nr] != NULL);
}

const char *weft__patch_libc(struct weft__patch_result *result)
{
	return patch_object("libc.so.6", wanted_of_libc, (uintptr_t)weft__entry, result);
}

static int wanted_of_vdso(int nr)
{
	return nr < 0 || nr == SYS_clock_gettime || nr == SYS_clock_getres;
}

const char *weft__patch_vdso(struct weft__patch_result *result)
{
	return patch_object("linux-vdso.so.1", wanted_of_vdso, (uintptr_t)weft__entry_clock,
			    result);
}

uintptr_t weft__original_pc(uintptr_t pc)
{
	const uint8_t *at = (const uint8_t *)pc, *stub;
	const struct head *head = regions;
	uintptr_t behind, before;
	size_t offset;

	while (head != NULL && (at < (const uint8_t *)(head) + STUB_BYTES || at >= head->end))
		head = head->next;
	if (head == NULL)
		return pc;
	offset = (size_t)(at - (const uint8_t *)head) % STUB_BYTES;
	stub = at - offset;
	before = stub[STUB_BYTES - 1];
	put((uint8_t *)&behind, stub + before + LEA_BYTES + JMP_BYTES, sizeof(behind));
	if (offset < before)
		return behind - 2 - before + offset;
	if (offset < before + LEA_BYTES + JMP_BYTES + BEHIND_BYTES)
		return behind - 2;
	return behind - 2 + (offset - before - LEA_BYTES - JMP_BYTES - BEHIND_BYTES);
}
