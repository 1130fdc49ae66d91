/* The kernel's asynchronous input and output: what waits for completions. */
#include "ticks.h"
#include "waits.h"

#include <linux/aio_abi.h>

static aio_context_t context;
static struct iocb block, *blocks[1] = {&block}, *nowhere[1] = {NULL};
static struct io_event event;
static struct timespec moment = {0, 5000000};

static void make_context(void)
{
	make_pipe();
	context = 0;
	check(syscall(SYS_io_setup, 4, &context) == 0);
	block = (struct iocb){
		.aio_fildes = (uint32_t)fds[0], .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN};
}

static void make_submitted(void)
{
	make_context();
	check(syscall(SYS_io_submit, context, 1, blocks) == 1);
}

static void close_context(void)
{
	check(syscall(SYS_io_destroy, context) == 0);
	close_fds();
}

static const struct fixture submitted = {make_submitted, put_byte, close_context},
			    timed = {make_submitted, put_byte, close_context},
			    empty = {make_context, put_byte, close_context};

static struct {
	const void *mask;
	size_t len;
} no_mask = {NULL, 8}, short_mask = {&block, 3};

TICKS_ONCE(io_getevents, submitted, context, 1, 1, &event, NULL)
TICKS_ONCE(io_getevents, timed, context, 1, 1, &event, &far)
TICKS_ONCE(io_pgetevents, submitted, context, 1, 1, &event, NULL, NULL)
TICKS_ONCE(io_pgetevents, timed, context, 1, 1, &event, &far, &no_mask)
ON(submitted, io_getevents, too_late, ask(context, 1, 1, &event, &moment))
ON(submitted, io_getevents, without_waiting, ask(context, 0, 1, &event, NULL))
ON(empty, io_getevents, more_than_room, ask(context, 2, 1, &event, NULL))
ON(empty, io_getevents, negative, ask(context, -1L, 1, &event, NULL))
ANSWERS(io_getevents, no_context, ask(NULL, 1, 1, &event, NULL))
ON(empty, io_pgetevents, short_mask, ask(context, 1, 1, &event, NULL, &short_mask))
ANSWERS(io_pgetevents, no_context, ask(NULL, 1, 1, &event, NULL, NULL))
ON(empty, io_submit, one, ask(context, 1, blocks))
ON(empty, io_submit, none, ask(context, 0, blocks))
ON(empty, io_submit, negative, ask(context, -1L, blocks))
ON(empty, io_submit, from_nowhere, ask(context, 1, NULL))
ON(empty, io_submit, block_nowhere, ask(context, 1, nowhere))
ANSWERS(io_submit, no_context, ask(NULL, 1, blocks))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
