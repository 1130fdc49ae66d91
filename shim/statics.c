/*
 * See statics.h. What is known of an object is who wrote it last: a copy's number, which is not used
 * again. Numbers of those in flight are few enough to be looked for.
 */
#include "statics.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "iterative.h"
#include "memory.h"
#include "shim.h"

#define PAGE_BYTES ((uintptr_t)4096)
#define TRAP_FLAG 0x100
#define MOST_RANGES 4
#define MOST_STEP_PAGES 4 /* that one instruction writes to */

struct range {
	uintptr_t start, end; /* whole pages */
};

struct object {
	uintptr_t start, end;
	const char *name; /* in the file's table of names, which stays mapped; NULL: not known */
	unsigned long writer; /* 0: none */
	bool told;
};

bool weft__statics_on;

static struct range ranges[MOST_RANGES];
static unsigned int count;
static struct object *objects;
static size_t objects_count, objects_room;
static unsigned long *in_flight; /* numbers of copies, in no order */
static size_t flying, flying_room;

static unsigned long running; /* the copy that runs, while the pages are closed; 0: they are open */
static uintptr_t stepped[MOST_STEP_PAGES];
static unsigned int steps; /* pages open for one instruction */

static void protect(uintptr_t start, uintptr_t end, int protection)
{
	weft__raw(SYS_mprotect, start, end - start, protection);
}

static void protect_all(int protection)
{
	for (unsigned int i = 0; i < count; i++)
		protect(ranges[i].start, ranges[i].end, protection);
}

static bool is_watched(uintptr_t address)
{
	for (unsigned int i = 0; i < count; i++)
		if (address >= ranges[i].start && address < ranges[i].end)
			return true;
	return false;
}

/* The program's writable segments, without what is made read-only after relocation. */
static int learn_ranges(struct dl_phdr_info *info, size_t bytes, void *unused)
{
	uintptr_t relro_end = 0;

	(void)bytes;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO)
			relro_end = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr +
				    info->dlpi_phdr[i].p_memsz;
	for (int i = 0; i < info->dlpi_phnum && count < MOST_RANGES; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;
		uintptr_t end = start + segment->p_memsz;

		if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) == 0)
			continue;
		if (relro_end > start && relro_end < end)
			start = relro_end;
		start &= ~(PAGE_BYTES - 1);
		end = (end + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
		if (start < (relro_end & ~(PAGE_BYTES - 1)))
			start = relro_end & ~(PAGE_BYTES - 1);
		ranges[count++] = (struct range){start, end};
	}
	return 1; /* the first object is the program */
}

static int compare_objects(const void *a, const void *b)
{
	const struct object *first = a, *second = b;

	return first->start < second->start ? -1 : first->start > second->start;
}

static const ElfW(Shdr) * find_symbols(const char *file, const ElfW(Ehdr) * header, uint32_t type)
{
	const ElfW(Shdr) *section = (const ElfW(Shdr) *)(const void *)(file + header->e_shoff);

	for (unsigned int i = 0; i < header->e_shnum; i++)
		if (section[i].sh_type == type)
			return &section[i];
	return NULL;
}

static bool make_room(void **array, size_t *room, size_t n, size_t bytes)
{
	size_t more = *room == 0 ? 64 : 2 * *room;
	void *moved;

	if (n < *room)
		return true;
	moved = weft__alloc(more * bytes);
	if (moved == NULL)
		return false;
	if (*room != 0)
		memcpy(moved, *array, *room * bytes);
	weft__free(*array, *room * bytes);
	*array = moved;
	*room = more;
	return true;
}

static struct object *add_object(uintptr_t start, uintptr_t end, const char *name)
{
	if (!make_room((void **)&objects, &objects_room, objects_count, sizeof(*objects)))
		return NULL;
	objects[objects_count] = (struct object){.start = start, .end = end, .name = name};
	return &objects[objects_count++];
}

static void learn_from(const char *file, size_t bytes, uintptr_t base)
{
	const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)(const void *)file;
	const ElfW(Shdr) * sections, *table;
	const ElfW(Sym) * symbol;
	const char *names;

	if (bytes < sizeof(*header) || header->e_shoff == 0 ||
	    header->e_shoff + header->e_shnum * sizeof(*sections) > bytes)
		return;
	sections = (const ElfW(Shdr) *)(const void *)(file + header->e_shoff);
	table = find_symbols(file, header, SHT_SYMTAB);
	if (table == NULL)
		table = find_symbols(file, header, SHT_DYNSYM);
	if (table == NULL || table->sh_offset + table->sh_size > bytes ||
	    table->sh_link >= header->e_shnum)
		return;
	symbol = (const ElfW(Sym) *)(const void *)(file + table->sh_offset);
	names = file + sections[table->sh_link].sh_offset;
	for (size_t n = table->sh_size / sizeof(*symbol); n > 0; n--, symbol++)
		if (ELF64_ST_TYPE(symbol->st_info) == STT_OBJECT && symbol->st_size != 0 &&
		    symbol->st_shndx != SHN_UNDEF && is_watched(base + symbol->st_value))
			add_object(base + symbol->st_value,
				   base + symbol->st_value + symbol->st_size,
				   names + symbol->st_name);
	qsort(objects, objects_count, sizeof(*objects), compare_objects);
}

/* Where the loader writes the first time that a function is called: nobody's state. */
static void pass_over_bindings(void)
{
	uintptr_t start = 0, entries = 3;
	struct object *bindings;

	for (const ElfW(Dyn) *entry = _r_debug.r_map->l_ld; entry->d_tag != DT_NULL; entry++) {
		if (entry->d_tag == DT_PLTGOT)
			start = entry->d_un.d_ptr;
		else if (entry->d_tag == DT_PLTRELSZ)
			entries += entry->d_un.d_val / sizeof(ElfW(Rela));
	}
	bindings = add_object(start, start + entries * sizeof(uintptr_t), NULL);
	if (bindings != NULL)
		bindings->told = true;
}

static void learn_objects(void)
{
	long number = weft__raw(SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct stat status;
	long file = -1;

	if (weft__failed(number))
		return;
	if (weft__raw(SYS_fstat, number, &status) == 0)
		file = weft__raw(SYS_mmap, NULL, status.st_size, PROT_READ, MAP_PRIVATE, number, 0);
	weft__raw(SYS_close, number);
	if (!weft__failed(file))
		learn_from((const char *)file, (size_t)status.st_size, _r_debug.r_map->l_addr);
}

void weft__statics_begin(void)
{
	if (count == 0) {
		dl_iterate_phdr(learn_ranges, NULL);
		learn_objects();
		pass_over_bindings();
	}
	flying = 0;
	weft__statics_on = count != 0;
}

void weft__statics_end(void)
{
	weft__statics_open();
	weft__statics_on = false;
}

void weft__statics_open(void)
{
	if (running == 0)
		return;
	running = 0;
	steps = 0;
	protect_all(PROT_READ | PROT_WRITE);
}

static bool is_in_flight(unsigned long copy)
{
	for (size_t i = 0; i < flying; i++)
		if (in_flight[i] == copy)
			return true;
	return false;
}

void weft__statics_close(unsigned long copy)
{
	if (!is_in_flight(copy) &&
	    make_room((void **)&in_flight, &flying_room, flying, sizeof(*in_flight)))
		in_flight[flying++] = copy;
	running = copy;
	protect_all(PROT_READ);
}

void weft__statics_forget(unsigned long copy)
{
	for (size_t i = 0; i < flying; i++)
		if (in_flight[i] == copy)
			in_flight[i--] = in_flight[--flying];
}

/* One that no symbol names stands for the 64 bytes around it. */
static struct object *find_object(uintptr_t address)
{
	struct object *unnamed;

	for (size_t i = 0; i < objects_count; i++)
		if (address >= objects[i].start && address < objects[i].end)
			return &objects[i];
	unnamed = add_object(address & ~(uintptr_t)63, (address & ~(uintptr_t)63) + 64, NULL);
	return unnamed;
}

static void tell(const struct object *object, uintptr_t address)
{
	if (object->name != NULL)
		weft__say("two connections at once have written to the static object '%s'",
			  object->name);
	else
		weft__say("two connections at once have written to static data at 0x%lx of the "
			  "program, which has no symbol for it",
			  (unsigned long)(address - _r_debug.r_map->l_addr));
}

static void note_write(uintptr_t address, unsigned long copy)
{
	struct object *object = find_object(address);

	if (object == NULL)
		return;
	if (object->writer != 0 && object->writer != copy && is_in_flight(object->writer) &&
	    !object->told) {
		object->told = true;
		tell(object, address);
	}
	object->writer = copy;
}

bool weft__statics_fault(const siginfo_t *info, struct weft__ucontext *ucontext)
{
	greg_t *flags = &ucontext->registers.gregs[REG_EFL];
	uintptr_t address = (uintptr_t)info->si_addr, page = address & ~(PAGE_BYTES - 1);

	if (info->si_signo == SIGTRAP && steps != 0) {
		for (; steps > 0; steps--)
			if (running != 0)
				protect(stepped[steps - 1], stepped[steps - 1] + PAGE_BYTES,
					PROT_READ);
		*flags &= ~(greg_t)TRAP_FLAG;
		return true;
	}
	if (info->si_signo != SIGSEGV || info->si_code != SEGV_ACCERR || running == 0 ||
	    !is_watched(address) || steps == MOST_STEP_PAGES)
		return false;
	note_write(address, running);
	protect(page, page + PAGE_BYTES, PROT_READ | PROT_WRITE);
	stepped[steps++] = page;
	*flags |= TRAP_FLAG;
	return true;
}

/* What the kernel has written where the program said; 0: nothing is known. */
static void note_result(const struct weft__call *c, long result)
{
	unsigned long copy = weft__iterative_copy();

	if (result <= 0 || copy == 0)
		return;
	switch (c->nr) {
	case SYS_read:
	case SYS_pread64:
	case SYS_recvfrom:
		if (is_watched((uintptr_t)c->arg[1]))
			note_write((uintptr_t)c->arg[1], copy);
		break;
	case SYS_readv:
	case SYS_preadv:
		for (const struct iovec *part = (const struct iovec *)c->arg[1];
		     part < (const struct iovec *)c->arg[1] + c->arg[2]; part++)
			if (part->iov_len != 0 && is_watched((uintptr_t)part->iov_base))
				note_write((uintptr_t)part->iov_base, copy);
		break;
	default:
		break;
	}
}

/* Calls that go on in the caller, or end it: they are made where they stand. */
static bool stays(long nr)
{
	switch (nr) {
	case SYS_clone:
	case SYS_clone3:
	case SYS_fork:
	case SYS_vfork:
	case SYS_execve:
	case SYS_execveat:
	case SYS_exit:
	case SYS_exit_group:
	case SYS_rt_sigreturn:
		return true;
	default:
		return false;
	}
}

long weft__statics_call(struct weft__call *c)
{
	weft__handler *handler = c->nr >= 0 && c->nr < WEFT__CALLS ? weft__handlers[c->nr] : NULL;
	long result = handler == NULL ? WEFT__PASS : handler(c);

	if (result == WEFT__PASS && !stays(c->nr))
		result = weft__raw(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4],
				   c->arg[5]);
	note_result(c, result);
	return result;
}
