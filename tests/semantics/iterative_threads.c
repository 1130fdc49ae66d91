/* A connection's service makes threads of its own, and waits for them. */
#include "serve.h"

#define CLIENTS 30
#define THREADS 4

/* On the heap: a thread has no business with another one's stack. */
struct work {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int number, done;
	long sum;
};

static void *add(void *arg)
{
	struct work *work = arg;

	for (int i = 1; i <= 10; i++) {
		usleep(200);
		pthread_mutex_lock(&work->mutex);
		work->sum += work->number * i;
		pthread_mutex_unlock(&work->mutex);
	}
	pthread_mutex_lock(&work->mutex);
	work->done++;
	pthread_cond_signal(&work->changed);
	pthread_mutex_unlock(&work->mutex);
	return work;
}

static long work_in_threads(int number)
{
	struct work *work = calloc(1, sizeof(*work));
	pthread_t threads[THREADS];
	long sum;

	check(work != NULL);
	work->number = number;
	check(pthread_mutex_init(&work->mutex, NULL) == 0);
	check(pthread_cond_init(&work->changed, NULL) == 0);
	for (int i = 0; i < THREADS; i++)
		threads[i] = start(add, work);
	pthread_mutex_lock(&work->mutex);
	while (work->done < THREADS)
		pthread_cond_wait(&work->changed, &work->mutex);
	pthread_mutex_unlock(&work->mutex);
	for (int i = 0; i < THREADS; i++)
		check(finish(threads[i]) == work);
	sum = work->sum;
	free(work);
	return sum;
}

static void serve(int fd)
{
	char line[64];

	begin_service();
	while (read_line(fd, line, sizeof(line))) {
		if (strcmp(line, "end") == 0) {
			check_end();
			exit(0);
		}
		answer(fd, "%s: %ld\n", line, work_in_threads(atoi(line)));
	}
	end_service();
}

static void make(char *text, int i)
{
	sprintf(text, "%d\n%d\n", i, 100 + i);
}

static void judge(const char *heard, int i)
{
	(void)i;
	printf("%s", heard);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

int main(void)
{
	int listener = begin_server(drive);

	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
