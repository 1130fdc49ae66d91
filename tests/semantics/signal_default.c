/* SIGTERM and SIGINT kill a program whose threads are all parked, and leave its parent to see it. */
#include "guest.h"

static int never[2], ready[2];

static void park_all(int with_main)
{
	pthread_t threads[10];

	for (int i = 0; i < 10; i++)
		threads[i] = start(read_byte, &never[0]);
	usleep(10000);
	write_all(ready[1], "r", 1);
	if (with_main)
		finish(threads[0]);
	sleep(1000);
}

static void kill_by(int number, int with_main)
{
	pid_t child = fork();
	char byte;
	int status;

	if (child == 0)
		park_all(with_main);
	check(read(ready[0], &byte, 1) == 1);
	usleep(20000);
	check(kill(child, number) == 0);
	check(waitpid(child, &status, 0) == child);
	say_status(with_main ? "main in join" : "main in sleep", status);
}

int main(void)
{
	check(pipe(never) == 0 && pipe(ready) == 0);
	kill_by(SIGTERM, 0);
	kill_by(SIGINT, 0);
	kill_by(SIGTERM, 1);
	kill_by(SIGINT, 1);
	kill_by(SIGKILL, 1);
	kill_by(SIGALRM, 0);
	for (int i = 0; i < 10; i++)
		start(read_byte, &never[0]);
	settle();
	say("and at last itself");
	kill(getpid(), SIGTERM);
	sleep(1000);
	return 1;
}
