/*
 * A program that is linked against libweft, and calls all of <weft/task.h> and <weft/wait.h>: it says
 * what it is told, which is to be the same by itself and under weft, where its tasks are threads.
 *
 * own_calls ordinary: what only a patched program can do, its tasks wait by read(2), sleep(3), locks.
 */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

/* A call and what it returns, as it is written here. */
#define SAY(call) say(#call, call)

static void say(const char *call, int result)
{
	if (result < 0)
		printf("%s: %s\n", call, strerrorname_np(-result));
	else
		printf("%s: %d\n", call, result);
}

static void *give(void *arg)
{
	return arg;
}

static void *fail(void *arg)
{
	weft_set_error(-EIO);
	return arg;
}

static void *sleep_long(void *arg)
{
	return weft_sleep(WEFT_FOREVER) == 0 ? NULL : arg;
}

static weft_task *start(weft_func *fn, void *arg)
{
	weft_task *task;

	if (weft_spawn(&task, fn, arg) != 0)
		abort();
	return task;
}

/* Until its function has begun; then it is in its wait, or about to be. */
static void until_started(const weft_task *task)
{
	while (!weft_started(task))
		weft_sleep(WEFT_US);
}

static void end(weft_task *task)
{
	weft_join(task, WEFT_FOREVER);
	weft_release(task);
}

static void values_and_errors(void)
{
	weft_task *well = start(give, "a value"), *failed = start(fail, NULL), *sized;
	void *value = NULL;

	SAY(weft_get(well, WEFT_FOREVER, &value));
	printf("%s, %s\n", (char *)value, (char *)weft_value(well));
	SAY(weft_get(failed, WEFT_FOREVER, &value));
	SAY(weft_error(failed));
	SAY(weft_error(well));
	SAY(weft_error(weft_self()));
	SAY(weft_started(well) && weft_ended(well));
	SAY(weft_spawn_sized(&sized, 1, give, NULL));
	SAY(weft_spawn_sized(&sized, 1 << 20, give, "sized"));
	SAY(weft_get(sized, WEFT_FOREVER, &value));
	puts(value);
	SAY(weft_join(weft_self(), WEFT_FOREVER));
	SAY(weft_join(NULL, WEFT_FOREVER));
	SAY(weft_join(well, -1));
	SAY(weft_spawn(NULL, NULL, NULL));
	weft_release(weft_ref(well));
	end(well);
	end(failed);
	end(sized);
}

static void *nothing(void *arg)
{
	return arg;
}

static void later_starts(void)
{
	weft_task *task;
	int64_t earliest_ns = weft_after(2 * WEFT_MS);

	SAY(weft_spawn_later(&task, 2 * WEFT_MS, give, "late"));
	SAY(weft_join(task, WEFT_FOREVER));
	SAY(weft_now() >= earliest_ns);
	end(task);
	SAY(weft_spawn_later(&task, WEFT_FOREVER, give, NULL));
	SAY(weft_kill(task, WEFT_FOREVER));
	SAY(weft_started(task));
	SAY(weft_error(task));
	end(task);
	SAY(weft_spawn_later(&task, -1, give, NULL));
	SAY(weft_spawn_raw(nothing, NULL));
}

static weft_task *other;
static int ends[2];

static int in_sleep(void)
{
	return weft_sleep(WEFT_FOREVER);
}

static int in_join(void)
{
	return weft_join(other, WEFT_FOREVER);
}

static int in_joinall(void)
{
	return weft_joinall(&other, 1, 1, WEFT_FOREVER);
}

static int in_wait(void)
{
	weft_object *object = weft_object(other);

	return weft_wait(&object, 1, 0, WEFT_FOREVER, NULL);
}

static int in_iwait(void)
{
	weft_object *object = weft_object(other);
	weft_iwait *iwait;
	int n;

	weft_iwait_new(&iwait, &object, 1);
	n = weft_iwait_next(iwait, WEFT_FOREVER, &object);
	weft_iwait_free(iwait);
	return n;
}

static int in_wait_fd(void)
{
	return weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER);
}

struct waiting {
	int (*wait)(void);
	int result, next;
};

static void *wait_once(void *arg)
{
	struct waiting *waiting = arg;

	waiting->result = waiting->wait();
	waiting->next = weft_sleep(1);
	return weft_killed() ? arg : NULL;
}

static void kill_in(const char *name, int (*wait)(void))
{
	struct waiting waiting = {.wait = wait};
	weft_task *task = start(wait_once, &waiting);

	until_started(task);
	weft_sleep(WEFT_MS);
	printf("%s: ", name);
	say("kill", weft_kill(task, WEFT_FOREVER));
	say("\tit got", waiting.result);
	say("\tthe next", waiting.next);
	say("\tit ended with", weft_error(task));
	SAY(weft_value(task) == &waiting);
	end(task);
}

static void kills(void)
{
	weft_task *tasks[2];

	other = start(sleep_long, NULL);
	until_started(other);
	kill_in("sleep", in_sleep);
	kill_in("join", in_join);
	kill_in("joinall", in_joinall);
	kill_in("wait", in_wait);
	kill_in("iwait", in_iwait);
	kill_in("wait_fd", in_wait_fd);
	SAY(weft_raise(other, 1));
	SAY(weft_raise(other, -EPROTO));
	SAY(weft_get(other, WEFT_FOREVER, NULL));
	SAY(weft_raise(other, -EPROTO));
	SAY(weft_kill(other, WEFT_FOREVER));
	end(other);
	tasks[0] = start(sleep_long, NULL);
	tasks[1] = start(sleep_long, NULL);
	SAY(weft_killall(tasks, 2, WEFT_FOREVER));
	SAY(weft_joinall(tasks, 2, 0, 0));
	SAY(weft_joinall(tasks, 2, 3, 0));
	end(tasks[0]);
	end(tasks[1]);
	SAY(weft_raise(weft_self(), -EPROTO));
	SAY(weft_sleep(0));
	SAY(weft_sleep(0));
}

static void say_text(void *text)
{
	puts(text);
}

static void say_link(weft_task *task, void *text)
{
	printf("%s, %s\n", (char *)text, weft_ended(task) ? "of one that has ended" : "early");
}

static void raise_in_first(weft_task *task, void *first)
{
	(void)task;
	weft_raise(first, -EINTR);
}

static bool has_deferred;

static void *defer_some(void *arg)
{
	SAY(weft_undefer(true));
	SAY(weft_defer(say_text, "deferred first"));
	SAY(weft_defer(say_text, "deferred last"));
	SAY(weft_defer(say_text, "never"));
	SAY(weft_undefer(false));
	__atomic_store_n(&has_deferred, true, __ATOMIC_RELEASE);
	weft_sleep(WEFT_FOREVER);
	return arg;
}

static void links_and_deferred_calls(void)
{
	weft_task *task = start(defer_some, NULL);

	while (!__atomic_load_n(&has_deferred, __ATOMIC_ACQUIRE))
		weft_sleep(WEFT_US);
	SAY(weft_link(task, say_link, "link 1"));
	SAY(weft_link(task, say_link, "link 2"));
	SAY(weft_link(task, say_link, "link 3"));
	SAY(weft_unlink(task, say_link, "link 2"));
	SAY(weft_unlink(task, say_link, "link 2"));
	SAY(weft_link(task, raise_in_first, weft_self()));
	weft_raise(task, -EINTR);
	while (weft_sleep(WEFT_FOREVER) != -EINTR)
		;
	SAY(weft_link(task, raise_in_first, weft_self()));
	SAY(weft_sleep(WEFT_FOREVER));
	end(task);
}

static void destroy(void *text)
{
	printf("destroyed: %s\n", (char *)text);
}

static weft_local *local;

static void *set_local(void *text)
{
	SAY(weft_local_get(local) == NULL);
	SAY(weft_local_set(local, text));
	SAY(weft_local_free(local));
	return weft_local_get(local);
}

static void variables(void)
{
	weft_task *task;

	SAY(weft_local_new(&local, destroy));
	task = start(set_local, "its value");
	SAY(weft_join(task, WEFT_FOREVER));
	SAY(strcmp(weft_value(task), "its value"));
	SAY(weft_local_get(local) == NULL);
	SAY(weft_local_free(local));
	end(task);
}

static void timeouts(void)
{
	weft_timeout outer, inner;

	SAY(weft_timeout_begin(&outer, 3600 * WEFT_S, -EIO));
	SAY(weft_timeout_begin(&inner, WEFT_MS, 0));
	SAY(weft_sleep(WEFT_FOREVER));
	SAY(weft_timeout_end(&inner));
	SAY(weft_sleep(WEFT_MS));
	SAY(weft_timeout_end(&outer));
	SAY(weft_timeout_end(&outer));
	SAY(weft_timeout_begin(&outer, WEFT_MS, -EIO));
	SAY(weft_timeout_begin(&inner, 3600 * WEFT_S, 0));
	SAY(weft_wait_fd(ends[0], WEFT_IN, WEFT_FOREVER));
	SAY(weft_timeout_end(&outer));
	SAY(weft_timeout_end(&inner));
	SAY(weft_timeout_begin(&outer, -1, 0));
}

static void waits(void)
{
	weft_task *ended = start(give, NULL), *sleeping = start(sleep_long, NULL);
	weft_object *objects[] = {weft_object(sleeping), weft_object(ended)}, *given = NULL;
	weft_iwait *iwait;
	bool ready[2];

	SAY(weft_wait(objects, 2, 1, WEFT_FOREVER, ready));
	printf("%d %d\n", ready[0], ready[1]);
	SAY(weft_wait(objects, 2, 0, weft_after(WEFT_MS), ready));
	SAY(weft_iwait_new(&iwait, objects, 2));
	SAY(weft_iwait_next(iwait, WEFT_FOREVER, &given));
	SAY(given == objects[1]);
	SAY(weft_iwait_next(iwait, 0, &given));
	weft_raise(sleeping, -EINTR);
	SAY(weft_iwait_next(iwait, WEFT_FOREVER, &given));
	SAY(weft_iwait_next(iwait, WEFT_FOREVER, &given));
	SAY(weft_iwait_free(iwait));
	end(ended);
	end(sleeping);
	SAY(weft_idle(WEFT_FOREVER));
	weft_yield();
}

static void *call_all(void *arg)
{
	SAY(weft_run(nothing, NULL, NULL));
	values_and_errors();
	later_starts();
	kills();
	links_and_deferred_calls();
	variables();
	timeouts();
	waits();
	return arg;
}

/* --- ordinary calls --- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int ticks;
static bool stop;

static void *tick(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		__atomic_add_fetch(&ticks, 1, __ATOMIC_RELAXED);
		usleep(100);
	}
	return arg;
}

static void until_ticks(int more)
{
	int before = __atomic_load_n(&ticks, __ATOMIC_RELAXED);

	while (__atomic_load_n(&ticks, __ATOMIC_RELAXED) < before + more)
		usleep(100);
}

static void *write_later(void *arg)
{
	until_ticks(3);
	return write(ends[1], "x", 1) == 1 ? arg : NULL;
}

static void *hold_mutex(void *arg)
{
	pthread_mutex_lock(&mutex);
	*(volatile bool *)arg = true;
	until_ticks(3);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static int count_kernel_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int count = -2; /* "." and ".." */

	while (readdir(dir) != NULL)
		count++;
	closedir(dir);
	return count;
}

static void say_ticked(const char *call, int before)
{
	printf("%s lets the others run: %s\n", call,
	       __atomic_load_n(&ticks, __ATOMIC_RELAXED) > before ? "yes" : "no");
}

/* More than weft has kernel threads. */
#define SLEEPING 20

static void *use_ordinary_calls(void *arg)
{
	weft_task *ticking = start(tick, NULL), *task, *sleeping[SLEEPING];
	volatile bool held = false;
	char byte;
	int before;

	until_ticks(1);
	before = __atomic_load_n(&ticks, __ATOMIC_RELAXED);
	task = start(write_later, NULL);
	SAY((int)read(ends[0], &byte, 1));
	say_ticked("read", before);
	end(task);
	before = __atomic_load_n(&ticks, __ATOMIC_RELAXED);
	usleep(20000);
	say_ticked("usleep", before);
	task = start(hold_mutex, (void *)&held);
	while (!held)
		weft_yield();
	before = __atomic_load_n(&ticks, __ATOMIC_RELAXED);
	pthread_mutex_lock(&mutex);
	say_ticked("pthread_mutex_lock", before);
	pthread_mutex_unlock(&mutex);
	end(task);
	for (size_t i = 0; i < SLEEPING; i++)
		sleeping[i] = start(sleep_long, NULL);
	usleep(100);
	SAY(count_kernel_threads() < SLEEPING);
	weft_killall(sleeping, SLEEPING, WEFT_FOREVER);
	for (size_t i = 0; i < SLEEPING; i++)
		weft_release(sleeping[i]);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	end(ticking);
	return arg;
}

int main(int argc, char **argv)
{
	bool ordinary = argc > 1 && strcmp(argv[1], "ordinary") == 0;
	void *value = NULL;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (pipe(ends) != 0)
		abort();
	SAY(weft_run(ordinary ? use_ordinary_calls : call_all, &value, &value));
	printf("%s\n", value == &value ? "what was given" : "something else");
	return 0;
}
