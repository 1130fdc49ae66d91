/* wait, waitpid, waitid: any or one child, WNOHANG, WNOWAIT, stopped and continued, no child. */
#include "guest.h"

static pid_t start_child(int after_ms, int status)
{
	pid_t child = fork();

	check(child >= 0);
	if (child == 0) {
		usleep((useconds_t)after_ms * 1000);
		_exit(status);
	}
	return child;
}

static void *wait_for_child(void *arg)
{
	pid_t child = *(pid_t *)arg;
	int status;

	check(waitpid(child, &status, 0) == child);
	return (void *)(intptr_t)WEXITSTATUS(status);
}

static void *tick(void *arg)
{
	int *ticks = (int *)arg;

	for (int i = 0; i < 10; i++) {
		usleep(1000);
		(*ticks)++;
	}
	return NULL;
}

static void wait_in_threads(void)
{
	pid_t children[10];
	pthread_t threads[10], ticker;
	int ticks = 0;
	long sum = 0;

	for (int i = 0; i < 10; i++)
		children[i] = start_child(30 - 2 * i, i);
	ticker = start(tick, &ticks);
	for (int i = 0; i < 10; i++)
		threads[i] = start(wait_for_child, &children[i]);
	for (int i = 0; i < 10; i++)
		sum += (long)finish(threads[i]);
	finish(ticker);
	say("waited for in threads: %ld, ticks meanwhile: %d", sum, ticks);
}

static void *wait_for_any(void *arg)
{
	int status, sum = 0;

	for (int i = 0; i < 5; i++) {
		check(wait(&status) > 0);
		sum += WEXITSTATUS(status);
	}
	show(wait(&status));
	return (void *)((char *)arg + sum);
}

static void stop_and_continue(void)
{
	pid_t child = start_child(100000, 0);
	siginfo_t info;
	int status;

	kill(child, SIGSTOP);
	check(waitpid(child, &status, WUNTRACED) == child);
	say_status("child", status);
	kill(child, SIGCONT);
	check(waitpid(child, &status, WCONTINUED) == child);
	say_status("child", status);
	kill(child, SIGKILL);
	show(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	say("waitid: code %d, status %d, right child %d", info.si_code, info.si_status,
	    info.si_pid == child);
	show(waitpid(child, &status, WNOHANG) == child);
	say_status("child", status);
}

int main(void)
{
	siginfo_t info = {0};
	int status;
	pid_t child;

	become_threaded();
	wait_in_threads();
	for (int i = 1; i <= 5; i++)
		start_child(5 * i, i);
	say("any of five: %ld", (long)finish(start(wait_for_any, NULL)));
	stop_and_continue();

	child = start_child(100000, 0);
	show(waitpid(child, &status, WNOHANG));
	show(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
	say("no information: %d", info.si_pid);
	kill(child, SIGTERM);
	check(waitpid(-1, &status, 0) == child);
	say_status("terminated", status);

	show(waitpid(child, &status, 0));
	show(waitpid(-1, &status, WNOHANG));
	show(waitpid(1, &status, 0));
	show(waitpid(-1, &status, 0x1000));
	show(waitid(P_PID, (id_t)child, &info, WEXITED));
	show(waitid(P_ALL, 0, &info, 0));
	return 0;
}
