/* Signals to threads that run at once: to those that only compute, to those that wait, to whoever admits
 * them while masks change, and to nobody.
 */
#include "guest.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#define THREADS 3
#define VALUES 60
#define TURNS 20

static __thread int mine = -1;
static atomic_int handled[THREADS], begun, stop;
static atomic_long value_sum, values_handled;
static atomic_int by_process;
static int never[2];

static void note_thread(int number)
{
	(void)number;
	if (mine >= 0)
		atomic_fetch_add(&handled[mine], 1);
}

static void note_process(int number)
{
	(void)number;
	atomic_fetch_add(&by_process, mine >= 0 ? 1 << (8 * mine) : 1000);
}

static void note_value(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	atomic_fetch_add(&value_sum, info->si_value.sival_int);
	atomic_fetch_add(&values_handled, 1);
}

static void handle(int number, void (*handler)(int), void (*with_value)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

	if (with_value != NULL) {
		action.sa_sigaction = with_value;
		action.sa_flags |= SA_SIGINFO;
	}
	check(sigaction(number, &action, NULL) == 0);
}

static void change_mask(int how, int number)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, number);
	check(pthread_sigmask(how, &set, NULL) == 0);
}

static void start_all(pthread_t *threads, void *(*run)(void *))
{
	atomic_store(&begun, 0);
	atomic_store(&stop, 0);
	for (int i = 0; i < THREADS; i++)
		atomic_store(&handled[i], 0);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(run, (void *)i);
	while (atomic_load(&begun) < THREADS)
		usleep(1000);
}

static void finish_all(const pthread_t *threads)
{
	atomic_store(&stop, 1);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
}

/* Without a call from here on. */
static void begin(void *number)
{
	mine = (int)(intptr_t)number;
	atomic_fetch_add(&begun, 1);
}

static void *compute_until_handled(void *number)
{
	begin(number);
	while (atomic_load(&handled[mine]) == 0)
		;
	return NULL;
}

static void *compute(void *number)
{
	begin(number);
	while (!atomic_load(&stop))
		;
	return NULL;
}

static void signal_the_computing(void)
{
	pthread_t threads[THREADS], one;

	/* Alone beside one that sleeps: nobody is ready for whom it would be stopped. */
	atomic_store(&handled[0], 0);
	one = start(compute_until_handled, NULL);
	settle();
	check(pthread_kill(one, SIGUSR1) == 0);
	finish(one);
	say("one that computes alone handled %d", atomic_load(&handled[0]));
	start_all(threads, compute_until_handled);
	for (int i = THREADS - 1; i >= 0; i--)
		check(pthread_kill(threads[i], SIGUSR1) == 0);
	finish_all(threads);
	say("of some that compute, each handled %d %d %d", atomic_load(&handled[0]),
	    atomic_load(&handled[1]), atomic_load(&handled[2]));
}

/* --- two that compute signal each other in turn --- */
static pthread_t pair[2];

static void *signal_in_turn(void *number)
{
	begin(number);
	while (atomic_load(&begun) < 3)
		;
	for (int i = 1; i <= TURNS; i++) {
		if (mine == 0)
			check(pthread_kill(pair[1], SIGUSR1) == 0);
		while (atomic_load(&handled[mine]) < i)
			;
		if (mine == 1)
			check(pthread_kill(pair[0], SIGUSR1) == 0);
	}
	return NULL;
}

static void signal_each_other(void)
{
	atomic_store(&begun, 0);
	for (intptr_t i = 0; i < 2; i++)
		atomic_store(&handled[i], 0);
	for (intptr_t i = 0; i < 2; i++)
		pair[i] = start(signal_in_turn, (void *)i);
	atomic_fetch_add(&begun, 1); /* each is known to the other now */
	for (int i = 0; i < 2; i++)
		finish(pair[i]);
	say("two signalled each other: %d %d", atomic_load(&handled[0]), atomic_load(&handled[1]));
}

/* --- a signal for the process, which one thread that computes admits --- */
static atomic_int admitting = -1, gave_up;

static void *compute_and_admit(void *number)
{
	begin(number);
	while (!atomic_load(&stop)) {
		if (atomic_load(&admitting) != mine)
			continue;
		change_mask(SIG_UNBLOCK, SIGUSR2);
		while (atomic_load(&admitting) == mine)
			;
		change_mask(SIG_BLOCK, SIGUSR2);
		atomic_fetch_add(&gave_up, 1);
	}
	return NULL;
}

static void signal_the_process(void)
{
	pthread_t threads[THREADS];

	change_mask(SIG_BLOCK, SIGUSR2);
	start_all(threads, compute_and_admit);
	for (int i = 0; i < THREADS; i++) {
		atomic_store(&by_process, 0);
		check(kill(getpid(), SIGUSR2) == 0);
		settle();
		check(atomic_load(&by_process) == 0); /* all block it */
		atomic_store(&admitting, i);
		while (atomic_load(&by_process) == 0)
			usleep(1000);
		check(atomic_load(&by_process) == 1 << (8 * i));
		/* Now it comes while that one computes and admits it. */
		check(kill(getpid(), SIGUSR2) == 0);
		while (atomic_load(&by_process) != 2 << (8 * i))
			usleep(1000);
		atomic_store(&admitting, -1);
		while (atomic_load(&gave_up) <= i)
			usleep(1000);
	}
	finish_all(threads);
	change_mask(SIG_UNBLOCK, SIGUSR2);
	say("who alone admitted it handled it, pending and at once");
}

/* --- masks change all the time: no value is lost, none comes twice --- */
static void *change_masks(void *number)
{
	begin(number);
	while (!atomic_load(&stop)) {
		change_mask(SIG_UNBLOCK, SIGRTMIN);
		for (volatile int i = 0; i < 300; i++)
			;
		change_mask(SIG_BLOCK, SIGRTMIN);
		if (mine == 0)
			sched_yield();
	}
	return NULL;
}

static void *send_values(void *arg)
{
	for (int i = 1; i <= VALUES; i++) {
		check(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
		if (i % 16 == 0)
			usleep(100);
	}
	return arg;
}

static void signal_among_changes(void)
{
	pthread_t threads[THREADS], senders[2];

	handle(SIGRTMIN, NULL, note_value);
	change_mask(SIG_BLOCK, SIGRTMIN);
	start_all(threads, change_masks);
	for (int i = 0; i < 2; i++)
		senders[i] = start(send_values, NULL);
	for (int i = 0; i < 2; i++)
		finish(senders[i]);
	while (atomic_load(&values_handled) < 2 * VALUES)
		usleep(1000);
	finish_all(threads);
	change_mask(SIG_UNBLOCK, SIGRTMIN);
	say("values handled while masks changed: %ld, together %ld", atomic_load(&values_handled),
	    atomic_load(&value_sum));
}

/* --- taken by sigtimedwait, beside threads that compute; nobody dies of it --- */
static atomic_int taken;

static void *take_term(void *arg)
{
	struct timespec far = {50, 0};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	if (sigtimedwait(&set, NULL, &far) == SIGTERM)
		atomic_fetch_add(&taken, 1);
	return arg;
}

static void take_by_waiting(void)
{
	pthread_t threads[THREADS], taker;

	change_mask(SIG_BLOCK, SIGTERM);
	start_all(threads, compute);
	for (int i = 0; i < TURNS; i++) {
		taker = start(take_term, NULL);
		if (i % 2 == 0) /* it is pending before, or comes while it is waited for */
			usleep(1000);
		check(kill(getpid(), SIGTERM) == 0);
		finish(taker);
	}
	finish_all(threads);
	change_mask(SIG_UNBLOCK, SIGTERM);
	say("SIGTERM was taken: %d", atomic_load(&taken));
}

/* --- blocked by all it kills nobody; the first to admit it dies, and with it the process --- */
static void *admit_term(void *number)
{
	begin(number);
	while (atomic_load(&admitting) != mine)
		if (atomic_load(&stop))
			return NULL;
	change_mask(SIG_UNBLOCK, SIGTERM);
	for (;;)
		;
}

static void die_by(int number)
{
	pthread_t threads[THREADS];
	int status;
	pid_t child = fork();

	if (child == 0) {
		change_mask(SIG_BLOCK, SIGTERM);
		start_all(threads, admit_term);
		check(kill(getpid(), SIGTERM) == 0);
		settle();
		write_all(never[1], "x", 1);
		atomic_store(&admitting, number);
		for (;;)
			pause();
	}
	check(child > 0);
	read_byte(&never[0]);
	say("a child lives while all block SIGTERM");
	check(waitpid(child, &status, 0) == child);
	say_status("when one of its threads admits it", status);
}

/* --- those that wait --- */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t semaphore;
static volatile int is_over[4];
static int released;

static void *wait_in_read(void *arg)
{
	char byte;

	mine = 0;
	check(read(never[0], &byte, 1) == -1 && errno == EINTR);
	is_over[0] = 1;
	return arg;
}

static void *wait_in_semaphore(void *arg)
{
	mine = 1;
	check(sem_wait(&semaphore) == -1 && errno == EINTR);
	is_over[1] = 1;
	return arg;
}

static void *wait_in_sleep(void *arg)
{
	struct timespec far = {50, 0}, left;

	mine = 2;
	check(nanosleep(&far, &left) == -1 && errno == EINTR);
	is_over[2] = 1;
	return arg;
}

/* It is woken by none, the handler runs all the same. */
static void *wait_in_condition(void *arg)
{
	mine = 0;
	pthread_mutex_lock(&mutex);
	while (!released)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

static void signal_the_waiting(void)
{
	void *(*const waits[])(void *) = {wait_in_read, wait_in_semaphore, wait_in_sleep};
	struct sigaction action = {.sa_handler = note_thread};
	pthread_t busy[THREADS], waiting;

	check(sem_init(&semaphore, 0, 0) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
	start_all(busy, compute);
	for (int i = 0; i < 3; i++) {
		waiting = start(waits[i], NULL);
		/* Nobody joins it meanwhile, and what comes too late is handled at its end. */
		while (!is_over[i]) {
			settle();
			if (!is_over[i])
				check(pthread_kill(waiting, SIGUSR1) == 0);
		}
		finish(waiting);
	}
	say("those that wait were interrupted");
	atomic_store(&handled[0], 0);
	waiting = start(wait_in_condition, NULL);
	while (atomic_load(&handled[0]) == 0) {
		check(pthread_kill(waiting, SIGUSR1) == 0);
		settle();
	}
	pthread_mutex_lock(&mutex);
	released = 1;
	pthread_cond_signal(&cond);
	pthread_mutex_unlock(&mutex);
	finish(waiting);
	finish_all(busy);
	say("the one at a condition handled it and waited on");
}

int main(void)
{
	check(pipe(never) == 0);
	handle(SIGUSR1, note_thread, NULL);
	handle(SIGUSR2, note_process, NULL);
	signal_the_computing();
	signal_each_other();
	signal_the_process();
	signal_among_changes();
	take_by_waiting();
	for (int i = 0; i < THREADS; i++)
		die_by(i);
	signal_the_waiting();
	return 0;
}
