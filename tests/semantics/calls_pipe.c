/* Calls that wait for what is in a pipe, or for room in it. */
#include "ticks.h"
#include "waits.h"

#include <sys/sendfile.h>

static int file, other[2];

static void make_two_pipes(void)
{
	make_pipe();
	check(pipe(other) == 0);
}

/* Full is the first pair, whose ends calls_pipe's fixtures share; the second has a byte. */
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

static int open_file(void)
{
	int fd = open("/tmp", O_RDWR | O_TMPFILE, 0600);

	check(fd >= 0);
	write_all(fd, "0123456789", 10);
	check(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static void make_empty_and_file(void)
{
	make_pipe();
	file = open_file();
}

static void make_full_and_file(void)
{
	make_full_pipe();
	file = open_file();
}

static void make_full_socket_and_file(void)
{
	make_full_pair();
	file = open_file();
}

static void close_and_file(void)
{
	close_fds();
	close(file);
}

static const struct fixture empty_pipe = {make_pipe, put_byte, close_fds},
			    full_pipe = {make_full_pipe, drain, close_fds},
			    empty_to_other = {make_two_pipes, put_byte, close_two_pipes},
			    other_to_full = {make_full_and_other, drain, close_two_pipes},
			    empty_to_file = {make_empty_and_file, put_byte, close_and_file},
			    file_to_full = {make_full_and_file, drain, close_and_file},
			    file_to_socket = {make_full_socket_and_file, drain, close_and_file};

#define HERE -1L, -1L

TICKS(read, empty_pipe, fds[0], &byte, 1)
TICKS(readv, empty_pipe, fds[0], &one, 1)
TICKS(preadv2, empty_pipe, fds[0], &one, 1, HERE, 0)
TICKS(write, full_pipe, fds[1], "x", 1)
TICKS(writev, full_pipe, fds[1], &one, 1)
TICKS(pwritev2, full_pipe, fds[1], &one, 1, HERE, 0)
TICKS(splice, empty_to_other, fds[0], NULL, other[1], NULL, 10, 0)
TICKS(splice, other_to_full, other[0], NULL, fds[1], NULL, 10, 0)
TICKS(splice, empty_to_file, fds[0], NULL, file, NULL, 10, 0)
TICKS(splice, file_to_full, file, NULL, fds[1], NULL, 10, 0)
TICKS(tee, empty_to_other, fds[0], other[1], 10, 0)
TICKS(tee, other_to_full, other[0], fds[1], 10, 0)
TICKS(vmsplice, full_pipe, fds[1], &one, 1, 0)
TICKS(vmsplice, empty_pipe, fds[0], &one, 1, 0)
TICKS(sendfile, file_to_full, fds[1], file, NULL, 10)
TICKS(sendfile, file_to_socket, fds[1], file, NULL, 10)
ANSWERS(read, no_descriptor, ask(-1, &byte, 1))
ANSWERS(readv, no_descriptor, ask(-1, &one, 1))
ANSWERS(write, no_descriptor, ask(-1, &byte, 1))
ANSWERS(writev, no_descriptor, ask(-1, &one, 1))
ANSWERS(splice, no_descriptor, ask(-1, NULL, -1, NULL, 10, 0))
ANSWERS(tee, no_descriptor, ask(-1, -1, 10, 0))
ANSWERS(vmsplice, no_descriptor, ask(-1, &one, 1, 0))
ANSWERS(sendfile, no_descriptor, ask(-1, -1, NULL, 10))
ANSWERS(pipe2, new, as_zero(ask(other, 0)) == 0 ? as_fd(other[0]) + as_fd(other[1]) : -1)
ANSWERS(pipe2, bad_flags, ask(other, -1))

int main(int argc, char *argv[])
{
	(void)argc;
	signal(SIGPIPE, SIG_IGN);
	return run_trials(argv);
}
