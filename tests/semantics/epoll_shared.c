/* Sets shared by threads: by level, by edge, once and armed again, exclusive, and sets in sets. */
#include "guest.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#define THREADS 6
#define EVENTS 600

static int set, source, taken, woken, deliveries[THREADS];
static pthread_barrier_t all_here;

static void add(int to, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.fd = fd};

	check(epoll_ctl(to, EPOLL_CTL_ADD, fd, &event) == 0);
}

static void in_threads(void *(*run)(void *), void (*feed)(void))
{
	pthread_t threads[THREADS];

	taken = woken = 0;
	pthread_barrier_init(&all_here, NULL, THREADS + 1);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(run, (void *)i);
	pthread_barrier_wait(&all_here);
	feed();
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	pthread_barrier_destroy(&all_here);
}

static int count(int *counter)
{
	return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

/* A semaphore of events: each read takes one; -1 once all have been taken. */
static bool take_one(void)
{
	eventfd_t value;

	if (read(source, &value, sizeof(value)) != sizeof(value)) {
		check(errno == EAGAIN);
		return false;
	}
	count(&taken);
	return true;
}

static void feed_semaphore(void)
{
	for (int i = 0; i < EVENTS; i++) {
		check(eventfd_write(source, 1) == 0);
		if (i % 10 == 0)
			usleep(200);
	}
}

static bool is_all_taken(void)
{
	return __atomic_load_n(&taken, __ATOMIC_SEQ_CST) == EVENTS;
}

static void *take_by_level(void *arg)
{
	struct epoll_event event;

	pthread_barrier_wait(&all_here);
	while (!is_all_taken())
		if (epoll_wait(set, &event, 1, 20) == 1)
			take_one();
	return arg;
}

static void *take_by_edge(void *arg)
{
	struct epoll_event event;

	pthread_barrier_wait(&all_here);
	while (!is_all_taken())
		if (epoll_wait(set, &event, 1, 20) == 1)
			while (take_one())
				;
	return arg;
}

static void *take_once(void *arg)
{
	struct epoll_event event;
	static int inside;

	pthread_barrier_wait(&all_here);
	while (!is_all_taken()) {
		if (epoll_wait(set, &event, 1, 20) != 1)
			continue;
		/* armed for one: nobody else is here until it is armed again */
		check(count(&inside) == 1);
		take_one();
		sched_yield();
		__atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
		event = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.fd = source};
		check(epoll_ctl(set, EPOLL_CTL_MOD, source, &event) == 0);
	}
	return arg;
}

static void share(const char *what, uint32_t events, void *(*run)(void *))
{
	set = epoll_create1(0);
	source = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	add(set, source, events);
	in_threads(run, feed_semaphore);
	say("%s: %d of %d taken", what, taken, EVENTS);
	close(source);
	close(set);
}

/* Each thread has a set of its own with the one source: an event wakes at least one of them. */
static void *take_exclusive(void *arg)
{
	int own = epoll_create1(0);
	struct epoll_event event;

	add(own, source, EPOLLIN | EPOLLEXCLUSIVE);
	pthread_barrier_wait(&all_here);
	while (!is_all_taken())
		if (epoll_wait(own, &event, 1, 20) == 1)
			take_one();
	close(own);
	return arg;
}

static void *take_private(void *arg)
{
	struct epoll_event event;
	intptr_t self = (intptr_t)arg;

	pthread_barrier_wait(&all_here);
	while (epoll_wait(set, &event, 1, -1) == 1) {
		if (event.data.fd == -1)
			break;
		deliveries[self]++;
		count(&woken);
	}
	return arg;
}

/* Many sources by edge: each event goes to one thread, and to one only. */
static void feed_many(void)
{
	int all[EVENTS / 10], last = eventfd(0, 0);
	struct epoll_event end = {.events = EPOLLIN, .data.fd = -1};

	for (int i = 0; i < EVENTS / 10; i++) {
		all[i] = eventfd(0, 0);
		add(set, all[i], EPOLLIN | EPOLLET);
	}
	for (int i = 0; i < EVENTS / 10; i++) {
		check(eventfd_write(all[i], 1) == 0);
		if (i % 5 == 0)
			usleep(200);
	}
	while (__atomic_load_n(&woken, __ATOMIC_SEQ_CST) < EVENTS / 10)
		usleep(1000);
	check(epoll_ctl(set, EPOLL_CTL_ADD, last, &end) == 0);
	check(eventfd_write(last, 1) == 0);
}

static void share_many(void)
{
	int sum = 0;

	set = epoll_create1(0);
	in_threads(take_private, feed_many);
	for (int i = 0; i < THREADS; i++)
		sum += deliveries[i];
	say("many by edge: %d events, %d deliveries", EVENTS / 10, sum);
	close(set);
}

static void *wait_outside(void *arg)
{
	struct epoll_event event;
	int n = epoll_wait(*(int *)arg, &event, 1, -1);

	return (void *)(intptr_t)n;
}

/* As deep as the kernel allows, which then refuses one more, and a set in itself. */
static void nest(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int sets[10], depth = 0, fd = eventfd(0, 0), error = 0;
	pthread_t waiter;

	add(sets[0] = epoll_create1(0), fd, EPOLLIN);
	while (depth < 9 && error == 0) {
		sets[depth + 1] = epoll_create1(0);
		if (epoll_ctl(sets[depth + 1], EPOLL_CTL_ADD, sets[depth], &event) == 0)
			depth++;
		else
			error = errno;
	}
	say("sets in sets: %d, then %s", depth, strerrorname_np(error));
	show(epoll_ctl(sets[0], EPOLL_CTL_ADD, sets[depth], &event));
	waiter = start(wait_outside, &sets[depth]);
	settle();
	check(eventfd_write(fd, 1) == 0);
	say("the outermost: %ld", (long)finish(waiter));
	show(poll(&(struct pollfd){sets[depth], POLLIN, 0}, 1, 0));
	show(read(fd, &(eventfd_t){0}, 8));
	show(epoll_wait(sets[depth], &event, 1, 0));
}

/* What is closed while somebody waits for it in a set is in it no longer. */
static void close_watched(void)
{
	int ends[2], fd = eventfd(0, 0);
	pthread_t waiter;

	set = epoll_create1(0);
	check(pipe(ends) == 0);
	add(set, ends[0], EPOLLIN);
	add(set, fd, EPOLLIN);
	waiter = start(wait_outside, &set);
	settle();
	close(ends[0]);
	close(ends[1]);
	settle();
	check(eventfd_write(fd, 1) == 0);
	say("woken by the other: %ld", (long)finish(waiter));
	show(epoll_ctl(set, EPOLL_CTL_DEL, ends[0], NULL));
	close(set);
	close(fd);
}

int main(void)
{
	share("level", EPOLLIN, take_by_level);
	share("edge", EPOLLIN | EPOLLET, take_by_edge);
	share("once", EPOLLIN | EPOLLONESHOT, take_once);
	set = epoll_create1(0);
	source = eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	in_threads(take_exclusive, feed_semaphore);
	say("exclusive: %d of %d taken", taken, EVENTS);
	close(source);
	close(set);
	share_many();
	nest();
	close_watched();
	return 0;
}
