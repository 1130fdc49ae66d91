/*
 * See weft/generator.h. A generator is a coroutine whose heir is whoever waits for its next value:
 *
 *             next, send, throw                 yield
 *   suspended -----------------> running, heir ------> suspended
 *   refusal -EBUSY               refusal 0             |
 *                                    | return          | close of one that obeys
 *                                    +--> closed, refusal -ESRCH <--+
 *
 * The heir is in resume() as long as it is one. If it leaves that because somebody else has switched
 * to it, the generator has none, and goes on without being able to yield.
 */
#include <errno.h>

#include "coroutine.h"
#include "weft/generator.h"

#define MOST_ERRNO 4095

struct weft_gen {
	struct weft_co co;
	weft_func *fn;
	void *arg;
	bool running; /* it has been asked, and has not answered */
};

static struct weft_gen *generator(struct weft_co *co)
{
	return weft__container(co, struct weft_gen, co);
}

static void *gen_main(void *unused)
{
	struct weft_gen *me = generator(*weft__co_place());
	void *value = me->fn(me->arg);

	(void)unused;
	me->running = false;
	return value;
}

int weft_gen_new(weft_gen **ret_gen, weft_func *fn, void *arg, size_t stack_bytes)
{
	struct weft_co *co = NULL;
	struct weft_gen *gen;
	int err;

	if (ret_gen == NULL || fn == NULL)
		return -EINVAL;
	err = weft__co_make(&co, gen_main, stack_bytes, sizeof(*gen));
	if (err != 0)
		return err;
	co->is_generator = true;
	gen = generator(co);
	gen->fn = fn;
	gen->arg = arg;
	gen->running = false;
	*ret_gen = gen;
	return 0;
}

static int check(const struct weft_gen *gen)
{
	const struct weft_co *me = *weft__co_place();

	if (gen == NULL)
		return -EINVAL;
	return me == NULL || gen->co.root != me->root ? -EPERM : 0;
}

static bool is_closed(const struct weft_gen *gen)
{
	return gen->co.refusal == -ESRCH;
}

/* Go on in it until it answers: 1 or 0, or what has come in between. */
static int resume(struct weft_gen *gen, void *value, int error, void **ret_value)
{
	struct weft_co **place = weft__co_place(), *me = *place;
	void *given = NULL;

	gen->running = true;
	gen->co.refusal = 0;
	gen->co.heir = me;
	error = weft__co_pass(place, me, &gen->co, value, &given, error);
	if (weft__unlikely(gen->running)) {
		gen->co.heir = NULL;
		return error != 0 ? error : -EINTR;
	}
	if (ret_value != NULL)
		*ret_value = given;
	return is_closed(gen) ? 0 : 1;
}

int weft_gen_send(weft_gen *gen, void *value, void **ret_value)
{
	int err = check(gen);

	if (err != 0)
		return err;
	if (gen->running)
		return -EBUSY;
	if (is_closed(gen)) {
		if (ret_value != NULL)
			*ret_value = NULL;
		return 0;
	}
	if (value != NULL && !gen->co.started)
		return -EINVAL;
	return resume(gen, value, 0, ret_value);
}

int weft_gen_next(weft_gen *gen, void **ret_value)
{
	return weft_gen_send(gen, NULL, ret_value);
}

int weft_gen_throw(weft_gen *gen, int error, void **ret_value)
{
	int err = check(gen);

	if (err != 0)
		return err;
	if (error >= 0 || error < -MOST_ERRNO)
		return -EINVAL;
	if (gen->running)
		return -EBUSY;
	if (!gen->co.started)
		weft__co_cancel(&gen->co);
	if (is_closed(gen))
		return error;
	return resume(gen, NULL, error, ret_value);
}

int weft_gen_close(weft_gen *gen)
{
	int result = check(gen);

	if (result != 0)
		return result;
	if (gen->running)
		return -EBUSY;
	if (!gen->co.started)
		weft__co_cancel(&gen->co);
	if (is_closed(gen))
		return 0;
	result = resume(gen, NULL, -ECANCELED, NULL);
	return result == 1 ? -EBUSY : result;
}

int weft_gen_free(weft_gen *gen)
{
	int err = 0;

	if (gen == NULL || gen->co.root != NULL)
		err = weft_gen_close(gen);
	if (err == 0)
		weft__co_free(&gen->co);
	return err;
}

int weft_gen_state(const weft_gen *gen)
{
	int err = check(gen);

	if (err != 0)
		return err;
	if (is_closed(gen))
		return WEFT_GEN_CLOSED;
	if (gen->running)
		return WEFT_GEN_RUNNING;
	return gen->co.started ? WEFT_GEN_SUSPENDED : WEFT_GEN_CREATED;
}

int weft_gen_yield(void *value, void **ret_sent)
{
	struct weft_co **place = weft__co_place(), *me = *place, *asker;

	if (me == NULL || !me->is_generator)
		return -EPERM;
	asker = me->heir;
	if (asker == NULL)
		return -EPIPE;
	me->heir = NULL;
	me->refusal = -EBUSY;
	generator(me)->running = false;
	return weft__co_pass(place, me, asker, value, ret_sent, 0);
}
