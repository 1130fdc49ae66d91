/* Thread ids: all different, stable, main's equal to the process id; getpid the same for all. */
#include "guest.h"

#include <sys/syscall.h>

#define THREADS 20

static pthread_barrier_t all_there;

static void *return_id(void *arg)
{
	pid_t id = gettid();

	check(id > 0 && id == syscall(SYS_gettid));
	check(getpid() == *(pid_t *)arg);
	pthread_barrier_wait(&all_there);
	check(id == gettid());
	return (void *)(intptr_t)id;
}

int main(void)
{
	pid_t process = getpid();
	pthread_t threads[THREADS];
	intptr_t ids[THREADS];
	int same = 0;

	become_threaded();
	pthread_barrier_init(&all_there, NULL, THREADS);
	say("main's thread id is the process id: %d", gettid() == process);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(return_id, &process);
	for (int i = 0; i < THREADS; i++) {
		ids[i] = (intptr_t)finish(threads[i]);
		for (int j = 0; j < i; j++)
			same += ids[i] == ids[j];
		same += ids[i] == process;
	}
	say("ids that two threads share: %d", same);
	return 0;
}
