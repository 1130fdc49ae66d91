/*
 * What the runtime asks of the shim, in a process where that is loaded: libweft-preload.so fills in
 * weft__shim as it is loaded, so the runtime need not know it.
 *
 * A process is *patched* when the threads that it makes are tasks because their calls are answered:
 * under the launcher, or once it has asked for it (weft_patch()). Else it is the runtime's own.
 */
#ifndef WEFT_MONKEY_RUNTIME_H
#define WEFT_MONKEY_RUNTIME_H

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>

#include "raw.h"
#include "scheduler.h"

/** What the shim does for the runtime. Each may be called by any thread, but not by a hub. */
struct weft__shim_ops {
	/**
	 * Be awake, if that is wanted (WEFT=1) and can be, with the calling thread as the first task.
	 *
	 * @return whether it is: patched, not refused, and with a hub
	 */
	bool (*wake)(void);

	/**
	 * Make a thread as pthread_create(3) does, which is a task even where the program's own
	 * threads are to stay the kernel's.
	 *
	 * @return 0 or a positive error, as pthread_create(3)
	 */
	int (*create)(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		      void *arg);

	/* The functions of weft/monkey.h, their arguments checked; patch() but for -EINVAL, -ELIBACC. */
	int (*patch)(unsigned int families);
	unsigned int (*patched)(void);
	int (*is_patched)(const char *call_name);
	int (*original)(const char *name, void **ret_function);
};

/**
 * Whether tasks of weft.h are threads (native.h): set by the shim when it is awake, before the first
 * of them is made, and for good.
 */
extern WEFT__SHARED bool weft__on_threads;

/** NULL: the shim is not loaded. */
extern WEFT__SHARED const struct weft__shim_ops *weft__shim;

/**
 * Say whether this process is patched; when it is to be at its first thread, it is from now on.
 *
 * Once true it stays so, but in a child of fork(2) it is asked anew. Not for each call: the first
 * time it patches, later it is two loads.
 *
 * Switches   no
 * Context    any thread
 */
bool weft__patched(void);

#endif
