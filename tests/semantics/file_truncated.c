/* Files that become shorter and longer while they are read, written, copied and sent by others. */
#include "guest.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#define BYTES 65536
#define ROUNDS 400
#define READERS 5

static int file, is_over;
static long reads[READERS];

static void refill(void)
{
	static char block[BYTES];

	fill(block, BYTES, 0);
	check(pwrite(file, block, BYTES, 0) == BYTES);
}

/* What was read are bytes of the pattern, or zeros where the file was cut and grew again. */
static void check_read(const char *bytes, ssize_t n, uint64_t position)
{
	check(n >= 0);
	for (ssize_t i = 0; i < n; i++)
		check(bytes[i] == 0 || (unsigned char)bytes[i] == pattern(position + (uint64_t)i));
}

static ssize_t read_somehow(int how, char *bytes, off_t at)
{
	struct iovec parts[2] = {{bytes, 3000}, {bytes + 3000, 5192}};
	int ends[2];
	ssize_t n, sent;

	if (how == 0)
		return pread(file, bytes, 8192, at);
	if (how == 1)
		return preadv(file, parts, 2, at);
	if (how == 2)
		return preadv2(file, parts, 2, at, 0);
	check(pipe(ends) == 0);
	sent = how == 3 ? sendfile(ends[1], file, &at, 8192)
			: splice(file, &at, ends[1], NULL, 8192, 0);
	check(sent >= 0);
	close(ends[1]);
	n = (ssize_t)read_all(ends[0], bytes, 8192);
	check(n == sent);
	close(ends[0]);
	return n;
}

static void *read_on(void *arg)
{
	int how = (int)(intptr_t)arg;
	static __thread char bytes[8192];

	while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
		off_t at = (off_t)(reads[how] * 4096 % BYTES);

		check_read(bytes, read_somehow(how, bytes, at), (uint64_t)at);
		__atomic_add_fetch(&reads[how], 1, __ATOMIC_SEQ_CST);
		if (reads[how] % 16 == 0)
			sched_yield();
	}
	return NULL;
}

static void *cut_and_grow(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		check(ftruncate(file, i * 977 % BYTES) == 0);
		if (i % 8 == 0)
			usleep(100);
		check(fallocate(file, 0, 0, BYTES) == 0);
		refill();
	}
	return arg;
}

/* A reader at its own position goes on from where it was, whatever becomes of the file. */
static void read_beyond(void)
{
	char bytes[16];

	check(lseek(file, BYTES - 8, SEEK_SET) == BYTES - 8);
	check(ftruncate(file, BYTES - 16) == 0);
	show(read(file, bytes, 16));
	refill();
	show(read(file, bytes, 16));
	show(read(file, bytes, 16));
	show(is_filled(bytes, 8, BYTES - 8));
	show(write(file, "more", 4));
	show(ftruncate(file, 0));
	show(write(file, "and", 3));
	show(lseek(file, 0, SEEK_END));
}

int main(void)
{
	pthread_t readers[READERS], cutter;

	file = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	check(file >= 0);
	refill();
	for (int i = 0; i < READERS; i++)
		readers[i] = start(read_on, (void *)(intptr_t)i);
	cutter = start(cut_and_grow, NULL);
	finish(cutter);
	for (int i = 0; i < READERS; i++)
		while (__atomic_load_n(&reads[i], __ATOMIC_SEQ_CST) < 10)
			usleep(1000);
	__atomic_store_n(&is_over, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < READERS; i++)
		finish(readers[i]);
	say("nobody read what was never written");
	refill();
	read_beyond();
	return 0;
}
