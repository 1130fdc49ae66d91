/* Files are written and read through buffers on the stack, by calls that other kernel threads may make. */
#include "serve.h"

#include <sys/stat.h>
#include <sys/uio.h>

#define CLIENTS 40
#define BYTES 20000

static char folder[] = "/tmp/iterative_files.XXXXXX";

static void name_file(char *path, size_t room, int number)
{
	snprintf(path, room, "%s/%d", folder, number);
}

static void write_file(int number)
{
	unsigned char bytes[BYTES];
	char path[64];
	int fd;

	name_file(path, sizeof(path), number);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	check(fd >= 0);
	fill(bytes, sizeof(bytes), (uint64_t)number * BYTES);
	write_all(fd, bytes, sizeof(bytes));
	check(fsync(fd) == 0);
	check(is_filled(bytes, sizeof(bytes), (uint64_t)number * BYTES));
	check(close(fd) == 0);
}

/* In pieces, whole, and into two parts; each as the page cache has it, and once without. */
static bool read_file(int number)
{
	unsigned char bytes[BYTES], more[BYTES / 2];
	struct iovec parts[2] = {{bytes, BYTES / 2}, {more, BYTES / 2}};
	uint64_t at = (uint64_t)number * BYTES;
	struct stat status;
	char path[64];
	bool right = true;
	int fd;

	name_file(path, sizeof(path), number);
	check(stat(path, &status) == 0 && status.st_size == BYTES);
	fd = open(path, O_RDONLY);
	check(fd >= 0);
	for (int round = 0; round < 4; round++) {
		memset(bytes, 0, sizeof(bytes));
		memset(more, 0, sizeof(more));
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		check(pread(fd, bytes, BYTES, 0) == BYTES);
		right = right && is_filled(bytes, BYTES, at);
		usleep(500);
		posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
		check(preadv(fd, parts, 2, 0) == BYTES);
		right = right && is_filled(bytes, BYTES / 2, at) &&
			is_filled(more, BYTES / 2, at + BYTES / 2);
		usleep(500);
		check(lseek(fd, 0, SEEK_SET) == 0);
		memset(bytes, 0, sizeof(bytes));
		for (int i = 0; i < BYTES; i += 1000) {
			check(read(fd, bytes + i, 1000) == 1000);
			sched_yield();
		}
		right = right && is_filled(bytes, BYTES, at);
	}
	close(fd);
	check(unlink(path) == 0);
	return right;
}

static void serve(int fd)
{
	char line[64];
	int number;

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		check(rmdir(folder) == 0);
		exit(0);
	}
	number = atoi(line);
	write_file(number);
	answer(fd, "%d: %s\n", number, read_file(number) ? "right" : "wrong");
	end_service();
}

static void make(char *text, int i)
{
	sprintf(text, "%d\n", i);
}

static void judge(const char *heard, int i)
{
	(void)i;
	printf("%s", heard);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

int main(void)
{
	int listener;

	check(mkdtemp(folder) != NULL);
	listener = begin_server(drive);
	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
