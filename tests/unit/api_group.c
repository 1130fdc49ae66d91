/* weft/group.h. */
#include <errno.h>
#include <stdint.h>

#include "unit.h"

static weft_group *make_pool(size_t places)
{
	weft_group *pool = NULL;

	cr_assert_eq(weft_pool_new(&pool, places), 0);
	return pool;
}

static weft_group *make_group(void)
{
	weft_group *group = NULL;

	cr_assert_eq(weft_group_new(&group), 0);
	return group;
}

static weft_task *spawn_in(weft_group *group, weft_func *fn, void *arg)
{
	weft_task *task = NULL;

	cr_assert_eq(weft_group_spawn(group, &task, fn, arg, WEFT_FOREVER), 0);
	return task;
}

static void *add_one(void *number)
{
	return (void *)((intptr_t)number + 1);
}

static void *wait_long(void *arg)
{
	weft_sleep(1000 * WEFT_S);
	return arg;
}

static void *wait_a_little(void *arg)
{
	weft_sleep(WEFT_MS);
	return arg;
}

/* How many are in it at once, at most. */
static int at_once, most_at_once;

static void *be_counted(void *arg)
{
	int now = __atomic_add_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
	int most = __atomic_load_n(&most_at_once, __ATOMIC_SEQ_CST);

	while (now > most && !__atomic_compare_exchange_n(&most_at_once, &most, now, false,
							  __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
	weft_sleep(WEFT_MS);
	__atomic_sub_fetch(&at_once, 1, __ATOMIC_SEQ_CST);
	return add_one(arg);
}

BothWays(api_group, who_has_ended_has_left)
{
	weft_group *group = make_group();
	weft_task *task = spawn_in(group, add_one, (void *)41);

	cr_assert_eq(weft_group_free_places(group), SIZE_MAX);
	join(task);

	cr_assert_eq(weft_group_size(group), 0);
	cr_assert_eq(weft_group_free(group), 0);
}

static int gate_is_open;

static void *wait_for_gate(void *arg)
{
	while (!__atomic_load_n(&gate_is_open, __ATOMIC_SEQ_CST))
		weft_sleep(WEFT_MS);
	return arg;
}

BothWays(api_group, join_waits_for_all)
{
	weft_group *group = make_group();

	for (int i = 0; i < 10; i++)
		weft_release(spawn_in(group, wait_for_gate, NULL));
	cr_assert_eq(weft_group_size(group), 10);
	cr_assert_eq(weft_group_free(group), -EBUSY);
	__atomic_store_n(&gate_is_open, 1, __ATOMIC_SEQ_CST);

	cr_assert_eq(weft_group_join(group, WEFT_FOREVER), 0);

	cr_assert_eq(weft_group_size(group), 0);
	cr_assert_eq(weft_group_join(group, 0), 0);
	cr_assert_eq(weft_group_free(group), 0);
}

BothWays(api_group, killed_ones_leave)
{
	weft_group *group = make_group();
	weft_task *begun = spawn_in(group, wait_long, NULL);
	weft_task *others[5];

	until_waits(begun);
	for (size_t i = 0; i < COUNT(others); i++)
		others[i] = spawn_in(group, wait_long, NULL);
	cr_assert_eq(weft_group_join(group, 0), -ETIMEDOUT);

	cr_assert_eq(weft_group_kill(group, WEFT_FOREVER), 0);

	cr_assert_eq(weft_group_size(group), 0);
	cr_assert_eq(weft_error(begun), -ECANCELED);
	for (size_t i = 0; i < COUNT(others); i++) {
		cr_assert_eq(weft_error(others[i]), -ECANCELED);
		weft_release(others[i]);
	}
	weft_release(begun);
	cr_assert_eq(weft_group_free(group), 0);
}

BothWays(api_group, a_task_is_added_once_and_discarded)
{
	weft_group *group = make_group(), *other = make_group();
	weft_task *task = NULL;

	cr_assert_eq(weft_spawn(&task, wait_long, NULL), 0);
	cr_assert_eq(weft_group_add(group, task, 0), 1);
	cr_assert_eq(weft_group_add(other, task, 0), 1);
	cr_assert_eq(weft_group_add(group, task, 0), -EEXIST);
	cr_assert(weft_group_has(group, task));

	cr_assert_eq(weft_group_discard(group, task), 0);

	cr_assert_not(weft_group_has(group, task));
	cr_assert_eq(weft_group_discard(group, task), -ENOENT);
	cr_assert_eq(weft_group_join(group, 0), 0);
	cr_assert_eq(weft_group_kill(other, WEFT_FOREVER), 0);
	cr_assert(weft_ended(task));
	cr_assert_eq(weft_group_add(group, task, 0), 0);
	weft_release(task);
	cr_assert_eq(weft_group_free(group), 0);
	cr_assert_eq(weft_group_free(other), 0);
}

struct own {
	weft_group *group;
	int joined, killed;
};

static void *kill_own_group(void *arg)
{
	struct own *own = arg;

	own->joined = weft_group_join(own->group, WEFT_FOREVER);
	own->killed = weft_group_kill(own->group, WEFT_FOREVER);
	return NULL;
}

BothWays(api_group, a_member_kills_the_others_and_does_not_wait_for_itself)
{
	struct own own = {make_group(), 1, 1};
	weft_task *other = spawn_in(own.group, wait_long, NULL);
	weft_task *member = spawn_in(own.group, kill_own_group, &own);

	cr_assert_eq(weft_group_join(own.group, WEFT_FOREVER), 0);

	cr_assert_eq(own.joined, -EDEADLK);
	cr_assert_eq(own.killed, 0);
	cr_assert_eq(weft_error(other), -ECANCELED);
	cr_assert_eq(weft_error(member), 0);
	weft_release(other);
	weft_release(member);
	cr_assert_eq(weft_group_free(own.group), 0);
}

BothWays(api_group, a_pool_has_so_many_at_once)
{
	weft_group *pool = make_pool(3);
	void *items[20], *values[20];

	for (size_t i = 0; i < COUNT(items); i++)
		items[i] = (void *)i;

	cr_assert_eq(weft_group_map(pool, be_counted, items, COUNT(items), values), 0);

	for (size_t i = 0; i < COUNT(items); i++)
		cr_assert_eq(values[i], (void *)(i + 1));
	cr_assert_leq(most_at_once, 3);
	cr_assert_geq(most_at_once, 1);
	cr_assert_eq(weft_group_free_places(pool), 3);
	cr_assert_eq(weft_group_free(pool), 0);
}

TaskTest(api_group, all_places_of_a_pool_are_used)
{
	weft_group *pool = make_pool(3);
	void *items[20] = {0};

	cr_assert_eq(weft_group_map(pool, be_counted, items, COUNT(items), NULL), 0);

	cr_assert_eq(most_at_once, 3);
	cr_assert_eq(weft_group_free(pool), 0);
}

BothWays(api_group, spawn_waits_while_a_pool_is_full)
{
	weft_group *pool = make_pool(1);
	weft_task *first = spawn_in(pool, wait_long, NULL), *second = NULL;

	cr_assert_eq(weft_group_spawn(pool, &second, add_one, NULL, 0), -ETIMEDOUT);
	cr_assert_eq(weft_group_spawn(pool, &second, add_one, NULL, weft_after(WEFT_MS)),
		     -ETIMEDOUT);
	cr_assert_null(second);
	cr_assert_eq(weft_kill(first, 0), 0);
	second = spawn_in(pool, add_one, (void *)1);

	cr_assert(weft_ended(first));
	weft_release(first);
	join(second);
	cr_assert_eq(weft_group_free(pool), 0);
}

struct spawning {
	weft_group *pool;
	int result;
};

static void *spawn_there(void *arg)
{
	struct spawning *spawning = arg;

	spawning->result =
		weft_group_spawn(spawning->pool, NULL, wait_a_little, NULL, WEFT_FOREVER);
	return NULL;
}

BothWays(api_group, a_place_is_not_lost_by_who_is_killed_while_waiting)
{
	struct spawning spawning = {make_pool(1), 1};
	weft_task *member = spawn_in(spawning.pool, wait_long, NULL), *waiter = NULL;

	cr_assert_eq(weft_spawn(&waiter, spawn_there, &spawning), 0);
	until_waits(waiter);
	cr_assert_eq(weft_group_free(spawning.pool), -EBUSY);
	cr_assert_eq(weft_kill(waiter, WEFT_FOREVER), 0);
	cr_assert_eq(spawning.result, -ECANCELED);
	cr_assert_eq(weft_kill(member, WEFT_FOREVER), 0);

	cr_assert_eq(weft_group_free_places(spawning.pool), 1);
	weft_release(waiter);
	weft_release(member);
	cr_assert_eq(weft_group_free(spawning.pool), 0);
}

TaskTest(api_group, a_place_that_was_granted_before_a_kill_is_used)
{
	struct spawning spawning = {make_pool(1), 1};
	weft_task *member = spawn_in(spawning.pool, wait_long, NULL), *waiter = NULL;

	cr_assert_eq(weft_spawn(&waiter, spawn_there, &spawning), 0);
	until_waits(waiter);
	cr_assert_eq(weft_group_discard(spawning.pool, member), 0);
	cr_assert_eq(weft_kill(waiter, WEFT_FOREVER), 0);

	cr_assert_eq(spawning.result, 0);
	weft_release(waiter);
	cr_assert_eq(weft_group_join(spawning.pool, WEFT_FOREVER), 0);
	cr_assert_eq(weft_kill(member, WEFT_FOREVER), 0);
	weft_release(member);
	cr_assert_eq(weft_group_free(spawning.pool), 0);
}

static void *fail(void *arg)
{
	weft_set_error(-EIO);
	return arg;
}

BothWays(api_group, apply_gives_value_and_error)
{
	weft_group *pool = make_pool(1);
	void *value = NULL;

	cr_assert_eq(weft_group_apply(pool, add_one, (void *)6, &value), 0);
	cr_assert_eq(value, (void *)7);
	cr_assert_eq(weft_group_apply(pool, fail, NULL, &value), -EIO);
	cr_assert_eq(value, (void *)7);

	cr_assert_eq(weft_group_free(pool), 0);
}

static intptr_t sum;

static void add_to_sum(void *value, void *factor)
{
	__atomic_add_fetch(&sum, (intptr_t)value * (intptr_t)factor, __ATOMIC_SEQ_CST);
}

BothWays(api_group, apply_async_does_not_wait_and_calls_back)
{
	weft_group *pool = make_pool(2);

	for (intptr_t i = 0; i < 10; i++)
		cr_assert_eq(weft_group_apply_async(pool, NULL, be_counted, (void *)i, add_to_sum,
						    (void *)10),
			     0);
	cr_assert_eq(weft_group_apply_async(pool, NULL, fail, (void *)1000, add_to_sum, (void *)1),
		     0);

	cr_assert_eq(weft_group_join(pool, WEFT_FOREVER), 0);

	cr_assert_eq(sum, 550);
	cr_assert_leq(most_at_once, 2);
	cr_assert_eq(weft_group_free(pool), 0);
}

BothWays(api_group, kill_takes_what_apply_async_has_not_begun)
{
	weft_group *pool = make_pool(1);
	weft_task *tasks[4];

	for (size_t i = 0; i < COUNT(tasks); i++)
		cr_assert_eq(
			weft_group_apply_async(pool, &tasks[i], wait_long, NULL, add_to_sum, NULL),
			0);
	until_waits(tasks[1]);

	cr_assert_eq(weft_group_kill(pool, WEFT_FOREVER), 0);

	for (size_t i = 0; i < COUNT(tasks); i++) {
		cr_assert_eq(weft_error(tasks[i]), -ECANCELED);
		weft_release(tasks[i]);
	}
	cr_assert_eq(weft_group_free(pool), 0);
}

static void *fail_if_odd(void *number)
{
	return (intptr_t)number % 2 != 0 ? fail(number) : number;
}

BothWays(api_group, map_tells_the_first_error)
{
	weft_group *group = make_group();
	void *items[] = {(void *)2, (void *)4, (void *)5, (void *)6}, *values[4] = {NULL};

	cr_assert_eq(weft_group_map(group, fail_if_odd, items, COUNT(items), values), -EIO);
	cr_assert_null(values[0]);
	cr_assert_eq(weft_group_map(group, fail_if_odd, items, 2, values), 0);
	cr_assert_eq(values[1], (void *)4);
	cr_assert_eq(weft_group_map(group, fail_if_odd, NULL, 0, NULL), 0);

	cr_assert_eq(weft_group_free(group), 0);
}

/* The last one is the first to return. */
static intptr_t turn = 9;

static void *return_in_turn(void *number)
{
	while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) != (intptr_t)number)
		weft_sleep(WEFT_MS);
	__atomic_sub_fetch(&turn, 1, __ATOMIC_SEQ_CST);
	return number;
}

BothWays(api_group, imap_gives_in_order)
{
	weft_group *pool = make_pool(4);
	void *items[] = {(void *)6, (void *)7, (void *)8, (void *)9}, *value;
	weft_imap *imap = NULL;
	size_t index;

	cr_assert_eq(weft_group_imap(pool, &imap, return_in_turn, items, COUNT(items), true), 0);

	for (size_t i = 0; i < COUNT(items); i++) {
		cr_assert_eq(weft_imap_next(imap, WEFT_FOREVER, &index, &value), 1);
		cr_assert_eq(index, i);
		cr_assert_eq(value, items[i]);
	}
	cr_assert_eq(weft_imap_next(imap, WEFT_FOREVER, &index, &value), 0);
	cr_assert_eq(weft_imap_free(imap), 0);
	cr_assert_eq(weft_group_join(pool, WEFT_FOREVER), 0);
	cr_assert_eq(weft_group_free(pool), 0);
}

TaskTest(api_group, imap_unordered_gives_what_is_there)
{
	weft_group *pool = make_pool(4);
	void *items[] = {(void *)6, (void *)7, (void *)8, (void *)9}, *value;
	weft_imap *imap = NULL;

	cr_assert_eq(weft_group_imap(pool, &imap, return_in_turn, items, COUNT(items), false), 0);
	cr_assert_eq(weft_imap_next(imap, 0, NULL, &value), -ETIMEDOUT);
	cr_assert_eq(weft_group_join(pool, WEFT_FOREVER), 0);

	for (size_t i = COUNT(items); i-- > 0;) {
		cr_assert_eq(weft_imap_next(imap, 0, NULL, &value), 1);
		cr_assert_eq(value, items[i]);
	}
	cr_assert_eq(weft_imap_next(imap, 0, NULL, NULL), 0);
	cr_assert_eq(weft_imap_free(imap), 0);
	cr_assert_eq(weft_group_free(pool), 0);
}

BothWays(api_group, imap_gives_each_error_in_its_place)
{
	weft_group *pool = make_pool(2);
	void *items[9], *value;
	weft_imap *imap = NULL;
	size_t index;

	for (size_t i = 0; i < COUNT(items); i++)
		items[i] = (void *)i;
	cr_assert_eq(weft_group_imap(pool, &imap, fail_if_odd, items, COUNT(items), true), 0);

	for (size_t i = 0; i < COUNT(items); i++) {
		cr_assert_eq(weft_imap_next(imap, WEFT_FOREVER, &index, &value),
			     i % 2 == 0 ? 1 : -EIO);
		cr_assert_eq(index, i);
	}
	cr_assert_eq(weft_imap_free(imap), 0);
	cr_assert_eq(weft_group_join(pool, WEFT_FOREVER), 0);
	cr_assert_eq(weft_group_free(pool), 0);
}

BothWays(api_group, an_imap_that_is_freed_begins_nothing_more)
{
	weft_group *pool = make_pool(1);
	void *items[5] = {NULL};
	weft_imap *imap = NULL;

	cr_assert_eq(weft_group_imap(pool, &imap, wait_long, items, COUNT(items), false), 0);
	while (weft_group_size(pool) == 0)
		weft_yield();
	cr_assert_eq(weft_imap_free(imap), 0);
	cr_assert_eq(weft_group_kill(pool, WEFT_FOREVER), 0);

	cr_assert_eq(weft_group_size(pool), 0);
	cr_assert_eq(weft_group_free(pool), 0);
}

BothWays(api_group, kill_cancels_what_imap_has_not_begun)
{
	weft_group *pool = make_pool(2);
	void *items[5] = {NULL};
	weft_imap *imap = NULL;

	cr_assert_eq(weft_group_imap(pool, &imap, wait_long, items, COUNT(items), true), 0);
	while (weft_group_size(pool) != 2)
		weft_yield();
	cr_assert_eq(weft_group_kill(pool, WEFT_FOREVER), 0);

	for (size_t i = 0; i < COUNT(items); i++)
		cr_assert_eq(weft_imap_next(imap, 0, NULL, NULL), -ECANCELED);
	cr_assert_eq(weft_imap_next(imap, 0, NULL, NULL), 0);
	cr_assert_eq(weft_imap_free(imap), 0);
	cr_assert_eq(weft_group_free(pool), 0);
}

BothWays(api_group, a_group_is_an_object)
{
	weft_group *group = make_group();
	weft_object *objects[] = {weft_object(group)};
	bool ready[1] = {false};

	weft_release(spawn_in(group, wait_a_little, NULL));

	cr_assert_eq(weft_wait(objects, 1, 1, WEFT_FOREVER, ready), 1);
	cr_assert(ready[0]);
	cr_assert_eq(weft_group_free(group), 0);
}

Test(api_group, bad_input_is_refused)
{
	weft_group *group = make_group();
	weft_imap *imap = NULL;

	cr_assert_eq(weft_group_new(NULL), -EINVAL);
	cr_assert_eq(weft_pool_new(&group, 0), -EINVAL);
	cr_assert_eq(weft_group_spawn(NULL, NULL, add_one, NULL, 0), -EINVAL);
	cr_assert_eq(weft_group_spawn(group, NULL, NULL, NULL, 0), -EINVAL);
	cr_assert_eq(weft_group_spawn(group, NULL, add_one, NULL, -1), -EINVAL);
	cr_assert_eq(weft_group_spawn(group, NULL, add_one, NULL, 0), -EPERM);
	cr_assert_eq(weft_group_add(group, NULL, 0), -EINVAL);
	cr_assert_eq(weft_group_discard(NULL, NULL), -EINVAL);
	cr_assert_eq(weft_group_join(NULL, 0), -EINVAL);
	cr_assert_eq(weft_group_join(group, 0), -EPERM);
	cr_assert_eq(weft_group_kill(group, -1), -EINVAL);
	cr_assert_eq(weft_group_apply(group, add_one, NULL, NULL), -EPERM);
	cr_assert_eq(weft_group_apply_async(NULL, NULL, add_one, NULL, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_group_map(group, add_one, NULL, 1, NULL), -EINVAL);
	cr_assert_eq(weft_group_imap(group, NULL, add_one, NULL, 0, true), -EINVAL);
	cr_assert_eq(weft_group_imap(group, &imap, add_one, NULL, 0, true), -EPERM);
	cr_assert_eq(weft_imap_next(NULL, 0, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_imap_free(NULL), 0);
	cr_assert_eq(weft_group_size(NULL), 0);
	cr_assert_eq(weft_group_free(NULL), 0);
	cr_assert_eq(weft_group_free(group), 0);
}
