/* What a process with threads still does after it has given something up, for several guests. */
#ifndef AFTER_H
#define AFTER_H

#include "guest.h"

#include <semaphore.h>
#include <sys/file.h>
#include <sys/mman.h>

#define WAITERS 4

static struct {
	int socket[2], pipe[2], locked, held;
	sem_t *shared, posted;
	pthread_t threads[WAITERS];
	int timed_out;
} before;

static void *wait_on_socket(void *arg)
{
	char byte;

	check(recv(before.socket[0], &byte, 1, 0) == 1);
	return arg;
}

static void *wait_on_pipe(void *arg)
{
	return read_byte(&before.pipe[0]), arg;
}

static void *wait_on_lock(void *arg)
{
	check(flock(before.locked, LOCK_EX) == 0);
	return arg;
}

static void *wait_on_shared(void *arg)
{
	check(sem_wait(before.shared) == 0);
	return arg;
}

/* Threads that wait: for a socket, a pipe, a file's lock, and a word that processes share. */
static inline void begin_waiting(void)
{
	void *(*const waits[WAITERS])(void *) = {wait_on_socket, wait_on_pipe, wait_on_lock,
						 wait_on_shared};
	char name[] = "/tmp/afterXXXXXX";

	unix_pair(SOCK_STREAM, before.socket);
	check(pipe(before.pipe) == 0);
	before.locked = mkstemp(name);
	before.held = open(name, O_RDWR);
	unlink(name);
	check(before.held >= 0 && flock(before.held, LOCK_EX) == 0);
	before.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(before.shared != MAP_FAILED && sem_init(before.shared, 1, 0) == 0);
	for (int i = 0; i < WAITERS; i++)
		before.threads[i] = start(waits[i], NULL);
	settle();
}

/* And have what they wait for. */
static inline void end_waiting(void)
{
	check(send(before.socket[1], "x", 1, 0) == 1);
	write_all(before.pipe[1], "x", 1);
	check(flock(before.held, LOCK_UN) == 0);
	check(sem_post(before.shared) == 0);
	for (int i = 0; i < WAITERS; i++)
		finish(before.threads[i]);
	say("those who waited go on");
}

static void *serve_one(void *listener)
{
	int fd = accept(*(int *)listener, NULL, NULL);
	char byte;

	check(fd >= 0 && read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1);
	close(fd);
	return NULL;
}

static inline void use_sockets(void)
{
	struct sockaddr_in address;
	int listener = tcp_listen(&address), fd;
	pthread_t server = start(serve_one, &listener);
	char byte = 's';

	fd = tcp_connect(&address);
	check(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1);
	finish(server);
	close(fd);
	close(listener);
	say("sockets: %c", byte);
}

static void *lock_again(void *arg)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	check(flock(before.held, LOCK_EX) == 0);
	check(fcntl(before.held, F_OFD_SETLKW, &lock) == 0);
	return arg;
}

static inline void use_locks(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	pthread_t locker;

	check(fcntl(before.locked, F_OFD_SETLK, &lock) == 0);
	locker = start(lock_again, NULL);
	settle();
	lock.l_type = F_UNLCK;
	check(flock(before.locked, LOCK_UN) == 0);
	check(fcntl(before.locked, F_OFD_SETLK, &lock) == 0);
	finish(locker);
	say("file locks are passed on");
}

static void *wait_for_any(void *arg)
{
	int status;

	(void)arg;
	check(wait(&status) > 0);
	return (void *)(intptr_t)WEXITSTATUS(status);
}

static inline void use_children(void)
{
	pthread_t waiter;
	int status;
	pid_t child = fork();

	check(child >= 0);
	if (child == 0) {
		settle();
		_exit(sem_post(before.shared) == 0 ? 3 : 4);
	}
	waiter = start(wait_for_any, NULL);
	check(sem_wait(before.shared) == 0);
	say("a child ends with %ld", (long)(intptr_t)finish(waiter));
	child = fork();
	if (child == 0) {
		become_threaded();
		_exit(5);
	}
	check(child > 0 && waitpid(child, &status, 0) == child);
	say_status("a child with a thread", status);
}

static void on_timer(int signal)
{
	(void)signal;
	sem_post(&before.posted);
}

static inline void use_timers(void)
{
	struct itimerspec soon = {.it_value = {0, 5000000}};
	struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
	struct timespec short_time = {0, 1000000}, past = {1, 0};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
	timer_t timer;

	check(sem_init(&before.posted, 0, 0) == 0);
	check(sigaction(SIGUSR2, &action, NULL) == 0);
	check(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
	check(timer_settime(timer, 0, &soon, NULL) == 0);
	while (sem_wait(&before.posted) != 0)
		check(errno == EINTR);
	check(timer_delete(timer) == 0);
	check(nanosleep(&short_time, NULL) == 0);
	say("timer, sleep and %s",
	    sem_timedwait(&before.posted, &past) == -1 ? strerrorname_np(errno) : "a post");
}

static void *have_name(void *arg)
{
	check(pthread_setname_np(pthread_self(), "worker") == 0);
	sem_post(&before.posted);
	wait_on_pipe(NULL);
	return arg;
}

static inline void use_names(void)
{
	pthread_t worker = start(have_name, NULL);
	char name[16] = "";

	check(sem_wait(&before.posted) == 0);
	show_error(pthread_getname_np(worker, name, sizeof(name)));
	show_error(pthread_setname_np(worker, "renamed"));
	say("name: %s", name);
	write_all(before.pipe[1], "x", 1);
	finish(worker);
}

/* All of it. */
static inline void go_on(void)
{
	end_waiting();
	use_sockets();
	use_locks();
	use_children();
	use_timers();
	use_names();
}

#endif
