/*
 * See imports.h. An object calls another's function through a word that the loader fills in, at once or
 * with the first call (elf(5), the relocations of DT_JMPREL and DT_RELA). The loader makes some of these
 * words read-only when it is done with them (PT_GNU_RELRO).
 */
#include "imports.h"

#include <dlfcn.h>
#include <gnu/lib-names.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "raw.h"

#define PAGE UINT64_C(4096)

/* As exported by preload.c and wakers.c. */
static struct import {
	const char *name;
	uintptr_t libc_s, weft_s;
} imports[] = {
	{"pthread_create", 0, 0}, {"thrd_create", 0, 0}, {"timer_create", 0, 0},
	{"mq_notify", 0, 0},      {"aio_read", 0, 0},    {"aio_read64", 0, 0},
	{"aio_write", 0, 0},      {"aio_write64", 0, 0}, {"aio_fsync", 0, 0},
	{"aio_fsync64", 0, 0},    {"lio_listio", 0, 0},  {"lio_listio64", 0, 0},
	{"getaddrinfo_a", 0, 0},
};

#define IMPORTS (sizeof(imports) / sizeof(*imports))

struct object {
	uintptr_t base, start, end;
	uintptr_t sealed, sealed_end; /* read-only once it is relocated */
	const ElfW(Sym) * symbols;
	const char *names;
	const ElfW(Rela) * words[2];
	size_t words_bytes[2];
};

static void read_dynamic(struct object *object, const ElfW(Dyn) * entry)
{
	for (; entry->d_tag != DT_NULL; entry++)
		switch (entry->d_tag) {
		case DT_SYMTAB:
			object->symbols = (const ElfW(Sym) *)entry->d_un.d_ptr;
			break;
		case DT_STRTAB:
			object->names = (const char *)entry->d_un.d_ptr;
			break;
		case DT_JMPREL:
			object->words[0] = (const ElfW(Rela) *)entry->d_un.d_ptr;
			break;
		case DT_PLTRELSZ:
			object->words_bytes[0] = entry->d_un.d_val;
			break;
		case DT_RELA:
			object->words[1] = (const ElfW(Rela) *)entry->d_un.d_ptr;
			break;
		case DT_RELASZ:
			object->words_bytes[1] = entry->d_un.d_val;
			break;
		default:
			break;
		}
}

static const struct import *find_import(const struct object *object, const ElfW(Rela) * word)
{
	const ElfW(Sym) *symbol = &object->symbols[ELF64_R_SYM(word->r_info)];
	const char *name = object->names + symbol->st_name;
	unsigned long type = ELF64_R_TYPE(word->r_info);

	if ((type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT) ||
	    symbol->st_shndx != SHN_UNDEF)
		return NULL;
	for (size_t i = 0; i < IMPORTS; i++)
		if (imports[i].weft_s != 0 && strcmp(imports[i].name, name) == 0)
			return &imports[i];
	return NULL;
}

/* Whether a word leads to libc's, or will once the loader has looked: until then into its own object. */
static bool is_libc_s(const struct object *object, const ElfW(Rela) * word,
		      const struct import *import, uintptr_t value)
{
	if (value == import->libc_s)
		return true;
	return ELF64_R_TYPE(word->r_info) == R_X86_64_JUMP_SLOT && value >= object->start &&
	       value < object->end &&
	       (uintptr_t)dlsym(RTLD_DEFAULT, import->name) == import->libc_s;
}

static void take(const struct object *object, const ElfW(Rela) * word)
{
	const struct import *import = find_import(object, word);
	uintptr_t *place = (uintptr_t *)(object->base + word->r_offset);
	uintptr_t page = (uintptr_t)place & ~(PAGE - 1);
	bool sealed = (uintptr_t)place >= object->sealed && (uintptr_t)place < object->sealed_end;

	if (import == NULL || !is_libc_s(object, word, import, *place))
		return;
	if (sealed && weft__raw(SYS_mprotect, page, PAGE, PROT_READ | PROT_WRITE) != 0)
		return;
	*place = import->weft_s;
	if (sealed)
		weft__raw(SYS_mprotect, page, PAGE, PROT_READ);
}

/* Weft's own objects want libc's functions; libc's are not called through such words. */
static bool is_weft_s(const struct dl_phdr_info *info)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	return strncmp(slash == NULL ? info->dlpi_name : slash + 1, "libweft", 7) == 0;
}

static int take_object(struct dl_phdr_info *info, size_t bytes, void *unused)
{
	struct object object = {.base = info->dlpi_addr, .start = UINTPTR_MAX};

	(void)bytes;
	(void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_LOAD && at < object.start)
			object.start = at;
		if (part->p_type == PT_LOAD && at + part->p_memsz > object.end)
			object.end = at + part->p_memsz;
		if (part->p_type == PT_DYNAMIC)
			read_dynamic(&object, (const ElfW(Dyn) *)at);
		if (part->p_type == PT_GNU_RELRO) {
			object.sealed = at & ~(PAGE - 1);
			object.sealed_end = (at + part->p_memsz) & ~(PAGE - 1);
		}
	}
	/* The vDSO's addresses are not relocated; it has no words. */
	for (int i = 0; i < 2 && object.symbols != NULL && !is_weft_s(info); i++)
		for (size_t j = 0;
		     object.words[i] != NULL && j < object.words_bytes[i] / sizeof(ElfW(Rela)); j++)
			take(&object, &object.words[i][j]);
	return 0;
}

void weft__imports_take(void)
{
	void *libc = dlopen(LIBC_SO, RTLD_LAZY | RTLD_NOLOAD), *weft = NULL;
	Dl_info own;

	if (dladdr(imports, &own) != 0)
		weft = dlopen(own.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	for (size_t i = 0; i < IMPORTS && libc != NULL && weft != NULL; i++) {
		imports[i].libc_s = (uintptr_t)dlsym(libc, imports[i].name);
		imports[i].weft_s = (uintptr_t)dlsym(weft, imports[i].name);
	}
	/* When it is preloaded there is nothing to do. */
	if (weft != NULL && (uintptr_t)dlsym(RTLD_DEFAULT, "pthread_create") != imports[0].weft_s)
		dl_iterate_phdr(take_object, NULL);
	if (libc != NULL)
		dlclose(libc);
	if (weft != NULL)
		dlclose(weft);
}
