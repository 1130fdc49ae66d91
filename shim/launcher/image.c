/*
 * Reads just enough of an ELF file to judge it. Headers are copied out before
 * use, since a hostile file may put them at odd offsets:
 *
 *     ELF header -> program headers -> PT_INTERP: the loader's path
 *                                   -> PT_DYNAMIC -> DT_RELA, DT_JMPREL: symbols asked for
 *
 * Section headers are not used: they may be stripped. The number of dynamic
 * symbols is written down nowhere, so imports are found from relocations.
 *
 * A file that shrinks while it is mapped ends the launcher by SIGBUS; whoever
 * can do that can as well replace the program.
 */
#include "image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel refuses a longer table of program headers (fs/binfmt_elf.c, load_elf_phdrs). */
#define PHDRS_BYTES_MAX 65536

/* What of the dynamic section matters here; a tag that is not there is 0. */
struct dynamic {
	uint64_t symbols;
	uint64_t strings;
	uint64_t strings_bytes;
	uint64_t flags_1;
	bool needs_library;
	struct {
		uint64_t address;
		uint64_t bytes;
	} relocations[2]; /* DT_RELA and DT_JMPREL */
};

int weft__image_open(struct weft__image *image, const char *path)
{
	/* O_NONBLOCK: the file may have become a FIFO since it was looked at. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	void *data = NULL;
	struct stat stat;
	int err = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) != 0) {
		err = -errno;
		goto close_fd;
	}
	if (stat.st_size > 0) {
		data = mmap(NULL, stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED) {
			err = -errno;
			goto close_fd;
		}
	}
	image->data = data;
	image->size = stat.st_size > 0 ? stat.st_size : 0;
close_fd:
	close(fd);
	return err;
}

void weft__image_close(struct weft__image *image)
{
	if (image->data != NULL)
		munmap((void *)image->data, image->size);
	image->data = NULL;
	image->size = 0;
}

static bool take(const struct weft__image *image, uint64_t offset, void *into, size_t bytes)
{
	if (offset > image->size || bytes > image->size - offset)
		return false;
	memcpy(into, image->data + offset, bytes);
	return true;
}

bool weft__image_is_elf(const struct weft__image *image)
{
	return image->size >= SELFMAG && memcmp(image->data, ELFMAG, SELFMAG) == 0;
}

static bool take_phdr(const struct weft__image *image, const Elf64_Ehdr *ehdr, unsigned i,
		      Elf64_Phdr *phdr)
{
	if (i >= ehdr->e_phnum || ehdr->e_phoff > image->size)
		return false;
	return take(image, ehdr->e_phoff + i * sizeof(*phdr), phdr, sizeof(*phdr));
}

static bool find_phdr(const struct weft__image *image, const Elf64_Ehdr *ehdr, uint32_t type,
		      Elf64_Phdr *phdr)
{
	for (unsigned i = 0; take_phdr(image, ehdr, i, phdr); i++)
		if (phdr->p_type == type)
			return true;
	return false;
}

/* Where in the file the byte stands that will be at address; the file's size if nowhere. */
static uint64_t offset_of(const struct weft__image *image, const Elf64_Ehdr *ehdr, uint64_t address)
{
	Elf64_Phdr phdr;

	for (unsigned i = 0; take_phdr(image, ehdr, i, &phdr); i++) {
		uint64_t within = address - phdr.p_vaddr;

		if (phdr.p_type != PT_LOAD || address < phdr.p_vaddr || within >= phdr.p_filesz)
			continue;
		if (phdr.p_offset > image->size || within > image->size - phdr.p_offset)
			break;
		return phdr.p_offset + within;
	}
	return image->size;
}

static bool read_dynamic(const struct weft__image *image, const Elf64_Ehdr *ehdr,
			 struct dynamic *dynamic)
{
	Elf64_Phdr phdr;
	Elf64_Dyn dyn;

	if (!find_phdr(image, ehdr, PT_DYNAMIC, &phdr) || phdr.p_offset > image->size)
		return false;

	memset(dynamic, 0, sizeof(*dynamic));
	for (uint64_t at = 0; at < phdr.p_filesz; at += sizeof(dyn)) {
		if (!take(image, phdr.p_offset + at, &dyn, sizeof(dyn)) || dyn.d_tag == DT_NULL)
			break;
		if (dyn.d_tag == DT_SYMTAB)
			dynamic->symbols = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_STRTAB)
			dynamic->strings = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_STRSZ)
			dynamic->strings_bytes = dyn.d_un.d_val;
		else if (dyn.d_tag == DT_NEEDED)
			dynamic->needs_library = true;
		else if (dyn.d_tag == DT_FLAGS_1)
			dynamic->flags_1 = dyn.d_un.d_val;
		else if (dyn.d_tag == DT_RELA)
			dynamic->relocations[0].address = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_RELASZ)
			dynamic->relocations[0].bytes = dyn.d_un.d_val;
		else if (dyn.d_tag == DT_JMPREL)
			dynamic->relocations[1].address = dyn.d_un.d_ptr;
		else if (dyn.d_tag == DT_PLTRELSZ)
			dynamic->relocations[1].bytes = dyn.d_un.d_val;
	}
	return true;
}

/* Without PT_INTERP no loader runs: a static program, or a library, which is none at all. */
static enum weft__finding judge_loaderless(const struct weft__image *image, const Elf64_Ehdr *ehdr)
{
	struct dynamic dynamic;

	if (ehdr->e_type == ET_EXEC || !read_dynamic(image, ehdr, &dynamic))
		return WEFT__STATIC;
	return (dynamic.flags_1 & DF_1_PIE) ? WEFT__STATIC : WEFT__NOT_A_PROGRAM;
}

/* Whether a symbol or a library of that name stands in the dynamic section, whoever defines it. */
static bool mentions(const struct weft__image *image, const Elf64_Ehdr *ehdr,
		     const struct dynamic *dynamic, const char *name)
{
	uint64_t at = offset_of(image, ehdr, dynamic->strings);
	uint64_t bytes = dynamic->strings_bytes;

	if (bytes > image->size - at)
		bytes = image->size - at;
	return bytes > 0 && memmem(image->data + at, bytes, name, strlen(name) + 1) != NULL;
}

/* `detect_leaks=0`, in what sanitizers read their options from. */
static bool leaks_are_let_be(void)
{
	static const char *const options[] = {"ASAN_OPTIONS", "LSAN_OPTIONS"};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const char *value = getenv(options[i]);

		if (value != NULL && strstr(value, "detect_leaks=0") != NULL)
			return true;
	}
	return false;
}

static enum weft__finding judge_libraries(const struct weft__image *image, const Elf64_Ehdr *ehdr)
{
	struct dynamic dynamic;

	if (!read_dynamic(image, ehdr, &dynamic) || !dynamic.needs_library)
		return WEFT__NO_LIBC;
	if ((mentions(image, ehdr, &dynamic, "__asan_init") ||
	     mentions(image, ehdr, &dynamic, "__lsan_init") ||
	     mentions(image, ehdr, &dynamic, "__lsan_is_turned_off")) &&
	    !leaks_are_let_be())
		return WEFT__LEAKS;
	return WEFT__FITS;
}

static enum weft__finding judge_loader(const struct weft__image *image, const Elf64_Phdr *phdr,
				       char *loader, size_t loader_bytes)
{
	static const char glibc[] = "/ld-linux-x86-64.so.2";
	size_t length;

	if (phdr->p_filesz < 2 || phdr->p_filesz > loader_bytes)
		return WEFT__DAMAGED;
	if (phdr->p_offset > image->size || phdr->p_filesz > image->size - phdr->p_offset)
		return WEFT__DAMAGED;
	if (image->data[phdr->p_offset + phdr->p_filesz - 1] != '\0')
		return WEFT__DAMAGED;

	memcpy(loader, image->data + phdr->p_offset, phdr->p_filesz);
	length = strlen(loader);
	if (length < strlen(glibc) || strcmp(loader + length - strlen(glibc), glibc) != 0)
		return WEFT__OTHER_LIBC;
	return WEFT__FITS;
}

enum weft__finding weft__image_judge(const struct weft__image *image, char *loader,
				     size_t loader_bytes)
{
	enum weft__finding finding;
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;

	if (image->size > EI_CLASS && image->data[EI_CLASS] == ELFCLASS32)
		return WEFT__NARROW;
	if (!take(image, 0, &ehdr, sizeof(ehdr)) || ehdr.e_ident[EI_CLASS] != ELFCLASS64)
		return WEFT__DAMAGED;
	if (ehdr.e_ident[EI_DATA] != ELFDATA2LSB || ehdr.e_machine != EM_X86_64)
		return WEFT__FOREIGN;
	if (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN)
		return WEFT__NOT_A_PROGRAM;
	if (ehdr.e_phentsize != sizeof(phdr) || ehdr.e_phnum == 0 ||
	    ehdr.e_phnum > PHDRS_BYTES_MAX / sizeof(phdr))
		return WEFT__DAMAGED;
	if (!take_phdr(image, &ehdr, ehdr.e_phnum - 1U, &phdr))
		return WEFT__DAMAGED;

	if (!find_phdr(image, &ehdr, PT_INTERP, &phdr))
		return judge_loaderless(image, &ehdr);
	finding = judge_loader(image, &phdr, loader, loader_bytes);
	return finding == WEFT__FITS ? judge_libraries(image, &ehdr) : finding;
}

static bool is_import(const struct weft__image *image, uint64_t symbol, uint64_t strings,
		      const char *name)
{
	size_t bytes = strlen(name) + 1;
	Elf64_Sym sym;

	if (!take(image, symbol, &sym, sizeof(sym)) || sym.st_shndx != SHN_UNDEF)
		return false;
	strings += sym.st_name;
	return strings <= image->size && bytes <= image->size - strings &&
	       memcmp(image->data + strings, name, bytes) == 0;
}

bool weft__image_imports(const struct weft__image *image, const char *name)
{
	struct dynamic dynamic;
	uint64_t symbols;
	uint64_t strings;
	Elf64_Ehdr ehdr;
	Elf64_Rela rela;

	if (!take(image, 0, &ehdr, sizeof(ehdr)) || !read_dynamic(image, &ehdr, &dynamic))
		return false;

	symbols = offset_of(image, &ehdr, dynamic.symbols);
	strings = offset_of(image, &ehdr, dynamic.strings);
	for (int i = 0; i < 2; i++) {
		uint64_t table = offset_of(image, &ehdr, dynamic.relocations[i].address);

		for (uint64_t at = 0; at < dynamic.relocations[i].bytes; at += sizeof(rela)) {
			uint64_t symbol;

			if (!take(image, table + at, &rela, sizeof(rela)))
				break;
			symbol = symbols + ELF64_R_SYM(rela.r_info) * sizeof(Elf64_Sym);
			if (is_import(image, symbol, strings, name))
				return true;
		}
	}
	return false;
}
