/* Threads that wait in the kernel's ways are cancelled or interrupted at random times: none is lost,
 * and what they wait for is in order afterwards. How many: the first argument.
 */
#include "guest.h"

#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/stat.h>

#define AT_ONCE 8

static int messages, fifo_never[2];
static char path[64], fifo[64];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int cleaned;

struct letter {
	long type;
	char text[8];
};

static void close_fd(void *fd)
{
	if (*(int *)fd >= 0)
		close(*(int *)fd);
	__atomic_add_fetch(&cleaned, 1, __ATOMIC_RELAXED);
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

static void wait_somehow(unsigned int how, int fd)
{
	struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct letter letter;
	siginfo_t info;
	char byte;

	switch (how % 7) {
	case 0:
	case 1:
		fcntl(fd, F_OFD_SETLKW, &record);
		break;
	case 2:
		msgrcv(messages, &letter, 8, 0, 0);
		break;
	case 3:
		fd = open(fifo, O_WRONLY);
		break;
	case 4:
		waitid(P_ALL, 0, &info, WEXITED);
		break;
	case 5:
		check(read(fifo_never[0], &byte, 1) != 1);
		break;
	case 6:
		usleep(1000000);
		break;
	default:
		pthread_mutex_lock(&lock);
		pthread_cleanup_push(unlock, &lock);
		pthread_cond_wait(&cond, &lock);
		pthread_cleanup_pop(1);
		break;
	}
}

static void *wait_for_ever(void *how)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), old;

	check(fd >= 0);
	pthread_cleanup_push(close_fd, &fd);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	for (;;) {
		wait_somehow((unsigned int)(uintptr_t)how, fd);
		pthread_testcancel();
	}
	pthread_cleanup_pop(1);
	return NULL;
}

static void on_signal(int signal)
{
	(void)signal;
}

/* Pass some time: none, a few turns, or up to a millisecond. */
static void dawdle(unsigned int *seed)
{
	unsigned int how = (unsigned int)rand_r(seed);

	if (how % 3 == 0)
		sched_yield();
	else if (how % 3 == 1)
		usleep(how / 3 % 1000);
}

static void run_rounds(long rounds)
{
	unsigned int seed = 1;

	for (long done = 0; done < rounds; done += AT_ONCE) {
		pthread_t threads[AT_ONCE];

		for (int i = 0; i < AT_ONCE; i++) {
			threads[i] = start(wait_for_ever, (void *)(uintptr_t)rand_r(&seed));
			dawdle(&seed);
		}
		for (int i = 0; i < AT_ONCE; i++) {
			if (rand_r(&seed) % 2 == 0)
				pthread_kill(threads[i], SIGUSR1);
			dawdle(&seed);
			check(pthread_cancel(threads[i]) == 0);
		}
		for (int i = 0; i < AT_ONCE; i++)
			check(finish(threads[i]) == PTHREAD_CANCELED);
	}
}

/* What was waited for has not been taken by anybody who is gone. */
static void look_after(int held)
{
	struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct letter letter = {1, "letter"};
	int mine = open(path, O_RDWR);

	close(held);
	show(fcntl(mine, F_OFD_SETLK, &record));
	show(msgsnd(messages, &letter, 8, 0));
	show(msgrcv(messages, &letter, 8, 0, IPC_NOWAIT));
	show_error(pthread_mutex_trylock(&lock));
	show(open(fifo, O_WRONLY | O_NONBLOCK));
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 400;
	struct flock record = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct sigaction action = {.sa_handler = on_signal};
	int held, alive[2];
	char byte;

	snprintf(path, sizeof(path), "/tmp/storm.%d", getpid());
	snprintf(fifo, sizeof(fifo), "/tmp/storm-fifo.%d", getpid());
	held = open(path, O_RDWR | O_CREAT, 0600);
	unlink(fifo); /* of a process that had this id and was killed */
	check(held >= 0 && mkfifo(fifo, 0600) == 0 && fcntl(held, F_OFD_SETLK, &record) == 0);
	messages = msgget(IPC_PRIVATE, 0600);
	check(pipe(fifo_never) == 0 && pipe(alive) == 0);
	if (fork() == 0) {
		close(alive[1]);
		close(held);
		_exit(read(alive[0], &byte, 1) != 0); /* it ends when the parent does */
	}
	check(sigaction(SIGUSR1, &action, NULL) == 0);
	run_rounds(rounds);
	look_after(held);
	msgctl(messages, IPC_RMID, NULL);
	unlink(path);
	unlink(fifo);
	return 0;
}
