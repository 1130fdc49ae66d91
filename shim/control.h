/* What the runtime has of the shim (monkey.h), and that of what preload.c decides. */
#ifndef WEFT_CONTROL_H
#define WEFT_CONTROL_H

#include <pthread.h>
#include <stdbool.h>

#include "monkey.h"

extern const struct weft__shim_ops weft__shim_here;

/** Something stands against weft in this process, and it has been said what. */
extern bool weft__refused;

/** Whether the kernel sees more than one thread of this process. */
bool weft__has_threads(void);

/** The create() of struct weft__shim_ops. */
int weft__create_task(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *),
		      void *arg);

#endif
