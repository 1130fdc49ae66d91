/*
 * Echo server with a fixed pool: one thread accepts, THREADS threads take
 * connections from a queue and serve each until it closes.
 *
 *     pool_echo PORT [THREADS]
 *
 * The queue is a ring under a mutex with two conditions. It is short on
 * purpose: when all workers are busy, the acceptor waits as well, and clients
 * wait in the kernel's queue.
 */
#include "net.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define QUEUE_LENGTH 64
#define DEFAULT_THREADS 16
#define MOST_THREADS 100000

static struct {
	pthread_mutex_t lock;
	pthread_cond_t not_empty;
	pthread_cond_t not_full;
	int fds[QUEUE_LENGTH];
	unsigned int head; /* next to take; both only grow, and wrap in step with the ring */
	unsigned int tail; /* next to fill */
} queue = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.not_empty = PTHREAD_COND_INITIALIZER,
	.not_full = PTHREAD_COND_INITIALIZER,
};

static void put(int fd)
{
	pthread_mutex_lock(&queue.lock);
	while (queue.tail - queue.head == QUEUE_LENGTH)
		pthread_cond_wait(&queue.not_full, &queue.lock);
	queue.fds[queue.tail++ % QUEUE_LENGTH] = fd;
	pthread_cond_signal(&queue.not_empty);
	pthread_mutex_unlock(&queue.lock);
}

static int take(void)
{
	int fd;

	pthread_mutex_lock(&queue.lock);
	while (queue.tail == queue.head)
		pthread_cond_wait(&queue.not_empty, &queue.lock);
	fd = queue.fds[queue.head++ % QUEUE_LENGTH];
	pthread_cond_signal(&queue.not_full);
	pthread_mutex_unlock(&queue.lock);
	return fd;
}

static void *work(void *arg)
{
	char buf[4096];

	for (;;) {
		int fd = take();
		long n;

		while ((n = read_some(fd, buf, sizeof(buf))) > 0)
			if (write_all(fd, buf, (size_t)n) != 0)
				break;
		close(fd);
	}
	return arg;
}

/* A smaller pool than asked for still serves; an empty one does not. */
static void start_pool(long threads)
{
	for (long i = 0; i < threads; i++) {
		pthread_t thread;
		int err = pthread_create(&thread, NULL, work, NULL);

		if (err != 0) {
			fprintf(stderr, "%ld threads instead of %ld: %s\n", i, threads,
				strerror(err));
			if (i == 0)
				exit(1);
			return;
		}
		pthread_detach(thread);
	}
}

int main(int argc, char **argv)
{
	long threads = argc > 2 ? strtol(argv[2], NULL, 10) : DEFAULT_THREADS;
	int listener;

	if (argc < 2 || argc > 3 || threads < 1 || threads > MOST_THREADS) {
		fprintf(stderr, "usage: %s PORT [THREADS]\n", argv[0]);
		return 2;
	}
	start_pool(threads);
	listener = listen_local(argv[1]);
	for (;;)
		put(accept_next(listener));
}
