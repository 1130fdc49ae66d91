/* Threads that run at once: what they share under locks of each kind, the queues between them, and
 * the storms in which they make, join and detach each other.
 */
#include "guest.h"

#include <sched.h>
#include <stdatomic.h>

#define WORKERS 4
#define ROUNDS 20000
#define QUEUED 4000
#define STREAM_BYTES 400000
#define MADE 150

/* --- counters --- */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static long by_mutex, by_rwlock[2], seen_torn;
static atomic_long by_atomic;

static void *count_up(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		atomic_fetch_add(&by_atomic, 1);
		pthread_mutex_lock(&mutex);
		by_mutex++;
		pthread_mutex_unlock(&mutex);
		if (i % 4 != 0) {
			pthread_rwlock_rdlock(&rwlock);
			if (by_rwlock[0] != by_rwlock[1])
				__atomic_add_fetch(&seen_torn, 1, __ATOMIC_RELAXED);
		} else {
			pthread_rwlock_wrlock(&rwlock);
			by_rwlock[0]++;
			by_rwlock[1]++;
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return arg;
}

static void count_in_parallel(void)
{
	pthread_t threads[WORKERS];

	for (int i = 0; i < WORKERS; i++)
		threads[i] = start(count_up, NULL);
	for (int i = 0; i < WORKERS; i++)
		finish(threads[i]);
	say("counted by atomic %ld, mutex %ld, rwlock %ld and %ld; torn: %ld",
	    atomic_load(&by_atomic), by_mutex, by_rwlock[0], by_rwlock[1], seen_torn);
}

/* --- queues: conditions, datagrams, a stream --- */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
	int item[8];
	unsigned int put, taken;
} box = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, {0}, 0, 0};
static int datagrams[2], stream[2];

static void put(int item)
{
	pthread_mutex_lock(&box.lock);
	while (box.put - box.taken == 8)
		pthread_cond_wait(&box.emptied, &box.lock);
	box.item[box.put++ % 8] = item;
	pthread_cond_signal(&box.filled);
	pthread_mutex_unlock(&box.lock);
}

static int take(void)
{
	int item;

	pthread_mutex_lock(&box.lock);
	while (box.put == box.taken)
		pthread_cond_wait(&box.filled, &box.lock);
	item = box.item[box.taken++ % 8];
	pthread_cond_signal(&box.emptied);
	pthread_mutex_unlock(&box.lock);
	return item;
}

static void *produce(void *arg)
{
	for (int i = 1; i <= QUEUED; i++)
		put(i);
	return arg;
}

static void *consume(void *ret_sum)
{
	for (int i = 0; i < QUEUED; i++)
		*(long *)ret_sum += take();
	return NULL;
}

static void *send_numbers(void *arg)
{
	for (int i = 1; i <= QUEUED; i++)
		check(send(datagrams[0], &i, sizeof(i), 0) == sizeof(i));
	return arg;
}

static void *receive_numbers(void *ret_sum)
{
	for (int i = 0, number; i < QUEUED; i++) {
		check(recv(datagrams[1], &number, sizeof(number), 0) == sizeof(number));
		*(long *)ret_sum += number;
	}
	return NULL;
}

static void *write_stream(void *arg)
{
	char block[3000];

	for (size_t at = 0, n; at < STREAM_BYTES; at += n) {
		n = 1 + at % sizeof(block);
		n = n > STREAM_BYTES - at ? STREAM_BYTES - at : n;
		fill(block, n, at);
		write_all(stream[0], block, n);
	}
	shutdown(stream[0], SHUT_WR);
	return arg;
}

static void *read_stream(void *ret_bytes)
{
	char block[4096];
	ssize_t n;
	size_t at = 0;

	while ((n = read(stream[1], block, sizeof(block))) > 0) {
		check(is_filled(block, (size_t)n, at));
		at += (size_t)n;
	}
	check(n == 0);
	*(long *)ret_bytes = (long)at;
	return NULL;
}

static void queue_in_parallel(void)
{
	void *(*const runs[])(void *) = {
		produce,      produce,         consume,         consume,      send_numbers,
		send_numbers, receive_numbers, receive_numbers, write_stream, read_stream};
	pthread_t threads[10];
	long result[10] = {0};

	unix_pair(SOCK_SEQPACKET, datagrams);
	tcp_pair(stream);
	for (int i = 0; i < 10; i++)
		threads[i] = start(runs[i], &result[i]);
	for (int i = 0; i < 10; i++)
		finish(threads[i]);
	say("taken from the box: %ld, from datagrams: %ld; bytes of the stream: %ld",
	    result[2] + result[3], result[6] + result[7], result[9]);
}

/* --- storms of threads, whose stacks are used again at once --- */
static __thread unsigned char own[500];
static __thread int begun_with = 42;
static atomic_int detached_ended;
static atomic_long worked;

/* Whoever else ran on this stack or with this thread pointer meanwhile leaves its trace. */
static void live(unsigned int number)
{
	unsigned char canary[6000];

	check(begun_with == 42);
	for (size_t i = 0; i < sizeof(own); i++)
		check(own[i] == 0);
	fill(canary, sizeof(canary), number);
	fill(own, sizeof(own), number);
	begun_with = (int)number;
	errno = (int)(number % 100);
	for (int i = 0; i < 4; i++) {
		if ((number + (unsigned int)i) % 5 == 0)
			sched_yield();
		if ((number + (unsigned int)i) % 7 == 0)
			poll(NULL, 0, 1);
		check(errno == (int)(number % 100) && begun_with == (int)number);
		check(is_filled(canary, sizeof(canary), number));
		check(is_filled(own, sizeof(own), number));
	}
	atomic_fetch_add(&worked, 1);
}

static void *live_and_return(void *number)
{
	live((unsigned int)(uintptr_t)number);
	return number;
}

static void *live_and_count(void *number)
{
	live((unsigned int)(uintptr_t)number);
	atomic_fetch_add(&detached_ended, 1);
	return NULL;
}

static void *join_for_another(void *thread)
{
	return finish(*(pthread_t *)thread);
}

static void detach(pthread_attr_t *attr, uintptr_t number)
{
	pthread_t thread;

	check(pthread_create(&thread, attr, live_and_count, (void *)number) == 0);
	if (number % 2 == 0)
		check(pthread_detach(thread) == 0);
	else
		check(pthread_join(thread, NULL) == 0);
}

static void join_all(pthread_t *threads, int count, uintptr_t number)
{
	for (int i = 0; i < count; i++) {
		void *result = i % 2 == 0 ? finish(threads[i])
					  : finish(start(join_for_another, &threads[i]));

		check(result == (void *)(number + (uintptr_t)i));
	}
}

static void *make_threads(void *arg)
{
	uintptr_t number = (uintptr_t)arg * 1000;
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < MADE; i += 3, number += 3) {
		pthread_t threads[2];

		for (uintptr_t k = 0; k < 2; k++)
			check(pthread_create(&threads[k], &attr, live_and_return,
					     (void *)(number + k)) == 0);
		detach(&attr, number + 2);
		join_all(threads, 2, number);
	}
	return arg;
}

static void storm(void)
{
	pthread_t makers[WORKERS];

	for (uintptr_t i = 0; i < WORKERS; i++)
		makers[i] = start(make_threads, (void *)i);
	for (int i = 0; i < WORKERS; i++)
		finish(makers[i]);
	while (atomic_load(&detached_ended) < WORKERS * MADE / 3)
		usleep(1000);
	say("threads that lived undisturbed: %ld, of them on their own: %d", atomic_load(&worked),
	    atomic_load(&detached_ended));
}

/* --- a thread's end, looked for --- */
static void *work_a_little(void *arg)
{
	for (volatile int i = 0; i < 20000; i++)
		;
	return arg;
}

static void *spin_for_ends(void *arg)
{
	int *ret_ends = arg;

	for (uintptr_t i = 1; i <= 30; i++) {
		pthread_t thread = start(work_a_little, (void *)i);
		void *result = NULL;
		int err;

		while ((err = pthread_tryjoin_np(thread, &result)) == EBUSY)
			;
		*ret_ends += err == 0 && result == (void *)i;
	}
	return NULL;
}

static void look_for_ends(void)
{
	pthread_t spinners[2];
	int ends[2] = {0, 0};

	for (int i = 0; i < 2; i++)
		spinners[i] = start(spin_for_ends, &ends[i]);
	for (int i = 0; i < 2; i++)
		finish(spinners[i]);
	say("ends seen by looking: %d", ends[0] + ends[1]);
}

/* --- a descriptor is closed under those who wait --- */
static void *read_one(void *fd)
{
	char byte = 0;
	ssize_t n = read(*(int *)fd, &byte, 1);

	return (void *)(n == 1 ? (intptr_t)byte : n);
}

static void close_under(const char *what, int pair[2])
{
	pthread_t reader = start(read_one, &pair[0]);
	int other[2];

	settle();
	check(pipe(other) == 0);
	check(dup2(other[0], pair[0]) == pair[0]); /* closes it, and its number is in use */
	write_all(other[1], "b", 1);
	settle();
	if (write(pair[1], "a", 1) != 1)
		say("%s: %s", what, strerrorname_np(errno));
	say("%s: the waiting one reads %c, the next %c", what, (int)(intptr_t)finish(reader),
	    (int)(intptr_t)finish(start(read_one, &pair[0])));
	close(pair[0]);
	close(pair[1]);
	close(other[0]);
	close(other[1]);
}

static atomic_int stop;

static void *compute(void *arg)
{
	while (!atomic_load(&stop))
		;
	return arg;
}

static void close_under_readers(void)
{
	pthread_t busy = start(compute, NULL);
	int pair[2];

	check(pipe(pair) == 0);
	close_under("a pipe", pair);
	unix_pair(SOCK_STREAM, pair);
	close_under("a pair", pair);
	tcp_pair(pair);
	close_under("a connection", pair);
	atomic_store(&stop, 1);
	finish(busy);
}

int main(void)
{
	count_in_parallel();
	queue_in_parallel();
	storm();
	look_for_ends();
	close_under_readers();
	return 0;
}
