/*
 * Have the ordinary blocking calls yield, from inside: what gevent.monkey does for Python.
 *
 * A program that is started under the `weft` launcher is patched from outside. One that is linked
 * against libweft can do the same itself, once, before it makes its first thread:
 *
 *	int main(void)
 *	{
 *		if (weft_patch_all() != 0)
 *			return 1;
 *		...		each pthread_create() makes a task from here on, each
 *		...		sleep(), read(), recv() of a task lets the others run
 *	}
 *
 * This loads libweft-preload.so, which has to be installed beside libweft.so, or where the loader
 * looks. It changes libc itself, not the program, so libraries of the program are in it as well.
 *
 * What is patched are system calls, by families. A call of a family that was not asked for goes to the
 * kernel, in which it blocks the kernel thread, and with it all tasks that the thread carries:
 *
 *	WEFT_SOCKET	connect, accept, send, recv and their kin; read, write, sendfile and splice
 *			when there is a socket at either end
 *	WEFT_TIME	nanosleep, clock_nanosleep: sleep(3) and usleep(3), too
 *	WEFT_SELECT	poll, select, epoll_wait and their kin
 *	WEFT_FILE	read and write of all that is no socket: files, pipes, terminals; the look-up of
 *			paths, changes of file systems, locks of files, and whatever else waits in the
 *			kernel and is of no other family
 *	WEFT_PROCESS	the waits for child processes, System V's semaphores and message queues,
 *			POSIX's message queues
 *	WEFT_THREAD	pthread_create and thrd_create make tasks
 *	WEFT_DNS	getaddrinfo and all other resolvers. They are made of sockets and poll, and have
 *			no calls of their own: this is another name of WEFT_SOCKET | WEFT_SELECT, and
 *			is patched when both of these are
 *	WEFT_SIGNAL	the waits for signals, masks and handlers of each thread. Tasks have them in
 *			common with their kernel thread if nobody sees to it: so this is patched
 *			whenever anything is
 *
 * Without WEFT_THREAD a thread that the program makes stays one of the kernel's: it runs beside the
 * tasks, and its calls are the kernel's whatever the families. Tasks are then the thread that called
 * weft_patch(), and those that weft_spawn() makes. Mutexes, condition variables and all else that
 * waits by futexes work between all of them, in tasks by a yield, without being asked for.
 *
 * Under the launcher weft_patch() does at once what the first thread would have brought about, or
 * chooses the families if it comes before that.
 *
 * Children of fork(2) are patched with their first thread, or a weft_patch() of their own, to the same
 * families. Programs that are executed are not.
 */
#ifndef WEFT_MONKEY_H
#define WEFT_MONKEY_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Families of calls; or-ed together. */
#define WEFT_SOCKET 0x01U
#define WEFT_TIME 0x02U
#define WEFT_THREAD 0x04U
#define WEFT_SELECT 0x08U
#define WEFT_DNS 0x10U
#define WEFT_FILE 0x20U
#define WEFT_PROCESS 0x40U
#define WEFT_SIGNAL 0x80U
#define WEFT_ALL 0xffU

/**
 * Have the calls of some families yield in tasks, from now on and for good.
 *
 * The calling thread becomes the first task. The first call says which families there are; later
 * ones add to them, and take none away. Under the launcher, after the first thread, there are all
 * already.
 *
 * A refusal is said in one line on stderr, as under the launcher: what the rules say of the program,
 * or what the kernel or the processor lacks. The program goes on as it would without.
 *
 * Switches   yes: what weft needs for itself begins to run
 * Context    the process has one thread, which is not in weft_run(); or it is patched already: any
 *            task
 *
 * @return 0, or
 *   -EINVAL   families is 0, or has bits that are no family
 *   -EBUSY    there is more than one thread, or the calling thread is in weft_run()
 *   -ELIBACC  libweft-preload.so cannot be loaded, or is of another libweft.so
 *   -EOPNOTSUPP  refused, now or before
 */
WEFT_API int weft_patch(unsigned int families);

/**
 * Have all calls yield in tasks: weft_patch(WEFT_ALL).
 *
 * Switches   yes
 * Context    as weft_patch()
 *
 * @return 0, or as weft_patch()
 */
WEFT_API int weft_patch_all(void);

/**
 * Say which families are patched.
 *
 * Switches   no
 * Context    any thread
 *
 * @return families; 0 in a process that is not patched, under the launcher also before the first
 * thread
 */
WEFT_API unsigned int weft_patched(void);

/**
 * Say whether a call yields in tasks, by the name of the system call or of a function of libc.
 *
 * A function that is made of several calls is patched when all that it waits in are: getaddrinfo. A
 * call that depends on its descriptor (read) is when it is for all.
 *
 * Switches   no
 * Context    any thread; not a signal handler
 *
 * @return 1, or 0: it is the kernel's alone, at least for now; or
 *   -EINVAL   call_name is NULL
 *   -ENOENT   there is no system call of that name, and no function that is known to wait
 *   -ELIBACC  libweft-preload.so, which knows the names, cannot be loaded
 */
WEFT_API int weft_is_patched(const char *call_name);

/**
 * Get a function that makes the kernel's own call, patched or not: it never yields.
 *
 * It has the prototype of libc's function of that name, and sets errno as that does. In a task it blocks
 * the kernel thread, and all tasks with it. It is no cancellation point.
 *
 * There are those of the calls that may wait and that weft answers, under the names of their functions
 * in libc: read, write, readv, pread, recv, recvfrom, send, sendmsg, accept, connect, poll, select,
 * epoll_wait, nanosleep, sleep, usleep, open, fsync, flock, wait, waitpid, ..., and sched_yield.
 * There are none of functions that are more than a call (getaddrinfo, pthread_create), of calls in
 * which weft keeps accounts (close, fcntl), of waits for signals (sigwait) and of futexes.
 *
 *	int (*native_nanosleep)(const struct timespec *, struct timespec *);
 *
 *	weft_get_original("nanosleep", (void **)&native_nanosleep);
 *
 * Switches   no
 * Context    any thread; not a signal handler
 * Ownership  the function is there for good
 *
 * @return 0, or
 *   -EINVAL   an argument is NULL
 *   -ENOENT   there is none of that name
 *   -ELIBACC  libweft-preload.so, which has the functions, cannot be loaded
 */
WEFT_API int weft_get_original(const char *name, void **ret_function);

#ifdef __cplusplus
}
#endif

#endif
