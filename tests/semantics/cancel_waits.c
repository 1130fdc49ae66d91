/* Waits that can be cancelled beyond those of POSIX: between pipes, for locks, for queues. */
#include "waits.h"

static const struct wait *wait_now;
static int other[2], begun, cleaned;

static void make_two_pipes(void)
{
	make_pipe();
	check(pipe(other) == 0);
}

static void make_full_and_other(void)
{
	make_full_pipe();
	check(pipe(other) == 0);
	write_all(other[1], "y", 1);
}

static void close_two_pipes(void)
{
	close_fds();
	close(other[0]);
	close(other[1]);
}

CALL(call_splice, splice(fds[0], NULL, other[1], NULL, 8, 0))
CALL(call_splice_full, splice(other[0], NULL, fds[1], NULL, 8, 0))
CALL(call_tee, tee(fds[0], other[1], 8, 0))
CALL(call_vmsplice, vmsplice(fds[1], &one, 1, 0))
CALL(call_preadv2, preadv2(fds[0], &one, 1, -1, 0))
CALL(call_pwritev2, pwritev2(fds[1], &one, 1, -1, 0))

static const struct wait more[] = {
	{"splice", true, make_two_pipes, call_splice, NULL, close_two_pipes},
	{"splice to a full pipe", true, make_full_and_other, call_splice_full, NULL,
	 close_two_pipes},
	{"tee", true, make_two_pipes, call_tee, NULL, close_two_pipes},
	{"vmsplice", true, make_full_pipe, call_vmsplice, NULL, close_fds},
	{"preadv2", true, make_pipe, call_preadv2, NULL, close_fds},
	{"pwritev2", true, make_full_pipe, call_pwritev2, NULL, close_fds},
	{"F_OFD_SETLKW", true, make_lock, call_ofd_setlkw, NULL, close_fds},
	{"F_SETLKW", true, make_lock, call_setlkw, NULL, close_fds},
	{"open FIFO to read", true, make_fifo, call_open_reader, NULL, remove_fifo},
	{"mq_timedreceive", true, make_mq, call_mq_timedreceive, NULL, close_mq},
	{"msgrcv", false, make_queue, call_msgrcv, NULL, remove_queue},
	{"waitid", true, make_child, call_waitid, NULL, bury_child},
	{"epoll_wait", false, make_epoll, call_epoll_wait, NULL, close_fds},
	{"sigwaitinfo", false, do_nothing, call_sigwaitinfo, NULL, do_nothing},
};

static void clean(void *arg)
{
	(void)arg;
	cleaned = 1;
}

static void *wait_once(void *arg)
{
	long result;

	pthread_cleanup_push(clean, NULL);
	__atomic_store_n(&begun, 1, __ATOMIC_SEQ_CST);
	result = wait_now->call();
	say("%s: came back with %ld", wait_now->name, result);
	pthread_cleanup_pop(0);
	return arg;
}

static void cancel(const struct wait *wait)
{
	pthread_t thread;
	void *end;

	wait_now = wait;
	begun = cleaned = 0;
	wait->set_up();
	thread = start(wait_once, NULL);
	while (!__atomic_load_n(&begun, __ATOMIC_SEQ_CST))
		usleep(1000);
	settle();
	check(pthread_cancel(thread) == 0);
	end = finish(thread);
	say("%s: cancelled %d, cleaned %d", wait->name, end == PTHREAD_CANCELED, cleaned);
	wait->tidy();
}

int main(int argc, char *argv[])
{
	for (size_t i = 0; i < sizeof(more) / sizeof(*more); i++) {
		if (argc > 1 && strcmp(argv[1], more[i].name) != 0)
			continue;
		cancel(&more[i]);
	}
	return 0;
}
