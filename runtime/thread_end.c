/* See thread_end.h. */
#include "thread_end.h"

#include <pthread.h>

#include "coroutine.h"
#include "native_stack.h"

static pthread_key_t key;
static bool has_key;

/* Coroutines first: their stacks go to the list that is then given back. */
static void end_thread(void *unused)
{
	(void)unused;
	weft__co_thread_ends();
	weft__stack_thread_ends();
}

static void make_key(void)
{
	has_key = pthread_key_create(&key, end_thread) == 0;
}

bool weft__watch_thread_end(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, make_key);
	return has_key && pthread_setspecific(key, &has_key) == 0;
}
