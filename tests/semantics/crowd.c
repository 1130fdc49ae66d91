/*
 * A crowd of threads that wait: every other one at a gate, the rest each for a post of its own.
 * Signals and children meanwhile; then every other one leaves, as many come anew, and all leave.
 *
 *     crowd [THREADS [STACK_KB]]
 *
 * With arguments it says what a thread takes, and what is left when all have gone, on stderr.
 */
#include "guest.h"

#include <semaphore.h>
#include <spawn.h>

#define SIGNALS 100
#define MOST_TO_FORK 100000 /* a child of more than these is given a copy of all their pages */

struct member {
	pthread_t thread;
	sem_t *post; /* on its stack; NULL: it waits at the gate */
};

extern char **environ;

static struct member *members;
static long count = 6000;
static pthread_attr_t attr;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER, opened = PTHREAD_COND_INITIALIZER;
static long waiting, gates; /* how often the gate has been opened */
static pthread_t last_caught;
static int caught;

static bool waits_at_gate(long number)
{
	return number % 2 == 0;
}

static void arrive(void)
{
	if (++waiting == count)
		pthread_cond_signal(&changed);
}

static void *wait_at_gate(void *arg)
{
	long gate;

	pthread_mutex_lock(&lock);
	gate = gates;
	arrive();
	while (gates == gate)
		pthread_cond_wait(&opened, &lock);
	waiting--;
	pthread_mutex_unlock(&lock);
	return arg;
}

static void *wait_for_post(void *arg)
{
	sem_t post;

	sem_init(&post, 0, 0);
	pthread_mutex_lock(&lock);
	members[(long)arg].post = &post;
	arrive();
	pthread_mutex_unlock(&lock);
	while (sem_wait(&post) != 0)
		check(errno == EINTR);
	pthread_mutex_lock(&lock);
	waiting--;
	pthread_mutex_unlock(&lock);
	return arg;
}

static void admit(long number)
{
	check(pthread_create(&members[number].thread, &attr,
			     waits_at_gate(number) ? wait_at_gate : wait_for_post,
			     (void *)number) == 0);
}

static void await_all(const char *what)
{
	pthread_mutex_lock(&lock);
	while (waiting < count)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	say("%s: %ld wait", what, waiting);
}

static long join_every_second(long first)
{
	long sum = 0;

	for (long i = first; i < count; i += 2)
		sum += (long)finish(members[i].thread) - i;
	return sum;
}

static long open_gate(void)
{
	pthread_mutex_lock(&lock);
	gates++;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&lock);
	return join_every_second(0);
}

static long post_all(void)
{
	for (long i = 1; i < count; i += 2)
		sem_post(members[i].post);
	return join_every_second(1);
}

static void note(int signal)
{
	(void)signal;
	last_caught = pthread_self();
	__atomic_add_fetch(&caught, 1, __ATOMIC_SEQ_CST);
}

static void await_caught(int number)
{
	while (__atomic_load_n(&caught, __ATOMIC_SEQ_CST) < number)
		usleep(1000);
}

/* The last of the crowd admits SIGUSR2, and nobody else does. */
static void signal_crowd(void)
{
	for (int i = 1; i <= SIGNALS; i++) {
		check(kill(getpid(), SIGUSR2) == 0);
		await_caught(i);
	}
	say("to the process: %d caught, by the one that admits them %d", caught,
	    pthread_equal(last_caught, members[count - 1].thread) != 0);
	caught = 0;
	for (int i = 1; i <= SIGNALS; i++) {
		check(pthread_kill(members[count * i / SIGNALS - 1].thread, SIGUSR1) == 0);
		await_caught(i);
	}
	say("to threads: %d caught", caught);
	caught = 0;
}

static void make_children(void)
{
	char *argv[] = {"true", NULL};
	int status;
	pid_t child;

	check(posix_spawn(&child, "/bin/true", NULL, NULL, argv, environ) == 0);
	check(waitpid(child, &status, 0) == child);
	say_status("a program", status);
	if (count > MOST_TO_FORK)
		return;
	child = fork();
	check(child >= 0);
	if (child == 0) {
		become_threaded();
		_exit(3);
	}
	check(waitpid(child, &status, 0) == child);
	say_status("a child", status);
}

/* Resident, and what the page tables take. */
static double own_kb(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[256];
	double kb = 0;

	check(file != NULL);
	while (fgets(line, sizeof(line), file) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0 || strncmp(line, "VmPTE:", 6) == 0)
			kb += strtod(line + 6, NULL);
	fclose(file);
	return kb;
}

static int mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	int byte, lines = 0;

	check(file != NULL);
	while ((byte = getc(file)) != EOF)
		lines += byte == '\n';
	fclose(file);
	return lines;
}

static void block(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	check(pthread_sigmask(how, &set, NULL) == 0);
}

int main(int argc, char **argv)
{
	double empty_kb, full_kb;
	long sum;

	count = argc > 1 ? strtol(argv[1], NULL, 10) : count;
	members = calloc((size_t)count, sizeof(*members));
	check(count > 1 && count % 2 == 0 && members != NULL);
	pthread_attr_init(&attr);
	if (argc > 2 && strtol(argv[2], NULL, 10) > 0)
		check(pthread_attr_setstacksize(&attr, strtoul(argv[2], NULL, 10) << 10) == 0);
	signal(SIGUSR1, note);
	signal(SIGUSR2, note);
	memset(members, 1, (size_t)count * sizeof(*members));
	become_threaded();
	empty_kb = own_kb();

	block(SIG_BLOCK, SIGUSR2);
	for (long i = 0; i < count; i++) {
		if (i == count - 1)
			block(SIG_UNBLOCK, SIGUSR2);
		admit(i);
	}
	block(SIG_BLOCK, SIGUSR2);
	await_all("the first");
	full_kb = own_kb() - empty_kb;
	if (argc > 1)
		fprintf(stderr, "bytes_per_thread=%.0f mappings=%d", full_kb * 1024 / (double)count,
			mappings());
	signal_crowd();
	make_children();

	sum = open_gate();
	say("every other one left, sum %ld, %ld wait", sum, waiting);
	if (argc > 1)
		fprintf(stderr, " mappings_with_gaps=%d", mappings());
	for (long i = 0; i < count; i += 2)
		admit(i);
	await_all("and as many again");
	sum = post_all();
	sum += open_gate();
	say("all left, sum %ld, %ld wait", sum, waiting);
	if (argc > 1)
		fprintf(stderr, " left_percent=%.0f mappings_left=%d\n",
			(own_kb() - empty_kb) * 100 / full_kb, mappings());
	return 0;
}
