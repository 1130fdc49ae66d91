/* Groups, for what spawns in them: api/group.c and api/imap.c. All of it entered. */
#ifndef WEFT_GROUP_PARTS_H
#define WEFT_GROUP_PARTS_H

#include "native.h"

/** A task's place in a group. */
struct weft__member {
	struct weft__link link; /* among the group's */
	struct weft__watcher watcher;
	weft_group *group;
	weft_task *task; /* a reference */
};

/** A task that is to spawn in a group, or to be in it, when there is a place. */
struct weft__helper {
	struct weft__link link; /* among the group's; or with itself */
	weft_task *task;
};

struct weft_group {
	weft_object object; /* ready: no place is taken, and there are no helpers */
	struct weft__link members, helpers;
	struct weft__link waiters; /* for a place: while there are, none is free */
	size_t size;               /* of members */
	size_t places;             /* SIZE_MAX: no limit */
	size_t taken;              /* by members, and who is about to have one */
};

/** Wait for a place, and take it; as weft__wait_in(). */
int weft__group_take_place(weft_group *group, int64_t deadline_ns);

/** Have who waits first have a place that was taken, or be it free. */
void weft__group_give_place(weft_group *group);

/** Have a task that has not ended be in a group, where a place is taken for it. */
void weft__group_enroll(weft_group *group, struct weft__member *member, weft_task *task);

/** Spawn in a group where a place is taken for that; it is given back if there is an error. */
int weft__group_spawn_there(weft_group *group, struct weft__run *run, weft_task **ret_task,
			    weft_func *fn, void *arg);

/** Have a helper be one, and no more. */
void weft__group_add_helper(weft_group *group, struct weft__helper *helper, weft_task *task);
void weft__group_remove_helper(weft_group *group, struct weft__helper *helper);

#endif
