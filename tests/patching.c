/*
 * A program that is linked against libweft and patches itself: patching CASE, see the end. What it prints
 * are facts, each of them the same plain and under weft where not said otherwise.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <weft.h>

#define WAIT_MS 500
#define FIRST_TID 0x10000000 /* of a task: above what the kernel hands out */

static void say(const char *what, int result)
{
	printf("%s: %s\n", what, result < 0 ? strerrorname_np(-result) : result == 0 ? "0" : "1");
}

static bool is_task(void)
{
	return syscall(SYS_gettid) >= FIRST_TID;
}

static void *note_task(void *arg)
{
	*(bool *)arg = is_task();
	return NULL;
}

static bool thread_is_task(void)
{
	pthread_t thread;
	bool is = false;

	if (pthread_create(&thread, NULL, note_task, &is) != 0 || pthread_join(thread, NULL) != 0)
		abort();
	return is;
}

static void say_thread(void)
{
	printf("a thread is %s\n", thread_is_task() ? "a task" : "the kernel's");
}

static void say_families(void)
{
	static const struct {
		unsigned int bit;
		const char *name;
	} families[] = {{WEFT_SOCKET, "socket"},   {WEFT_TIME, "time"},    {WEFT_THREAD, "thread"},
			{WEFT_SELECT, "select"},   {WEFT_DNS, "dns"},      {WEFT_FILE, "file"},
			{WEFT_PROCESS, "process"}, {WEFT_SIGNAL, "signal"}};
	unsigned int patched = weft_patched();

	printf("patched:");
	for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
		if ((patched & families[i].bit) != 0)
			printf(" %s", families[i].name);
	puts(patched == WEFT_ALL ? ", all" : patched == 0 ? " nothing" : "");
}

/* --- whether a wait lets others run --- */

static int (*native_nanosleep)(const struct timespec *time, struct timespec *left);
static int from;
static bool waits;

static void wait_in_read(void)
{
	char byte;

	if (read(from, &byte, 1) != 1)
		abort();
}

static const struct timespec a_while = {0, WAIT_MS * 1000000L};

static void wait_in_nanosleep(void)
{
	nanosleep(&a_while, NULL);
}

static void wait_in_original(void)
{
	native_nanosleep(&a_while, NULL);
}

static void wait_in_usleep(void)
{
	usleep(WAIT_MS * 1000);
}

static void wait_in_poll(void)
{
	poll(NULL, 0, WAIT_MS);
}

static void wait_in_select(void)
{
	struct timeval time = {0, WAIT_MS * 1000};

	select(0, NULL, NULL, NULL, &time);
}

static void wait_for_child(void)
{
	if (waitpid(-1, NULL, 0) < 0)
		abort();
}

static void *wait_by(void *function)
{
	void (*wait)(void) = (void (*)(void))function;

	waits = true;
	wait();
	waits = false;
	return NULL;
}

/* Each wait ends by itself: if it lets nobody run, it is over when this thread has its turn again. */
static void say_whether_yields(const char *what, void (*wait)(void))
{
	pthread_t thread;
	bool waited;

	if (pthread_create(&thread, NULL, wait_by, (void *)wait) != 0)
		abort();
	sched_yield();
	waited = waits;
	pthread_join(thread, NULL);
	printf("%s %s\n", what, waited ? "yields" : "blocks");
}

/* After a while a child writes to `to`, if there is such, and ends. */
static pid_t make_child(int to)
{
	pid_t child = fork();

	if (child == 0) {
		usleep(WAIT_MS * 1000);
		_exit(to >= 0 && write(to, "x", 1) != 1);
	}
	return child;
}

static void say_whether_read_yields(const char *what, const int ends[2])
{
	pid_t child = make_child(ends[1]);

	from = ends[0];
	say_whether_yields(what, wait_in_read);
	waitpid(child, NULL, 0);
}

static void say_what_yields(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
		abort();
	say_whether_read_yields("read of a socket", ends);
	if (pipe(ends) != 0)
		abort();
	say_whether_read_yields("read of a pipe", ends);
	say_whether_yields("nanosleep", wait_in_nanosleep);
	say_whether_yields("usleep", wait_in_usleep);
	say_whether_yields("poll", wait_in_poll);
	say_whether_yields("select", wait_in_select);
	make_child(-1);
	say_whether_yields("waitpid", wait_for_child);
}

/* --- the cases --- */

static void bad_input(void)
{
	void *function;

	say("no families", weft_patch(0));
	say("unknown families", weft_patch(WEFT_ALL + 1));
	say("is_patched(NULL)", weft_is_patched(NULL));
	say("is_patched of no call", weft_is_patched("wait_for_godot"));
	say("is_patched of nothing", weft_is_patched(""));
	say("get_original(NULL)", weft_get_original(NULL, &function));
	say("get_original to nowhere", weft_get_original("read", NULL));
	say("get_original of no call", weft_get_original("wait_for_godot", &function));
	say("get_original of getaddrinfo", weft_get_original("getaddrinfo", &function));
	say("get_original of close", weft_get_original("close", &function));
	say("get_original of futex", weft_get_original("futex", &function));
	say_families();
	say_thread();
}

static void say_patched(const char *name)
{
	say(name, weft_is_patched(name));
}

static void all(void)
{
	say_families();
	say_patched("read");
	say("patch_all", weft_patch_all());
	say("patch_all again", weft_patch_all());
	say("a part of it", weft_patch(WEFT_TIME));
	say_families();
	say_patched("read");
	say_patched("recv");
	say_patched("pthread_create");
	say_patched("sigwait");
	say_patched("getaddrinfo");
	say_patched("getpid");
	say_thread();
	say_what_yields();
}

static void narrow(void)
{
	say("patch", weft_patch(WEFT_THREAD | WEFT_SOCKET));
	say_families();
	say_patched("connect");
	say_patched("read");
	say_patched("poll");
	say_patched("getaddrinfo");
	say_patched("pthread_mutex_lock");
	say_what_yields();
	say("patch more", weft_patch(WEFT_FILE | WEFT_DNS));
	say_families();
	say_patched("read");
	say_patched("getaddrinfo");
	say_what_yields();
	say("patch the rest", weft_patch_all());
	say_families();
	say_what_yields();
}

static void narrow_time(void)
{
	say("patch", weft_patch(WEFT_THREAD | WEFT_TIME | WEFT_FILE | WEFT_PROCESS));
	say_families();
	say_what_yields();
}

/* Two threads pass a ball. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;
static int ball;

static void *play(void *arg)
{
	int me = arg != NULL;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		while (ball != me)
			pthread_cond_wait(&moved, &lock);
		ball = !me;
		pthread_cond_signal(&moved);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static int naps;

static void *nap(void *arg)
{
	int number = ++naps;

	if (!is_task())
		abort();
	nanosleep(&(struct timespec){0, 1000000}, NULL);
	if (number == 1 && naps != 2)
		abort();
	return arg;
}

static void *spawn_two(void *arg)
{
	if (weft_spawn(NULL, nap, NULL) != 0 || weft_spawn(NULL, nap, NULL) != 0)
		abort();
	return arg;
}

static void no_threads(void)
{
	pthread_t thread;

	say("patch", weft_patch(WEFT_TIME));
	say_families();
	say_patched("pthread_create");
	say_thread();
	if (pthread_create(&thread, NULL, play, &ball) != 0)
		abort();
	play(NULL);
	say("join", -pthread_join(thread, NULL));
	say("run", weft_run(spawn_two, NULL, NULL));
	printf("%d tasks slept at the same time\n", naps);
	say("patch threads", weft_patch(WEFT_THREAD));
	say_thread();
}

static int gate[2];

static void *wait_at_gate(void *arg)
{
	char byte;

	if (read(gate[0], &byte, 1) != 1)
		abort();
	return arg;
}

/* Under weft the thread is a task, and all is patched. */
static void too_late(void)
{
	pthread_t thread;

	if (pipe(gate) != 0 || pthread_create(&thread, NULL, wait_at_gate, NULL) != 0)
		abort();
	say("patch with two threads", weft_patch_all());
	if (write(gate[1], "x", 1) != 1)
		abort();
	pthread_join(thread, NULL);
}

static void *write_to_gate(void *arg)
{
	if (write(gate[1], "x", 1) != 1)
		abort();
	return arg;
}

static void *wait_for_gate(void *arg)
{
	char byte;

	say("waited", weft_wait_fd(gate[0], WEFT_IN, WEFT_FOREVER));
	if (!weft_killed() && read(gate[0], &byte, 1) != 1)
		abort();
	return arg;
}

static void *end_waits(void *arg)
{
	weft_task *task;
	pthread_t thread;

	say("in time", weft_wait_fd(gate[0], WEFT_IN, weft_after(WEFT_MS)));
	say("not at all", weft_wait_fd(gate[0], WEFT_IN, 0));
	if (weft_spawn(&task, wait_for_gate, NULL) != 0)
		abort();
	weft_yield();
	say("kill", weft_kill(task, WEFT_FOREVER));
	weft_release(task);
	if (weft_spawn(&task, wait_for_gate, NULL) != 0)
		abort();
	weft_yield();
	write_to_gate(NULL);
	say("join", weft_join(task, WEFT_FOREVER));
	weft_release(task);
	if (pthread_create(&thread, NULL, write_to_gate, NULL) != 0)
		abort();
	wait_for_gate(NULL);
	pthread_join(thread, NULL);
	return arg;
}

/* The API's own waits for descriptors are not of a family. */
static void wait_by_api(void)
{
	if (pipe(gate) != 0)
		abort();
	say("patch", weft_patch(WEFT_TIME));
	say("run", weft_run(end_waits, NULL, NULL));
	say("patch threads", weft_patch(WEFT_THREAD));
	say("run", weft_run(end_waits, NULL, NULL));
}

static void *patch_inside(void *arg)
{
	say("patch inside weft_run", weft_patch_all());
	return arg;
}

/* So it is with weft_run(). */
static void inside_run(void)
{
	say("run", weft_run(patch_inside, NULL, NULL));
	say("patch after weft_run", weft_patch_all());
	say_thread();
}

static void *patch_in_thread(void *arg)
{
	say("patch in a thread", weft_patch(WEFT_FILE));
	return arg;
}

static void in_task(void)
{
	pthread_t thread;

	say("patch", weft_patch(WEFT_THREAD));
	if (pthread_create(&thread, NULL, patch_in_thread, NULL) != 0)
		abort();
	pthread_join(thread, NULL);
	say_families();
}

static void originals(void)
{
	static const char *const names[] = {"read",   "recv",    "send",    "accept",  "connect",
					    "poll",   "ppoll",   "select",  "pselect", "epoll_wait",
					    "usleep", "waitpid", "openat",  "flock",   "fsync",
					    "wait",   "pread",   "sendmsg", "pwritev2"};
	ssize_t (*native_read)(int fd, void *buf, size_t n);
	int (*native_clock)(clockid_t clock, int flags, const struct timespec *time,
			    struct timespec *left);
	unsigned int (*native_sleep)(unsigned int seconds);
	int (*native_ppoll)(struct pollfd * fds, nfds_t n, const struct timespec *timeout,
			    const sigset_t *mask);
	struct timespec short_while = {0, 1000};
	int missing = 0, ends[2];
	void *function;
	char byte;

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		missing += weft_get_original(names[i], &function) != 0;
	printf("%d are missing\n", missing);
	if (weft_get_original("read", (void **)&native_read) != 0 ||
	    weft_get_original("nanosleep", (void **)&native_nanosleep) != 0 ||
	    weft_get_original("sleep", (void **)&native_sleep) != 0 ||
	    weft_get_original("ppoll", (void **)&native_ppoll) != 0 ||
	    weft_get_original("clock_nanosleep", (void **)&native_clock) != 0)
		abort();
	say_families();
	say("patch", weft_patch_all());
	errno = 0;
	printf("read: %zd", native_read(-1, &byte, 1));
	printf(" %s\n", strerrorname_np(errno));
	errno = 0;
	printf("clock_nanosleep: %s", strerrorname_np(native_clock(77, 0, &short_while, NULL)));
	printf(" %d\n", errno);
	printf("sleep: %u\n", native_sleep(0));
	printf("ppoll: %d, ", native_ppoll(NULL, 0, &short_while, NULL));
	printf("%ld ns left\n", short_while.tv_nsec);
	if (pipe(ends) != 0 || write(ends[1], "y", 1) != 1 || native_read(ends[0], &byte, 1) != 1)
		abort();
	printf("read %c\n", byte);
	say_whether_yields("nanosleep", wait_in_nanosleep);
	say_whether_yields("the original", wait_in_original);
}

static void fork_after(void)
{
	int status = 0;
	pid_t child;

	say("patch", weft_patch(WEFT_THREAD | WEFT_TIME));
	say_thread();
	fflush(stdout);
	child = fork();
	if (child == 0) {
		say_families();
		say_thread();
		say_families();
		say("patch in the child", weft_patch(WEFT_FILE));
		say_families();
		fflush(stdout);
		_exit(5);
	}
	if (waitpid(child, &status, 0) != child)
		abort();
	printf("the child: exit %d\n", WEXITSTATUS(status));
	say_thread();
}

/* Where it is refused, or cannot be loaded. */
static void in_vain(void)
{
	say("patch_all", weft_patch_all());
	say("patch_all again", weft_patch_all());
	say_families();
	say_thread();
}

static void many(void)
{
	pthread_t thread[300];
	bool are[300];
	int tasks = 0;

	say("patch_all", weft_patch_all());
	for (int i = 0; i < 300; i++)
		if (pthread_create(&thread[i], NULL, note_task, &are[i]) != 0)
			abort();
	for (int i = 0; i < 300; i++) {
		pthread_join(thread[i], NULL);
		tasks += are[i];
	}
	printf("%d threads are tasks\n", tasks);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"bad_input", bad_input},
		     {"all", all},
		     {"narrow", narrow},
		     {"narrow_time", narrow_time},
		     {"no_threads", no_threads},
		     {"too_late", too_late},
		     {"inside_run", inside_run},
		     {"in_task", in_task},
		     {"originals", originals},
		     {"fork_after", fork_after},
		     {"in_vain", in_vain},
		     {"wait_by_api", wait_by_api},
		     {"many", many}};

	for (size_t i = 0; argc == 2 && i < sizeof(cases) / sizeof(*cases); i++)
		if (strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 23;
		}
	return 2;
}
