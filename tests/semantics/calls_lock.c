/* Locks that another process holds, and FIFOs whose other end nobody has opened. */
#include "ticks.h"
#include "waits.h"

#include <linux/openat2.h>

static int give_up[2];

static struct flock whole_file(short type)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET};
}

static _Noreturn void hold_until_told(int ready)
{
	int fd = open(path, O_RDWR);
	struct flock lock = whole_file(F_WRLCK);

	check(fd >= 0 && flock(fd, LOCK_EX) == 0 && fcntl(fd, F_SETLK, &lock) == 0);
	write_all(ready, "x", 1);
	check(read_all(give_up[0], &byte, 1) == 1);
	_exit(0);
}

static void make_held(void)
{
	int ready[2];

	snprintf(path, sizeof(path), "/tmp/calls_lock.%d", getpid());
	fds[0] = open(path, O_RDWR | O_CREAT, 0600);
	fds[1] = -1;
	check(fds[0] >= 0 && pipe(give_up) == 0 && pipe(ready) == 0);
	child = fork();
	if (child == 0)
		hold_until_told(ready[1]);
	check(read_all(ready[0], &byte, 1) == 1);
	close(ready[0]);
	close(ready[1]);
}

static void let_go(void)
{
	write_all(give_up[1], "x", 1);
}

static void forget_held(void)
{
	bury_child();
	close_fds();
	close(give_up[0]);
	close(give_up[1]);
	check(unlink(path) == 0);
}

static const struct fixture held = {make_held, let_go, forget_held},
			    held_to_share = {make_held, let_go, forget_held},
			    held_by_process = {make_held, let_go, forget_held},
			    reading_end = {make_fifo, open_both_ends, remove_fifo},
			    writing_end = {make_fifo, open_both_ends, remove_fifo};

static struct flock exclusive = {.l_type = F_WRLCK, .l_whence = SEEK_SET},
		    shared = {.l_type = F_RDLCK, .l_whence = SEEK_SET},
		    of_no_type = {.l_type = 99, .l_whence = SEEK_SET},
		    before_start = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = -1},
		    with_process = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_pid = 1};
static struct open_how to_read = {.flags = O_RDONLY}, with_flags = {.flags = ~0ULL};

TICKS(flock, held, fds[0], LOCK_EX)
TICKS(flock, held_to_share, fds[0], LOCK_SH)
TICKS(fcntl, held, fds[0], F_OFD_SETLKW, &exclusive)
TICKS(fcntl, held_to_share, fds[0], F_OFD_SETLKW, &shared)
TICKS(fcntl, held_by_process, fds[0], F_SETLKW, &exclusive)
WAITS_FOR(open, reading_end, true, as_fd(ask(path, O_RDONLY)))
WAITS_FOR(open, writing_end, true, as_fd(ask(path, O_WRONLY)))
WAITS_FOR(openat, reading_end, true, as_fd(ask(AT_FDCWD, path, O_RDONLY)))
WAITS_FOR(openat, writing_end, true, as_fd(ask(AT_FDCWD, path, O_WRONLY)))
WAITS_FOR(openat2, reading_end, true, as_fd(ask(AT_FDCWD, path, &to_read, sizeof(to_read))))
WAITS_FOR(creat, writing_end, true, as_fd(ask(path, 0600)))

ON(held, flock, without_waiting, ask(fds[0], LOCK_EX | LOCK_NB))
ON(held, flock, of_no_operation, ask(fds[0], 16))
ON(held, fcntl, set_without_waiting, ask(fds[0], F_SETLK, &exclusive))
ON(held, fcntl, get, ask(fds[0], F_GETLK, &(struct flock){.l_type = F_WRLCK}))
ON(held, fcntl, for_no_type, ask(fds[0], F_SETLKW, &of_no_type))
ON(held, fcntl, of_negative_start, ask(fds[0], F_SETLKW, &before_start))
ON(held, fcntl, with_a_process, ask(fds[0], F_OFD_SETLKW, &with_process))
ON(held, fcntl, of_nothing, ask(fds[0], F_SETLKW, NULL))
ON(held, fcntl, no_command, ask(fds[0], 9999, 0))
ON(held, fcntl, flags, ask(fds[0], F_SETFL, O_NONBLOCK))
ANSWERS(flock, no_descriptor, ask(-1, LOCK_EX))
ANSWERS(fcntl, no_descriptor, ask(-1, F_SETLKW, &exclusive))
ANSWERS(fcntl, no_descriptor_at_all, ask(-1, F_GETFD))
ANSWERS(open, nothing, as_fd(ask("/nonexistent", O_RDONLY)))
ANSWERS(open, nowhere, ask(NULL, O_RDONLY))
ANSWERS(open, folder_to_write, as_fd(ask("/tmp", O_WRONLY)))
ANSWERS(open, folder, as_fd(ask("/tmp", O_RDONLY)))
ANSWERS(open, terminal_of_nobody, as_fd(ask("/dev/tty", O_RDWR)))
ANSWERS(openat, no_folder, ask(-1, "name", O_RDONLY))
ANSWERS(openat, no_path, ask(AT_FDCWD, NULL, O_RDONLY))
ANSWERS(openat, no_name, ask(AT_FDCWD, "", O_RDONLY))
ANSWERS(openat2, bad_size, ask(AT_FDCWD, "/tmp", &to_read, 1))
ANSWERS(openat2, bad_flags, ask(AT_FDCWD, "/tmp", &with_flags, sizeof(with_flags)))
ANSWERS(openat2, folder, as_fd(ask(AT_FDCWD, "/tmp", &to_read, sizeof(to_read))))
ANSWERS(creat, folder, ask("/tmp", 0600))
ANSWERS(creat, nowhere, ask("/nonexistent/file", 0600))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
