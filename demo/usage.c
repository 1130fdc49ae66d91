#include "usage.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * THREAD_SIZE of Linux on x86-64, since 3.15. KernelStack in /proc/meminfo has
 * the sum over the whole machine only, and so whatever others do meanwhile.
 */
#define KERNEL_STACK_KB 16
#define MOST_PROCESSES 4096

/* A line that the file may have and whose number is wanted. */
struct field {
	const char *name;
	long value;
};

struct process {
	pid_t pid;
	pid_t parent;
	bool counts;
	int64_t children_ns; /* processor time of children that have been waited for */
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

/* Add one process to the sum. */
static int add_process(const struct process *process, struct usage *sum)
{
	struct field fields[] = {{.name = "VmRSS"}, {.name = "VmPTE"}, {.name = "Threads"}};
	int64_t cpu_ns = read_cpu_ns(process->pid);
	char path[64];
	int err;

	if (cpu_ns < 0)
		return (int)cpu_ns;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)process->pid);
	err = read_fields(path, fields, 3);
	if (err != 0)
		return err;
	sum->cpu_ns += cpu_ns + process->children_ns;
	sum->memory_kb += fields[0].value + fields[1].value + fields[2].value * KERNEL_STACK_KB;
	sum->threads += fields[2].value;
	return 0;
}

/* A number of proc_pid_stat(5), in what follows the name: fields from 3 on. */
static long stat_field(const char *rest, int field)
{
	for (int i = 3; i < field; i++) {
		rest += strspn(rest, " ");
		rest += strcspn(rest, " ");
	}
	return strtol(rest, NULL, 10);
}

static bool read_stat(pid_t pid, struct process *process)
{
	char path[64];
	char line[1024];
	const char *rest;
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	read = fgets(line, sizeof(line), file) != NULL;
	fclose(file);
	/* The name, in brackets, may have brackets and spaces itself. */
	rest = read ? strrchr(line, ')') : NULL;
	if (rest == NULL)
		return false;
	rest++;
	*process = (struct process){
		.pid = pid,
		.parent = (pid_t)stat_field(rest, 4),
		/* cutime and cstime */
		.children_ns = (stat_field(rest, 16) + stat_field(rest, 17)) *
			       (1000000000 / sysconf(_SC_CLK_TCK)),
	};
	return true;
}

static size_t list_processes(struct process *list, size_t most)
{
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	size_t count = 0;

	if (dir == NULL)
		return 0;
	while (count < most && (entry = readdir(dir)) != NULL)
		if (isdigit((unsigned char)entry->d_name[0]))
			count += read_stat((pid_t)strtol(entry->d_name, NULL, 10), &list[count]);
	closedir(dir);
	return count;
}

static bool is_child_of_counted(const struct process *list, size_t count, pid_t parent)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].pid == parent)
			return list[i].counts;
	return false;
}

/* Mark a process and its descendants, generation by generation. */
static void mark_family(struct process *list, size_t count, pid_t pid)
{
	bool grew = true;

	for (size_t i = 0; i < count; i++)
		list[i].counts = list[i].pid == pid;
	while (grew) {
		grew = false;
		for (size_t i = 0; i < count; i++) {
			if (!list[i].counts && is_child_of_counted(list, count, list[i].parent)) {
				list[i].counts = true;
				grew = true;
			}
		}
	}
}

int usage_read(pid_t pid, struct usage *usage)
{
	static struct process list[MOST_PROCESSES];
	size_t count = list_processes(list, MOST_PROCESSES);
	struct usage sum = {0};
	int err = -ESRCH;

	mark_family(list, count, pid);
	for (size_t i = 0; i < count; i++) {
		int added = list[i].counts ? add_process(&list[i], &sum) : 0;

		if (list[i].pid == pid)
			err = added;
	}
	if (err == 0)
		*usage = sum;
	return err;
}
