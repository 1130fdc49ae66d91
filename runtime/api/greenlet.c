/*
 * See weft/greenlet.h and coroutine.h.
 *
 *   root <-parent- co <-parent- co          current: which of them runs, of this thread or task
 *          <-parent- co
 *
 * A switch is a check of four words and a change of stacks. Whether two coroutines belong together is
 * told by their root. All else about a coroutine's state is in `refusal`: who may be switched to at
 * all has none.
 *
 * The tree is there for the end of its members: a parent that is freed hands its children on, and a
 * root that ends lets all go, so that no pointer is left to what is gone.
 */
#include <errno.h>
#include <stdlib.h>

#include "coroutine.h"
#include "native_stack.h"
#include "thread_end.h"

#define MOST_ERRNO 4095

__thread struct weft_co *weft__co_of_thread __attribute__((tls_model("initial-exec")));

static struct weft_co *make_root(struct weft_co **place)
{
	struct weft_co *root = calloc(1, sizeof(*root));

	if (root == NULL)
		return NULL;
	/* Without a key left in libc the coroutines of a thread that has ended look as if it lived. */
	weft__watch_thread_end();
	root->root = root;
	root->started = true;
	weft__list_init(&root->children);
	weft__list_init(&root->sibling);
	*place = root;
	return root;
}

struct weft_co *weft__co_here(void)
{
	struct weft_co **place = weft__co_place();

	return *place != NULL ? *place : make_root(place);
}

/* Who goes on when one ends. A root never does. */
static struct weft_co *successor(const struct weft_co *co)
{
	struct weft_co *next = co->parent;

	if (co->heir != NULL)
		return co->heir;
	while (next->refusal != 0)
		next = next->parent;
	return next;
}

struct weft_co *weft__co_cancel(struct weft_co *co)
{
	co->refusal = -ESRCH;
	return successor(co);
}

static void co_main(void *arg, void *value, int error)
{
	struct weft_co *me = arg, *next;

	weft__context_begun(&me->context);
	me->started = true;
	/* Who throws at one that has not started ends it himself. */
	weft__check(error == 0);
	value = me->fn(value);
	me->refusal = -ESRCH;
	next = successor(me);
	*weft__co_place() = next;
	weft__context_pass_last(&me->context, &next->context, value, 0);
}

int weft__co_make(struct weft_co **ret_co, weft_func *fn, size_t stack_bytes, size_t record_bytes)
{
	struct weft_co *parent, *co;
	size_t usable;
	char *stack;

	if (fn == NULL || stack_bytes > WEFT__MOST_STACK_BYTES)
		return -EINVAL;
	parent = weft__co_here();
	if (parent == NULL)
		return -ENOMEM;
	stack = weft__stack_take(stack_bytes, &usable);
	if (stack == NULL)
		return -ENOMEM;
	record_bytes = (record_bytes + 63) & ~(size_t)63;
	co = (struct weft_co *)(void *)(stack + usable - record_bytes);
	weft__context_make_passed(&co->context, stack, usable - record_bytes, co_main, co);
	co->root = parent->root;
	co->refusal = 0;
	co->started = co->is_generator = false;
	co->parent = parent;
	co->heir = NULL;
	co->fn = fn;
	co->stack = stack;
	co->stack_bytes = usable;
	weft__list_init(&co->children);
	weft__list_append(&parent->children, &co->sibling);
	*ret_co = co;
	return 0;
}

int weft_co_new(weft_co **ret_co, weft_func *fn, size_t stack_bytes)
{
	if (ret_co == NULL)
		return -EINVAL;
	return weft__co_make(ret_co, fn, stack_bytes, sizeof(struct weft_co));
}

static struct weft_co *first_child(struct weft_co *co)
{
	return weft__list_empty(&co->children)
		       ? NULL
		       : weft__container(co->children.next, struct weft_co, sibling);
}

static void give_child(struct weft_co *child, struct weft_co *parent)
{
	weft__list_remove(&child->sibling);
	weft__list_append(&parent->children, &child->sibling);
	child->parent = parent;
}

void weft__co_free(struct weft_co *co)
{
	struct weft_co *child;

	while ((child = first_child(co)) != NULL)
		give_child(child, co->parent);
	weft__list_remove(&co->sibling);
	weft__context_drop(&co->context);
	weft__stack_give(co->stack, co->stack_bytes);
}

/* Have a suspended one clean up; it comes back here when it ends. */
static int end(struct weft_co **place, struct weft_co *me, struct weft_co *co)
{
	int err;

	co->heir = me;
	err = weft__co_pass(place, me, co, NULL, NULL, -ECANCELED);
	co->heir = NULL;
	if (co->refusal == -ESRCH)
		return 0;
	return err != 0 ? err : -EBUSY;
}

int weft_co_free(weft_co *co)
{
	struct weft_co **place = weft__co_place(), *me = *place;
	int err = 0;

	if (co == NULL || co->root == co || co->is_generator)
		return -EINVAL;
	if (co->root != NULL) {
		if (me == NULL || co->root != me->root)
			return -EPERM;
		if (co == me || co->heir != NULL)
			return -EBUSY;
		if (co->started && co->refusal == 0)
			err = end(place, me, co);
	}
	if (err == 0)
		weft__co_free(co);
	return err;
}

int weft_switch(weft_co *co, void *value, void **ret_value)
{
	struct weft_co **place = weft__co_place(), *me = *place;

	if (weft__unlikely(co == NULL))
		return -EINVAL;
	if (weft__unlikely(me == NULL || co->root != me->root))
		return -EPERM;
	if (weft__unlikely(co->refusal != 0))
		return co->refusal;
	if (weft__unlikely(co == me))
		return -EBUSY;
	return weft__co_pass(place, me, co, value, ret_value, 0);
}

int weft_throw(weft_co *co, int error, void **ret_value)
{
	struct weft_co **place = weft__co_place(), *me = *place;

	if (co == NULL || error >= 0 || error < -MOST_ERRNO)
		return -EINVAL;
	if (me == NULL || co->root != me->root)
		return -EPERM;
	if (co->refusal != 0)
		return co->refusal;
	if (co == me)
		return -EBUSY;
	while (!co->started)
		co = weft__co_cancel(co);
	if (co == me)
		return error;
	return weft__co_pass(place, me, co, NULL, ret_value, error);
}

weft_co *weft_co_current(void)
{
	return weft__co_here();
}

weft_co *weft_co_parent(const weft_co *co)
{
	return co == NULL ? NULL : co->parent;
}

int weft_co_set_parent(weft_co *co, weft_co *parent)
{
	const struct weft_co *me = *weft__co_place();

	if (co == NULL || parent == NULL || co->root == co)
		return -EINVAL;
	if (me == NULL || co->root != me->root || parent->root != me->root)
		return -EPERM;
	for (const struct weft_co *ancestor = parent; ancestor != NULL; ancestor = ancestor->parent)
		if (ancestor == co)
			return -EINVAL;
	give_child(co, parent);
	return 0;
}

int weft_co_state(const weft_co *co)
{
	const struct weft_co *me = *weft__co_place();

	if (co == NULL)
		return -EINVAL;
	if (me == NULL || co->root != me->root)
		return -EPERM;
	if (co == me)
		return WEFT_CO_RUNNING;
	if (co->refusal == -ESRCH)
		return WEFT_CO_DEAD;
	return co->started ? WEFT_CO_SUSPENDED : WEFT_CO_NEW;
}

/* All its descendants, made its children one after the other, are let go of. */
static void free_root(struct weft_co *root)
{
	struct weft_co *co, *child;

	while ((co = first_child(root)) != NULL) {
		while ((child = first_child(co)) != NULL)
			give_child(child, root);
		weft__list_remove(&co->sibling);
		co->root = co->parent = NULL;
	}
	free(root);
}

void weft__co_task_ends(struct weft__task *task)
{
	struct weft_co *co = task->co;

	task->co = NULL;
	if (co != NULL)
		free_root(co->root);
}

void weft__co_thread_ends(void)
{
	struct weft_co *co = weft__co_of_thread;

	weft__co_of_thread = NULL;
	if (co != NULL)
		free_root(co->root);
}

void weft__co_lend(struct weft__task *task)
{
	task->co = weft__co_of_thread;
	weft__co_of_thread = NULL;
}

void weft__co_take_back(struct weft__task *task)
{
	weft__co_of_thread = task->co;
	task->co = NULL;
}
