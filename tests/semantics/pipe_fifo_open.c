/* Opening a FIFO blocks until the other end is opened, here by another thread. */
#include "guest.h"

#include <sys/stat.h>

static char path[] = "/tmp/guest-fifo-XXXXXX";

static void *open_to_write(void *arg)
{
	int fd;

	settle();
	fd = open(path, O_WRONLY);
	check(fd >= 0);
	write_all(fd, "fifo", 4);
	close(fd);
	return arg;
}

int main(void)
{
	pthread_t writer;
	char bytes[16];
	int fd;

	close(mkstemp(path));
	unlink(path);
	check(mkfifo(path, 0600) == 0);
	writer = start(open_to_write, NULL);
	fd = open(path, O_RDONLY);
	show(read_all(fd, bytes, 16));
	finish(writer);
	unlink(path);
	return 0;
}
