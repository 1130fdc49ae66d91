/*
 * Waits in memory that processes share: more of them than there are helpers to wait, with signals
 * that interrupt them, and with deadlines. No wake is lost, none is early.
 */
#include "guest.h"

#include <semaphore.h>
#include <sys/mman.h>

#define THREADS 150
#define ROUNDS 300

struct shared {
	sem_t items, gate;
	uint32_t word;
};

static struct shared *shared;
static volatile int handled, is_interrupted;
static int stop;

static void *take(void *arg)
{
	check(sem_wait(&shared->items) == 0);
	check(sem_post(&shared->gate) == 0);
	return arg;
}

static pid_t start_poster(int count)
{
	pid_t child = fork();

	if (child != 0)
		return child;
	for (int i = 0; i < count; i++) {
		sem_post(&shared->items);
		sem_wait(&shared->gate);
	}
	_exit(0);
}

static void wait_by_many(void)
{
	pthread_t threads[THREADS];
	pid_t child;
	int status;

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(take, NULL);
	child = start_poster(THREADS);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	check(waitpid(child, &status, 0) == child);
	say_status("who posted for many", status);
}

static void handle(int signal)
{
	handled = signal;
}

/* Wakes must not go to a wait that a signal has ended. */
static void *take_while_interrupted(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (sem_wait(&shared->items) != 0)
			check(errno == EINTR);
		check(sem_post(&shared->gate) == 0);
	}
	return arg;
}

static void *interrupt(void *threads)
{
	const pthread_t *thread = threads;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		pthread_kill(thread[0], SIGUSR1);
		pthread_kill(thread[1], SIGUSR1);
		usleep(500);
	}
	return NULL;
}

static void wait_among_signals(int flags)
{
	struct sigaction action = {.sa_handler = handle, .sa_flags = flags};
	pthread_t threads[2], storm;
	pid_t child;
	int status;

	sigaction(SIGUSR1, &action, NULL);
	threads[0] = start(take_while_interrupted, NULL);
	threads[1] = start(take_while_interrupted, NULL);
	storm = start(interrupt, threads);
	child = start_poster(2 * ROUNDS);
	check(waitpid(child, &status, 0) == child);
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	finish(storm); /* before its targets, which it must find alive, are joined */
	finish(threads[0]);
	finish(threads[1]);
	stop = 0;
	say_status("who posted among signals", status);
}

/* With a deadline, a wait ends with EINTR even where handlers restart calls (signal(7)). */
static void *wait_until(void *arg)
{
	struct timespec deadline = in_ms(CLOCK_REALTIME, 1000000), soon;
	sigset_t set;

	show(sem_timedwait(arg, &deadline));
	/* no more signals: what comes now is over by its deadline */
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	is_interrupted = 1;
	soon = in_ms(CLOCK_REALTIME, 20);
	show(sem_timedwait(arg, &soon));
	say("not early: %d", now_ns(CLOCK_REALTIME) >= to_ns(soon));
	return NULL;
}

static void interrupt_timed(sem_t *semaphore)
{
	pthread_t thread;

	handled = is_interrupted = 0;
	thread = start(wait_until, semaphore);
	interrupt_until(&is_interrupted, thread, SIGUSR1);
	finish(thread);
	check(handled == SIGUSR1);
}

static void time_out(clockid_t clock, int op, int bits)
{
	struct timespec deadline = in_ms(clock, 20);

	shared->word = 0;
	show(futex(&shared->word, op, 0, &deadline, NULL, (uint32_t)bits));
	say("not early: %d", now_ns(clock) >= to_ns(deadline));
}

static void *time_out_all(void *arg)
{
	time_out(CLOCK_MONOTONIC, FUTEX_WAIT_BITSET, -1);
	time_out(CLOCK_REALTIME, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, -1);
	time_out(CLOCK_MONOTONIC, FUTEX_WAIT_BITSET, 4);
	time_out(CLOCK_REALTIME, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 4);
	return arg;
}

int main(void)
{
	sem_t private;

	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(shared != MAP_FAILED);
	sem_init(&shared->items, 1, 0);
	sem_init(&shared->gate, 1, 0);
	sem_init(&private, 0, 0);
	become_threaded();
	wait_by_many();
	wait_among_signals(0);
	wait_among_signals(SA_RESTART);
	interrupt_timed(&shared->items);
	interrupt_timed(&private);
	finish(start(time_out_all, NULL));
	return 0;
}
