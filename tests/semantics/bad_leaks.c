/* A hundred thousand failures from four threads leave no descriptor, memory or thread behind. */
#include "guest.h"

#include <dirent.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/un.h>

#define THREADS 4
#define WARM_UP 1000
#define FAILURES 100000
#define SPARE_KB 4096 /* stacks and caches that came meanwhile */

static int pipe_fds[2], stream[2], silent[2], file, locked, folder, queue, semaphores, word;
static mqd_t mq;
static char bytes[64], *nowhere, *no_strings[1];
static struct iovec part;
static struct sockaddr_un nobody = {AF_UNIX, "/nonexistent/socket"};
static struct timespec past = {1, 0}, moment = {0, 1000};
static struct sembuf down = {0, -1, 0}, at_once = {0, -1, IPC_NOWAIT};
static pthread_barrier_t all_here;

static void open_all(void)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 64};
	struct timeval short_time = {0, 1};
	char name[64];

	check(pipe(pipe_fds) == 0);
	write_all(pipe_fds[1], bytes, sizeof(bytes));
	unix_pair(SOCK_STREAM, stream);
	write_all(stream[1], bytes, sizeof(bytes));
	unix_pair(SOCK_STREAM, silent);
	check(setsockopt(silent[0], SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof(short_time)) == 0);
	snprintf(name, sizeof(name), "/tmp/bad_leaks.%d", getpid());
	file = open(name, O_RDWR | O_CREAT, 0600);
	locked = open(name, O_RDWR);
	check(pwrite(file, bytes, sizeof(bytes), 0) == sizeof(bytes));
	check(flock(locked, LOCK_EX) == 0 && unlink(name) == 0);
	folder = open("/tmp", O_RDONLY | O_DIRECTORY);
	snprintf(name, sizeof(name), "/bad_leaks.%d", getpid());
	mq = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	check(mq >= 0 && mq_unlink(name) == 0);
	queue = msgget(IPC_PRIVATE, 0600);
	semaphores = semget(IPC_PRIVATE, 1, 0600);
	nowhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	part = (struct iovec){nowhere, 64};
}

static int open_and_fail_to_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int result = connect(fd, (struct sockaddr *)&nobody, sizeof(nobody));

	close(fd);
	return result;
}

static int receive_nothing(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return sigtimedwait(&set, NULL, &moment);
}

/* Each fails, and some of them wait a moment before. */
#define FAILURES_OF(X) \
	X(read(-1, bytes, 8)) \
	X(read(pipe_fds[0], nowhere, 64)) \
	X(read(stream[0], nowhere, 64)) \
	X(read(folder, bytes, 64)) \
	X(read(silent[0], bytes, 64)) \
	X(write(pipe_fds[1], nowhere, 64)) \
	X(write(stream[1], nowhere, 64)) \
	X(write(file, nowhere, 64)) \
	X(write(pipe_fds[0], bytes, 8)) \
	X(readv(stream[0], &part, 1)) \
	X(writev(pipe_fds[1], (struct iovec *)nowhere, 1)) \
	X(pread(file, nowhere, 64, 0)) \
	X(pread(pipe_fds[0], bytes, 8, 0)) \
	X(pwrite(file, nowhere, 64, 0)) \
	X(preadv2(file, &part, 1, 0, 1 << 30)) \
	X(pwritev2(file, &part, 1, 0, 0)) \
	X(recv(silent[0], bytes, 64, 0)) \
	X(recv(silent[0], bytes, 64, MSG_DONTWAIT)) \
	X(recvmsg(silent[0], (struct msghdr *)nowhere, 0)) \
	X(send(file, bytes, 8, 0)) \
	X(accept(stream[0], NULL, NULL)) \
	X(open_and_fail_to_connect()) \
	X(sendfile(pipe_fds[1], folder, NULL, 8)) \
	X(splice(file, NULL, file, NULL, 8, 0)) \
	X(tee(pipe_fds[0], pipe_fds[1], 8, 0)) \
	X(vmsplice(pipe_fds[1], &part, 1, 0)) \
	X(copy_file_range(file, NULL, folder, NULL, 8, 0)) \
	X(fsync(pipe_fds[0])) \
	X(fdatasync(-1)) \
	X(fallocate(pipe_fds[1], 0, 0, 8)) \
	X(ftruncate(folder, 0)) \
	X(open("/nonexistent", O_RDONLY)) \
	X(open(nowhere, O_RDONLY)) \
	X(openat(-1, "name", O_RDONLY)) \
	X(flock(file, LOCK_EX | LOCK_NB)) \
	X(flock(-1, LOCK_EX)) \
	X(fcntl(file, F_SETLKW, nowhere)) \
	X(fcntl(-1, F_OFD_SETLKW, nowhere)) \
	X(poll((struct pollfd *)nowhere, 1, 0)) \
	X(epoll_wait(pipe_fds[0], (struct epoll_event *)bytes, 1, 0)) \
	X(mq_receive(mq, bytes, 1, NULL)) \
	X(mq_timedreceive(mq, bytes, 64, NULL, &past)) \
	X(mq_send(mq, bytes, 65, 0)) \
	X(msgrcv(queue, bytes, 8, 0, IPC_NOWAIT)) \
	X(msgsnd(queue, nowhere, 8, 0)) \
	X(semop(semaphores, &at_once, 1)) \
	X(semtimedop(semaphores, &down, 1, &moment)) \
	X(semop(semaphores, (struct sembuf *)nowhere, 1)) \
	X(wait(NULL)) \
	X(waitid(P_PIDFD, (id_t)file, NULL, WEXITED)) \
	X(receive_nothing(SIGUSR1)) \
	X(futex(nowhere, FUTEX_WAIT_PRIVATE, 0, &moment, NULL, 0)) \
	X(syscall(SYS_io_uring_enter, file, 1, 1, 1, NULL, 0)) \
	X(syscall(SYS_io_getevents, -1L, 1L, 1L, NULL, NULL)) \
	X(syscall(SYS_getdents64, file, bytes, 64)) \
	X(syscall(SYS_getrandom, nowhere, 64, 0)) \
	X(execve("/nonexistent", no_strings, no_strings)) \
	X(dup2(-1, 5)) \
	X(read(file, nowhere, 64)) \
	X(futex(&word, FUTEX_WAIT, 0, &moment, NULL, 0))

#define COUNT(...) +1
#define WAYS (0 FAILURES_OF(COUNT))

/* Fail in way number how; what did not fail, if it did not. */
static const char *fail(int how)
{
	int way = 0;

#define TRY(...) \
	if (how == way++) \
		return (__VA_ARGS__) == -1 ? NULL : #__VA_ARGS__;
	FAILURES_OF(TRY)
	return "anything";
}

static void *fail_often(void *arg)
{
	long failures = (long)(intptr_t)arg;

	/* As many waits at once as there ever will be. */
	pthread_barrier_wait(&all_here);
	check(semtimedop(semaphores, &down, 1, &(struct timespec){0, 50000000}) == -1);
	for (long i = 0; i < failures; i++) {
		const char *wrong = fail((int)(i % (WAYS)));

		if (wrong != NULL)
			say("did not fail: %s", wrong);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

static void fail_in_threads(long failures)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(fail_often, (void *)(intptr_t)(failures / THREADS));
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
}

static long status_line(const char *name)
{
	char text[4096], *line;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	check(n > 0);
	close(fd);
	text[n] = '\0';
	line = strstr(text, name);
	check(line != NULL);
	return strtol(line + strlen(name), NULL, 10);
}

static long count_descriptors(void)
{
	DIR *all = opendir("/proc/self/fd");
	long count = 0;

	while (readdir(all) != NULL)
		count++;
	closedir(all);
	return count;
}

/* Threads that have ended may be seen for a while; a leaked one would be seen for ever. */
static bool come_to(long most, long (*count)(void))
{
	for (int i = 0; i < 6000 && count() > most; i++)
		usleep(10000);
	return count() <= most;
}

static long count_threads(void)
{
	return status_line("Threads:");
}

static long count_memory(void)
{
	return status_line("VmRSS:");
}

int main(void)
{
	long threads, descriptors, memory_kb;

	open_all();
	pthread_barrier_init(&all_here, NULL, THREADS);
	fail_in_threads(WARM_UP);
	threads = count_threads();
	descriptors = count_descriptors();
	memory_kb = count_memory();
	fail_in_threads(FAILURES);
	say("descriptors: %s", count_descriptors() == descriptors ? "the same" : "leaked");
	say("threads: %s", come_to(threads, count_threads) ? "the same" : "leaked");
	say("memory: %s", come_to(memory_kb + SPARE_KB, count_memory) ? "the same" : "leaked");
	check(msgctl(queue, IPC_RMID, NULL) == 0 && semctl(semaphores, 0, IPC_RMID) == 0);
	return 0;
}
