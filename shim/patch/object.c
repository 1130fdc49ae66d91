/*
 * See object.h.
 *
 * Where functions begin and end is known from the sorted table that linkers make for unwinders
 * (LSB Core, 10.6.2, .eh_frame_hdr): pairs of a function's first address and its FDE's, both in 4
 * bytes and relative to the table's header. All linkers of x86-64 encode it so; a table of another
 * encoding is taken for none. libgcc would look it up as well (_Unwind_Find_FDE), but only in
 * objects that the loader has loaded.
 */
#include "object.h"

#include <string.h>

#define VERSION 1
#define PCREL_SDATA4 0x1b
#define UDATA4 0x03
#define DATAREL_SDATA4 0x3b

/* version and three encodings, .eh_frame's address, number of pairs; then the pairs */
#define HEADER_BYTES 12
#define PAIR_BYTES 8

/* The most that an assembler function leaves out of its tables in its midst. */
#define LONGEST_GAP 32

static int32_t read_4(uintptr_t address)
{
	int32_t value;

	memcpy(&value, (const void *)address, 4);
	return value;
}

static uintptr_t relative(uintptr_t to, int32_t distance)
{
	return to + (uintptr_t)(intptr_t)distance;
}

bool weft__object_holds(const struct weft__object *object, uintptr_t address, size_t n)
{
	for (unsigned int i = 0; i < object->phdrs; i++) {
		const ElfW(Phdr) *segment = &object->phdr[i];
		uintptr_t within = address - object->base - segment->p_vaddr;

		if (segment->p_type == PT_LOAD && within <= segment->p_filesz &&
		    n <= segment->p_filesz - within)
			return true;
	}
	return false;
}

static void learn_table(struct weft__object *object, uintptr_t header)
{
	static const uint8_t usual[] = {VERSION, PCREL_SDATA4, UDATA4, DATAREL_SDATA4};
	size_t functions;

	if (!weft__object_holds(object, header, HEADER_BYTES) ||
	    memcmp((const void *)header, usual, sizeof(usual)) != 0)
		return;
	functions = (uint32_t)read_4(header + 8);
	if (!weft__object_holds(object, header, HEADER_BYTES + functions * PAIR_BYTES))
		return;
	object->table = header;
	object->functions = functions;
}

void weft__object_learn(struct weft__object *object, const struct dl_phdr_info *info)
{
	*object = (struct weft__object){.name = info->dlpi_name,
					.base = info->dlpi_addr,
					.phdr = info->dlpi_phdr,
					.phdrs = info->dlpi_phnum};
	for (unsigned int i = 0; i < object->phdrs; i++)
		if (object->phdr[i].p_type == PT_GNU_EH_FRAME)
			learn_table(object, object->base + object->phdr[i].p_vaddr);
}

bool weft__object_next_text(const struct weft__object *object, struct weft__text *text)
{
	for (unsigned int i = 0; i < object->phdrs; i++) {
		const ElfW(Phdr) *segment = &object->phdr[i];
		uintptr_t start = object->base + segment->p_vaddr;

		/* The loader insists on ascending addresses. */
		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0 ||
		    (segment->p_flags & PF_R) == 0 || start < text->end || segment->p_filesz == 0)
			continue;
		*text = (struct weft__text){start, start + segment->p_filesz};
		return true;
	}
	return false;
}

bool weft__object_relocates_text(const struct weft__object *object)
{
	const ElfW(Dyn) *dyn = NULL;

	for (unsigned int i = 0; i < object->phdrs; i++)
		if (object->phdr[i].p_type == PT_DYNAMIC)
			dyn = (const ElfW(Dyn) *)(object->base + object->phdr[i].p_vaddr);
	for (; dyn != NULL && dyn->d_tag != DT_NULL; dyn++)
		if (dyn->d_tag == DT_TEXTREL ||
		    (dyn->d_tag == DT_FLAGS && (dyn->d_un.d_val & DF_TEXTREL) != 0))
			return true;
	return false;
}

/* Where the function of a pair begins. */
static uintptr_t start_of(const struct weft__object *object, size_t pair)
{
	return relative(object->table, read_4(object->table + HEADER_BYTES + pair * PAIR_BYTES));
}

/* The number of functions that begin at an address or before it. */
static size_t count_up_to(const struct weft__object *object, uintptr_t address)
{
	size_t low = 0, high = object->functions;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (start_of(object, middle) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Read an FDE (LSB Core, 10.6.1): length, distance back to its CIE, first address, size. The last
 * two are in 4 bytes each, the address relative to its own place, if it is what the table says. 'S'
 * in the CIE's augmentation marks the code to which a signal handler returns: its FDE begins a byte
 * before the code does.
 */
static enum weft__coverage read_fde(const struct weft__object *object, size_t pair,
				    struct weft__function *function)
{
	uintptr_t fde = relative(object->table,
				 read_4(object->table + HEADER_BYTES + pair * PAIR_BYTES + 4));
	uintptr_t start = start_of(object, pair), cie;

	if (!weft__object_holds(object, fde, 16) || relative(fde + 8, read_4(fde + 8)) != start)
		return WEFT__UNCOVERED;
	cie = fde + 4 - (uint32_t)read_4(fde + 4);
	if (!weft__object_holds(object, cie, 16))
		return WEFT__UNCOVERED;
	if (memchr((const void *)(cie + 9), 'S', strnlen((const char *)cie + 9, 7)) != NULL)
		return WEFT__SIGNAL_FRAME;
	*function = (struct weft__function){start, start + (uint32_t)read_4(fde + 12)};
	return WEFT__COVERED;
}

/*
 * clone and clone3 leave the call itself out of their tables, so that no unwinder goes from the
 * child's stack to the parent's: the gap belongs to the part before it.
 */
enum weft__coverage weft__find_function(const struct weft__object *object, uintptr_t address,
					struct weft__function *function)
{
	size_t behind = count_up_to(object, address);
	struct weft__function found;
	enum weft__coverage coverage;

	if (behind == 0)
		return WEFT__UNCOVERED;
	coverage = read_fde(object, behind - 1, &found);
	if (coverage != WEFT__COVERED)
		return coverage;
	if (address >= found.end) {
		if (behind == object->functions ||
		    start_of(object, behind) - found.end > LONGEST_GAP)
			return WEFT__UNCOVERED;
		found.end = start_of(object, behind);
	}
	if (!weft__object_holds(object, found.start, found.end - found.start))
		return WEFT__UNCOVERED;
	*function = found;
	return WEFT__COVERED;
}
