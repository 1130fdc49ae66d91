/* See weft_local_new(). A task has few variables: they are a list, newest first. */
#include <stdlib.h>

#include "native.h"

struct weft_local {
	void (*destroy)(void *value);
	unsigned int values; /* that tasks have in it */
};

struct weft__local_value {
	struct weft__local_value *next;
	weft_local *local;
	void *value;
};

int weft_local_new(weft_local **ret_local, void (*destroy)(void *value))
{
	weft_local *local;

	if (ret_local == NULL)
		return -EINVAL;
	local = calloc(1, sizeof(*local));
	if (local == NULL)
		return -ENOMEM;
	local->destroy = destroy;
	*ret_local = local;
	return 0;
}

int weft_local_free(weft_local *local)
{
	bool used;

	if (local == NULL)
		return 0;
	weft__enter();
	used = local->values != 0;
	weft__leave();
	if (used)
		return -EBUSY;
	free(local);
	return 0;
}

static struct weft__local_value *find(const weft_task *task, const weft_local *local)
{
	struct weft__local_value *value = task->locals;

	while (value != NULL && value->local != local)
		value = value->next;
	return value;
}

static void count(weft_local *local, int more)
{
	weft__enter();
	local->values += (unsigned int)more;
	weft__leave();
}

int weft_local_set(weft_local *local, void *value)
{
	weft_task *me = weft__me();
	struct weft__local_value *mine;

	if (local == NULL)
		return -EINVAL;
	if (me == NULL)
		return -EPERM;
	mine = find(me, local);
	if (mine == NULL) {
		mine = malloc(sizeof(*mine));
		if (mine == NULL)
			return -ENOMEM;
		*mine = (struct weft__local_value){.next = me->locals, .local = local};
		me->locals = mine;
		count(local, 1);
	}
	mine->value = value;
	return 0;
}

void *weft_local_get(const weft_local *local)
{
	const weft_task *me = weft__me();
	const struct weft__local_value *mine;

	if (local == NULL || me == NULL)
		return NULL;
	mine = find(me, local);
	return mine == NULL ? NULL : mine->value;
}

/* A destructor may set others: those are destroyed, too. */
void weft__locals_destroy(weft_task *task)
{
	struct weft__local_value *mine;

	while ((mine = task->locals) != NULL) {
		void (*destroy)(void *value) = mine->local->destroy;

		task->locals = mine->next;
		count(mine->local, -1);
		if (destroy != NULL && mine->value != NULL)
			destroy(mine->value);
		free(mine);
	}
}
