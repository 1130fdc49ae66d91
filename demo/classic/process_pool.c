/*
 * A pool of processes, as Python's multiprocessing has it: a queue of jobs and one of results, a pipe, a lock
 * and shared memory. The workers block in what they wait for, each a process of its own; in this one it is
 * tasks that wait, and a ticker goes on beside them.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft.h>

#define WORKERS 4
#define JOBS 20

/* A pipe moves messages of up to PIPE_BUF bytes whole, so that any number may put and get. */
struct job {
	int number, result, worker;
};

static int jobs[2], results[2], greeting[2];

/* A lock between processes: who has read the byte that is in the pipe has it. */
static int lock[2];

/* In memory that all of them share, guarded by the lock. */
static volatile int *done_by_all;

static bool get(int fd, void *message, size_t size)
{
	return read(fd, message, size) == (ssize_t)size;
}

static bool put(int fd, const void *message, size_t size)
{
	return write(fd, message, size) == (ssize_t)size;
}

/* A worker knows nothing of tasks. */
static void work(int worker)
{
	struct job job;
	char token;

	put(greeting[1], &worker, sizeof(worker));
	while (get(jobs[0], &job, sizeof(job))) {
		usleep(10000);
		job.result = job.number * job.number;
		job.worker = worker;
		if (!get(lock[0], &token, 1))
			break;
		++*done_by_all;
		put(lock[1], &token, 1);
		put(results[1], &job, sizeof(job));
	}
}

static bool make_pipes(void)
{
	done_by_all = mmap(NULL, sizeof(*done_by_all), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return done_by_all != MAP_FAILED && pipe(jobs) == 0 && pipe(results) == 0 &&
	       pipe(greeting) == 0 && pipe(lock) == 0 && put(lock[1], "", 1);
}

static pid_t start_worker(int worker)
{
	pid_t pid = fork();

	if (pid == 0) {
		close(jobs[1]); /* else it would never see the end of the queue */
		work(worker);
		_exit(0);
	}
	return pid;
}

static int ticks;
static bool over;

static void *tick(void *unused)
{
	while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
		weft_sleep(5 * WEFT_MS);
		__atomic_add_fetch(&ticks, 1, __ATOMIC_RELAXED);
	}
	return unused;
}

static void *put_jobs(void *unused)
{
	for (int i = 0; i < JOBS; i++) {
		struct job job = {.number = i};

		weft_write_all(jobs[1], &job, sizeof(job), WEFT_FOREVER, NULL);
	}
	close(jobs[1]);
	return unused;
}

static void greet(void)
{
	bool greeted[WORKERS] = {false};
	int worker, n = 0;

	for (int i = 0; i < WORKERS; i++)
		if (weft_read_all(greeting[0], &worker, sizeof(worker), WEFT_FOREVER, NULL) == 0 &&
		    !greeted[worker]) {
			greeted[worker] = true;
			n++;
		}
	printf("%d workers say hello\n", n);
}

static void *use_pool(void *arg)
{
	const pid_t *workers = arg;
	int sum = 0, got = 0, before, ended = 0, status;
	char token;

	weft_spawn_raw(tick, NULL);
	greet();
	before = __atomic_load_n(&ticks, __ATOMIC_RELAXED);
	weft_spawn_raw(put_jobs, NULL);
	for (int i = 0; i < JOBS; i++) {
		struct job job;

		if (weft_read_all(results[0], &job, sizeof(job), WEFT_FOREVER, NULL) != 0)
			break;
		sum += job.result;
		got++;
	}
	printf("%d results, sum of squares %d\n", got, sum);
	printf("others ran while this task waited for them: %s\n",
	       __atomic_load_n(&ticks, __ATOMIC_RELAXED) > before ? "yes" : "no");
	if (weft_read_all(lock[0], &token, 1, WEFT_FOREVER, NULL) == 0) {
		printf("shared memory says %d\n", *done_by_all);
		weft_write_all(lock[1], &token, 1, WEFT_FOREVER, NULL);
	}
	for (int i = 0; i < WORKERS; i++)
		ended += weft_waitpid(workers[i], WEFT_FOREVER, &status) == 0 &&
			 WIFEXITED(status) && WEXITSTATUS(status) == 0;
	printf("%d workers ended\n", ended);
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	return NULL;
}

int main(void)
{
	pid_t workers[WORKERS];

	if (!make_pipes())
		return 1;
	for (int i = 0; i < WORKERS; i++)
		if ((workers[i] = start_worker(i)) < 0)
			return 1;
	return weft_run(use_pool, workers, NULL) == 0 ? 0 : 1;
}
