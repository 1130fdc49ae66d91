/* errno is a connection's own: what others' calls leave in it meanwhile is not seen. */
#include "serve.h"

#define CLIENTS 60

static const int errors[] = {ENOENT, EBADF, EINVAL, ENOTDIR, 0};
#define ERRORS (int)(sizeof(errors) / sizeof(*errors))

static void fail_with(int error)
{
	if (error == ENOENT)
		check(open("/nowhere/at/all", O_RDONLY) == -1);
	else if (error == EBADF)
		check(close(-1) == -1);
	else if (error == EINVAL)
		check(lseek(0, 0, 12345) == -1 || true);
	else if (error == ENOTDIR)
		check(open("/dev/null/x", O_RDONLY) == -1);
	else
		errno = 0;
}

/* A wait that succeeds leaves errno as it was. */
static int errno_after_wait(int error)
{
	errno = 0;
	fail_with(error);
	if (error == EINVAL)
		errno = EINVAL; /* lseek(2) says ESPIPE of a pipe */
	usleep(2000);
	return errno;
}

static void serve(int fd)
{
	char line[64];
	int n, kept = 0;

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		exit(0);
	}
	n = atoi(line);
	for (int i = 0; i < ERRORS; i++)
		kept += errno_after_wait(errors[(n + i) % ERRORS]) == errors[(n + i) % ERRORS];
	answer(fd, "%d: kept %d", n, kept);
	end_service();
}

static void make(char *text, int i)
{
	sprintf(text, "%d\n", i);
}

static void judge(const char *heard, int i)
{
	(void)i;
	say("%s", heard);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

int main(void)
{
	int listener = begin_server(drive);

	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
