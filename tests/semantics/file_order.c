/* One file, many threads: what each appends is whole and in its order, what is read at one position
 * is read once.
 *
 * The kernel holds the position of an open file for one call at a time, and the end of a file for one
 * that appends (write(2), read(2), "BUGS"). A file on a disk and one in memory; with what is read in
 * the cache, and dropped from it all the while.
 */
#include "guest.h"

#include <sys/mman.h>
#include <sys/uio.h>

#define THREADS 8
#define LINES 150
#define LONGEST 300000
#define BLOCK 10000 /* of no whole number of pages */
#define BLOCKS 200

static int base; /* the file of the case that runs, with a position of its own */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static int open_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_RDWR | flags);
	check(fd >= 0);
	return fd;
}

/* What memfd_create(2) gives has no lock of its position (Linux 6.18), what open(2) gives has. */
static void make_file(bool in_memory)
{
	char path[] = "/tmp/guest-order-XXXXXX";
	int fd = in_memory ? memfd_create("order", MFD_CLOEXEC) : mkstemp(path);

	check(fd >= 0);
	base = open_again(fd, 0);
	check(close(fd) == 0 && (in_memory || unlink(path) == 0));
}

static int copy_of(int fd)
{
	int copy = dup(fd);

	check(copy >= 0);
	return copy;
}

/* Which descriptor each of the threads has. */
enum way { SAME, COPIES, OPENS, ALL };

static int give(enum way way, int shared, int number, int flags)
{
	switch (way) {
	case COPIES:
		return copy_of(shared);
	case OPENS:
		return open_again(base, flags);
	case ALL:
		return give((enum way)(number % ALL), shared, number, flags);
	default:
		return shared;
	}
}

struct part {
	pthread_t thread;
	int number, fd;
	bool drops; /* what is cached of the file, again and again */
};

static void run_all(enum way way, int shared, int flags, bool drops, void *(*run)(void *))
{
	struct part parts[THREADS];

	for (int i = 0; i < THREADS; i++)
		parts[i] = (struct part){.number = i, .fd = give(way, shared, i, flags), drops};
	for (int i = 0; i < THREADS; i++)
		parts[i].thread = start(run, &parts[i]);
	for (int i = 0; i < THREADS; i++)
		finish(parts[i].thread);
	for (int i = 0; i < THREADS; i++)
		if (parts[i].fd != shared)
			close(parts[i].fd);
}

/* --- lines --- */

/* Their lengths differ; some are of several pages, and one of very many. */
static int length_of(int number, int i)
{
	if (i == 75)
		return LONGEST - number;
	return i % 40 == 7 ? 20000 - number : 20 + (i * 37 + number * 11) % 300;
}

static void *append_lines(void *arg)
{
	const struct part *part = arg;
	char *line = malloc(LONGEST + 1);

	check(line != NULL);
	for (int i = 0; i < LINES; i++) {
		int length = length_of(part->number, i), head;
		struct iovec pieces[3] = {
			{line, 5}, {line + 5, 6}, {line + 11, (size_t)length - 11}};

		head = sprintf(line, "%d %05d ", part->number, i);
		memset(line + head, 'a' + part->number, (size_t)(length - head - 1));
		line[length - 1] = '\n';
		if (i % 2 == 0)
			check(write(part->fd, line, (size_t)length) == length);
		else
			check(writev(part->fd, pieces, 3) == length);
	}
	free(line);
	return NULL;
}

static void check_line(const char *line, int next[THREADS], int *ret_length)
{
	int number, i;

	check(sscanf(line, "%d %d", &number, &i) == 2 && number >= 0 && number < THREADS);
	check(i == next[number]++);
	*ret_length = length_of(number, i);
	for (int at = 8; at < *ret_length - 1; at++)
		check(line[at] == 'a' + number);
	check(line[*ret_length - 1] == '\n');
}

static int count_lines(void)
{
	off_t bytes = lseek(base, 0, SEEK_END);
	int next[THREADS] = {0}, length, count = 0;
	char *all = calloc(1, (size_t)bytes + LONGEST);

	check(all != NULL && pread(base, all, (size_t)bytes, 0) == bytes);
	for (off_t at = 0; at < bytes; at += length, count++)
		check_line(all + at, next, &length);
	free(all);
	return count;
}

static void append(const char *what, bool in_memory, enum way way, int flags)
{
	int shared;

	make_file(in_memory);
	shared = open_again(base, flags);
	run_all(way, shared, flags, false, append_lines);
	say("%s: %d lines", what, count_lines());
	close(shared);
	close(base);
}

/* --- blocks --- */
static int seen[BLOCKS];

static void make_blocks(bool in_memory)
{
	unsigned char block[BLOCK];

	make_file(in_memory);
	for (uint32_t i = 0; i < BLOCKS; i++) {
		fill(block, BLOCK, (uint64_t)i * BLOCK);
		memcpy(block, &i, sizeof(i));
		write_all(base, block, BLOCK);
	}
	check(fsync(base) == 0 && lseek(base, 0, SEEK_SET) == 0);
	memset(seen, 0, sizeof(seen));
}

static void drop(bool drops)
{
	check(!drops || posix_fadvise(base, 0, 0, POSIX_FADV_DONTNEED) == 0);
}

/* The number of the block that is read where the file stands; -1 at its end. */
static int read_block(int fd, bool in_pieces)
{
	unsigned char block[BLOCK];
	struct iovec pieces[2] = {{block, 3000}, {block + 3000, BLOCK - 3000}};
	ssize_t n = in_pieces ? readv(fd, pieces, 2) : read(fd, block, BLOCK);
	uint32_t number;

	if (n == 0)
		return -1;
	check(n == BLOCK);
	memcpy(&number, block, sizeof(number));
	check(number < BLOCKS);
	check(is_filled(block + 4, BLOCK - 4, (uint64_t)number * BLOCK + 4));
	return (int)number;
}

/* What this thread reads comes later and later; whoever asks sees the position between blocks. */
static void *read_on(void *arg)
{
	const struct part *part = arg;
	int last = -1, number;

	for (int i = 0; (number = read_block(part->fd, i % 2 == 1)) >= 0; i++) {
		check(number > last);
		last = number;
		__atomic_add_fetch(&seen[number], 1, __ATOMIC_RELAXED);
		check(lseek(part->fd, 0, SEEK_CUR) % BLOCK == 0);
		drop(part->drops);
	}
	return NULL;
}

static void *read_anywhere(void *arg)
{
	const struct part *part = arg;

	for (int i = 0; i < BLOCKS / 2; i++) {
		int wanted = (i * 7919 + part->number * 31) % BLOCKS;

		pthread_mutex_lock(&mutex);
		check(lseek(part->fd, (off_t)wanted * BLOCK, SEEK_SET) == (off_t)wanted * BLOCK);
		check(read_block(part->fd, i % 2 == 1) == wanted);
		pthread_mutex_unlock(&mutex);
		drop(part->drops);
	}
	return NULL;
}

static void read_once(const char *what, bool in_memory, enum way way, bool drops)
{
	int once = 0;

	make_blocks(in_memory);
	drop(drops);
	run_all(way, base, 0, drops, read_on);
	for (int i = 0; i < BLOCKS; i++)
		once += seen[i] == 1;
	say("%s: %d of %d blocks once", what, once, BLOCKS);
	close(base);
}

static void read_in_turn(const char *what, bool in_memory, bool drops)
{
	make_blocks(in_memory);
	run_all(COPIES, base, 0, drops, read_anywhere);
	say("%s: each block where it was looked for", what);
	close(base);
}

static void try_all(bool in_memory)
{
	say("--- %s", in_memory ? "in memory" : "on a disk");
	append("one descriptor", in_memory, SAME, 0);
	append("one descriptor with O_APPEND", in_memory, SAME, O_APPEND);
	append("copies of a descriptor", in_memory, COPIES, 0);
	append("copies of one with O_APPEND", in_memory, COPIES, O_APPEND);
	append("opens with O_APPEND", in_memory, OPENS, O_APPEND);
	append("all of these with O_APPEND", in_memory, ALL, O_APPEND);
	for (int drops = 0; drops < 2; drops++) {
		say("- %s", drops ? "dropped from the cache" : "cached");
		read_once("one descriptor", in_memory, SAME, drops);
		read_once("copies of a descriptor", in_memory, COPIES, drops);
		read_in_turn("under a mutex", in_memory, drops);
	}
}

int main(void)
{
	try_all(false);
	try_all(true);
	return 0;
}
