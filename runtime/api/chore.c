/*
 * See chore.h.
 *
 * Who waits does so for an event descriptor: a raise, a deadline or the end, whatever comes first, as in
 * any wait for a descriptor. Both sides look at `finished` and `abandoned` under the pool's lock, so that
 * exactly one of them frees the chore.
 */
#include "chore.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "native.h"

#define MOST_THREADS 64
#define STACK_BYTES ((size_t)256 * 1024) /* resolvers take up to 64 KB, what they load more */
#define IDLE_S 1

static struct {
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct weft__chore *first, **last;
	unsigned int threads, idle, queued; /* those for lasting chores do not count */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .posted = PTHREAD_COND_INITIALIZER};

static pthread_once_t begun = PTHREAD_ONCE_INIT;

static void before_fork(void)
{
	pthread_mutex_lock(&pool.lock);
}

static void after_fork(void)
{
	pthread_mutex_unlock(&pool.lock);
}

/* The child has none of the threads, and nobody in it waits. */
static void in_child(void)
{
	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.posted, NULL);
	pool.first = NULL;
	pool.threads = pool.idle = pool.queued = 0;
}

static void begin(void)
{
	pthread_atfork(before_fork, after_fork, in_child);
}

static void do_chore(struct weft__chore *chore)
{
	uint64_t one = 1;
	bool abandoned;

	chore->run(chore);
	pthread_mutex_lock(&pool.lock);
	chore->finished = true;
	abandoned = chore->abandoned;
	if (!abandoned)
		weft__ask(SYS_write, chore->done_fd, &one, sizeof(one));
	pthread_mutex_unlock(&pool.lock);
	if (!abandoned)
		return;
	if (chore->undo != NULL)
		chore->undo(chore);
	free(chore);
}

/* With the lock; NULL: there has been none for a while. */
static struct weft__chore *next_chore(void)
{
	struct weft__chore *chore;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	while (pool.first == NULL)
		if (pthread_cond_clockwait(&pool.posted, &pool.lock, CLOCK_MONOTONIC, &until) != 0)
			break;
	chore = pool.first;
	if (chore != NULL) {
		pool.first = chore->next;
		pool.queued--;
	}
	return chore;
}

static void *do_chores(void *unused)
{
	struct weft__chore *chore;

	pthread_mutex_lock(&pool.lock);
	while ((chore = next_chore()) != NULL) {
		pool.idle--;
		pthread_mutex_unlock(&pool.lock);
		do_chore(chore);
		pthread_mutex_lock(&pool.lock);
		pool.idle++;
	}
	pool.idle--;
	pool.threads--;
	pthread_mutex_unlock(&pool.lock);
	return unused;
}

static void *do_one(void *chore)
{
	do_chore(chore);
	return NULL;
}

static int start_thread(void *(*entry)(void *arg), void *arg)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, entry, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return -err;
}

static void append(struct weft__chore *chore)
{
	chore->next = NULL;
	if (pool.first == NULL)
		pool.last = &pool.first;
	*pool.last = chore;
	pool.last = &chore->next;
	pool.queued++;
	pthread_cond_signal(&pool.posted);
}

/* Have it run by somebody, or an error. */
static int hand_over(struct weft__chore *chore)
{
	int err = 0;

	pthread_once(&begun, begin);
	if (chore->lasts)
		return start_thread(do_one, chore);
	pthread_mutex_lock(&pool.lock);
	if (pool.queued >= pool.idle && pool.threads < MOST_THREADS) {
		err = start_thread(do_chores, NULL);
		if (err == 0) {
			pool.threads++;
			pool.idle++;
		}
	}
	if (err == 0 || pool.threads > 0) {
		append(chore);
		err = 0;
	}
	pthread_mutex_unlock(&pool.lock);
	return err;
}

/* Whether it is the caller's to free: it is not, once somebody else will. */
static bool take_back(struct weft__chore *chore)
{
	bool finished;

	pthread_mutex_lock(&pool.lock);
	finished = chore->finished;
	chore->abandoned = !finished;
	pthread_mutex_unlock(&pool.lock);
	return finished;
}

static int start(struct weft__chore *chore)
{
	int err;

	chore->finished = chore->abandoned = false;
	chore->done_fd = (int)weft__ask(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (chore->done_fd < 0) {
		err = chore->done_fd;
	} else {
		err = hand_over(chore);
		if (err != 0)
			weft__ask(SYS_close, chore->done_fd);
	}
	if (err != 0)
		free(chore);
	return err;
}

int weft__chore(struct weft__chore *chore, int64_t deadline_ns)
{
	int err = start(chore), done_fd;

	if (err != 0)
		return err;
	done_fd = chore->done_fd;
	err = weft_wait_fd(done_fd, WEFT_IN, deadline_ns);
	if (err < 0 && take_back(chore)) {
		if (chore->undo != NULL)
			chore->undo(chore);
		free(chore);
	} else if (err > 0) {
		take_back(chore); /* the thread has let go of it when it has the lock no more */
	}
	weft__ask(SYS_close, done_fd);
	return err < 0 ? err : 0;
}

int weft__chore_firmly(struct weft__chore *chore)
{
	int err = start(chore), raised = 0;

	if (err != 0)
		return err;
	while ((err = weft_wait_fd(chore->done_fd, WEFT_IN, WEFT_FOREVER)) < 0) {
		if (err == -ENOMEM || err == -EMFILE)
			err = weft_sleep(WEFT_MS); /* what it is short of may come back */
		raised = err < 0 ? err : raised;
	}
	take_back(chore);
	weft__ask(SYS_close, chore->done_fd);
	if (raised != 0) {
		weft__enter();
		weft__raise(weft__me(), raised);
		weft__leave();
	}
	return 0;
}
