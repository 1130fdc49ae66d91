/* A disk without room, and a limit on the size of files: short counts, ENOSPC, EFBIG and SIGXFSZ.
 *
 * The disk is a tmpfs of 64 KB in a mount namespace of our own, made while there is one thread.
 * Who may not make one fills the limit only; plain or not, that is the same.
 */
#include "guest.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define DISK 65536

static char block[2 * DISK];
static int caught;

static bool make_disk(char *folder)
{
	check(mkdtemp(folder) != NULL);
	return unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("none", folder, "tmpfs", 0, "size=64k") == 0;
}

static int empty_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0);
	return fd;
}

/* Fill the disk, or come to the limit, with each call in turn; then there is no more room at all. */
static void fill_with(const char *name)
{
	struct iovec parts[3] = {{block, 20000}, {block, 30000}, {block, 40000}};
	int fd = empty_file(name), source = open("/tmp", O_RDWR | O_TMPFILE, 0600), ends[2];
	off_t from = 0;

	unlink(name);
	check(pwrite(source, block, sizeof(block) / 2, 0) == sizeof(block) / 2 || errno == EFBIG);
	show(write(fd, block, DISK - 4096));
	show(write(fd, block, 8192));
	show(write(fd, block, 1));
	show(pwrite(fd, block, 4096, DISK));
	show(pwrite(fd, block, 8192, DISK - 4096));
	show(ftruncate(fd, 0));
	show(lseek(fd, 0, SEEK_SET));
	show(writev(fd, parts, 3));
	show(writev(fd, parts, 3));
	show(ftruncate(fd, 0));
	show(pwritev(fd, parts, 3, 0));
	show(pwritev(fd, parts, 1, DISK));
	show(ftruncate(fd, 0));
	show(pwritev2(fd, parts, 3, 0, 0));
	show(pwritev2(fd, parts, 1, 0, RWF_APPEND));
	show(fsync(fd));
	show(ftruncate(fd, 0));
	show(fallocate(fd, 0, 0, DISK));
	show(fallocate(fd, 0, 0, 2 * DISK));
	show(ftruncate(fd, 0));
	show(lseek(fd, 0, SEEK_SET));
	show(sendfile(fd, source, &from, DISK));
	show(sendfile(fd, source, &(off_t){0}, DISK));
	show(copy_file_range(source, &(off_t){0}, fd, NULL, DISK, 0) >= 0);
	check(pipe(ends) == 0 && write(ends[1], block, 4096) == 4096);
	show(splice(ends[0], NULL, fd, NULL, 4096, 0));
	show(ftruncate(fd, 0));
	close(ends[0]);
	close(ends[1]);
	close(fd);
	close(source);
}

static void *fill_disk(void *arg)
{
	char name[64];

	snprintf(name, sizeof(name), "%s/file", (char *)arg);
	fill_with(name);
	return NULL;
}

/* Two write at once, to the last page, and the bytes that were taken are there. */
static void *write_pages(void *arg)
{
	size_t done = 0;
	ssize_t n;

	while ((n = write(*(int *)arg, block, 1024)) > 0)
		done += (size_t)n;
	check(n == -1 && errno == ENOSPC);
	return (void *)done;
}

static void fill_by_two(const char *folder)
{
	char names[2][64];
	pthread_t threads[2];
	size_t written = 0, stored = 0;
	struct stat status;
	int fds[2];

	for (int i = 0; i < 2; i++) {
		snprintf(names[i], sizeof(names[i]), "%s/%d", folder, i);
		fds[i] = empty_file(names[i]);
	}
	for (int i = 0; i < 2; i++)
		threads[i] = start(write_pages, &fds[i]);
	for (int i = 0; i < 2; i++)
		written += (size_t)finish(threads[i]);
	for (int i = 0; i < 2; i++) {
		check(fstat(fds[i], &status) == 0);
		stored += (size_t)status.st_size;
		close(fds[i]);
		unlink(names[i]);
	}
	say("written by two: %zu, stored: %zu", written, stored);
}

static void catch_limit(int signal)
{
	check(signal == SIGXFSZ);
	caught++;
}

static void *fill_to_limit(void *arg)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/full_disk.%d", getpid());
	fill_with(name);
	say("SIGXFSZ caught %d times", caught);
	return arg;
}

int main(void)
{
	struct rlimit limit = {DISK, DISK};
	char folder[] = "/tmp/full_disk.XXXXXX";

	memset(block, 'b', sizeof(block));
	if (make_disk(folder)) {
		finish(start(fill_disk, folder));
		fill_by_two(folder);
		check(umount(folder) == 0);
	} else {
		say("no disk of our own here");
	}
	rmdir(folder);
	check(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	check(sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = catch_limit}, NULL) == 0);
	finish(start(fill_to_limit, NULL));
	signal(SIGXFSZ, SIG_IGN);
	finish(start(fill_to_limit, NULL));
	signal(SIGXFSZ, SIG_DFL);
	finish(start(fill_to_limit, NULL));
	return 0;
}
