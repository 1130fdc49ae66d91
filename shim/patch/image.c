/* See image.h. The file is not trusted, but by then it may only harm who looks at it. */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096UL
#define LONGEST_IMAGE ((uintptr_t)1 << 40)

struct file {
	int fd;
	uintptr_t size;
	ElfW(Phdr) * phdr;
	ElfW(Half) phdrs;
};

static bool read_at(const struct file *file, void *into, size_t n, uintptr_t offset)
{
	return pread(file->fd, into, n, (off_t)offset) == (ssize_t)n;
}

static bool is_sound(const struct file *file, const ElfW(Phdr) * segment)
{
	return segment->p_offset <= file->size &&
	       segment->p_filesz <= file->size - segment->p_offset &&
	       segment->p_filesz <= segment->p_memsz && segment->p_vaddr < LONGEST_IMAGE &&
	       segment->p_memsz < LONGEST_IMAGE &&
	       (segment->p_vaddr - segment->p_offset) % PAGE == 0;
}

static const char *read_headers(struct file *file)
{
	ElfW(Ehdr) header;
	size_t bytes;

	if (!read_at(file, &header, sizeof(header), 0) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != EM_X86_64 ||
	    header.e_phentsize != sizeof(ElfW(Phdr)))
		return "not an ELF file for x86-64";
	bytes = header.e_phnum * sizeof(ElfW(Phdr));
	file->phdrs = header.e_phnum;
	file->phdr = malloc(bytes + 1);
	if (file->phdr == NULL)
		return "out of memory";
	return read_at(file, file->phdr, bytes, header.e_phoff) ? NULL : "damaged";
}

/* The least range of addresses that holds all segments. */
static const char *find_range(const struct file *file, uintptr_t *start, uintptr_t *end)
{
	*start = UINTPTR_MAX;
	*end = 0;
	for (unsigned int i = 0; i < file->phdrs; i++) {
		const ElfW(Phdr) *segment = &file->phdr[i];

		if (segment->p_type != PT_LOAD)
			continue;
		if (!is_sound(file, segment))
			return "damaged";
		if (segment->p_vaddr < *start)
			*start = segment->p_vaddr & ~(PAGE - 1);
		if (segment->p_vaddr + segment->p_memsz > *end)
			*end = segment->p_vaddr + segment->p_memsz;
	}
	return *end == 0 ? "nothing to load in it" : NULL;
}

static const char *map_segments(const struct file *file, uintptr_t base)
{
	for (unsigned int i = 0; i < file->phdrs; i++) {
		const ElfW(Phdr) *segment = &file->phdr[i];
		uintptr_t lead = segment->p_vaddr % PAGE;

		if (segment->p_type != PT_LOAD || segment->p_filesz == 0)
			continue;
		if (mmap((void *)(base + segment->p_vaddr - lead), segment->p_filesz + lead,
			 PROT_READ, MAP_PRIVATE | MAP_FIXED, file->fd,
			 (off_t)(segment->p_offset - lead)) == MAP_FAILED)
			return strerror(errno);
	}
	return NULL;
}

static const char *map(struct weft__object *object, struct file *file, const char *path)
{
	struct dl_phdr_info info = {.dlpi_name = path};
	const char *wrong = read_headers(file);
	uintptr_t start, end;
	void *room;

	if (wrong == NULL)
		wrong = find_range(file, &start, &end);
	if (wrong != NULL)
		return wrong;
	room = mmap(NULL, end - start, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
	if (room == MAP_FAILED)
		return strerror(errno);
	info.dlpi_addr = (uintptr_t)room - start;
	info.dlpi_phdr = file->phdr;
	info.dlpi_phnum = file->phdrs;
	wrong = map_segments(file, info.dlpi_addr);
	if (wrong == NULL)
		weft__object_learn(object, &info);
	return wrong;
}

const char *weft__image_map(struct weft__object *object, const char *path)
{
	struct file file = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
	const char *wrong;
	struct stat status;

	if (file.fd < 0)
		return strerror(errno);
	if (fstat(file.fd, &status) != 0)
		wrong = strerror(errno);
	else if (!S_ISREG(status.st_mode))
		wrong = "not a regular file";
	else {
		file.size = (uintptr_t)status.st_size;
		wrong = map(object, &file, path);
	}
	close(file.fd);
	return wrong;
}
