/* Locks, queues and FIFOs that only another thread of the program can make ready. */
#include "guest.h"

#include <mqueue.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>

static char path[64];
static int semaphores, messages, step;
static mqd_t queue;

struct letter {
	long type;
	char text[16];
};

static int open_path(int flags)
{
	int fd = open(path, flags);

	check(fd >= 0);
	return fd;
}

static void *unlock_flock(void *fd)
{
	settle();
	step = 1;
	check(flock(*(int *)fd, LOCK_UN) == 0);
	return NULL;
}

static void test_flock(void)
{
	int mine = open_path(O_RDWR), other = open_path(O_RDWR);
	pthread_t thread;

	check(flock(other, LOCK_EX) == 0);
	show(flock(mine, LOCK_EX | LOCK_NB));
	thread = start(unlock_flock, &other);
	show(flock(mine, LOCK_EX));
	say("flock waited: %d", step);
	finish(thread);
	show(flock(-1, LOCK_EX));
	close(mine);
	close(other);
}

static int lock_record(int fd, short type, int command)
{
	struct flock record = {.l_type = type, .l_whence = SEEK_SET, .l_len = 10};

	return fcntl(fd, command, &record);
}

static void *unlock_record(void *fd)
{
	settle();
	step = 2;
	check(lock_record(*(int *)fd, F_UNLCK, F_OFD_SETLK) == 0);
	return NULL;
}

static void test_record_locks(void)
{
	int mine = open_path(O_RDWR), other = open_path(O_RDWR);
	pthread_t thread;

	check(lock_record(other, F_WRLCK, F_OFD_SETLK) == 0);
	show(lock_record(mine, F_WRLCK, F_OFD_SETLK));
	thread = start(unlock_record, &other);
	show(lock_record(mine, F_WRLCK, F_OFD_SETLKW));
	say("the record lock waited: %d", step);
	finish(thread);
	show(fcntl(mine, F_SETLKW, NULL));
	close(mine);
	close(other);
}

/* Until the kernel's list of locks has a line of a process that waits for one. */
static void await_waiter(pid_t process)
{
	char line[256], waits[32];
	bool found = false;
	FILE *locks;

	snprintf(waits, sizeof(waits), " %d ", process);
	while (!found) {
		locks = fopen("/proc/locks", "r");
		check(locks != NULL);
		while (!found && fgets(line, sizeof(line), locks) != NULL)
			found = strstr(line, "->") != NULL && strstr(line, waits) != NULL;
		fclose(locks);
		usleep(1000);
	}
}

/* Two processes that would wait for each other: one is told. */
static void test_deadlock(void)
{
	struct flock first = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1},
		     second = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
	int fd = open_path(O_RDWR), ready[2], status;
	pid_t child;
	char byte;

	check(pipe(ready) == 0);
	check(fcntl(fd, F_SETLK, &first) == 0);
	child = fork();
	if (child == 0) {
		check(fcntl(fd, F_SETLK, &second) == 0);
		write_all(ready[1], "x", 1);
		_exit(fcntl(fd, F_SETLKW, &first) == 0 ? 7 : 8);
	}
	check(read(ready[0], &byte, 1) == 1);
	await_waiter(child);
	show(fcntl(fd, F_SETLKW, &second));
	close(fd);
	check(waitpid(child, &status, 0) == child);
	say_status("who waited for the lock", status);
}

static void *post(void *arg)
{
	struct sembuf up = {0, 1, 0};

	settle();
	step = 3;
	check(semop(semaphores, &up, 1) == 0);
	return arg;
}

static void test_semaphores(void)
{
	struct sembuf down = {0, -1, 0}, at_once = {0, -1, IPC_NOWAIT};
	struct timespec soon = {0, 20000000}, wrong = {0, -1};
	int64_t begun = now_ns(CLOCK_MONOTONIC);
	pthread_t thread;

	semaphores = semget(IPC_PRIVATE, 1, 0600);
	show(semop(semaphores, &at_once, 1));
	show(semtimedop(semaphores, &down, 1, &soon));
	say("not early: %d", now_ns(CLOCK_MONOTONIC) - begun >= 20000000);
	show(semtimedop(semaphores, &down, 1, &wrong));
	thread = start(post, NULL);
	show(semop(semaphores, &down, 1));
	say("semop waited: %d", step);
	finish(thread);
	show(semctl(semaphores, 0, IPC_RMID));
	show(semop(semaphores, &down, 1));
}

static void *send_letters(void *arg)
{
	struct letter letter = {3, "hello"};

	settle();
	check(msgsnd(messages, &letter, 6, 0) == 0);
	settle();
	check(mq_send(queue, "good day", 9, 1) == 0);
	return arg;
}

static void test_messages(void)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 16};
	struct timespec soon;
	struct letter letter;
	pthread_t thread;
	char name[64];

	snprintf(name, sizeof(name), "/locks%d", getpid());
	queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	check(queue >= 0 && mq_unlink(name) == 0);
	messages = msgget(IPC_PRIVATE, 0600);
	show(msgrcv(messages, &letter, 16, 3, IPC_NOWAIT));
	thread = start(send_letters, NULL);
	show(msgrcv(messages, &letter, 16, 3, 0));
	say("type %ld: %s", letter.type, letter.text);
	show(mq_receive(queue, letter.text, 16, NULL));
	say("then: %s", letter.text);
	finish(thread);
	soon = in_ms(CLOCK_REALTIME, 10);
	show(mq_timedreceive(queue, letter.text, 16, NULL, &soon));
	show(mq_send(queue, "1", 2, 0));
	show(mq_timedsend(queue, "2", 2, 0, &soon));
	show(mq_timedsend(queue, "2", 2, 0, &(struct timespec){0, -1}));
	show(mq_receive(queue, letter.text, 1, NULL));
	show(msgctl(messages, IPC_RMID, NULL));
	show(msgrcv(messages, &letter, 16, 3, 0));
}

static volatile bool interrupted;

static void note_signal(int signal)
{
	step = signal == SIGUSR1 ? 4 : 5;
}

static void *interrupt(void *thread)
{
	settle();
	check(pthread_kill(*(pthread_t *)thread, SIGUSR1) == 0);
	/* One that comes before the call has begun again ends nothing. */
	while (!interrupted) {
		settle();
		check(pthread_kill(*(pthread_t *)thread, SIGUSR2) == 0);
	}
	return NULL;
}

/* SIGUSR1 restarts calls, SIGUSR2 ends them. */
static void test_signals(void)
{
	struct sigaction restart = {.sa_handler = note_signal, .sa_flags = SA_RESTART},
			 end = {.sa_handler = note_signal};
	int mine = open_path(O_RDWR), other = open_path(O_RDWR);
	pthread_t me = pthread_self(), thread;

	check(sigaction(SIGUSR1, &restart, NULL) == 0 && sigaction(SIGUSR2, &end, NULL) == 0);
	check(flock(other, LOCK_EX) == 0);
	thread = start(interrupt, &me);
	show(flock(mine, LOCK_EX));
	interrupted = true;
	say("by signal %d", step);
	finish(thread);
	close(mine);
	close(other);
}

#define CROWD 100

static void *pass_lock_on(void *counter)
{
	int fd = open_path(O_RDWR);

	check(flock(fd, LOCK_EX) == 0);
	++*(int *)counter;
	sched_yield();
	check(flock(fd, LOCK_UN) == 0);
	close(fd);
	return NULL;
}

/* More threads wait than anybody would lend a kernel thread to. */
static void test_crowd(void)
{
	int fd = open_path(O_RDWR), counter = 0;
	pthread_t threads[CROWD];

	check(flock(fd, LOCK_EX) == 0);
	for (int i = 0; i < CROWD; i++)
		threads[i] = start(pass_lock_on, &counter);
	settle();
	say("in the lock before it is free: %d", counter);
	close(fd);
	for (int i = 0; i < CROWD; i++)
		finish(threads[i]);
	say("in the end: %d", counter);
}

int main(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/locks.%d", getpid());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	check(fd >= 0);
	become_threaded();
	test_flock();
	test_record_locks();
	test_deadlock();
	test_semaphores();
	test_messages();
	test_signals();
	test_crowd();
	unlink(path);
	return 0;
}
