/* See object.h. */
#include "object.h"

#include <errno.h>
#include <link.h>
#include <string.h>

/* libgcc's own interface to the unwind tables (unwind-dw2-fde.h), stable since GCC 3.0. */
struct dwarf_eh_bases {
	void *tbase, *dbase, *func;
};
const void *_Unwind_Find_FDE(void *pc, struct dwarf_eh_bases *bases);

#define LONGEST_GAP 16

struct search {
	const char *prefix;
	struct weft__text *text;
	int result;
};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static int match(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	struct search *search = arg;

	(void)bytes;
	if (strncmp(base_name(info->dlpi_name), search->prefix, strlen(search->prefix)) != 0)
		return 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0)
			continue;
		if (search->result == 0)
			return search->result = -ENOTSUP;
		search->text->start = info->dlpi_addr + segment->p_vaddr;
		search->text->end = search->text->start + segment->p_memsz;
		search->result = 0;
	}
	return 1;
}

int weft__find_text(const char *prefix, struct weft__text *text)
{
	struct search search = {prefix, text, -ENOENT};

	dl_iterate_phdr(match, &search);
	return search.result;
}

enum coverage { UNCOVERED, COVERED, SIGNAL_FRAME };

/*
 * An FDE (LSB Core, 10.6.1): length, distance back to its CIE, first address, size. Linkers encode
 * the last two in 4 bytes each. 'S' in the CIE's augmentation marks the code to which a signal
 * handler returns: its table begins a byte before the code does, and it is not to be touched.
 */
static enum coverage look_up(uintptr_t address, struct weft__function *function)
{
	struct dwarf_eh_bases bases;
	const unsigned char *fde = _Unwind_Find_FDE((void *)address, &bases);
	const char *augmentation;
	uint32_t back, bytes;

	if (fde == NULL)
		return UNCOVERED;
	memcpy(&back, fde + 4, 4);
	augmentation = (const char *)(fde + 4 - back) + 9;
	if (strchr(augmentation, 'S') != NULL)
		return SIGNAL_FRAME;
	memcpy(&bytes, fde + 12, 4);
	function->start = (uintptr_t)bases.func;
	function->end = function->start + bytes;
	return address >= function->start && address < function->end ? COVERED : UNCOVERED;
}

/*
 * clone and clone3 leave the call itself out of their tables, so that no unwinder goes from the
 * child's stack to the parent's: the gap belongs to the part before it.
 */
static bool bridge_gap(uintptr_t address, struct weft__function *function)
{
	struct weft__function behind;
	uintptr_t gap = 1;

	while (gap <= LONGEST_GAP && look_up(address - gap, function) != COVERED)
		gap++;
	if (gap > LONGEST_GAP)
		return false;
	for (gap = 1; gap <= LONGEST_GAP; gap++)
		if (look_up(address + gap, &behind) == COVERED) {
			function->end = behind.start;
			return true;
		}
	return false;
}

bool weft__find_function(uintptr_t address, struct weft__function *function)
{
	switch (look_up(address, function)) {
	case COVERED:
		return true;
	case UNCOVERED:
		return bridge_gap(address, function);
	default:
		return false;
	}
}
