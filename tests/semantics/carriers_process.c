/* What a thread asks of the whole process, or of another thread, while others compute: children, ids,
 * processors, cancellation, timers, clocks of processor time.
 */
#include "guest.h"

#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <semaphore.h>
#include <spawn.h>
#include <stdatomic.h>

#define BUSY 3
#define FORKS 12
#define GROUP 65533
#define EXPIRATIONS 5

extern char **environ;

static atomic_int stop;
static pthread_t busy[BUSY];

static void *compute(void *arg)
{
	while (!atomic_load(&stop))
		;
	return arg;
}

/* Is in the middle of malloc and of stdio, mostly. */
static void *allocate(void *arg)
{
	FILE *null = fopen("/dev/null", "w");

	while (!atomic_load(&stop)) {
		void *blocks[20];

		for (size_t i = 0; i < 20; i++)
			check((blocks[i] = malloc(i * 977 + 1)) != NULL);
		fprintf(null, "%p", blocks[0]);
		for (int i = 0; i < 20; i++)
			free(blocks[i]);
	}
	fclose(null);
	return arg;
}

static void start_busy(void)
{
	atomic_store(&stop, 0);
	for (int i = 0; i < BUSY; i++)
		busy[i] = start(i % 2 == 0 ? compute : allocate, NULL);
}

static void finish_busy(void)
{
	atomic_store(&stop, 1);
	for (int i = 0; i < BUSY; i++)
		finish(busy[i]);
}

/* Call with the id of each kernel thread; how many of them it says yes to, and how many there are. */
static int count_tasks(bool (*is_one)(const char *id), int *ret_all)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int ones = 0;

	check(tasks != NULL);
	*ret_all = 0;
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.') {
			++*ret_all;
			ones += is_one(entry->d_name);
		}
	closedir(tasks);
	return ones;
}

static bool any(const char *id)
{
	return id != NULL;
}

/* --- children --- */
static atomic_int child_sum;

static void *add_in_child(void *number)
{
	for (volatile int i = 0; i < 100000; i++)
		;
	atomic_fetch_add(&child_sum, (int)(intptr_t)number);
	return NULL;
}

static void live_as_child(int number)
{
	pthread_t threads[BUSY];
	char *text;
	int all;

	check(count_tasks(any, &all) == 1 && all == 1);
	check(asprintf(&text, "child %d", number) > 0);
	free(text);
	printf("%s", "");
	for (intptr_t i = 0; i < BUSY; i++)
		threads[i] = start(add_in_child, (void *)(i + 1));
	for (int i = 0; i < BUSY; i++)
		finish(threads[i]);
	check(atomic_load(&child_sum) == 6);
	_exit(number);
}

static void *fork_often(void *ret_right)
{
	for (int i = 0; i < FORKS; i++) {
		pid_t child = fork();
		int status;

		check(child >= 0);
		if (child == 0)
			live_as_child(i + 1);
		check(waitpid(child, &status, 0) == child);
		*(int *)ret_right += WIFEXITED(status) && WEXITSTATUS(status) == i + 1;
	}
	return NULL;
}

static void *spawn_often(void *ret_right)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"exit 7", NULL};

	for (int i = 0; i < FORKS; i++) {
		pid_t child;
		int status;

		check(posix_spawnp(&child, "sh", NULL, NULL, argv, environ) == 0);
		check(waitpid(child, &status, 0) == child);
		*(int *)ret_right += WIFEXITED(status) && WEXITSTATUS(status) == 7;
	}
	return NULL;
}

static void have_children(void)
{
	pthread_t parents[4];
	int right[4] = {0};

	start_busy();
	for (int i = 0; i < 4; i++)
		parents[i] = start(i < 2 ? fork_often : spawn_often, &right[i]);
	for (int i = 0; i < 4; i++)
		finish(parents[i]);
	finish_busy();
	say("children that did well: %d, programs: %d", right[0] + right[1], right[2] + right[3]);
}

/* --- ids: of all kernel threads --- */
static gid_t expected;

/* One that has ended meanwhile is no exception. */
static bool has_group(const char *id)
{
	unsigned int real = 0, effective = 0;
	char path[300], line[256];
	FILE *file;
	bool has = true;

	snprintf(path, sizeof(path), "/proc/self/task/%s/status", id);
	file = fopen(path, "r");
	if (file == NULL)
		return true;
	while (fgets(line, sizeof(line), file) != NULL)
		if (sscanf(line, "Gid: %u %u", &real, &effective) == 2)
			has = effective == expected;
	fclose(file);
	return has;
}

/* Kernel threads that nobody uses any more may end with the ids they had. */
static bool have_all_group(void)
{
	int all, tries = 0;

	while (count_tasks(has_group, &all) != all && ++tries < 5000)
		usleep(1000);
	return tries < 5000;
}

/* Who is not root has its own group only, and says the same. */
static void *change_group(void *arg)
{
	gid_t before = getegid();

	expected = geteuid() == 0 ? GROUP : before;
	for (int i = 0; i < 2; i++) {
		check(setegid(expected) == 0);
		say("the group is changed %s of all: %s", i == 0 ? "to another" : "back",
		    have_all_group() ? "yes" : "no");
		expected = before;
	}
	if (geteuid() == 0)
		check(setgroups(1, &(gid_t){GROUP}) == 0 && getgroups(0, NULL) == 1);
	return arg;
}

static void *ask_groups(void *ret_count)
{
	*(int *)ret_count = geteuid() == 0 ? getgroups(0, NULL) : 1;
	return NULL;
}

static void change_ids(void)
{
	pthread_t threads[BUSY];
	int count[BUSY], sum = 0;

	start_busy();
	finish(start(change_group, NULL));
	for (int i = 0; i < BUSY; i++)
		threads[i] = start(ask_groups, &count[i]);
	for (int i = 0; i < BUSY; i++) {
		finish(threads[i]);
		sum += count[i];
	}
	finish_busy();
	say("groups that threads have: %d", sum);
}

/* --- processors --- */
static void *count_processors(void *ret_count)
{
	cpu_set_t set;

	check(sched_getaffinity(0, sizeof(set), &set) == 0);
	*(int *)ret_count = CPU_COUNT(&set);
	return NULL;
}

static int stays[2], told[2];

/* Begun before the first thread changes its own. */
static void *count_processors_when_told(void *ret_count)
{
	read_byte(&told[0]);
	return count_processors(ret_count);
}

static void bind_first(void)
{
	pthread_t earlier, later;
	cpu_set_t all, one;
	int before, here;

	check(sched_getaffinity(0, sizeof(all), &all) == 0 && pipe(told) == 0);
	before = CPU_COUNT(&all);
	start_busy();
	earlier = start(count_processors_when_told, &stays[0]);
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &all) && CPU_COUNT(&one) == 0)
			CPU_SET(i, &one);
	check(sched_setaffinity(0, sizeof(one), &one) == 0);
	count_processors(&here);
	write_all(told[1], "x", 1);
	finish(earlier);
	later = start(count_processors, &stays[1]);
	finish(later);
	finish_busy();
	check(sched_setaffinity(0, sizeof(all), &all) == 0);
	say("bound to one: itself %d, who was there %s, who comes %d", here,
	    stays[0] == before ? "as before" : "too", stays[1]);
}

/* --- cancellation --- */
static int never[2];
static atomic_int to_clean, cleaned;

static void clean(void *arg)
{
	(void)arg;
	atomic_fetch_add(&cleaned, 1);
}

static void *compute_for_ever(void *arg)
{
	check(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL) == 0);
	pthread_cleanup_push(clean, NULL);
	atomic_fetch_add(&to_clean, 1);
	for (;;)
		;
	pthread_cleanup_pop(0);
	return arg;
}

static void *compute_and_look(void *arg)
{
	pthread_cleanup_push(clean, NULL);
	atomic_fetch_add(&to_clean, 1);
	for (;;)
		pthread_testcancel();
	pthread_cleanup_pop(0);
	return arg;
}

static void *wait_for_ever(void *arg)
{
	pthread_cleanup_push(clean, NULL);
	atomic_fetch_add(&to_clean, 1);
	read_byte(&never[0]);
	pthread_cleanup_pop(0);
	return arg;
}

static void *sleep_for_ever(void *arg)
{
	pthread_cleanup_push(clean, NULL);
	atomic_fetch_add(&to_clean, 1);
	for (;;)
		sleep(50);
	pthread_cleanup_pop(0);
	return arg;
}

static void cancel_all(void)
{
	void *(*const runs[])(void *) = {compute_for_ever, compute_and_look, wait_for_ever,
					 sleep_for_ever};
	int cancelled = 0;

	start_busy();
	for (int round = 0; round < 5; round++) {
		pthread_t threads[8];

		for (int i = 0; i < 8; i++)
			threads[i] = start(runs[i % 4], NULL);
		while (atomic_load(&to_clean) < 8 * (round + 1))
			usleep(1000);
		settle();
		for (int i = 0; i < 8; i++)
			check(pthread_cancel(threads[i]) == 0);
		for (int i = 0; i < 8; i++)
			cancelled += finish(threads[i]) == PTHREAD_CANCELED;
	}
	finish_busy();
	say("cancelled: %d", cancelled);
}

/* --- timers, for a thread that computes and with a thread for each --- */
static __thread int expired_here;
static atomic_int notified;
static atomic_int thread_id;

static void note_expiration(int number)
{
	(void)number;
	expired_here++;
}

static void notify(union sigval value)
{
	atomic_fetch_add(&notified, value.sival_int);
}

static void *compute_until_expired(void *ret_expired)
{
	atomic_store(&thread_id, (int)gettid());
	while (*(volatile int *)&expired_here < EXPIRATIONS)
		;
	*(int *)ret_expired = expired_here >= EXPIRATIONS;
	return NULL;
}

static timer_t set_timer(struct sigevent *event)
{
	struct itimerspec time = {{0, 2000000}, {0, 2000000}};
	timer_t timer;

	check(timer_create(CLOCK_MONOTONIC, event, &timer) == 0);
	check(timer_settime(timer, 0, &time, NULL) == 0);
	return timer;
}

static void set_timers(void)
{
	struct sigaction action = {.sa_handler = note_expiration, .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	int right = 0;
	timer_t timer;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	start_busy();
	for (int i = 0; i < 3; i++) {
		int expired = 0;
		pthread_t thread;

		atomic_store(&thread_id, 0);
		thread = start(compute_until_expired, &expired);
		while (atomic_load(&thread_id) == 0)
			usleep(1000);
		event._sigev_un._tid = atomic_load(&thread_id);
		timer = set_timer(&event);
		finish(thread);
		check(timer_delete(timer) == 0);
		right += expired;
	}
	say("timers told threads that compute: %d", right);
	event = (struct sigevent){.sigev_notify = SIGEV_THREAD};
	event.sigev_notify_function = notify;
	event.sigev_value.sival_int = 1;
	timer = set_timer(&event);
	while (atomic_load(&notified) < EXPIRATIONS)
		usleep(1000);
	check(timer_delete(timer) == 0);
	finish_busy();
	say("a timer had threads of its own");
}

/* --- the processor time of others --- */
static void *wait_to_read(void *fd)
{
	return read_byte(fd);
}

static void read_clocks(void)
{
	clockid_t clock[BUSY], parked_clock;
	int64_t last[BUSY], parked_ns;
	pthread_t parked = start(wait_to_read, &never[0]);
	int advanced = 0;

	start_busy();
	settle();
	check(pthread_getcpuclockid(parked, &parked_clock) == 0);
	parked_ns = now_ns(parked_clock);
	for (int i = 0; i < BUSY; i++) {
		check(pthread_getcpuclockid(busy[i], &clock[i]) == 0);
		last[i] = now_ns(clock[i]);
	}
	for (int i = 0; i < BUSY; i++)
		for (int64_t begun = last[i], now; last[i] < begun + 20000000; last[i] = now) {
			usleep(1000);
			now = now_ns(clock[i]);
			check(now >= last[i]);
		}
	for (int i = 0; i < BUSY; i++)
		advanced += now_ns(clock[i]) >= last[i];
	say("clocks of those that compute go on: %d; of one that waits: %s", advanced,
	    now_ns(parked_clock) == parked_ns ? "no" : "yes");
	write_all(never[1], "x", 1);
	finish(parked);
	finish_busy();
}

int main(void)
{
	check(pipe(never) == 0);
	change_ids(); /* before there are children, whose parents stay as they are */
	have_children();
	bind_first();
	cancel_all();
	say("cleaned up: %d", atomic_load(&cleaned));
	set_timers();
	read_clocks();
	return 0;
}
