/* Limits that let nothing new be: threads that are there wait for all kinds of things, and get them. */
#include "guest.h"

#include <semaphore.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>

#define NOBODY 65534

static struct {
	int go[2], locked, held, child_end[2], messages, talk[2];
	sem_t *shared;
	sigset_t wanted;
} all;

struct message {
	long type;
	char text[8];
};

static void *get_lock(void *arg)
{
	check(flock(all.locked, LOCK_EX) == 0);
	return arg;
}

static void *get_record_lock(void *arg)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	check(fcntl(all.locked, F_OFD_SETLKW, &lock) == 0);
	return arg;
}

static void *get_post(void *arg)
{
	check(sem_wait(all.shared) == 0);
	return arg;
}

static void *get_child(void *arg)
{
	int status;

	check(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 9);
	return arg;
}

static void *get_message(void *arg)
{
	struct message message;

	check(msgrcv(all.messages, &message, sizeof(message.text), 1, 0) == 3);
	return arg;
}

static void *get_signal(void *arg)
{
	int signal;

	check(sigwait(&all.wanted, &signal) == 0 && signal == SIGUSR2);
	return arg;
}

static void *get_word(void *arg)
{
	struct pollfd fds[2] = {{.fd = all.talk[0], .events = POLLIN}, {.fd = -1}};
	char word[3];

	check(poll(fds, 2, -1) == 1 && recv(all.talk[0], word, 3, 0) == 3);
	return arg;
}

static void *(*const getters[])(void *) = {get_lock,    get_record_lock, get_post, get_child,
					   get_message, get_signal,      get_word};
#define GETTERS (sizeof(getters) / sizeof(*getters))

static void *get_when_told(void *arg)
{
	read_byte(&all.go[0]);
	return getters[(intptr_t)arg](arg);
}

static void prepare(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char name[] = "/tmp/scarceXXXXXX";
	pid_t child;

	check(pipe(all.go) == 0 && pipe(all.child_end) == 0);
	all.locked = mkstemp(name);
	all.held = open(name, O_RDWR);
	unlink(name);
	check(all.held >= 0 && flock(all.held, LOCK_EX) == 0);
	check(fcntl(all.held, F_OFD_SETLK, &lock) == 0);
	all.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(all.shared != MAP_FAILED && sem_init(all.shared, 1, 0) == 0);
	unix_pair(SOCK_STREAM, all.talk);
	check(sigemptyset(&all.wanted) == 0 && sigaddset(&all.wanted, SIGUSR2) == 0);
	check(pthread_sigmask(SIG_BLOCK, &all.wanted, NULL) == 0);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		char byte;

		_exit(read(all.child_end[0], &byte, 1) == 1 ? 9 : 8);
	}
}

static void give_all(void)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
	struct message message = {1, "abc"};

	check(flock(all.held, LOCK_UN) == 0);
	check(fcntl(all.held, F_OFD_SETLK, &lock) == 0);
	check(sem_post(all.shared) == 0);
	write_all(all.child_end[1], "x", 1);
	check(msgsnd(all.messages, &message, 3, 0) == 0);
	check(kill(getpid(), SIGUSR2) == 0);
	check(send(all.talk[1], "abc", 3, 0) == 3);
}

static void set_limit(int resource, rlim_t soft)
{
	struct rlimit limit;

	check(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = soft;
	check(setrlimit(resource, &limit) == 0);
}

/* The stack of the first thread cannot grow either when there is no memory. */
static void __attribute__((noinline)) grow_stack(void)
{
	volatile char room[256 * 1024];

	for (size_t i = 0; i < sizeof(room); i += 4096)
		room[i] = 1;
}

static void do_with(int resource, rlim_t soft)
{
	pthread_t threads[GETTERS];

	prepare();
	for (size_t i = 0; i < GETTERS; i++)
		threads[i] = start(get_when_told, (void *)(intptr_t)i);
	settle();
	grow_stack();
	if (geteuid() == 0 && resource == RLIMIT_NPROC)
		check(setresuid(NOBODY, NOBODY, NOBODY) == 0);
	set_limit(resource, soft);
	write_all(all.go[1], "go ahead", GETTERS);
	settle();
	give_all();
	for (size_t i = 0; i < GETTERS; i++)
		finish(threads[i]);
	say("  %zu got what they waited for", GETTERS);
}

static void run_with(const char *what, int resource, rlim_t soft)
{
	pid_t child;
	int status;

	all.messages = msgget(IPC_PRIVATE, 0666);
	check(all.messages >= 0);
	child = fork();
	check(child >= 0);
	if (child == 0) {
		do_with(resource, soft);
		_exit(0);
	}
	check(waitpid(child, &status, 0) == child);
	check(msgctl(all.messages, IPC_RMID, NULL) == 0);
	say_status(what, status);
}

int main(void)
{
	say("begin");
	run_with("no process", RLIMIT_NPROC, 0);
	run_with("no more than one process", RLIMIT_NPROC, 1);
	run_with("no memory", RLIMIT_AS, 4096);
	run_with("no descriptor", RLIMIT_NOFILE, 3);
	return 0;
}
