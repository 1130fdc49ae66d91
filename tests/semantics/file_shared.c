/* One open file, read, written and synced by several threads: each byte once, and in its place. */
#include "guest.h"

#include <sys/stat.h>
#include <sys/uio.h>

#define THREADS 4
#define BLOCK 4096
#define BLOCKS 512

static int fd;
static unsigned char seen[BLOCKS], block_of[THREADS][BLOCK];

/* Each block begins with its number, and is a pattern else. */
static void make_blocks(void)
{
	unsigned char block[BLOCK];

	for (uint32_t i = 0; i < BLOCKS; i++) {
		fill(block, BLOCK, i);
		memcpy(block, &i, sizeof(i));
		write_all(fd, block, BLOCK);
	}
	/* out of the cache, as far as the kernel likes */
	check(fsync(fd) == 0);
	check(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	check(lseek(fd, 0, SEEK_SET) == 0);
}

/* Read on where the last one has ended, whoever that was. */
static void *read_on(void *arg)
{
	unsigned char *block = block_of[(intptr_t)arg];
	struct iovec halves[2] = {{block, BLOCK / 2}, {block + BLOCK / 2, BLOCK / 2}};
	uint32_t number, last = 0;
	ssize_t n;

	for (int i = 0;; i++) {
		n = i % 2 == 0 ? read(fd, block, BLOCK) : readv(fd, halves, 2);
		if (n == 0)
			break;
		check(n == BLOCK);
		memcpy(&number, block, sizeof(number));
		check(number < BLOCKS && number >= last);
		check(is_filled(block + sizeof(number), BLOCK - sizeof(number),
				number + sizeof(number)));
		last = number;
		__atomic_add_fetch(&seen[number], 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static void *write_on(void *arg)
{
	unsigned char block[BLOCK];
	uint32_t owner = (uint32_t)(intptr_t)arg;

	for (uint32_t i = 0; i < BLOCKS / THREADS; i++) {
		memset(block, (int)owner + 1, BLOCK);
		memcpy(block, &owner, sizeof(owner));
		memcpy(block + sizeof(owner), &i, sizeof(i));
		check(write(fd, block, BLOCK) == BLOCK);
		if (i % 32 == 0)
			check(fdatasync(fd) == 0);
	}
	return NULL;
}

static void in_threads(void *(*run)(void *))
{
	pthread_t threads[THREADS];

	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(run, (void *)i);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
}

/* Blocks of each thread in its order, none over another, none torn. */
static void check_written(const char *what)
{
	uint32_t next[THREADS] = {0}, owner, number;
	unsigned char block[BLOCK];
	struct stat status;
	int whole = 0;

	for (off_t at = 0; pread(fd, block, BLOCK, at) == BLOCK; at += BLOCK) {
		memcpy(&owner, block, sizeof(owner));
		memcpy(&number, block + sizeof(owner), sizeof(number));
		check(owner < THREADS && number == next[owner]);
		next[owner]++;
		for (size_t i = 8; i < BLOCK; i++)
			check(block[i] == owner + 1);
		whole++;
	}
	check(fstat(fd, &status) == 0);
	say("%s: %d blocks, %ld bytes", what, whole, (long)status.st_size);
}

static int new_file(int flags)
{
	int file = open("/var/tmp", O_RDWR | O_TMPFILE, 0600);

	check(file >= 0 && fcntl(file, F_SETFL, flags) == 0);
	return file;
}

int main(void)
{
	int once = 0;

	fd = new_file(0);
	make_blocks();
	in_threads(read_on);
	for (int i = 0; i < BLOCKS; i++)
		once += seen[i] == 1;
	say("blocks read once: %d of %d", once, BLOCKS);
	close(fd);
	fd = new_file(0);
	in_threads(write_on);
	check_written("written");
	close(fd);
	fd = new_file(O_APPEND);
	in_threads(write_on);
	check_written("appended");
	close(fd);
	return 0;
}
