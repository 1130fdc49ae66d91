/* At limits: no descriptors left, too large a stack; the program is told and goes on. */
#include "guest.h"

#include <sys/resource.h>

static void *echo_one(void *arg)
{
	char byte;

	check(read(*(int *)arg, &byte, 1) == 1);
	return (void *)(intptr_t)byte;
}

int main(void)
{
	struct rlimit limit;
	pthread_attr_t attr;
	pthread_t thread;
	int pair[2], other[2], opened = 0;

	become_threaded();
	unix_pair(SOCK_STREAM, pair);
	thread = start(echo_one, &pair[0]);
	settle();
	write_all(pair[1], "a", 1);
	say("before: %c", (int)(intptr_t)finish(thread));

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = 50;
	check(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	while (dup(0) >= 0)
		opened++;
	say("descriptors run out: %s, numbers up to %d", strerrorname_np(errno), opened + 4);
	show(pipe(other));
	show(socket(AF_INET, SOCK_STREAM, 0));
	show(open("/dev/null", O_RDONLY));
	thread = start(echo_one, &pair[0]);
	settle();
	write_all(pair[1], "b", 1);
	say("during: %c", (int)(intptr_t)finish(thread));

	pthread_attr_init(&attr);
	check(pthread_attr_setstacksize(&attr, 1ul << 46) == 0);
	show_error(pthread_create(&thread, &attr, return_at_once, NULL));
	say("after: %ld", (long)finish(start(return_at_once, (void *)1)));
	return 0;
}
