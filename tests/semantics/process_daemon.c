/* daemon() of a program that has had threads; the daemon then uses threads and sockets. */
#include "guest.h"

static void *echo(void *arg)
{
	int fd = *(int *)arg;
	char bytes[64];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		write_all(fd, bytes, (size_t)n);
	return NULL;
}

static void live_as_daemon(int report)
{
	char answer[16];
	pthread_t thread;
	int pair[2];

	check(daemon(0, 0) == 0);
	tcp_pair(pair);
	thread = start(echo, &pair[1]);
	write_all(pair[0], "daemon", 6);
	check(read_all(pair[0], answer, 6) == 6);
	close(pair[0]);
	finish(thread);
	write_all(report, answer, 6);
	write_all(report, getsid(0) == getpid() ? " leads" : " is led", 6);
	_exit(0);
}

int main(void)
{
	int report[2], status;
	char text[32] = "";
	pid_t child;

	become_threaded();
	check(pipe(report) == 0);
	child = fork();
	check(child >= 0);
	if (child == 0)
		live_as_daemon(report[1]);
	close(report[1]);
	check(waitpid(child, &status, 0) == child);
	say_status("daemon's parent", status);
	read_all(report[0], text, sizeof(text) - 1);
	say("the daemon says: %s", text);
	return 0;
}
