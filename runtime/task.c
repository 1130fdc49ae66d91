/*
 * Native tasks: the ones a program that knows weft starts itself (weft.h).
 *
 * A native task's stack is one mapping with a guard page at its lower end; the record stands at
 * the upper end, so that a task is one allocation. It shares the thread pointer of its thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "crew.h"
#include "hub.h"
#include "ready.h"
#include "scheduler.h"
#include "weft.h"

#define STACK_BYTES ((size_t)256 * 1024)
#define GUARD_BYTES 4096U

struct native {
	struct weft__task task;
	void *mapping;
	void (*entry)(void *arg);
	void *arg;
	struct weft__task *joiner; /* who waits in weft_join() */
	bool ended;
};

/* The calling thread's own first task, while weft_run() is on its stack. */
struct run {
	struct weft__crew crew;
	struct weft__carrier carrier;
	struct native main;
	void *hub_stack;
};

#define XSTR(x) STR(x)
#define STR(x) #x

const char *weft_version(void)
{
	return XSTR(WEFT_VERSION_MAJOR) "." XSTR(WEFT_VERSION_MINOR) "." XSTR(WEFT_VERSION_PATCH);
}

static struct native *native(struct weft__task *task)
{
	return weft__container(task, struct native, task);
}

static void *map_stack(void)
{
	void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (stack == MAP_FAILED)
		return NULL;
	mprotect(stack, GUARD_BYTES, PROT_NONE);
	return stack;
}

static void bury(struct weft__task *task)
{
	weft__task_release(task);
	munmap(native(task)->mapping, STACK_BYTES);
}

/* The last one to go wakes the thread's own task, which waits for all to end. */
static void task_main(void *arg)
{
	struct native *self = arg;
	struct weft__carrier *carrier = self->task.carrier;
	struct run *run = weft__container(carrier, struct run, carrier);

	self->entry(self->arg);
	self->ended = true;
	if (self->joiner != NULL)
		weft__wake(self->joiner, 0);
	if (!self->task.joined)
		self->task.bury = bury;
	if (carrier->tasks == 2 && run->main.ended)
		weft__wake(&run->main.task, 0);
	weft__task_exit();
}

int weft_spawn(weft_task **ret_task, void (*entry)(void *arg), void *arg)
{
	struct native *self;
	char *stack;

	if (weft__current == NULL)
		return -EPERM;
	stack = map_stack();
	if (stack == NULL)
		return -ENOMEM;
	self = (struct native *)(void *)(stack + STACK_BYTES - ((sizeof(*self) + 63) & ~63UL));
	weft__task_init(&self->task, weft__current->carrier);
	self->mapping = stack;
	self->entry = entry;
	self->arg = arg;
	self->joiner = NULL;
	self->ended = false;
	self->task.joined = true;
	weft__context_make(&self->task.context, stack + GUARD_BYTES,
			   (size_t)((char *)self - stack) - GUARD_BYTES, task_main, self, 0);
	weft__start(&self->task);
	*ret_task = &self->task;
	return 0;
}

int weft_join(weft_task *task)
{
	struct native *target = native(task);

	if (weft__current == NULL)
		return -EPERM;
	if (task == weft__current)
		return -EDEADLK;
	if (target->joiner != NULL)
		return -EINVAL;
	target->joiner = weft__current;
	while (!target->ended)
		weft__park_firmly();
	/* Not buried by the scheduler, since a reference was out: it is off its stack by now. */
	while (task->state != WEFT__DEAD)
		weft__yield();
	weft_detach(task);
	return 0;
}

void weft_detach(weft_task *task)
{
	task->joined = false;
	if (task->state == WEFT__DEAD) {
		/* Nobody may have come back from a switch since it ended. */
		weft__bury_dead(task->carrier);
		bury(task);
	}
}

weft_task *weft_self(void)
{
	return weft__current;
}

void weft_yield(void)
{
	if (weft__current != NULL)
		weft__yield();
}

uint64_t weft_now(void)
{
	return weft__now_ns();
}

int weft_sleep(uint64_t duration_ns)
{
	uint64_t now = weft__now_ns(), deadline_ns = now + duration_ns;

	if (weft__current == NULL)
		return -EPERM;
	if (deadline_ns < now)
		deadline_ns = UINT64_MAX;
	while (weft__park(deadline_ns) != -ETIMEDOUT)
		;
	return 0;
}

int weft_wait_fd(int fd, int events, uint64_t deadline_ns)
{
	struct pollfd poll_fd = {.fd = fd};
	bool registered = false;

	if (weft__current == NULL)
		return -EPERM;
	if (events == 0 || (events & ~(WEFT_IN | WEFT_OUT)) != 0)
		return -EINVAL;
	if (fd < 0)
		return -EBADF; /* poll(2) would leave it out */
	if ((events & WEFT_IN) != 0)
		poll_fd.events |= POLLIN;
	if ((events & WEFT_OUT) != 0)
		poll_fd.events |= POLLOUT;
	for (;;) {
		long n = weft__poll_now(&poll_fd, 1);
		int result;

		if (n < 0)
			return (int)n;
		if ((poll_fd.revents & POLLNVAL) != 0)
			return -EBADF;
		if ((poll_fd.revents & (POLLERR | POLLHUP)) != 0)
			return events;
		if (n > 0)
			return ((poll_fd.revents & POLLIN) != 0 ? WEFT_IN : 0) |
			       ((poll_fd.revents & POLLOUT) != 0 ? WEFT_OUT : 0);
		/* Nobody says what is closed here: the number may be another file's by now. */
		if (!registered) {
			result = weft__ready_renew(fd, poll_fd.events);
			if (result != 0)
				return result == -ENOSPC ? -ENOMEM : result;
			registered = true;
		}
		result = weft__ready_wait_any(&poll_fd, 1, deadline_ns);
		if (result != 0 && result != -EAGAIN && result != -EINTR)
			return result;
	}
}

static void hub_main(void *arg)
{
	weft__hub_run(arg);
}

int weft_run(void (*entry)(void *arg), void *arg)
{
	struct run *run;
	int err = -ENOMEM;

	if (weft__carrier_here() != NULL)
		return -EPERM;
	run = calloc(1, sizeof(*run));
	if (run == NULL)
		return -ENOMEM;
	run->hub_stack = map_stack();
	if (run->hub_stack == NULL)
		goto free_run;
	weft__crew_join(&run->crew, &run->carrier);
	err = weft__hub_open(&run->carrier);
	if (err != 0)
		goto unmap_stack;
	weft__context_make(&run->carrier.hub_context, (char *)run->hub_stack + GUARD_BYTES,
			   STACK_BYTES - GUARD_BYTES, hub_main, &run->carrier, 0);
	weft__task_init(&run->main.task, &run->carrier);
	run->carrier.tasks = 1;
	weft__current = &run->main.task;

	entry(arg);

	run->main.ended = true;
	while (run->carrier.tasks > 1)
		weft__park_firmly();
	weft__current = NULL;
	weft__hub_of = NULL;
	weft__hub_close(&run->carrier);
	weft__context_drop(&run->carrier.hub_context);
	weft__ready_release(&run->main.task);
unmap_stack:
	munmap(run->hub_stack, STACK_BYTES);
free_run:
	free(run);
	return err;
}
