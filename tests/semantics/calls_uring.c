/* io_uring by its own calls: what waits for a completion. */
#include "ticks.h"
#include "waits.h"

#include "uring.h"

static struct uring ring;

static void put_read(void)
{
	uring_put(&ring, (struct io_uring_sqe){.opcode = IORING_OP_READ,
					       .fd = fds[0],
					       .addr = (uintptr_t)&byte,
					       .len = 1});
}

static void make_put(void)
{
	make_pipe();
	check(uring_open(&ring));
	put_read();
}

static void make_submitted(void)
{
	make_put();
	check(uring_enter(&ring, 1, 0, 0) == 1);
}

static void make_ring(void)
{
	make_pipe();
	check(uring_open(&ring));
}

static void close_ring(void)
{
	uring_close(&ring);
	close_fds();
}

static const struct fixture submitted = {make_submitted, put_byte, close_ring},
			    to_submit = {make_put, put_byte, close_ring},
			    with_a_mask = {make_submitted, put_byte, close_ring},
			    empty_ring = {make_ring, put_byte, close_ring};

static uint64_t no_signals;

#define WAIT IORING_ENTER_GETEVENTS

TICKS_ONCE(io_uring_enter, submitted, ring.fd, 0, 1, WAIT, NULL, 0)
TICKS_ONCE(io_uring_enter, with_a_mask, ring.fd, 0, 1, WAIT, &no_signals, 8)
ON(empty_ring, io_uring_enter, nothing, ask(ring.fd, 0, 0, 0, NULL, 0))
ON(to_submit, io_uring_enter, without_waiting, ask(ring.fd, 1, 0, 0, NULL, 0))
ON(empty_ring, io_uring_enter, bad_flags, ask(ring.fd, 0, 0, 1 << 30, NULL, 0))
ON(submitted, io_uring_enter, bad_mask_size, ask(ring.fd, 0, 1, WAIT, &no_signals, 3))
ANSWERS(io_uring_enter, no_descriptor, ask(-1, 0, 1, WAIT, NULL, 0))
ANSWERS(io_uring_enter, no_ring, ask(0, 0, 1, WAIT, NULL, 0))
ANSWERS(io_uring_setup, none, ask(0, &ring.params))
ANSWERS(io_uring_setup, nowhere, ask(4, NULL))
ANSWERS(io_uring_register, no_descriptor, ask(-1, 0, NULL, 0))

/* Submits and waits at once: an interrupted wait still tells how much was submitted. */
static long submit_and_wait(void)
{
	long result = ask(ring.fd, 1, 1, WAIT, NULL, 0);
	int got = -1;

	check(result == 1);
	return uring_take(&ring, &got) ? 100 + got : result;
}

static void *put_late(void *arg)
{
	for (int i = 0; i < TICKS_BEFORE; i++)
		nap();
	put_byte();
	return arg;
}

static long submit_beside_ticks(void)
{
	pthread_t ticker = start(put_late, NULL);
	long result = submit_and_wait();

	finish(ticker);
	return result;
}

ON(to_submit, io_uring_enter, submits_and_waits, submit_beside_ticks())

int main(int argc, char *argv[])
{
	if (uring_open(&ring)) {
		uring_close(&ring);
	} else if (argc < 2) {
		say("the kernel has no io_uring for us");
		return 0;
	}
	return run_trials(argv);
}
