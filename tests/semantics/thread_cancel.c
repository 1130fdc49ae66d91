/* Cancelling threads parked in read, sleep, accept, poll and a condition: handlers run in order. */
#include "guest.h"

static int pipe_fds[2], listener, requested;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;

static void clean(void *name)
{
	say("  cleanup %s", (const char *)name);
}

static void unlock(void *mutex)
{
	say("  cleanup unlocks: %s", strerrorname_np(pthread_mutex_unlock(mutex)));
}

static void wait_in_read(void)
{
	char byte;

	check(read(pipe_fds[0], &byte, 1) == 0);
}

static void wait_in_sleep(void)
{
	sleep(1000);
}

static void wait_in_accept(void)
{
	accept(listener, NULL, NULL);
}

static void wait_in_poll(void)
{
	poll(NULL, 0, -1);
}

static void wait_in_cond(void)
{
	pthread_mutex_lock(&lock);
	pthread_cleanup_push(unlock, &lock);
	for (;;)
		pthread_cond_wait(&never, &lock);
	pthread_cleanup_pop(1);
}

static void *be_cancelled(void *wait)
{
	pthread_cleanup_push(clean, (void *)"outer");
	pthread_cleanup_push(clean, (void *)"inner");
	((void (*)(void))wait)();
	pthread_cleanup_pop(0);
	pthread_cleanup_pop(0);
	return NULL;
}

static void *hold_off(void *arg)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	while (!__atomic_load_n(&requested, __ATOMIC_ACQUIRE))
		usleep(1000);
	usleep(1000);
	say("  not cancelled while disabled");
	pthread_setcancelstate(old, NULL);
	pthread_testcancel();
	say("  not reached");
	return arg;
}

static void cancel(const char *name, void *(*run)(void *), void (*wait)(void))
{
	pthread_t thread;
	int error;

	say("%s", name);
	requested = 0;
	thread = start(run, (void *)wait);
	settle();
	error = pthread_cancel(thread);
	__atomic_store_n(&requested, 1, __ATOMIC_RELEASE);
	say("  cancelled: %d, error %d", finish(thread) == PTHREAD_CANCELED, error);
}

int main(void)
{
	struct sockaddr_in address;

	check(pipe(pipe_fds) == 0);
	listener = tcp_listen(&address);

	cancel("in read", be_cancelled, wait_in_read);
	cancel("in sleep", be_cancelled, wait_in_sleep);
	cancel("in accept", be_cancelled, wait_in_accept);
	cancel("in poll", be_cancelled, wait_in_poll);
	cancel("in pthread_cond_wait", be_cancelled, wait_in_cond);
	cancel("disabled for a while", hold_off, NULL);
	say("the mutex is free: %s", strerrorname_np(pthread_mutex_trylock(&lock)));
	return 0;
}
