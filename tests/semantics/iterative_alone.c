/* Connections that others cannot be served beside: they share what is on their stack, or have much there. */
#include "serve.h"

#include <aio.h>

#define CLIENTS 24

static void *fill_later(void *arg)
{
	unsigned char *bytes = arg;

	usleep(3000);
	fill(bytes + 1, 1000, bytes[0]);
	return NULL;
}

/* A thread writes to where it was told. */
static bool share_with_thread(int n)
{
	unsigned char bytes[1001] = {(unsigned char)n};
	pthread_t thread = start(fill_later, bytes);

	usleep(1000);
	finish(thread);
	return bytes[0] == n && is_filled(bytes + 1, 1000, (uint64_t)n);
}

/* So does a thread of libc's. */
static bool share_with_libc(int n)
{
	unsigned char bytes[1000], word[1000];
	struct aiocb block;
	const struct aiocb *list[] = {&block};
	int ends[2];

	check(pipe(ends) == 0);
	memset(&block, 0, sizeof(block));
	block.aio_fildes = ends[0];
	block.aio_buf = bytes;
	block.aio_nbytes = sizeof(bytes);
	check(aio_read(&block) == 0);
	usleep(2000);
	fill(word, sizeof(word), (uint64_t)n);
	write_all(ends[1], word, sizeof(word));
	while (aio_error(&block) == EINPROGRESS)
		check(aio_suspend(list, 1, NULL) == 0);
	check(aio_return(&block) == sizeof(bytes));
	close(ends[0]);
	close(ends[1]);
	return is_filled(bytes, sizeof(bytes), (uint64_t)n);
}

__attribute__((noinline)) static bool have_much(int n)
{
	unsigned char bytes[700000];

	fill(bytes, sizeof(bytes), (uint64_t)n);
	usleep(2000);
	return is_filled(bytes, sizeof(bytes), (uint64_t)n);
}

static void serve(int fd)
{
	char line[64];
	bool right = true;
	int n;

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		exit(0);
	}
	n = atoi(line);
	if (n % 4 == 1)
		right = share_with_thread(n);
	if (n % 4 == 2)
		right = have_much(n);
	if (n % 4 == 3)
		right = share_with_libc(n);
	answer(fd, "%d: %s", n, right ? "right" : "wrong");
	end_service();
}

static void make(char *text, int i)
{
	sprintf(text, "%d\n", i);
}

static void judge(const char *heard, int i)
{
	(void)i;
	say("%s", heard);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

int main(void)
{
	int listener = begin_server(drive);

	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
