/*
 * What the unit tests share. Criterion runs each test in a process of its own; none is preloaded.
 */
#ifndef UNIT_H
#define UNIT_H

#include <criterion/criterion.h>

#include <sys/resource.h>

#include "native.h"
#include "scheduler.h"
#include "weft.h"

/* For hangs only: no test takes a second of its own on an idle machine. */
#ifndef HANG_S
#define HANG_S 240
#endif

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define MS UINT64_C(1000000)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#else
#define UNDER_SANITIZER 0
#endif

/* ThreadSanitizer maps megabytes of its own for each task, and has 8128 of them at most. */
#ifdef __SANITIZE_THREAD__
#define MANY_TASKS 1000
#define SPARE_MAPPINGS 100000
#else
#define MANY_TASKS 10000
#define SPARE_MAPPINGS 0
#endif

/** A test whose body is the first task of a carrier. It stands on the thread's own stack. */
#define TaskTest(suite, name) \
	static void suite##_##name##_body(void *unused); \
	Test(suite, name, .timeout = HANG_S) \
	{ \
		cr_assert_eq(run_tasks(suite##_##name##_body, NULL), 0); \
	} \
	static void suite##_##name##_body(void *unused __attribute__((unused)))

/** Two of them: the tasks are weft's own, and they are threads. */
#define BothWays(suite, name) \
	static void suite##_##name##_body(void *unused); \
	Test(suite, name, .timeout = HANG_S) \
	{ \
		cr_assert_eq(run_tasks(suite##_##name##_body, NULL), 0); \
	} \
	Test(suite, name##_on_threads, .timeout = HANG_S) \
	{ \
		on_threads = true; \
		weft__use_threads(); \
		cr_assert_eq(run_tasks(suite##_##name##_body, NULL), 0); \
	} \
	static void suite##_##name##_body(void *unused __attribute__((unused)))

/** Whether this test is the second of BothWays(). */
extern bool on_threads;

/** weft_run() of a function that gives nothing. */
int run_tasks(void (*entry)(void *arg), void *arg);

/** weft_spawn() of one, that works. */
weft_task *spawn(void (*entry)(void *arg), void *arg);

/** The same, without a reference. */
void spawn_detached(void (*entry)(void *arg), void *arg);

/** weft_join() that works, and weft_release(). */
void join(weft_task *task);

/** The same with what the scheduler has of a task. */
struct weft__task *spawn_inner(void (*entry)(void *arg), void *arg);
void join_inner(struct weft__task *task);
void release_inner(struct weft__task *task);

/** Let the others run `times` times. */
void yield(unsigned int times);

/** Let the others run until a task is in a wait of weft's. */
void until_waits(weft_task *task);

/** Call run(arg) on a kernel thread that is no carrier; the calling thread blocks meanwhile. */
void on_foreign_thread(void (*run)(void *arg), void *arg);

/** Append to what happened; noted() is all of it. One kernel thread at a time. */
void note(const char *what);
const char *noted(void);

/** A task that notes its argument, a string. */
void note_task(void *text);

/** How many descriptors this process has open. */
unsigned int count_descriptors(void);

/** How many mappings this process has. */
unsigned int count_mappings(void);

/** Allow this process `more` bytes of address space than it has, until `before` is set again. */
void limit_memory(unsigned long more, struct rlimit *before);

/** pipe(2) that works: [0] is for reading, [1] for writing; neither blocks. */
void make_pipe(int ends[2]);

/** write(2) of one byte that works. */
void put_byte(int fd);

#endif
