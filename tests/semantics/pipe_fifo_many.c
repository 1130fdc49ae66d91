/* More threads than one would make kernel threads for wait for the other ends of FIFOs. */
#include "guest.h"

#include <sys/stat.h>

#define FIFOS 80

static char folder[] = "/tmp/guest-fifos-XXXXXX", byte;
static int caught;

struct end {
	pthread_t thread;
	char path[64];
	int flags, fd;
};

static struct end ends[FIFOS];

static void count(int signal)
{
	(void)signal;
	__atomic_add_fetch(&caught, 1, __ATOMIC_SEQ_CST);
}

static void *open_end(void *arg)
{
	struct end *end = arg;

	end->fd = open(end->path, end->flags);
	return arg;
}

static void begin(int flags)
{
	for (int i = 0; i < FIFOS; i++) {
		snprintf(ends[i].path, sizeof(ends[i].path), "%s/%d", folder, i);
		check(mkfifo(ends[i].path, 0600) == 0);
		ends[i].flags = flags;
		ends[i].thread = start(open_end, &ends[i]);
	}
	settle();
}

/* A byte goes from the one who opens an end now to the one who has waited with the other. */
static bool pass_byte(struct end *end)
{
	int fd = open(end->path, end->flags == O_RDONLY ? O_WRONLY : O_RDONLY);
	int from, to;

	check(fd >= 0);
	finish(end->thread);
	from = end->flags == O_RDONLY ? end->fd : fd;
	to = end->flags == O_RDONLY ? fd : end->fd;
	check(from >= 0 && to >= 0 && (fcntl(end->fd, F_GETFL) & O_NONBLOCK) == 0);
	write_all(to, "x", 1);
	return read(from, &byte, 1) == 1 && close(fd) == 0 && close(end->fd) == 0 &&
	       unlink(end->path) == 0;
}

/* The last that began to wait is the first whose other end is opened. */
static void wait_for_others(const char *what, int flags)
{
	int passed = 0;

	begin(flags);
	for (int i = FIFOS - 1; i >= 0; i--)
		passed += pass_byte(&ends[i]);
	say("%s: %d", what, passed);
}

/* Who came and went has been there. */
static void come_and_go(void)
{
	int opened = 0;

	begin(O_RDONLY);
	for (int i = FIFOS - 1; i >= 0; i--) {
		int fd = open(ends[i].path, O_WRONLY);

		check(fd >= 0 && close(fd) == 0);
		finish(ends[i].thread);
		opened += ends[i].fd >= 0 && read(ends[i].fd, &byte, 1) == 0;
		close(ends[i].fd);
		check(unlink(ends[i].path) == 0);
	}
	say("readers of those who came and went: %d", opened);
}

/* A handler ends each wait, and no descriptor is left of it. */
static void interrupt_all(int flags)
{
	struct sigaction action = {.sa_handler = count};
	int least = dup(0), ended = 0;

	close(least);
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	begin(flags);
	for (int i = 0; i < FIFOS; i++) {
		struct end *end = &ends[i];

		while (pthread_tryjoin_np(end->thread, NULL) == EBUSY) {
			pthread_kill(end->thread, SIGUSR1);
			usleep(1000);
		}
		ended += end->fd == -1;
		check(unlink(end->path) == 0);
	}
	check(dup(0) == least && close(least) == 0);
	say("interrupted: %d, handlers ran: %d", ended, caught > 0);
}

int main(void)
{
	check(mkdtemp(folder) != NULL);
	wait_for_others("readers that waited", O_RDONLY);
	wait_for_others("writers that waited", O_WRONLY);
	come_and_go();
	interrupt_all(O_RDONLY);
	interrupt_all(O_WRONLY);
	check(rmdir(folder) == 0);
	return 0;
}
