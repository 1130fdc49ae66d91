/* A handler sees the call that it interrupts where it was made: before it if it starts over. */
#include "guest.h"

#include <dlfcn.h>
#include <semaphore.h>
#include <sys/uio.h>
#include <ucontext.h>

static int ends[2], pair[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static sem_t semaphore, seen;
static greg_t pc, result;

static void look(int signal, siginfo_t *info, void *context)
{
	const greg_t *reg = ((const ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	pc = reg[REG_RIP];
	result = reg[REG_RAX];
	sem_post(&seen);
}

#define DO(name, ...) \
	static void name(void) \
	{ \
		__VA_ARGS__; \
	}

static char byte;
static struct iovec one = {&byte, 1};

DO(wait_in_readv, check(readv(ends[0], &one, 1) >= 0 || errno == EINTR))
DO(wait_in_recv, check(recv(pair[0], &byte, 1, 0) >= 0 || errno == EINTR))
DO(wait_in_poll, check(poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, -1) == 1 || errno == EINTR))
DO(wait_in_sleep, check(nanosleep(&(struct timespec){1000, 0}, NULL) == -1 && errno == EINTR))
DO(wait_in_pause, check(pause() == -1 && errno == EINTR))
DO(wait_in_sem, check(sem_wait(&semaphore) == 0 || errno == EINTR))
DO(wait_in_waitid,
   check(waitid(P_ALL, 0, &(siginfo_t){.si_pid = 0}, WEXITED) == 0 || errno == EINTR))
DO(wait_in_mutex, check(pthread_mutex_lock(&lock) == 0 && pthread_mutex_unlock(&lock) == 0))

/* What ends each of the waits that have not ended by the signal. */
static void let_go(pid_t child)
{
	write_all(ends[1], "x", 1);
	write_all(pair[1], "x", 1);
	sem_post(&semaphore);
	pthread_mutex_unlock(&lock);
	kill(child, SIGKILL);
}

static void *do_wait(void *wait)
{
	((void (*)(void))wait)();
	return NULL;
}

static pid_t start_child(void)
{
	pid_t child = fork();

	check(child >= 0);
	while (child == 0)
		pause();
	return child;
}

/* Until the thread waits: a signal may find it on the way there. */
static void signal_waiting(pthread_t thread, long expected)
{
	for (int tries = 0; tries < 100; tries++) {
		settle();
		check(pthread_kill(thread, SIGUSR1) == 0);
		check(sem_wait(&seen) == 0);
		if (result == expected)
			break;
	}
}

/* nr: of the call if that starts over after a handler with SA_RESTART, else 0. */
static void interrupt(const char *name, void (*wait)(void), int flags, int nr)
{
	struct sigaction action = {.sa_sigaction = look, .sa_flags = SA_SIGINFO | flags};
	pid_t child = start_child();
	const char *file;
	pthread_t thread;
	Dl_info where;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	check(pipe(ends) == 0);
	unix_pair(SOCK_STREAM, pair);
	check(sem_init(&semaphore, 0, 0) == 0);
	pthread_mutex_lock(&lock);
	thread = start(do_wait, (void *)wait);
	signal_waiting(thread, flags != 0 && nr != 0 ? nr : -EINTR);
	check(dladdr((void *)pc, &where) != 0);
	file = strrchr(where.dli_fname, '/');
	say("%s%s: at %#tx of %s, rax %lld", name, flags ? ", SA_RESTART" : "",
	    (char *)pc - (char *)where.dli_fbase, file == NULL ? where.dli_fname : file + 1,
	    result);
	let_go(child);
	finish(thread);
	waitpid(child, NULL, 0);
}

int main(void)
{
	check(sem_init(&seen, 0, 0) == 0);
	become_threaded();
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		interrupt("readv", wait_in_readv, flags, SYS_readv);
		interrupt("recv", wait_in_recv, flags, SYS_recvfrom);
		interrupt("poll", wait_in_poll, flags, 0);
		interrupt("nanosleep", wait_in_sleep, flags, 0);
		interrupt("pause", wait_in_pause, flags, 0);
		interrupt("sem_wait", wait_in_sem, flags, SYS_futex);
		interrupt("waitid", wait_in_waitid, flags, SYS_waitid);
		interrupt("pthread_mutex_lock", wait_in_mutex, flags, SYS_futex);
	}
	return 0;
}
