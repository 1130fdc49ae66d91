/* System calls, made by their numbers while another thread ticks.
 *
 * A trial is a line at file scope; run_trials() runs them in the order of the lines:
 *
 *     TICKS(call, fixture, args...)        waits until the fixture completes it
 *     TICKS_ONCE(call, fixture, args...)   the same, of a wait that SA_RESTART does not renew
 *     WAITS_FOR(call, fixture, renewed, expression)   either, where ask(args...) is not all
 *     ANSWERS(call, what, expression)      waits for nothing; ask(args...) in it makes the call
 *     ON(fixture, call, what, expression)  the same, on what a fixture makes
 *
 * call is the kernel's name of it, and the only place where it is said: what is run is SYS_call. A
 * wait is completed by the ticker alone, when it has ticked TICKS_BEFORE times since the wait
 * began: if the wait stops the ticks, the program hangs. Nor is it completed when a handler has ended
 * it, so that a completion may wait until it has somebody to end the wait of. A guest asked for `names` prints those of
 * its calls, which lint.sh compares with the calls that must have a trial.
 */
#ifndef TICKS_H
#define TICKS_H

#include "guest.h"

#include <sys/mman.h>

#define TICKS_BEFORE 20

/* Younger than the headers of Debian 12. */
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#define SYS_futex_requeue 456
#endif
#ifndef SYS_lsm_set_self_attr
#define SYS_lsm_set_self_attr 460
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat 463
#define SYS_getxattrat 464
#define SYS_listxattrat 465
#define SYS_removexattrat 466
#endif
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif
#ifndef SYS_file_getattr
#define SYS_file_getattr 468
#define SYS_file_setattr 469
#endif

/* What is waited for: made, made to come, and put away again. */
struct fixture {
	void (*set_up)(void);
	void (*complete)(void);
	void (*tidy)(void);
};

struct trial {
	const char *name, *what;
	long number;
	bool restarts;                 /* a wait goes on after a handler, if SA_RESTART says so */
	const struct fixture *fixture; /* NULL: there is no wait */
	long (*call)(void);
	struct trial *next;
};

/* The one that runs. */
static struct {
	const struct trial *trial;
	pthread_t thread;
	long result;
	int error, begun, is_done, caught;
} now;

/* Whether the call was made; also by a child of the trial, which is why it lies in shared memory. */
static int *asked;

static struct trial *first_trial, **last_trial = &first_trial;
static int ticks, is_over;

static inline void add_trial(struct trial *trial)
{
	*last_trial = trial;
	last_trial = &trial->next;
}

#define TRIAL(id, ...) \
	static struct trial id = __VA_ARGS__; \
	__attribute__((constructor)) static void add_##id(void) \
	{ \
		add_trial(&id); \
	}

#define WAITS_FOR(call, fixture, is_renewed, expression) \
	static long do_##call##_##fixture(void) \
	{ \
		return (long)(expression); \
	} \
	TRIAL(trial_##call##_##fixture, \
	      {#call, #fixture, SYS_##call, is_renewed, &fixture, do_##call##_##fixture, NULL})

#define TICKS(call, fixture, ...) WAITS_FOR(call, fixture, true, ask(__VA_ARGS__))
#define TICKS_ONCE(call, fixture, ...) WAITS_FOR(call, fixture, false, ask(__VA_ARGS__))

#define ANSWERS(call, what, expression) \
	static long do_##call##_##what(void) \
	{ \
		return (long)(expression); \
	} \
	TRIAL(trial_##call##_##what, \
	      {#call, #what, SYS_##call, false, NULL, do_##call##_##what, NULL})

static inline long number_now(void)
{
	*asked = 1;
	return now.trial->number;
}

#define ask(...) syscall(number_now(), ##__VA_ARGS__)

/* What makes transcripts the same where numbers differ: 0 for any descriptor, which is closed. */
static inline long as_fd(long fd)
{
	return fd < 0 ? fd : close((int)fd);
}

/* 0 for whatever is not an error. */
static inline long as_zero(long result)
{
	return result == -1 ? -1 : 0;
}

/* Not waiting either: the answer between the set_up and the tidy of a fixture. */
#define ON(fixture, call, what, ...) \
	static long on_##call##_##what(void) \
	{ \
		return (long)(__VA_ARGS__); \
	} \
	ANSWERS(call, what, within(&fixture, on_##call##_##what))

static inline long within(const struct fixture *fixture, long (*call)(void))
{
	long result;
	int error;

	fixture->set_up();
	result = call();
	error = errno;
	fixture->tidy();
	errno = error;
	return result;
}

/* What a child process exits with that makes the call; 128 and a signal's number if that ends it. */
static inline long in_child(long (*call)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit((int)call());
	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static inline void nap(void)
{
	nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static inline int look(const int *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void put(int *word, int value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

static inline void *make_call(void *arg)
{
	put(&now.begun, 1);
	errno = 0;
	now.result = now.trial->call();
	now.error = errno;
	put(&now.is_done, 1);
	return arg;
}

static inline void begin(const struct trial *trial)
{
	now.trial = trial;
	now.begun = now.is_done = now.caught = *asked = 0;
	if (trial->fixture != NULL)
		trial->fixture->set_up();
	now.thread = start(make_call, NULL);
}

static inline void say_outcome(const char *how)
{
	check(*asked);
	say("%s, %s: %s%ld%s%s", now.trial->name, now.trial->what, how, now.result,
	    now.result == -1 ? " " : "", now.result == -1 ? strerrorname_np(now.error) : "");
}

/* What completes a call that a handler ends: until it is over, for it may not have begun to wait. */
static inline void end_by_signal(int number)
{
	while (!look(&now.is_done)) {
		check(pthread_kill(now.thread, number) == 0);
		nap();
	}
}

static inline void *tick_and_complete(void *arg)
{
	while (!look(&now.begun))
		nap();
	for (int i = 0; i < TICKS_BEFORE; i++)
		nap();
	if (look(&now.is_done))
		say("%s, %s: did not wait", now.trial->name, now.trial->what);
	now.trial->fixture->complete();
	return arg;
}

static inline void wait_beside_ticks(const struct trial *trial)
{
	pthread_t ticker;

	begin(trial);
	ticker = start(tick_and_complete, NULL);
	finish(ticker); /* which must find the other alive */
	finish(now.thread);
	say_outcome("ticked, ");
	trial->fixture->tidy();
}

static inline void *tick_on(void *arg)
{
	while (!look(&is_over)) {
		nap();
		put(&ticks, ticks + 1);
	}
	return arg;
}

static inline void answer_beside_ticks(const struct trial *trial)
{
	int before;

	begin(trial);
	finish(now.thread);
	for (before = look(&ticks); look(&ticks) < before + 2;)
		nap();
	say_outcome("");
}

static inline void count_catch(int signal)
{
	(void)signal;
	put(&now.caught, look(&now.caught) + 1);
}

/* Interrupt until the call is over, or so often. */
static inline void interrupt_call(int most)
{
	for (int i = 0; i < most && !look(&now.is_done); i++) {
		int before = look(&now.caught);

		nap();
		check(pthread_kill(now.thread, SIGUSR1) == 0);
		while (look(&now.caught) == before && !look(&now.is_done))
			nap();
	}
}

static inline void interrupt_beside_ticks(const struct trial *trial, int flags)
{
	struct sigaction action = {.sa_handler = count_catch, .sa_flags = flags};
	bool goes_on = trial->restarts && flags == SA_RESTART;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	begin(trial);
	while (!look(&now.begun))
		nap();
	settle();
	interrupt_call(goes_on ? 3 : 300);
	if (goes_on) /* it is to wait again before what it waits for has come */
		settle();
	if (!look(&now.is_done))
		trial->fixture->complete();
	finish(now.thread);
	say_outcome(goes_on ? "restarted, " : "interrupted, ");
	trial->fixture->tidy();
}

static inline bool is_wanted(const struct trial *trial, char *const names[])
{
	for (char *const *wanted = names + 1; *wanted != NULL; wanted++)
		if (strcmp(*wanted, trial->name) == 0 || strcmp(*wanted, trial->what) == 0)
			return true;
	return names[1] == NULL;
}

static inline int print_names(void)
{
	for (const struct trial *trial = first_trial; trial != NULL; trial = trial->next)
		puts(trial->name);
	return 0;
}

/* Run all trials, or those of the calls or fixtures named (argv of main); waits again with signals. */
static inline int run_trials(char *const names[])
{
	pthread_t ticker;

	if (names[1] != NULL && strcmp(names[1], "names") == 0)
		return print_names();
	asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	check(asked != MAP_FAILED);
	ticker = start(tick_on, NULL);
	for (struct trial *trial = first_trial; trial != NULL; trial = trial->next)
		if (!is_wanted(trial, names))
			continue;
		else if (trial->fixture == NULL)
			answer_beside_ticks(trial);
		else
			wait_beside_ticks(trial);
	for (struct trial *trial = first_trial; trial != NULL; trial = trial->next)
		if (is_wanted(trial, names) && trial->fixture != NULL) {
			interrupt_beside_ticks(trial, SA_RESTART);
			interrupt_beside_ticks(trial, 0);
		}
	put(&is_over, 1);
	finish(ticker);
	return 0;
}

#endif
