/*
 * How many tasks a process has that runs under weft.
 *
 *     tasks_of PID
 *
 * The count is read out of its memory, so that it notices nothing: no signal, no stop, no call.
 * Where it stands, the symbol table of its libweft-preload.so says, which must not be stripped.
 */
#include <elf.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "scheduler.h"

#define LIBRARY "/libweft-preload.so"
#define CARRIER "weft__process"

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "tasks_of: %s\n", what);
	exit(1);
}

/* Where the library begins in the process, and its path. */
static uintptr_t find_library(const char *pid, char *path, size_t path_bytes)
{
	char name[64], line[4400];
	FILE *maps;

	snprintf(name, sizeof(name), "/proc/%s/maps", pid);
	maps = fopen(name, "re");
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		char *slash = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		if (slash == NULL || strlen(slash) < strlen(LIBRARY) ||
		    strcmp(slash + strlen(slash) - strlen(LIBRARY), LIBRARY) != 0)
			continue;
		snprintf(path, path_bytes, "%s", slash);
		fclose(maps);
		return strtoul(line, NULL, 16);
	}
	give_up("no such process, or not under weft");
}

static const char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *file;

	if (fd < 0 || fstat(fd, &status) != 0)
		give_up("its library cannot be read");
	file = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		give_up("its library cannot be read");
	return file;
}

/* A symbol's place, relative to where the library begins. */
static uintptr_t find_symbol(const char *file, const char *name)
{
	const Elf64_Ehdr *header = (const void *)file;
	const Elf64_Shdr *sections = (const void *)(file + header->e_shoff);

	for (size_t i = 0; i < header->e_shnum; i++) {
		const Elf64_Sym *symbols = (const void *)(file + sections[i].sh_offset);
		const char *names = file + sections[sections[i].sh_link].sh_offset;

		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		for (size_t k = 0; k < sections[i].sh_size / sizeof(*symbols); k++)
			if (strcmp(names + symbols[k].st_name, name) == 0)
				return symbols[k].st_value;
	}
	give_up("its library has no symbols");
}

int main(int argc, char **argv)
{
	char path[4200];
	unsigned int tasks = 0;
	struct iovec here = {&tasks, sizeof(tasks)}, there = {.iov_len = sizeof(tasks)};
	uintptr_t begin;

	if (argc != 2)
		give_up("usage: tasks_of PID");
	begin = find_library(argv[1], path, sizeof(path));
	begin += find_symbol(read_file(path), CARRIER) + offsetof(struct weft__carrier, tasks);
	there.iov_base = (void *)begin;
	if (process_vm_readv((pid_t)atoi(argv[1]), &here, 1, &there, 1, 0) !=
	    (ssize_t)sizeof(tasks))
		give_up("its memory cannot be read");
	printf("%u\n", tasks);
	return 0;
}
