/*
 * Functions of libc that make a thread of their own, without the pthread_create that others see.
 * Weft has to be awake before the first one: what is made earlier stays a kernel thread, and weft
 * is not used in a program that has one.
 */
#include <aio.h>
#include <dlfcn.h>
#include <mqueue.h>
#include <netdb.h>
#include <signal.h>
#include <time.h>

#include "shim.h"

/* Define the function `name` in front of libc's: `condition` says whether it makes a thread. */
#define WAKES(condition, name, parameters, arguments) \
	WEFT__SHARED int name parameters \
	{ \
		static int(*next) parameters; \
\
		if (next == NULL) \
			next = (int(*) parameters)dlsym(RTLD_NEXT, #name); \
		if (condition) \
			weft__before_thread(); \
		return next arguments; \
	}

static bool by_thread(const struct sigevent *event)
{
	return event != NULL && event->sigev_notify == SIGEV_THREAD;
}

WAKES(by_thread(event), timer_create, (clockid_t clock, struct sigevent *event, timer_t *timer),
      (clock, event, timer))
WAKES(by_thread(event), mq_notify, (mqd_t queue, const struct sigevent *event), (queue, event))
WAKES(true, aio_read, (struct aiocb * block), (block))
WAKES(true, aio_read64, (struct aiocb64 * block), (block))
WAKES(true, aio_write, (struct aiocb * block), (block))
WAKES(true, aio_write64, (struct aiocb64 * block), (block))
WAKES(true, aio_fsync, (int operation, struct aiocb *block), (operation, block))
WAKES(true, aio_fsync64, (int operation, struct aiocb64 *block), (operation, block))
WAKES(true, lio_listio, (int mode, struct aiocb *const list[], int n, struct sigevent *event),
      (mode, list, n, event))
WAKES(true, lio_listio64, (int mode, struct aiocb64 *const list[], int n, struct sigevent *event),
      (mode, list, n, event))
WAKES(true, getaddrinfo_a, (int mode, struct gaicb *list[], int n, struct sigevent *event),
      (mode, list, n, event))
