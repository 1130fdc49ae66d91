/*
 * Functions of libc after which weft is needed: those by which an iterative server waits, if that is
 * wanted (iterative.h), and those that make a thread of their own, without the pthread_create that others see.
 * Weft has to be awake before the first one: what is made earlier stays a kernel thread, and weft
 * is not used in a program that has one.
 */
#include <aio.h>
#include <dlfcn.h>
#include <mqueue.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <time.h>

#include "clients.h"
#include "iterative.h"
#include "shim.h"

/* Define the function `name` in front of libc's: `condition` says whether it makes a thread. */
#define WAKES(condition, name, parameters, arguments) \
	WAKES_GIVING(int, condition, name, parameters, arguments)
#define WAKES_GIVING(type, condition, name, parameters, arguments) \
	WEFT__SHARED type name parameters \
	{ \
		static type(*next) parameters; \
\
		if (next == NULL) \
			next = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
		if (condition) \
			weft__before_thread(); \
		return next arguments; \
	}

/* A thread of libc's uses them. */
static bool shares(const void *block, const void *buffer)
{
	weft__iterative_shares(block);
	weft__iterative_shares(buffer);
	return true;
}

static bool by_thread(const struct sigevent *event)
{
	return event != NULL && event->sigev_notify == SIGEV_THREAD;
}

WAKES(by_thread(event), timer_create, (clockid_t clock, struct sigevent *event, timer_t *timer),
      (clock, event, timer))
WAKES(by_thread(event), mq_notify, (mqd_t queue, const struct sigevent *event), (queue, event))
WAKES(shares(block, (const void *)block->aio_buf), aio_read, (struct aiocb * block), (block))
WAKES(shares(block, (const void *)block->aio_buf), aio_read64, (struct aiocb64 * block), (block))
WAKES(shares(block, (const void *)block->aio_buf), aio_write, (struct aiocb * block), (block))
WAKES(shares(block, (const void *)block->aio_buf), aio_write64, (struct aiocb64 * block), (block))
WAKES(true, aio_fsync, (int operation, struct aiocb *block), (operation, block))
WAKES(true, aio_fsync64, (int operation, struct aiocb64 *block), (operation, block))
WAKES(true, lio_listio, (int mode, struct aiocb *const list[], int n, struct sigevent *event),
      (mode, list, n, event))
WAKES(true, lio_listio64, (int mode, struct aiocb64 *const list[], int n, struct sigevent *event),
      (mode, list, n, event))
WAKES(true, getaddrinfo_a, (int mode, struct gaicb *list[], int n, struct sigevent *event),
      (mode, list, n, event))

WAKES(weft__iterative_wakes(), accept, (int number, __SOCKADDR_ARG address, socklen_t *bytes),
      (number, address, bytes))
WAKES(weft__iterative_wakes(), accept4,
      (int number, __SOCKADDR_ARG address, socklen_t *bytes, int flags),
      (number, address, bytes, flags))
WAKES_GIVING(ssize_t, weft__clients_send_to(number), recvfrom,
	     (int number, void *buffer, size_t room, int flags, __SOCKADDR_ARG address,
	      socklen_t *bytes),
	     (number, buffer, room, flags, address, bytes))
WEFT__SHARED ssize_t __recvfrom_chk(int number, void *buffer, size_t room, size_t object, int flags,
				    __SOCKADDR_ARG address, socklen_t *bytes);
WAKES_GIVING(ssize_t, weft__clients_send_to(number), __recvfrom_chk,
	     (int number, void *buffer, size_t room, size_t object, int flags,
	      __SOCKADDR_ARG address, socklen_t *bytes),
	     (number, buffer, room, object, flags, address, bytes))
WAKES_GIVING(ssize_t, weft__clients_send_to(number), recvmsg,
	     (int number, struct msghdr *message, int flags), (number, message, flags))

static bool polls_listener(const struct pollfd *fds, nfds_t n)
{
	if (weft__iterative_on || !weft__iterative_wakes())
		return false;
	for (nfds_t i = 0; i < n; i++)
		if ((fds[i].events & POLLIN) != 0 && weft__clients_come_to(fds[i].fd))
			return true;
	return false;
}

static bool selects_listener(int n, const fd_set *set)
{
	if (weft__iterative_on || !weft__iterative_wakes() || set == NULL || n > FD_SETSIZE)
		return false;
	for (int i = 0; i < n; i++)
		if (FD_ISSET(i, set) && weft__clients_come_to(i))
			return true;
	return false;
}

WAKES(polls_listener(fds, n), poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
WAKES(polls_listener(fds, n), ppoll,
      (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask),
      (fds, n, timeout, mask))
WEFT__SHARED int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t bytes);
WAKES(polls_listener(fds, n), __poll_chk, (struct pollfd * fds, nfds_t n, int ms, size_t bytes),
      (fds, n, ms, bytes))
WEFT__SHARED int __ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
			     const sigset_t *mask, size_t bytes);
WAKES(polls_listener(fds, n), __ppoll_chk,
      (struct pollfd * fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask,
       size_t bytes),
      (fds, n, timeout, mask, bytes))
WAKES(selects_listener(n, in), select,
      (int n, fd_set *in, fd_set *out, fd_set *except, struct timeval *timeout),
      (n, in, out, except, timeout))
WAKES(selects_listener(n, in), pselect,
      (int n, fd_set *in, fd_set *out, fd_set *except, const struct timespec *timeout,
       const sigset_t *mask),
      (n, in, out, except, timeout, mask))

/* Not that it wakes weft, but whoever binds a socket to a port may wait for clients there. */
WEFT__SHARED int bind(int number, __CONST_SOCKADDR_ARG address, socklen_t bytes)
{
	static int (*next)(int number, __CONST_SOCKADDR_ARG address, socklen_t bytes);
	int result;

	if (next == NULL)
		next = (int (*)(int, __CONST_SOCKADDR_ARG, socklen_t))dlsym(RTLD_NEXT, "bind");
	result = next(number, address, bytes);
	if (result == 0)
		weft__clients_bound(number, address.__sockaddr__);
	return result;
}
