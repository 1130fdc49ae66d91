/* A robust mutex tells the next owner that its thread, or its process, ended while holding it. */
#include "guest.h"

#include <sys/mman.h>

static pthread_mutex_t *mutex;

static void init_mutex(int shared)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&attr, shared);
	check(pthread_mutex_init(mutex, &attr) == 0);
	pthread_mutexattr_destroy(&attr);
}

static void *leave_locked(void *arg)
{
	check(pthread_mutex_lock(mutex) == 0);
	return arg;
}

static void *leave_locked_late(void *arg)
{
	leave_locked(NULL);
	*(volatile int *)arg = 1;
	settle();
	return arg;
}

static void recover(void)
{
	show_error(pthread_mutex_lock(mutex));
	show_error(pthread_mutex_consistent(mutex));
	show_error(pthread_mutex_unlock(mutex));
	show_error(pthread_mutex_lock(mutex));
	show_error(pthread_mutex_unlock(mutex));
}

int main(void)
{
	volatile int locked = 0;
	pthread_t thread;
	pid_t child;

	mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(mutex != MAP_FAILED);

	init_mutex(PTHREAD_PROCESS_PRIVATE);
	say("the owner ended before");
	finish(start(leave_locked, NULL));
	recover();

	say("the owner ends while another waits");
	thread = start(leave_locked_late, (void *)&locked);
	while (!locked)
		usleep(1000);
	recover();
	finish(thread);

	say("not made consistent");
	finish(start(leave_locked, NULL));
	show_error(pthread_mutex_lock(mutex));
	show_error(pthread_mutex_unlock(mutex));
	show_error(pthread_mutex_lock(mutex));

	say("the owner was another process");
	init_mutex(PTHREAD_PROCESS_SHARED);
	child = fork();
	if (child == 0) {
		leave_locked(NULL);
		_exit(0);
	}
	check(waitpid(child, NULL, 0) == child);
	recover();
	return 0;
}
