/* Pipes: blocking at both ends, end of file, atomic small writes of many writers, named pipes. */
#include "guest.h"

#include <sys/stat.h>

#define WRITERS 10
#define RECORDS 300
#define RECORD_BYTES 512

struct record {
	int writer, number;
	unsigned char filling[RECORD_BYTES - 8];
};

static int pipe_fds[2];
static char fifo_path[] = "/tmp/guest-fifo-XXXXXX";

static void *write_records(void *arg)
{
	struct record record = {.writer = (int)(intptr_t)arg};

	for (record.number = 0; record.number < RECORDS; record.number++) {
		fill(record.filling, sizeof(record.filling), (uint64_t)record.writer);
		check(write(pipe_fds[1], &record, sizeof(record)) == sizeof(record));
	}
	return NULL;
}

static void *read_one(void *arg)
{
	char byte;

	return (void *)(read(*(int *)arg, &byte, 1) + 1);
}

static void *open_to_write(void *arg)
{
	int fd;

	settle();
	fd = open(fifo_path, O_WRONLY);
	check(fd >= 0);
	write_all(fd, "fifo", 4);
	close(fd);
	return arg;
}

static void keep_records_whole(void)
{
	int next[WRITERS] = {0}, whole = 0;
	pthread_t writers[WRITERS];
	struct record record;

	for (intptr_t i = 0; i < WRITERS; i++)
		writers[i] = start(write_records, (void *)i);
	for (int i = 0; i < WRITERS * RECORDS; i++) {
		check(read_all(pipe_fds[0], &record, sizeof(record)) == sizeof(record));
		check(record.writer >= 0 && record.writer < WRITERS);
		check(record.number == next[record.writer]++);
		whole += is_filled(record.filling, sizeof(record.filling), (uint64_t)record.writer);
	}
	for (int i = 0; i < WRITERS; i++)
		finish(writers[i]);
	say("records whole and in each writer's order: %d", whole);
}

int main(void)
{
	pthread_t readers[3], writer;
	char bytes[16];
	int fd, ends = 0;

	check(pipe2(pipe_fds, O_CLOEXEC) == 0);
	keep_records_whole();

	for (int i = 0; i < 3; i++)
		readers[i] = start(read_one, &pipe_fds[0]);
	settle();
	close(pipe_fds[1]);
	for (int i = 0; i < 3; i++)
		ends += (long)finish(readers[i]) == 1;
	say("parked readers that saw the end: %d", ends);
	show(read(pipe_fds[0], bytes, 16));
	close(pipe_fds[0]);

	close(mkstemp(fifo_path));
	unlink(fifo_path);
	check(mkfifo(fifo_path, 0600) == 0);
	fd = open(fifo_path, O_RDONLY | O_NONBLOCK);
	show(read(fd, bytes, 16));
	writer = start(open_to_write, NULL);
	finish(writer);
	show(read(fd, bytes, 16));
	show(read(fd, bytes, 16));
	unlink(fifo_path);
	return 0;
}
