/* exec from a thread, while others are parked, replaces the whole program, which starts anew. */
#include "guest.h"

static void *sleep_forever(void *arg)
{
	pause();
	return arg;
}

static void *exec_self(void *arg)
{
	char *const bad[] = {"nothing", NULL};

	settle();
	show(execv("/nonexistent/program", bad));
	execl("/proc/self/exe", "process_exec", "again", (char *)NULL);
	return arg;
}

static void *live_again(void *arg)
{
	usleep(1000);
	return arg;
}

int main(int argc, char **argv)
{
	pid_t child;
	int status;

	if (argc > 1) {
		say("after exec: %s", argv[1]);
		say("a thread of the new program: %ld", (long)finish(start(live_again, (void *)6)));
		return 6;
	}
	child = fork();
	if (child == 0) {
		for (int i = 0; i < 10; i++)
			start(sleep_forever, NULL);
		finish(start(exec_self, NULL));
		return 1;
	}
	check(waitpid(child, &status, 0) == child);
	say_status("after exec by a thread", status);
	for (int i = 0; i < 10; i++)
		start(sleep_forever, NULL);
	finish(start(exec_self, NULL));
	return 1;
}
