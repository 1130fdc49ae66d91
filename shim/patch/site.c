/*
 * See site.h.
 *
 * Bytes `0f 05` may stand in the middle of anything: each is looked at only as part of the
 * function it lies in, decoded from that function's start. Most objects make no calls of their own,
 * so nothing is done before the first pair is found.
 */
#include "site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "code.h"
#include "raw.h"
#include "scan.h"

#define JUMP_BYTES 5
#define SHORT_JUMP_BYTES 2
/* How far a short jump may lead, from behind it. */
#define SHORT_BACK 128
#define SHORT_AHEAD 127

struct search {
	struct weft__code code;
	weft__wanted *wanted;
	struct weft__sites *sites;
	uintptr_t taken; /* where the last window ends */
};

/* Whether an instruction may be part of a window that begins at another. */
static bool may_move(const struct weft__code *code, size_t i, size_t first, size_t call)
{
	const struct weft__insn *insn = &code->insn[i];

	if (insn->moved.way == WEFT__STAYS || (insn->target && i != first))
		return false;
	if (i > call)
		return !insn->is_syscall;
	return i == call || (insn->moved.way != WEFT__JUMPS && !insn->is_syscall);
}

/*
 * Where what lies behind a function ends; its own end if nothing does, or what does is not padding:
 * assembler code has parts without unwind information.
 */
static uintptr_t end_of_padding(const struct weft__code *code,
				const struct weft__function *function)
{
	struct weft__function padded;

	if (weft__find_function(code->object, function->end, &padded) != WEFT__COVERED ||
	    padded.start != function->start ||
	    !weft__code_is_padding(code, function->end, padded.end))
		return function->end;
	return padded.end;
}

/*
 * Where a window of enough bytes ends whose instructions end at `end`, with nothing behind them that
 * control comes to: padding goes with them. More might as well, but for landing pads of exceptions,
 * which are not among the known targets.
 */
static uintptr_t add_idle(const struct weft__code *code, size_t i, uintptr_t start, uintptr_t end)
{
	for (; i < code->n && end - start < JUMP_BYTES; i++) {
		if (!code->insn[i].idle || code->insn[i].target)
			return end;
		end = code->insn[i].at + code->insn[i].moved.bytes;
	}
	if (end - start < JUMP_BYTES && end == code->function.end &&
	    end_of_padding(code, &code->function) - start >= JUMP_BYTES)
		end = start + JUMP_BYTES;
	return end;
}

/* Take the window that begins `back` instructions before the call, with padding or without. */
static bool fit_window(const struct search *search, size_t call, size_t back, bool idle,
		       struct weft__site *site)
{
	const struct weft__code *code = &search->code;
	size_t first = call - back, i = first;
	uintptr_t start = code->insn[first].at, end = start;

	if (start < search->taken)
		return false;
	site->n_moved = 0;
	for (; i <= call || (end - start < JUMP_BYTES && !code->insn[i - 1].ends); i++) {
		if (i >= code->n || !may_move(code, i, first, call))
			return false;
		site->moved[site->n_moved++] = code->insn[i].moved;
		end = code->insn[i].at + code->insn[i].moved.bytes;
	}
	site->start = start;
	site->end = idle && end - start < JUMP_BYTES ? add_idle(code, i, start, end) : end;
	return site->end - start >= JUMP_BYTES;
}

/* Padding comes last: another site may need it for a hole. */
static enum weft__fit fit(struct search *search, size_t call, struct weft__site *site)
{
	for (int idle = 0; idle < 2; idle++)
		for (size_t back = 0; back <= WEFT__MOVED_BEFORE && back <= call; back++) {
			if (!fit_window(search, call, back, idle, site))
				continue;
			search->taken = site->end;
			return WEFT__FIT_YES;
		}
	return WEFT__FIT_NO_WINDOW;
}

/* Whether no window or other hole takes a part of a hole. */
static bool is_free(const struct weft__sites *sites, uintptr_t hole)
{
	for (size_t i = 0; i < sites->n; i++) {
		const struct weft__site *site = &sites->site[i];

		if (site->fit == WEFT__FIT_YES &&
		    ((site->start < hole + JUMP_BYTES && site->end > hole) ||
		     (site->hole != 0 && site->hole < hole + JUMP_BYTES &&
		      site->hole + JUMP_BYTES > hole)))
			return false;
	}
	return true;
}

/* Find a hole within padding that a site can reach. */
static uintptr_t find_hole_in(const struct search *search, uintptr_t start, uintptr_t end,
			      const struct weft__site *site)
{
	uintptr_t from = site->syscall + SHORT_JUMP_BYTES;

	for (; start + JUMP_BYTES <= end; start++)
		if (start + SHORT_BACK >= from && start <= from + SHORT_AHEAD &&
		    is_free(search->sites, start))
			return start;
	return 0;
}

/* Find a hole among what stands behind jumps and returns inside the function. */
static uintptr_t find_hole_inside(const struct search *search, const struct weft__site *site)
{
	const struct weft__code *code = &search->code;
	uintptr_t hole = 0;

	for (size_t i = 1, j; hole == 0 && i < code->n; i = j + 1) {
		for (j = i; j < code->n && code->insn[j].idle && !code->insn[j].target;)
			j++;
		if (j > i && code->insn[i - 1].ends)
			hole = find_hole_in(search, code->insn[i].at,
					    code->insn[j - 1].at + code->insn[j - 1].moved.bytes,
					    site);
	}
	return hole;
}

/*
 * Turn a site without a window into a short jump, to a hole that has room for a long one: padding in
 * the function, behind it or before it.
 */
static void fit_by_hole(struct search *search, struct weft__site *site)
{
	const struct weft__code *code = &search->code;
	const struct weft__function *function = &code->function;
	struct weft__function before;
	uintptr_t hole = find_hole_inside(search, site);

	if (hole == 0 && code->end == function->end)
		hole = find_hole_in(search, function->end, end_of_padding(code, function), site);
	if (hole == 0 &&
	    weft__find_function(code->object, function->start - 1, &before) == WEFT__COVERED &&
	    weft__find_function(code->object, before.start, &before) == WEFT__COVERED &&
	    end_of_padding(code, &before) == function->start)
		hole = find_hole_in(search, before.end, function->start, site);
	if (hole == 0)
		return;
	site->start = site->syscall;
	site->end = site->syscall + SHORT_JUMP_BYTES;
	site->moved[0] = (struct weft__moved){SHORT_JUMP_BYTES, 0, WEFT__AS_IT_IS};
	site->n_moved = 1;
	site->hole = hole;
	site->fit = WEFT__FIT_YES;
	search->sites->fit++;
	search->sites->missed -= site->missed;
	site->missed = false;
}

static int add_site(struct weft__sites *sites, const struct weft__site *site)
{
	if (sites->n == sites->room) {
		size_t room = sites->room == 0 ? 256 : 2 * sites->room;
		struct weft__site *more = realloc(sites->site, room * sizeof(*more));

		if (more == NULL)
			return -ENOMEM;
		sites->site = more;
		sites->room = room;
	}
	sites->site[sites->n++] = *site;
	sites->fit += site->fit == WEFT__FIT_YES;
	sites->missed += site->missed;
	return 0;
}

static int find_in_function(struct search *search)
{
	struct weft__sites *sites = search->sites;
	const struct weft__code *code = &search->code;
	int err = weft__code_find_targets(&search->code);
	size_t first = sites->n;

	for (size_t i = 0; err == 0 && i < code->n; i++) {
		struct weft__site site = {.syscall = code->insn[i].at,
					  .function = code->function.start};

		if (!code->insn[i].is_syscall)
			continue;
		site.nr = weft__code_number(code, i);
		if (!search->wanted(site.nr))
			continue;
		site.fit = fit(search, i, &site);
		site.missed = site.fit != WEFT__FIT_YES;
		err = add_site(sites, &site);
	}
	for (size_t i = first; err == 0 && i < sites->n; i++)
		if (sites->site[i].fit == WEFT__FIT_NO_WINDOW)
			fit_by_hole(search, &sites->site[i]);
	return err;
}

/* The number that the bytes before a call load, if these are taken for an instruction; or -1. */
static int number_before(const struct weft__object *object, uintptr_t at)
{
	static const uint8_t wide[] = {0x48, 0xc7, 0xc0}; /* mov $nr, %rax; the short one is 0xb8 */
	int32_t nr;

	if (!weft__object_holds(object, at - sizeof(nr) - sizeof(wide), sizeof(nr) + sizeof(wide)))
		return -1;
	memcpy(&nr, (const void *)(at - sizeof(nr)), sizeof(nr));
	if (*(const uint8_t *)(at - sizeof(nr) - 1) != 0xb8 &&
	    memcmp((const void *)(at - sizeof(nr) - sizeof(wide)), wide, sizeof(wide)) != 0)
		return -1;
	return nr >= 0 && nr < WEFT__CALLS ? nr : -1;
}

/* Note bytes that may well be a call, and cannot be decoded. */
static int add_unclear(struct search *search, uintptr_t at, uintptr_t function, enum weft__fit why)
{
	struct weft__site site = {.syscall = at, .function = function, .nr = -1, .fit = why};

	if (why == WEFT__FIT_SIGNAL_FRAME)
		site.nr = SYS_rt_sigreturn;
	else
		site.nr = number_before(search->code.object, at);
	site.missed = why != WEFT__FIT_SIGNAL_FRAME && site.nr >= 0;
	return search->wanted(site.nr) ? add_site(search->sites, &site) : 0;
}

/* Look at a pair of bytes: find all sites of the function it lies in. */
static int look_at(struct search *search, uintptr_t at)
{
	const struct weft__code *code = &search->code;
	struct weft__function function;
	int err = 0;

	if (at >= code->function.end) {
		switch (weft__find_function(code->object, at, &function)) {
		case WEFT__UNCOVERED:
			return add_unclear(search, at, 0, WEFT__FIT_NO_FUNCTION);
		case WEFT__SIGNAL_FRAME:
			return add_unclear(search, at, at, WEFT__FIT_SIGNAL_FRAME);
		default:
			break;
		}
		err = weft__code_decode(&search->code, &function);
		if (err == 0 && code->calls > 0)
			err = find_in_function(search);
	}
	/* Decoded, it is a site that has been found, or none. */
	if (err != 0 || at < code->end)
		return err;
	return add_unclear(search, at, code->function.start,
			   weft__code_is_too_long(code) ? WEFT__FIT_TOO_LONG : WEFT__FIT_UNCLEAR);
}

static int look_through(struct search *search, const struct weft__text *text)
{
	const uint8_t *end = (const uint8_t *)text->end;
	const uint8_t *byte = (const uint8_t *)text->start;
	int err = 0;

	for (; err == 0 && (byte = weft__scan_syscall(byte, end)) != NULL; byte++)
		err = look_at(search, (uintptr_t)byte);
	return err;
}

int weft__find_sites(const struct weft__object *object, weft__wanted *wanted,
		     struct weft__sites *sites)
{
	struct search search = {.wanted = wanted, .sites = sites};
	struct weft__text text = {0, 0};
	int err = 0;

	*sites = (struct weft__sites){.n = 0};
	weft__code_begin(&search.code, object);
	while (err == 0 && weft__object_next_text(object, &text))
		err = look_through(&search, &text);
	weft__code_end(&search.code);
	if (err != 0)
		free(sites->site);
	return err;
}
