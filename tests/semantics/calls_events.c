/* Reads of what is neither pipe, socket nor file: events, timers, signals, watches, terminals. */
#include "ticks.h"
#include "waits.h"

#include <linux/userfaultfd.h>
#include <pty.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static char room[4096];

static void make_full_eventfd(void)
{
	make_eventfd();
	check(eventfd_write(fds[1], 0xFFFFFFFFFFFFFFFE) == 0);
}

static void take_event(void)
{
	eventfd_t value;

	check(eventfd_read(fds[1], &value) == 0);
}

static void make_timerfd(void)
{
	fds[0] = timerfd_create(CLOCK_MONOTONIC, 0);
	fds[1] = dup(fds[0]);
}

static void expire(void)
{
	struct itimerspec at_once = {.it_value = {0, 1}};

	check(timerfd_settime(fds[1], 0, &at_once, NULL) == 0);
}

static void make_signalfd(void)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	fds[0] = signalfd(-1, &mask, 0);
	fds[1] = dup(fds[0]);
}

static void send_signal(void)
{
	check(kill(getpid(), SIGUSR2) == 0);
}

/* Where the kernel or the file system has no watch for the likes of us, a pipe stands in. */
static void make_fanotify(void)
{
	fds[0] = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
	fds[1] = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	if (fanotify_mark(fds[0], FAN_MARK_ADD, FAN_MODIFY, AT_FDCWD, path) == 0)
		return;
	close_fds();
	make_pipe();
}

/* A terminal that was told to stop takes nothing. */
static void make_stopped_terminal(void)
{
	struct termios raw;

	check(openpty(&fds[0], &fds[1], NULL, NULL, NULL) == 0);
	check(tcgetattr(fds[1], &raw) == 0);
	cfmakeraw(&raw);
	check(tcsetattr(fds[1], TCSANOW, &raw) == 0);
	check(tcflow(fds[1], TCOOFF) == 0);
}

static void start_terminal(void)
{
	check(tcflow(fds[1], TCOON) == 0);
}

static void make_master(void)
{
	check(openpty(&fds[0], &fds[1], NULL, NULL, NULL) == 0);
}

/* --- a child that touches memory which its parent is to provide --- */
static int touch_now[2];

static int open_faults(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY);

	check(fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0);
	return fd;
}

static _Noreturn void touch_when_told(int number_to)
{
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open_faults();

	range.range.start = (uintptr_t)page;
	range.range.len = 4096;
	check(ioctl(fd, UFFDIO_REGISTER, &range) == 0);
	write_all(number_to, &fd, sizeof(fd));
	check(read_all(touch_now[0], &byte, 1) == 1);
	_exit(*(volatile char *)page);
}

static void make_faulting_child(void)
{
	int number, numbers[2], pidfd;

	check(pipe(touch_now) == 0 && pipe(numbers) == 0);
	child = fork();
	if (child == 0)
		touch_when_told(numbers[1]);
	check(read_all(numbers[0], &number, sizeof(number)) == sizeof(number));
	close(numbers[0]);
	close(numbers[1]);
	pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	fds[0] = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	fds[1] = pidfd;
	check(fds[0] >= 0);
}

static void touch_page(void)
{
	write_all(touch_now[1], "x", 1);
}

static void end_faulting_child(void)
{
	bury_child();
	close_fds();
	close(touch_now[0]);
	close(touch_now[1]);
}

/* Readable once the child has ended; a pidfd itself cannot be read. */
static void make_pidfd(void)
{
	make_child();
	fds[0] = (int)syscall(SYS_pidfd_open, child, 0);
	fds[1] = dup(fds[0]);
}

static void close_pidfd(void)
{
	bury_child();
	close_fds();
}

static const struct fixture empty_eventfd = {make_eventfd, count_event, close_fds},
			    full_eventfd = {make_full_eventfd, take_event, close_fds},
			    unexpired_timerfd = {make_timerfd, expire, close_fds},
			    signalfd_without = {make_signalfd, send_signal, close_fds},
			    quiet_inotify = {make_inotify, put_byte, close_fds},
			    quiet_fanotify = {make_fanotify, put_byte, close_fds},
			    quiet_userfaultfd = {make_faulting_child, touch_page,
						 end_faulting_child},
			    idle_terminal = {make_terminal, type_line, close_fds},
			    idle_master = {make_master, put_byte, close_fds},
			    stopped_terminal = {make_stopped_terminal, start_terminal, close_fds},
			    pidfd = {make_pidfd, end_child, close_pidfd};

TICKS(read, empty_eventfd, fds[0], room, 8)
TICKS(write, full_eventfd, fds[0], &(uint64_t){1}, 8)
TICKS(read, unexpired_timerfd, fds[0], room, 8)
TICKS(read, signalfd_without, fds[0], room, sizeof(struct signalfd_siginfo))
WAITS_FOR(read, quiet_inotify, true, as_zero(ask(fds[0], room, sizeof(room))))
WAITS_FOR(read, quiet_fanotify, true, as_zero(ask(fds[0], room, sizeof(room))))
TICKS(read, quiet_userfaultfd, fds[0], room, sizeof(struct uffd_msg))
TICKS(read, idle_terminal, fds[0], room, sizeof(room))
TICKS(read, idle_master, fds[0], room, sizeof(room))
TICKS(write, stopped_terminal, fds[1], "x", 1)
TICKS(readv, idle_terminal, fds[0], &one, 1)
TICKS(readv, empty_eventfd, fds[0], &(struct iovec){room, 8}, 1)
TICKS_ONCE(poll, pidfd, &(struct pollfd){fds[0], POLLIN, 0}, 1, -1)

static long read_of(int fd, size_t len)
{
	long result = ask(fd, room, len);
	int error = errno;

	close(fd);
	errno = error;
	return result;
}

ANSWERS(signalfd, new, as_fd(ask(-1, &(uint64_t){1}, 8)))
ANSWERS(signalfd, short_mask, ask(-1, &(uint64_t){1}, 4))
ANSWERS(signalfd, no_mask, ask(-1, NULL, 8))
ANSWERS(signalfd, other_kind, ask(0, &(uint64_t){1}, 8))
ANSWERS(signalfd4, new, as_fd(ask(-1, &(uint64_t){1}, 8, O_CLOEXEC)))
ANSWERS(signalfd4, bad_flags, ask(-1, &(uint64_t){1}, 8, 1))
ANSWERS(signalfd4, closed, ask(999, &(uint64_t){1}, 8, 0))
ANSWERS(read, eventfd_too_short, read_of(eventfd(1, 0), 7))
ANSWERS(read, eventfd_with, read_of(eventfd(1, 0), 8))
ANSWERS(read, timerfd_too_short, read_of(timerfd_create(CLOCK_MONOTONIC, 0), 7))
ANSWERS(read, pidfd_itself, read_of((int)syscall(SYS_pidfd_open, getpid(), 0), 8))
ANSWERS(read, epoll_set, read_of(epoll_create1(0), 8))
ANSWERS(read, random_device, read_of(open("/dev/random", O_RDONLY), 8))
ANSWERS(read, zero_device, read_of(open("/dev/zero", O_RDONLY), sizeof(room)))
ANSWERS(read, folder, read_of(open("/tmp", O_RDONLY | O_DIRECTORY), 8))
ANSWERS(read, path_only, read_of(open("/tmp", O_PATH), 8))
ANSWERS(getrandom, eight, ask(room, 8, 0))
ANSWERS(getrandom, from_pool, ask(room, 8, GRND_RANDOM))
ANSWERS(getrandom, bad_flags, ask(room, 8, -1))
ANSWERS(getrandom, nowhere, ask(NULL, 8, 0))

/* The one that waits for output to drain has nothing to drain. */
ON(idle_terminal, ioctl, drain, ask(fds[0], TCSBRK, (void *)1))
ON(idle_terminal, ioctl, get_attributes, ask(fds[0], TCGETS, room))
ON(idle_terminal, ioctl, get_attributes_nowhere, ask(fds[0], TCGETS, NULL))
ON(idle_terminal, ioctl, nonblocking, ask(fds[0], FIONBIO, &(int){1}))
ON(idle_terminal, ioctl, nonblocking_nowhere, ask(fds[0], FIONBIO, NULL))
ON(idle_terminal, ioctl, unknown, ask(fds[0], 0xFFFFFFFF, NULL))
ANSWERS(ioctl, no_descriptor, ask(-1, FIONBIO, &(int){1}))
ANSWERS(ioctl, no_terminal, ask(0, TCSBRK, 1))

/* Blocked in every thread, SIGUSR2 is for who reads it. */
int main(int argc, char *argv[])
{
	sigset_t mask;

	(void)argc;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	check(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
	return run_trials(argv);
}
