/* A program without threads: pipes, files, time and children as ever. */
#include "guest.h"

int main(void)
{
	struct timespec pause = {0, 1000000};
	int pipe_fds[2], status;
	char text[8] = "";
	pid_t child;

	check(pipe(pipe_fds) == 0);
	show(write(pipe_fds[1], "hello", 6));
	show(read(pipe_fds[0], text, sizeof(text)));
	say("%s", text);
	show(nanosleep(&pause, NULL));
	show(poll(NULL, 0, 1));
	child = fork();
	if (child == 0)
		_exit(4);
	check(waitpid(child, &status, 0) == child);
	say_status("child", status);
	show(system("exit 3") >> 8);
	return 6;
}
