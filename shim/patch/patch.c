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
 *	        [one byte for each instruction of the window: how long it is, here and there]
 *	        .byte how many they are
 *
 * In place of a first stub each region has the address of entry.
 */
#include "patch.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Three instructions of 15 bytes, 27 bytes, and behind it 23 and a jump; their lengths. */
#define STUB_BYTES 112

/* From the lea to the system call. */
#define CALL_BYTES (7 + 6 + sizeof(uintptr_t))

/* The stubs of an object, while they are in use. Signal handlers look through the list. */
struct stubs {
	struct stubs *next;
	const uint8_t *start, *end;
};

static struct stubs *all;

static const uint8_t lea_rcx[] = {0x48, 0x8d, 0x0d}, jmp_slot[] = {0xff, 0x25};

static uintptr_t stub_of(const struct weft__region *region, size_t i)
{
	return (uintptr_t)region->start + (i + 1) * STUB_BYTES;
}

static uint8_t *put_lea_rcx(uint8_t *at, uintptr_t to)
{
	at = weft__put(at, lea_rcx, sizeof(lea_rcx));
	return weft__put_distance(at, (uintptr_t)at, to);
}

static uint8_t *put_jump_by(uint8_t *at, uintptr_t slot)
{
	at = weft__put(at, jmp_slot, sizeof(jmp_slot));
	return weft__put_distance(at, (uintptr_t)at, slot);
}

/* Put a jump in its long form. */
static uint8_t *put_long_jump(uint8_t *at, const uint8_t *insn, size_t bytes)
{
	int32_t distance = (int8_t)insn[1];
	uint8_t opcode = insn[bytes == 6 ? 1 : 0];

	if (bytes > 2)
		memcpy(&distance, insn + bytes - 4, 4);
	if (opcode == 0xeb || opcode == 0xe9) {
		*at++ = 0xe9;
	} else {
		*at++ = 0x0f;
		*at++ = 0x80 | (opcode & 0x0f);
	}
	return weft__put_distance(at, (uintptr_t)at,
				  (uintptr_t)insn + bytes + (uintptr_t)(intptr_t)distance);
}

static uint8_t *put_moved(uint8_t *at, const uint8_t *insn, const struct weft__moved *moved)
{
	int32_t distance;

	if (moved->way == WEFT__JUMPS)
		return put_long_jump(at, insn, moved->bytes);
	if (moved->way == WEFT__REFERS) {
		memcpy(&distance, insn + moved->distance_at, 4);
		distance += (int32_t)(insn - at);
		weft__put(at, insn, moved->bytes);
		memcpy(at + moved->distance_at, &distance, 4);
		return at + moved->bytes;
	}
	return weft__put(at, insn, moved->bytes);
}

static uint8_t *put_call(uint8_t *at, uintptr_t entry_slot, uintptr_t behind)
{
	uint8_t *native = at + sizeof(lea_rcx) + 4 + sizeof(jmp_slot) + 4 + sizeof(behind);

	at = put_jump_by(put_lea_rcx(at, (uintptr_t)native), entry_slot);
	return weft__put(at, &behind, sizeof(behind));
}

static size_t long_jump_bytes(const uint8_t *insn)
{
	return insn[0] == 0xeb || insn[0] == 0xe9 ? 5 : 6;
}

/* The end of a stub: how long each instruction is, there and here; the call is 0 long here. */
static void note_lengths(uint8_t *stub, const struct weft__site *site)
{
	uint8_t *at = stub + STUB_BYTES - 1 - site->n_moved;
	const uint8_t *insn = (const uint8_t *)site->start;

	stub[STUB_BYTES - 1] = site->n_moved;
	for (size_t i = 0; i < site->n_moved; i++) {
		const struct weft__moved *moved = &site->moved[i];
		size_t here = moved->way == WEFT__JUMPS ? long_jump_bytes(insn) : moved->bytes;

		if ((uintptr_t)insn == site->syscall)
			here = 0;
		*at++ = (uint8_t)(here << 4 | moved->bytes);
		insn += moved->bytes;
	}
}

static void build_stub(uint8_t *at, uintptr_t entry_slot, const struct weft__site *site)
{
	const uint8_t *insn = (const uint8_t *)site->start;
	uint8_t *stub = at;

	for (size_t i = 0; i < site->n_moved; i++) {
		if ((uintptr_t)insn == site->syscall)
			at = put_call(at, entry_slot, site->syscall + 2);
		at = put_moved(at, insn, &site->moved[i]);
		insn += site->moved[i].bytes;
	}
	weft__put_jump(at, (uintptr_t)at, site->end);
	note_lengths(stub, site);
}

static size_t list_jumps(struct weft__jump *jumps, const struct weft__site *site, uintptr_t stub)
{
	uintptr_t to = site->hole == 0 ? stub : site->hole;

	jumps[0] = (struct weft__jump){site->start, site->end, to};
	if (site->hole == 0)
		return 1;
	jumps[1] = (struct weft__jump){site->hole, site->hole + WEFT__LONG_JUMP, stub};
	return 2;
}

/* Build the stubs of the sites that fit, and list the jumps to them. */
static const char *build_stubs(const struct weft__object *object, const struct weft__sites *sites,
			       uintptr_t entry, struct weft__region *region,
			       struct weft__jump *jumps, size_t *ret_jumps)
{
	size_t n = 0, n_jumps = 0;

	if (weft__region_map(object, (sites->fit + 1) * STUB_BYTES, region) != 0)
		return "no room for the stubs near its text";
	weft__put(region->start, &entry, sizeof(entry));
	for (size_t i = 0; i < sites->n; i++) {
		const struct weft__site *site = &sites->site[i];

		if (site->fit != WEFT__FIT_YES)
			continue;
		build_stub((uint8_t *)stub_of(region, n), (uintptr_t)region->start, site);
		n_jumps += list_jumps(jumps + n_jumps, site, stub_of(region, n));
		n++;
	}
	*ret_jumps = n_jumps;
	return weft__region_seal(region) == 0 ? NULL : "its stubs may not be executed";
}

static bool is_in(const struct weft__text *text, const struct weft__jump *jump)
{
	return jump->start >= text->start && jump->start < text->end;
}

/* Change all texts; once one is changed, the stubs stay. */
static const char *change_texts(const struct weft__object *object, struct weft__jump *jumps,
				size_t n)
{
	struct weft__text text = {0, 0};
	bool changed = false;

	while (weft__object_next_text(object, &text)) {
		size_t inside = 0;

		for (size_t i = 0; i < n; i++)
			if (is_in(&text, &jumps[i])) {
				struct weft__jump jump = jumps[i];

				jumps[i] = jumps[inside];
				jumps[inside++] = jump;
			}
		if (inside > 0 && weft__text_change(&text, jumps, inside) != 0)
			return changed ? NULL : "its text may not be rewritten";
		changed |= inside > 0;
	}
	return NULL;
}

static const char *patch_sites(const struct weft__object *object, const struct weft__sites *sites,
			       uintptr_t entry, struct weft__region *region)
{
	size_t bytes = 2 * sites->fit * sizeof(struct weft__jump), n;
	struct weft__jump *jumps = weft__alloc(bytes);
	struct stubs *stubs = weft__alloc(sizeof(*stubs));
	const char *refused = "out of memory";

	if (jumps != NULL && stubs != NULL)
		refused = build_stubs(object, sites, entry, region, jumps, &n);
	if (refused == NULL)
		refused = change_texts(object, jumps, n);
	if (refused == NULL) {
		*stubs = (struct stubs){all, (const uint8_t *)stub_of(region, 0),
					(const uint8_t *)stub_of(region, sites->fit)};
		all = stubs;
	} else {
		weft__region_unmap(region);
		weft__free(stubs, sizeof(*stubs));
	}
	weft__free(jumps, bytes);
	return refused;
}

static size_t count_unfit(const struct weft__sites *sites)
{
	size_t unfit = 0;

	for (size_t i = 0; i < sites->n; i++)
		unfit += sites->site[i].fit != WEFT__FIT_YES;
	return unfit;
}

const char *weft__patch_object(const struct weft__object *object, weft__wanted *wanted,
			       void (*entry)(void), struct weft__patch *patch)
{
	struct weft__sites sites;
	const char *refused = NULL;

	*patch = (struct weft__patch){.patched = 0};
	if (weft__find_sites(object, wanted, &sites) != 0)
		return "out of memory";
	if (sites.fit > 0)
		refused = weft__object_relocates_text(object)
				  ? "its text is changed while it is loaded"
				  : patch_sites(object, &sites, (uintptr_t)entry, &patch->stubs);
	patch->patched = refused == NULL ? sites.fit : 0;
	patch->unfit = count_unfit(&sites);
	patch->missed = sites.missed + (refused != NULL ? sites.fit : 0);
	free(sites.site);
	return refused;
}

const char *weft__patch_function(const struct weft__object *object,
				 const struct weft__function *function, void (*instead)(void))
{
	struct weft__jump jump = {function->start, function->end, 0};
	struct weft__text text = {0, 0};
	struct weft__region region;
	uintptr_t to = (uintptr_t)instead;

	while (weft__object_next_text(object, &text) && text.end <= function->start)
		;
	if (weft__region_map(object, STUB_BYTES, &region) != 0)
		return "no room for the stub near its text";
	jump.to = (uintptr_t)weft__put(region.start, &to, sizeof(to));
	put_jump_by((uint8_t *)jump.to, (uintptr_t)region.start);
	if (weft__region_seal(&region) == 0 && weft__text_change(&text, &jump, 1) == 0)
		return NULL;
	weft__region_unmap(&region);
	return "its text may not be rewritten";
}

void weft__patch_forget(struct weft__region *region)
{
	struct stubs **link = &all, *stubs;

	while ((stubs = *link) != NULL && (uintptr_t)stubs->start != stub_of(region, 0))
		link = &stubs->next;
	if (stubs != NULL)
		*link = stubs->next;
	weft__free(stubs, sizeof(*stubs));
	weft__region_unmap(region);
}

/* Where in the window the instruction begins that a place in its stub belongs to. */
static uintptr_t place_in_window(const uint8_t *stub, size_t offset)
{
	const uint8_t n = stub[STUB_BYTES - 1], *lengths = stub + STUB_BYTES - 1 - n;
	size_t at = 0, before = 0, step = 0;
	uintptr_t behind;

	for (size_t i = 0; i < n && lengths[i] >> 4 != 0; i++) {
		if (offset >= at && offset < at + (lengths[i] >> 4))
			step = before + (offset - at);
		at += lengths[i] >> 4;
		before += lengths[i] & 15;
	}
	memcpy(&behind, stub + at + CALL_BYTES - sizeof(behind), sizeof(behind));
	if (offset < at)
		return behind - 2 - before + step;
	if (offset <= at + CALL_BYTES)
		return behind - 2;
	return behind + (offset - at - CALL_BYTES - 2);
}

uintptr_t weft__original_pc(uintptr_t pc)
{
	const uint8_t *at = (const uint8_t *)pc;
	const struct stubs *stubs = all;
	size_t offset;

	while (stubs != NULL && (at < stubs->start || at >= stubs->end))
		stubs = stubs->next;
	if (stubs == NULL)
		return pc;
	offset = (size_t)(at - stubs->start) % STUB_BYTES;
	return place_in_window(at - offset, offset);
}
