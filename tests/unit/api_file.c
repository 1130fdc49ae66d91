/* weft.h: files, names and child processes. */
#include "api_io.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file that is gone when it is closed. */
static int temporary_file(void)
{
	char path[] = "/tmp/weft-file-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	cr_assert_geq(fd, 0);
	unlink(path);
	return fd;
}

static void write_and_read(int fd)
{
	char bytes[16] = {0};

	cr_assert_eq(weft_write(fd, "0123456789", 10, WEFT_FOREVER), 10);
	cr_assert_eq(lseek(fd, 0, SEEK_CUR), 10);
	cr_assert_eq(weft_pwrite(fd, "abc", 3, 2, WEFT_FOREVER), 3);
	cr_assert_eq(weft_pread(fd, bytes, 16, 1, WEFT_FOREVER), 9);
	cr_assert_eq(strcmp(bytes, "1abc56789"), 0);
	cr_assert_eq(weft_pread(fd, bytes, 16, 10, WEFT_FOREVER), 0);
	cr_assert_eq(lseek(fd, 8, SEEK_SET), 8);
	cr_assert_eq(weft_read(fd, bytes, 16, WEFT_FOREVER), 2);
	cr_assert_eq(memcmp(bytes, "89", 2), 0);
	cr_assert_eq(weft_read(fd, bytes, 16, WEFT_FOREVER), 0);
	cr_assert_eq(weft_fsync(fd, WEFT_FOREVER), 0);
}

BothWays(api_file, a_file_is_written_and_read)
{
	write_and_read(temporary_file());
}

BothWays(api_file, a_file_in_memory_is_written_and_read)
{
	write_and_read(memfd_create("weft", MFD_CLOEXEC));
}

BothWays(api_file, a_file_that_is_not_cached_is_read)
{
	enum { BYTES = 300000 };
	char *bytes = calloc(1, BYTES), *back = malloc(BYTES);
	int fd = temporary_file();
	ssize_t n, done = 0;

	bytes[BYTES - 1] = 'x';
	cr_assert_eq(write(fd, bytes, BYTES), BYTES);
	cr_assert_eq(weft_fsync(fd, WEFT_FOREVER), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	while ((n = weft_pread(fd, back + done, (size_t)(BYTES - done), done, WEFT_FOREVER)) > 0)
		done += n;
	cr_assert_eq(n, 0);
	cr_assert_eq(done, BYTES);
	cr_assert_eq(memcmp(bytes, back, BYTES), 0);
	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	lseek(fd, 0, SEEK_SET);
	cr_assert_eq(weft_read_all(fd, back, BYTES, WEFT_FOREVER, NULL), 0);
	cr_assert_eq(back[BYTES - 1], 'x');
	free(bytes);
	free(back);
}

BothWays(api_file, bad_arguments_are_what_the_kernel_says)
{
	char byte, *hole = before_a_hole(0);
	int fd = temporary_file(), memory = memfd_create("weft", MFD_CLOEXEC), ends[2];

	cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
	cr_assert_eq(weft_write(memory, "xx", 2, WEFT_FOREVER), 2);
	cr_assert_eq(weft_pwrite(fd, "xx", 2, 0, WEFT_FOREVER), 2);
	cr_assert_eq(weft_pread(-1, &byte, 1, 0, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_pread(ends[0], &byte, 1, 0, WEFT_FOREVER), -ESPIPE);
	cr_assert_eq(weft_pread(fd, &byte, 1, -1, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_pread(fd, &byte, (size_t)-1, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_pread(fd, hole, 1, 0, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_pread(memory, hole, 1, 0, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_pwrite(memory, hole, 1, 0, WEFT_FOREVER), -EFAULT);
	cr_assert_eq(weft_fsync(-1, WEFT_FOREVER), -EBADF);
	cr_assert_eq(weft_fsync(ends[0], WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_open(NULL, O_RDONLY, 0, WEFT_FOREVER), -EINVAL);
	cr_assert_eq(weft_open("/nowhere/at/all", O_RDONLY, 0, WEFT_FOREVER), -ENOENT);
	cr_assert_eq(weft_open("/tmp", O_WRONLY, 0, WEFT_FOREVER), -EISDIR);
	cr_assert_eq(weft_open("/tmp", O_RDONLY, 0, 0), -ETIMEDOUT);
	cr_assert_eq(weft_pread(memory, &byte, 1, 0, -1), -EINVAL);
	cr_assert_eq(weft_fsync(fd, -1), -EINVAL);
	cr_assert_eq(weft_fsync(fd, 0), -ETIMEDOUT);
}

BothWays(api_file, a_file_is_made)
{
	char path[] = "/tmp/weft-dir-XXXXXX", name[64];
	struct stat status;
	int fd;

	cr_assert_not_null(mkdtemp(path));
	snprintf(name, sizeof(name), "%s/file", path);
	umask(0);
	fd = weft_open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0640, WEFT_FOREVER);
	cr_assert_geq(fd, 0);
	fstat(fd, &status);
	unlink(name);
	rmdir(path);

	cr_assert_eq(status.st_mode & 0777, 0640);
}

/* Whoever comes after the deadline. */
BothWays(api_file, what_is_opened_too_late_is_closed)
{
	char path[64];
	int before, writer;

	snprintf(path, sizeof(path), "/tmp/weft-late-%d", getpid());
	cr_assert_eq(mkfifo(path, 0600), 0);
	before = (int)count_descriptors();
	cr_assert_eq(weft_open(path, O_RDONLY | O_CLOEXEC, 0, weft_after(WEFT_MS)), -ETIMEDOUT);
	writer = open(path, O_WRONLY | O_CLOEXEC);
	close(writer);
	unlink(path);

	while ((int)count_descriptors() > before)
		weft_sleep(WEFT_MS);
}

static ssize_t look_up_here(void *unused)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_INET}, *list = NULL;
	int result = weft_getaddrinfo("127.0.0.1", "80", &hints, WEFT_FOREVER, &list);

	(void)unused;
	if (result == 0) {
		cr_expect_eq(ntohs(((struct sockaddr_in *)(void *)list->ai_addr)->sin_port), 80);
		freeaddrinfo(list);
	}
	return result;
}

BothWays(api_file, names_are_looked_up)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *list;
	struct made made[20];

	for (size_t i = 0; i < COUNT(made); i++)
		make(&made[i], look_up_here, NULL);
	for (size_t i = 0; i < COUNT(made); i++)
		cr_assert_eq(result_of(&made[i]), 0);
	cr_assert_eq(weft_getaddrinfo("no number", NULL, &hints, WEFT_FOREVER, &list), -EAI_NONAME);
	cr_assert_eq(weft_getaddrinfo("::1", "80", NULL, WEFT_FOREVER, NULL), -EINVAL);
	cr_assert_eq(weft_getaddrinfo("::1", "80", NULL, -1, &list), -EINVAL);
}

static pid_t fork_child(int code)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

BothWays(api_file, the_status_of_a_child_is_taken)
{
	pid_t other = fork_child(5), pid = fork_child(3);
	int status = 0;

	cr_assert_eq(weft_waitpid(pid, WEFT_FOREVER, &status), 0);
	cr_assert(WIFEXITED(status));
	cr_assert_eq(WEXITSTATUS(status), 3);
	cr_assert_eq(weft_waitpid(pid, WEFT_FOREVER, &status), -ECHILD);
	cr_assert_eq(weft_waitpid(other, WEFT_FOREVER, NULL), 0);
	cr_assert_eq(weft_waitpid(getpid(), WEFT_FOREVER, NULL), -ECHILD);
	cr_assert_eq(weft_waitpid(0, WEFT_FOREVER, NULL), -EINVAL);
	cr_assert_eq(weft_waitpid(-1, WEFT_FOREVER, NULL), -EINVAL);
}

/* The parent has threads of which the child has none. */
BothWays(api_file, a_child_of_fork_has_chores_of_its_own)
{
	int ends[2], status = 0;
	pid_t pid;

	cr_assert_eq(look_up_here(NULL), 0);
	make_pair(ends);
	cr_assert_eq(weft_wait_fd(ends[0], WEFT_IN, weft_after(WEFT_MS)), -ETIMEDOUT);
	/* In own mode no loop is the child's, and ThreadSanitizer lets no child make threads. */
	if (!on_threads || SPARE_MAPPINGS != 0)
		return;
	pid = fork();
	if (pid == 0)
		_exit(look_up_here(NULL) == 0 && weft_wait_fd(ends[0], WEFT_IN,
							      weft_after(WEFT_MS)) == -ETIMEDOUT
			      ? 0
			      : 1);
	cr_assert_eq(weft_waitpid(pid, WEFT_FOREVER, &status), 0);
	cr_assert_eq(status, 0);
}
