#include "usage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A line that the file may have and whose number is wanted. */
struct field {
	const char *name;
	long value;
};

static int read_fields(const char *path, struct field *fields, size_t count)
{
	FILE *file = fopen(path, "re");
	char line[256];
	size_t found = 0;

	if (file == NULL)
		return -errno;
	while (found < count && fgets(line, sizeof(line), file) != NULL) {
		for (size_t i = 0; i < count; i++) {
			size_t len = strlen(fields[i].name);

			if (strncmp(line, fields[i].name, len) == 0 && line[len] == ':') {
				fields[i].value = strtol(line + len + 1, NULL, 10);
				found++;
			}
		}
	}
	fclose(file);
	/* A process that has ended but is not yet waited for has no memory lines. */
	return found == count ? 0 : -ESRCH;
}

/*
 * The process's own clock counts nanoseconds, where utime and stime in
 * /proc/PID/stat count the same time in ticks of 10 ms.
 */
static int64_t read_cpu_ns(pid_t pid)
{
	clockid_t clock;
	struct timespec ts;
	int err = clock_getcpuclockid(pid, &clock);

	if (err != 0)
		return -err;
	if (clock_gettime(clock, &ts) != 0)
		return -errno;
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int usage_read(pid_t pid, struct usage *usage)
{
	struct field own[] = {{.name = "VmRSS"}, {.name = "VmPTE"}, {.name = "Threads"}};
	struct field machine[] = {{.name = "KernelStack"}};
	char path[64];
	int64_t cpu_ns = read_cpu_ns(pid);
	int err;

	if (cpu_ns < 0)
		return (int)cpu_ns;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	err = read_fields(path, own, 3);
	if (err == 0)
		err = read_fields("/proc/meminfo", machine, 1);
	if (err != 0)
		return err;
	*usage = (struct usage){
		.cpu_ns = cpu_ns,
		.memory_kb = own[0].value + own[1].value + machine[0].value,
		.threads = own[2].value,
	};
	return 0;
}
