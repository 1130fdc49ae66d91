/* A library with system calls of its own comes and goes a thousand times while a thread waits. */
#include "guest.h"

#include <dlfcn.h>
#include <libgen.h>

#include "inline_calls.h"

#define CYCLES 1000
#define WARM 20
/* Less than a page for each cycle, and more than libc's allocator takes by and by. */
#define FLAT_KB 1024

static char path[4096];
static int never[2];

static long size_kb(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kb = -1;

	check(status != NULL);
	while (fgets(line, sizeof(line), status) != NULL)
		if (sscanf(line, "VmSize: %ld", &kb) == 1)
			break;
	fclose(status);
	check(kb > 0);
	return kb;
}

static long count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	long count = 0;
	int c;

	check(maps != NULL);
	while ((c = getc(maps)) != EOF)
		count += c == '\n';
	fclose(maps);
	return count;
}

static void load_call_unload(void)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const struct shape *shapes;
	char byte;

	check(library != NULL);
	shapes = dlsym(library, "inline_shapes");
	check(shapes != NULL);
	for (; shapes->name != NULL; shapes++)
		check(shapes->call(SYS_read, -1, (long)&byte, 1) == -EBADF);
	check(dlclose(library) == 0);
	check(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL);
}

int main(void)
{
	long kb, mappings;

	check(readlink("/proc/self/exe", path, sizeof(path) - 64) > 0);
	dirname(path);
	strcat(path, "/inline_library.so");
	check(pipe(never) == 0);
	start(read_byte, &never[0]);
	for (int i = 0; i < WARM; i++)
		load_call_unload();
	kb = size_kb();
	mappings = count_mappings();
	for (int i = 0; i < CYCLES; i++)
		load_call_unload();
	say("memory is %s", size_kb() - kb < FLAT_KB ? "flat" : "not flat");
	say("mappings are %s", count_mappings() - mappings < 10 ? "flat" : "not flat");
	return 0;
}
