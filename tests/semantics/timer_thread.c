/* Timers that notify by a thread, or signal one thread, and timers on a thread's processor time. */
#include "guest.h"

#include <semaphore.h>

static sem_t expired;
static int notified;
static __thread int is_target;
static volatile sig_atomic_t handled, handled_by_target;

static void notify(union sigval value)
{
	__atomic_add_fetch(&notified, value.sival_int, __ATOMIC_SEQ_CST);
	sem_post(&expired);
}

static void on_timer(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	check(info->si_code == SI_TIMER);
	handled += info->si_value.sival_int;
	handled_by_target += is_target;
}

static timer_t make(clockid_t clock, int how, int signal, pid_t tid)
{
	struct sigevent event = {
		.sigev_notify = how, .sigev_signo = signal, .sigev_value = {.sival_int = 1}};
	timer_t timer;

	if (how == SIGEV_THREAD)
		event.sigev_notify_function = notify;
	else
		event._sigev_un._tid = tid;
	check(timer_create(clock, &event, &timer) == 0);
	return timer;
}

static void set(timer_t timer, long first_ns, long again_ns)
{
	struct itimerspec times = {{0, again_ns}, {first_ns / 1000000000, first_ns % 1000000000}};

	check(timer_settime(timer, 0, &times, NULL) == 0);
}

static void by_thread(void)
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_THREAD, 0, 0);

	set(timer, 1000000, 1000000);
	for (int i = 0; i < 20; i++)
		check(sem_wait(&expired) == 0);
	check(timer_delete(timer) == 0);
	check(__atomic_load_n(&notified, __ATOMIC_SEQ_CST) >= 20);
	say("SIGEV_THREAD: notified again and again");
	timer = make(CLOCK_REALTIME, SIGEV_THREAD, 0, 0);
	set(timer, 1000000, 0);
	check(sem_wait(&expired) == 0);
	show(timer_getoverrun(timer));
	show(timer_delete(timer));
}

/* Parked or computing, the target is the one that handles it. */
static void *be_target(void *arg)
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGUSR1, gettid());

	is_target = 1;
	handled = handled_by_target = 0;
	set(timer, 1000000, 1000000);
	while (handled < 10)
		if (arg != NULL)
			usleep(100000);
	check(timer_delete(timer) == 0);
	check(timer_delete(timer) == -1 && errno == EINVAL);
	check(handled_by_target == handled);
	say("SIGEV_THREAD_ID: %s", arg != NULL ? "parked" : "computing");
	return NULL;
}

/* The target blocks it for a while: one is pending then, and it counts the others. */
static void *count_overruns(void *arg)
{
	timer_t timer = make(CLOCK_MONOTONIC, SIGEV_THREAD_ID, SIGRTMIN, gettid());
	sigset_t set_of_one;
	siginfo_t info;

	(void)arg;
	sigemptyset(&set_of_one);
	sigaddset(&set_of_one, SIGRTMIN);
	check(pthread_sigmask(SIG_BLOCK, &set_of_one, NULL) == 0);
	set(timer, 1000000, 1000000);
	usleep(50000);
	check(sigwaitinfo(&set_of_one, &info) == SIGRTMIN);
	check(info.si_overrun >= 20 && timer_getoverrun(timer) == info.si_overrun);
	check(timer_delete(timer) == 0);
	say("overruns are counted");
	return NULL;
}

static void *compute_until_signalled(void *arg)
{
	struct itimerspec left;
	struct timespec used;
	timer_t timer = make(CLOCK_THREAD_CPUTIME_ID, SIGEV_THREAD_ID, SIGUSR1, gettid());

	(void)arg;
	is_target = 1;
	handled = handled_by_target = 0;
	set(timer, 50000000, 0);
	usleep(100000); /* takes no processor time, but the other thread does */
	check(handled == 0);
	check(timer_gettime(timer, &left) == 0 && left.it_value.tv_nsec > 30000000);
	while (!handled)
		;
	check(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) == 0);
	check(used.tv_sec > 0 || used.tv_nsec >= 50000000);
	check(handled_by_target == 1);
	show(timer_gettime(timer, &left));
	check(left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0);
	check(timer_delete(timer) == 0);
	say("processor time: its own");
	return NULL;
}

static volatile bool stop;

static void *burn(void *arg)
{
	while (!stop)
		;
	return arg;
}

static void show_mistakes(void)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	timer_t timer;

	event._sigev_un._tid = 0x1234567;
	show(timer_create(CLOCK_MONOTONIC, &event, &timer));
	event._sigev_un._tid = gettid();
	event.sigev_signo = 77;
	show(timer_create(CLOCK_MONOTONIC, &event, &timer));
	event.sigev_notify = 55;
	show(timer_create(CLOCK_MONOTONIC, &event, &timer));
	show(timer_create(99, NULL, &timer));
	show(timer_settime((timer_t)(intptr_t)0x123456, 0, NULL, NULL));
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
	pthread_t burner;

	check(sem_init(&expired, 0, 0) == 0);
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	become_threaded();
	by_thread();
	finish(start(be_target, "parked"));
	finish(start(be_target, NULL));
	be_target("parked");
	finish(start(count_overruns, NULL));
	burner = start(burn, NULL);
	finish(start(compute_until_signalled, NULL));
	stop = true;
	finish(burner);
	show_mistakes();
	return 0;
}
