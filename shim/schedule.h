/*
 * How a thread wishes to be scheduled: policy, priorities, processors. The kernel schedules the
 * carrier; weft keeps each task's own wishes, judges them as the kernel would (sched(7)), and tells
 * them back. The main thread's are the carrier's and stay with the kernel.
 */
#ifndef WEFT_SCHEDULE_H
#define WEFT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weft__thread;

/** A set of processors as the kernel's calls give it. */
struct weft__processors {
	size_t bytes;
	unsigned char mask[];
};

struct weft__schedule {
	uint8_t policy;   /* SCHED_OTHER and so on, without SCHED_RESET_ON_FORK */
	uint8_t priority; /* 1 to 99 for SCHED_FIFO and SCHED_RR, else 0 */
	int16_t nice;
	uint16_t io_priority;                /* ioprio_get(2) */
	bool reset_on_fork;                  /* who it makes begins as plain SCHED_OTHER */
	struct weft__processors *processors; /* NULL: the carrier's; owned */
};

/** What sched_setattr(2) asks for, as far as weft keeps it. */
struct weft__wish {
	int policy; /* -1: as it is */
	int priority, nice;
	bool reset_on_fork;                 /* a policy of -1 keeps what is there */
	uint64_t runtime, deadline, period; /* SCHED_DEADLINE */
};

/** Read the main thread's from the kernel. */
void weft__schedule_learn(struct weft__thread *main);

/** Give a new thread what it inherits. */
void weft__schedule_inherit(struct weft__thread *thread, const struct weft__thread *parent);

/** Free what a thread's wishes own. */
void weft__schedule_drop(struct weft__thread *thread);

/** Take a wish over; 0, or -EINVAL or -EPERM as the kernel says. */
long weft__schedule_set(struct weft__thread *thread, const struct weft__wish *wish);

/** Whether a thread may be given a nice value by the one that runs (can_nice() of the kernel). */
bool weft__schedule_may_nice(int nice);

/** Keep a copy of a set of processors, in place of the one that a thread had; 0 or -ENOMEM. */
long weft__schedule_place(struct weft__thread *thread, const unsigned char *mask, size_t bytes);

/** Let sched_getcpu(3) find a thread on a processor that it is confined to. */
void weft__schedule_show(const struct weft__thread *thread);

#endif
