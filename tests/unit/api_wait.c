/* weft/wait.h: waiting for any of several things. */
#include <errno.h>

#include "unit.h"

static void *wait_to_be_raised(void *arg)
{
	weft_sleep(WEFT_FOREVER);
	return arg;
}

/* Tasks that end when something is raised in them, and their objects. */
struct several {
	weft_task *tasks[5];
	weft_object *objects[5];
};

static void start(struct several *several)
{
	for (size_t i = 0; i < COUNT(several->tasks); i++) {
		cr_assert_eq(weft_spawn(&several->tasks[i], wait_to_be_raised, NULL), 0);
		several->objects[i] = weft_object(several->tasks[i]);
	}
	for (size_t i = 0; i < COUNT(several->tasks); i++)
		until_waits(several->tasks[i]);
}

static void end(struct several *several, size_t which)
{
	cr_assert_eq(weft_raise(several->tasks[which], -EINTR), 0);
	cr_assert_eq(weft_join(several->tasks[which], WEFT_FOREVER), 0);
}

static void end_all(struct several *several)
{
	cr_assert_eq(weft_killall(several->tasks, COUNT(several->tasks), WEFT_FOREVER), 0);
	for (size_t i = 0; i < COUNT(several->tasks); i++) {
		cr_assert(weft__object_unused(several->objects[i]));
		weft_release(several->tasks[i]);
	}
}

BothWays(api_wait, what_is_missing_or_wrong_is_refused)
{
	weft_object *objects[] = {weft_object(weft_self()), NULL}, *given = (weft_object *)1;
	weft_iwait *iwait = (weft_iwait *)1;
	bool ready[] = {true, false};

	cr_assert_eq(weft_wait(NULL, 1, 0, WEFT_FOREVER, NULL), -EINVAL);
	cr_assert_eq(weft_wait(objects, 2, 1, WEFT_FOREVER, ready), -EINVAL);
	cr_assert_eq(weft_wait(objects, 1, 2, WEFT_FOREVER, ready), -EINVAL);
	cr_assert_eq(weft_wait(objects, 1, 1, -1, ready), -EINVAL);
	cr_assert(ready[0] && !ready[1]);
	cr_assert_eq(weft_iwait_new(NULL, objects, 1), -EINVAL);
	cr_assert_eq(weft_iwait_new(&iwait, NULL, 1), -EINVAL);
	cr_assert_eq(weft_iwait_new(&iwait, objects, 2), -EINVAL);
	cr_assert_eq(iwait, (weft_iwait *)1);
	cr_assert_eq(weft_iwait_next(NULL, WEFT_FOREVER, &given), -EINVAL);
	cr_assert_eq(weft_iwait_new(&iwait, objects, 1), 0);
	cr_assert_eq(weft_iwait_next(iwait, WEFT_FOREVER, NULL), -EINVAL);
	cr_assert_eq(weft_iwait_next(iwait, -1, &given), -EINVAL);
	cr_assert_eq(weft_iwait_next(iwait, 0, &given), -ETIMEDOUT);
	cr_assert_eq(given, (weft_object *)1);
	cr_assert_eq(weft_iwait_free(iwait), 0);
	cr_assert_eq(weft_iwait_free(NULL), 0);
}

BothWays(api_wait, nothing_is_there_at_once)
{
	weft_object *given = (weft_object *)1;
	weft_iwait *iwait;

	cr_assert_eq(weft_wait(NULL, 0, 0, WEFT_FOREVER, NULL), 0);
	cr_assert_eq(weft_iwait_new(&iwait, NULL, 0), 0);
	cr_assert_eq(weft_iwait_next(iwait, WEFT_FOREVER, &given), 0);
	cr_assert_eq(given, (weft_object *)1);
	cr_assert_eq(weft_iwait_free(iwait), 0);
}

BothWays(api_wait, a_wait_tells_which_are_ready)
{
	struct several several;
	bool ready[5] = {false, false, false, false, true};

	start(&several);
	cr_assert_eq(weft_wait(several.objects, 5, 1, 0, ready), -ETIMEDOUT);
	cr_assert_eq(weft_wait(several.objects, 5, 1, weft_after(WEFT_MS), ready), -ETIMEDOUT);
	cr_assert(ready[4]);
	end(&several, 2);
	cr_assert_eq(weft_wait(several.objects, 5, 1, WEFT_FOREVER, ready), 1);
	cr_assert(!ready[0] && !ready[1] && ready[2] && !ready[3] && !ready[4]);
	end(&several, 0);
	cr_assert_eq(weft_wait(several.objects, 5, 2, WEFT_FOREVER, ready), 2);
	cr_assert(ready[0] && !ready[1] && ready[2] && !ready[3] && !ready[4]);
	cr_assert_eq(weft_wait(several.objects, 5, 0, weft_after(WEFT_MS), ready), -ETIMEDOUT);
	end_all(&several);
	cr_assert_eq(weft_wait(several.objects, 0, 0, WEFT_FOREVER, ready), 0);
}

BothWays(api_wait, one_object_may_be_there_twice)
{
	struct several several;
	weft_object *twice[2];
	bool ready[2] = {false, false};

	start(&several);
	twice[0] = twice[1] = several.objects[1];
	cr_assert_eq(weft_wait(twice, 2, 1, weft_after(WEFT_MS), ready), -ETIMEDOUT);
	weft_raise(several.tasks[1], -EINTR);
	cr_assert_eq(weft_wait(twice, 2, 0, WEFT_FOREVER, ready), 2);
	cr_assert(ready[0] && ready[1]);
	end_all(&several);
}

struct waiter {
	struct several *several;
	size_t count;
	int result;
};

static void *wait_for_some(void *arg)
{
	struct waiter *waiter = arg;

	waiter->result = weft_wait(waiter->several->objects, COUNT(waiter->several->objects),
				   waiter->count, WEFT_FOREVER, NULL);
	return NULL;
}

BothWays(api_wait, several_tasks_wait_for_the_same)
{
	struct several several;
	struct waiter waiters[6];
	weft_task *tasks[COUNT(waiters)];

	start(&several);
	for (size_t i = 0; i < COUNT(waiters); i++) {
		waiters[i] = (struct waiter){&several, i, 0};
		cr_assert_eq(weft_spawn(&tasks[i], wait_for_some, &waiters[i]), 0);
		until_waits(tasks[i]);
	}
	for (size_t i = 0; i < 5; i++) {
		end(&several, 4 - i);
		cr_assert_eq(weft_join(tasks[i + 1], WEFT_FOREVER), 0);
		cr_assert_geq(waiters[i + 1].result, (int)i + 1);
	}
	cr_assert_eq(weft_join(tasks[0], WEFT_FOREVER), 0);
	cr_assert_eq(waiters[0].result, 5);
	for (size_t i = 0; i < COUNT(waiters); i++)
		weft_release(tasks[i]);
	end_all(&several);
}

BothWays(api_wait, an_iwait_gives_objects_as_they_become_ready)
{
	static const size_t order[] = {3, 0, 4, 1, 2};
	struct several several;
	weft_object *given = NULL;
	weft_iwait *iwait;

	start(&several);
	end(&several, order[0]);
	cr_assert_eq(weft_iwait_new(&iwait, several.objects, 5), 0);
	for (size_t i = 0; i < COUNT(order); i++) {
		if (i == 1) {
			end(&several, order[1]);
			end(&several, order[2]);
		} else if (i > 2) {
			cr_assert_eq(weft_iwait_next(iwait, weft_after(WEFT_MS), &given),
				     -ETIMEDOUT);
			end(&several, order[i]);
		}
		cr_assert_eq(weft_iwait_next(iwait, WEFT_FOREVER, &given), 1);
		cr_assert_eq(given, several.objects[order[i]]);
	}
	cr_assert_eq(weft_iwait_next(iwait, WEFT_FOREVER, &given), 0);
	cr_assert_eq(weft_iwait_next(iwait, 0, &given), 0);
	cr_assert_eq(weft_iwait_free(iwait), 0);
	end_all(&several);
}

BothWays(api_wait, an_iwait_may_be_left_before_its_end)
{
	struct several several;
	weft_iwait *iwait;
	weft_object *given;

	start(&several);
	cr_assert_eq(weft_iwait_new(&iwait, several.objects, 5), 0);
	end(&several, 1);
	cr_assert_eq(weft_iwait_next(iwait, WEFT_FOREVER, &given), 1);
	cr_assert_eq(weft_iwait_free(iwait), 0);
	end_all(&several);
}

struct taker {
	weft_iwait *iwait;
	weft_object *given[8];
	size_t taken;
	int result;
};

static void *take_all(void *arg)
{
	struct taker *taker = arg;

	while ((taker->result = weft_iwait_next(taker->iwait, WEFT_FOREVER,
						&taker->given[taker->taken])) == 1)
		taker->taken++;
	return NULL;
}

BothWays(api_wait, several_tasks_take_from_one_iwait)
{
	struct several several;
	struct taker takers[3] = {0};
	weft_task *tasks[COUNT(takers)];
	weft_iwait *iwait;
	size_t taken = 0, seen[5] = {0};

	start(&several);
	cr_assert_eq(weft_iwait_new(&iwait, several.objects, 5), 0);
	for (size_t i = 0; i < COUNT(takers); i++) {
		takers[i].iwait = iwait;
		cr_assert_eq(weft_spawn(&tasks[i], take_all, &takers[i]), 0);
		until_waits(tasks[i]);
	}
	cr_assert_eq(weft_iwait_free(iwait), -EBUSY);
	for (size_t i = 0; i < 5; i++)
		end(&several, i);
	for (size_t i = 0; i < COUNT(takers); i++) {
		join(tasks[i]);
		cr_assert_eq(takers[i].result, 0);
		taken += takers[i].taken;
		for (size_t j = 0; j < takers[i].taken; j++)
			for (size_t k = 0; k < 5; k++)
				seen[k] += takers[i].given[j] == several.objects[k];
	}

	cr_assert_eq(taken, 5);
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(seen[i], 1);
	cr_assert_eq(weft_iwait_free(iwait), 0);
	end_all(&several);
}

/* Who has been woken and has not had its turn still uses it. */
TaskTest(api_wait, an_iwait_is_not_freed_under_who_has_just_been_woken)
{
	struct several several;
	struct taker taker = {0};
	weft_task *task;

	start(&several);
	cr_assert_eq(weft_iwait_new(&taker.iwait, several.objects, 1), 0);
	cr_assert_eq(weft_spawn(&task, take_all, &taker), 0);
	until_waits(task);
	weft__enter();
	weft__object_set(several.objects[0], true);
	weft__leave();
	cr_assert_eq(weft_iwait_free(taker.iwait), -EBUSY);
	join(task);

	cr_assert_eq(taker.taken, 1);
	cr_assert_eq(weft_iwait_free(taker.iwait), 0);
	several.objects[0]->ready = false;
	end_all(&several);
}
