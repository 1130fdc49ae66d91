/* Plain files used by many threads: shared offsets, pread and pwrite, appends, end of file. */
#include "guest.h"

#include <sys/uio.h>

#define THREADS 10
#define RECORDS 200

static int fd;

static void *append_records(void *arg)
{
	char line[32];

	for (int i = 0; i < RECORDS; i++) {
		snprintf(line, sizeof(line), "%03d %011d\n", (int)(intptr_t)arg, i);
		check(write(fd, line, 16) == 16);
	}
	return NULL;
}

static void *use_own_place(void *arg)
{
	off_t place = (off_t)(intptr_t)arg * 4096;
	unsigned char bytes[4096], back[4096];
	struct iovec parts[2] = {{back, 1000}, {back + 1000, 3096}};

	fill(bytes, sizeof(bytes), (uint64_t)place);
	check(pwrite(fd, bytes, sizeof(bytes), place) == sizeof(bytes));
	check(preadv(fd, parts, 2, place) == sizeof(back));
	check(memcmp(bytes, back, sizeof(back)) == 0);
	return NULL;
}

static void run_all(void *(*run)(void *))
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(run, (void *)i);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
}

int main(void)
{
	char path[] = "/tmp/guest-file-XXXXXX", line[17];
	int next[THREADS] = {0}, lines = 0, writer, number;

	fd = mkostemp(path, O_APPEND);
	check(fd >= 0 && unlink(path) == 0);
	run_all(append_records);
	check(lseek(fd, 0, SEEK_SET) == 0);
	while (read_all(fd, line, 16) == 16) {
		check(sscanf(line, "%d %d", &writer, &number) == 2);
		check(number == next[writer]++);
		lines++;
	}
	say("appended lines, each thread's in order: %d", lines);
	show(read(fd, line, 16));
	show(ftruncate(fd, 0));
	check(fcntl(fd, F_SETFL, 0) == 0);
	run_all(use_own_place);
	show(lseek(fd, 0, SEEK_END));
	show(pread(fd, line, 16, 1 << 20));
	return 0;
}
