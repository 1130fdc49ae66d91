/* See on_crew.h. */
#include "on_crew.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>

#include "hub.h"

#define STACK_BYTES ((size_t)256 * 1024)
#define GUARD_BYTES ((size_t)4096)

struct member {
	struct weft__task task;
	void (*entry)(void *arg);
	void *arg;
	char *stack;
	unsigned int began, ended; /* numbers of carriers */
};

struct weft__crew *crew;

static struct weft__crew the_crew;
static struct weft__carrier carriers[WEFT__MOST_CARRIERS];
static struct member members[256];
static unsigned int alive, made_in_all, buried; /* guarded by the lock */
static sem_t all_ended;

void enter_weft(void)
{
	weft__lock();
}

void leave_weft(void)
{
	weft__unlock();
}

static struct member *member(const struct weft__task *task)
{
	return weft__container(task, struct member, task);
}

static void *map_stack(void)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	weft__check(stack != MAP_FAILED && mprotect(stack, GUARD_BYTES, PROT_NONE) == 0);
	return stack;
}

static void bury(struct weft__task *task)
{
	weft__task_release(task);
	munmap(member(task)->stack, STACK_BYTES);
	buried++;
}

/* It comes with the lock, from who switched to it, and leaves with it. */
static void member_main(void *arg)
{
	struct member *me = arg;

	me->began = me->task.carrier->number;
	leave_weft();
	me->entry(me->arg);
	enter_weft();
	me->ended = me->task.carrier->number;
	if (--alive == 0)
		sem_post(&all_ended);
	weft__task_exit();
}

/* Context: the lock. */
static struct weft__task *make(void (*entry)(void *arg), void *arg, struct weft__carrier *carrier)
{
	struct member *made = &members[made_in_all++];

	weft__check(made_in_all <= COUNT(members));
	*made = (struct member){.entry = entry, .arg = arg, .stack = map_stack()};
	weft__task_init(&made->task, carrier);
	made->task.bury = bury;
	weft__context_make(&made->task.context, made->stack + GUARD_BYTES,
			   STACK_BYTES - GUARD_BYTES, member_main, made, 0);
	alive++;
	weft__start(&made->task);
	return &made->task;
}

struct weft__task *start_inside(void (*entry)(void *arg), void *arg)
{
	return make(entry, arg, weft__current->carrier);
}

struct weft__task *start(void (*entry)(void *arg), void *arg)
{
	struct weft__task *made;

	enter_weft();
	made = start_inside(entry, arg);
	leave_weft();
	return made;
}

struct weft__task *start_here(void (*entry)(void *arg), void *arg)
{
	struct weft__task *made;

	enter_weft();
	weft__current->has_made = false;
	made = start_inside(entry, arg);
	leave_weft();
	return made;
}

static void hub_main(void *carrier)
{
	weft__hub_run(carrier);
}

static void *carry(void *carrier)
{
	struct weft__context none = {.sp = NULL};

	weft__context_leave(&none, &((struct weft__carrier *)carrier)->hub_context);
}

static void join_crew(struct weft__carrier *carrier)
{
	char *stack = map_stack();

	weft__check(weft__crew_join(crew, carrier) && weft__hub_open(carrier) == 0);
	weft__context_make(&carrier->hub_context, stack + GUARD_BYTES, STACK_BYTES - GUARD_BYTES,
			   hub_main, carrier, 0);
}

void run_on_crew(unsigned int wanted, void (*entry)(void *arg), void *arg)
{
	pthread_t thread;

	sem_init(&all_ended, 0, 0);
	crew = &the_crew;
	for (unsigned int i = 0; i < wanted; i++)
		join_crew(&carriers[i]);
	weft__parallel = true;
	enter_weft();
	make(entry, arg, &carriers[0]);
	leave_weft();
	for (unsigned int i = 0; i < wanted; i++) {
		cr_assert_eq(pthread_create(&thread, NULL, carry, &carriers[i]), 0);
		pthread_detach(thread);
	}
	while (sem_wait(&all_ended) != 0)
		;
	/* Who has ended is buried by whoever runs next. */
	while (count_buried() < made_in_all)
		sched_yield();
}

unsigned int where(void)
{
	return weft__current->carrier->number;
}

unsigned int where_began(const struct weft__task *task)
{
	return member(task)->began;
}

unsigned int where_ended(const struct weft__task *task)
{
	return member(task)->ended;
}

unsigned int count_buried(void)
{
	unsigned int count;

	enter_weft();
	count = buried;
	leave_weft();
	return count;
}

int park_firmly(void)
{
	int result;

	enter_weft();
	result = weft__park_firmly();
	leave_weft();
	return result;
}

bool wake(struct weft__task *task)
{
	bool woken;

	enter_weft();
	woken = weft__wake(task, 0);
	leave_weft();
	return woken;
}

void compute_until(const unsigned int *number, unsigned int least)
{
	while (__atomic_load_n(number, __ATOMIC_ACQUIRE) < least)
		sched_yield();
}

void compute_with_ticks(const unsigned int *number, unsigned int least)
{
	while (__atomic_load_n(number, __ATOMIC_ACQUIRE) < least) {
		weft__tick(weft__current->carrier);
		weft__hub_called(weft__current->carrier);
		sched_yield();
	}
}

void count_one(unsigned int *number)
{
	__atomic_add_fetch(number, 1, __ATOMIC_ACQ_REL);
}

void meet(unsigned int *here, unsigned int members)
{
	count_one(here);
	compute_with_ticks(here, members);
}
