/* Tell what the process is made of while so many of its threads are parked (argument 1). */
#include "guest.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

static int never[2];

static int count_kernel_threads(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	int count = -1;

	check(status != NULL);
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "Threads: %d", &count) == 1)
			break;
	fclose(status);
	return count;
}

/* Compare the code of libc in memory with that in its file; count the bytes that differ. */
static int compare_code(struct dl_phdr_info *object, size_t size, void *result)
{
	const unsigned char *file;
	struct stat about;
	int fd;

	(void)size;
	if (strstr(object->dlpi_name, "libc.so.6") == NULL)
		return 0;
	fd = open(object->dlpi_name, O_RDONLY);
	check(fd >= 0 && fstat(fd, &about) == 0);
	file = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	check(file != MAP_FAILED);
	*(long *)result = 0;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		const unsigned char *memory = (void *)(object->dlpi_addr + part->p_vaddr);

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		for (size_t j = 0; j < part->p_filesz; j++)
			*(long *)result += memory[j] != file[part->p_offset + j];
	}
	close(fd);
	return 1;
}

int main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : 0;
	long changed = -1;

	check(pipe(never) == 0);
	for (int i = 0; i < threads; i++)
		start(read_byte, &never[0]);
	settle();
	dl_iterate_phdr(compare_code, &changed);
	check(changed >= 0);
	say("kernel threads: %d", count_kernel_threads());
	say("libc's code: %s", changed > 0 ? "changed" : "as in its file");
	return 23;
}
