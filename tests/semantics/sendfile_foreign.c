/* sendfile of a file that is another user's, whom nobody tells what of it is in the page cache. */
#include "guest.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <grp.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#define PIECE 10000L

static char *content;
static long bytes;

/* libc's own file is root's, whoever runs this. */
static int open_libc(void)
{
	struct stat status;
	Dl_info info;
	int file;

	check(dladdr((void *)gnu_get_libc_version, &info) != 0);
	file = open(info.dli_fname, O_RDONLY);
	check(file >= 0 && fstat(file, &status) == 0);
	bytes = status.st_size;
	content = malloc((size_t)bytes);
	check(content != NULL && pread(file, content, (size_t)bytes, 0) == bytes);
	return file;
}

static void become_nobody(void)
{
	if (getuid() == 0)
		check(setgroups(0, NULL) == 0 && setgid(65534) == 0 && setuid(65534) == 0);
}

/* What has been sent from a place is there, and is what the file has there. */
static bool arrives(int socket, long position, long n)
{
	static char buf[PIECE];

	return read_all(socket, buf, (size_t)n) == (size_t)n &&
	       memcmp(buf, content + position, (size_t)n) == 0;
}

static void send_pieces(int file, int pair[2])
{
	off_t offset = 0;
	long right = 0, sent = 0, n;

	while ((n = sendfile(pair[0], file, &offset, PIECE)) > 0) {
		right += arrives(pair[1], offset - n, n);
		sent++;
	}
	say("pieces: all right %d, to the end %d", right == sent && sent > 0, offset == bytes);
	check(lseek(file, 5000, SEEK_SET) == 5000);
	show(sendfile(pair[0], file, NULL, 5));
	say("from its position: %d, which moves: %d", arrives(pair[1], 5000, 5),
	    lseek(file, 0, SEEK_CUR) == 5005);
	offset = bytes + 4000;
	show(sendfile(pair[0], file, &offset, 10));
	offset = bytes - 3;
	show(sendfile(pair[0], file, &offset, 10));
	say("the end: %d", arrives(pair[1], bytes - 3, 3));
}

/* Whether all arrives at once: not NULL. */
static void *check_all(void *arg)
{
	char *got = malloc((size_t)bytes);
	size_t n = read_all(*(int *)arg, got, (size_t)bytes);

	bool right = n == (size_t)bytes && memcmp(got, content, n) == 0;

	free(got);
	return right ? arg : NULL;
}

static void send_all(int file, int pair[2])
{
	pthread_t reader = start(check_all, &pair[1]);
	off_t offset = 0;

	say("sent: %d", sendfile(pair[0], file, &offset, (size_t)bytes * 2) == bytes);
	say("at once: %d", finish(reader) != NULL);
}

int main(void)
{
	int file = open_libc(), pair[2];

	become_nobody();
	become_threaded();
	tcp_pair(pair);
	send_pieces(file, pair);
	if (getenv("ONLY_PIECES") == NULL)
		send_all(file, pair);
	return 0;
}
