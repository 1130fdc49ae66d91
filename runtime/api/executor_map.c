/*
 * See weft_executor_map(). Items may be in the caller's frame, so all that has begun is waited for,
 * also when the wait ends early.
 */
#include <stdlib.h>

#include "future.h"

/* Cancel what has not begun, and wait for the others; the first error. Entered. */
static int finish_all(weft_future *futures[], size_t n, int err)
{
	for (size_t i = 0; i < n; i++) {
		if (err != 0 && !futures[i]->object.ready && weft__executor_withdraw(futures[i]))
			weft__future_complete(futures[i]);
	}
	for (size_t i = 0; i < n; i++) {
		weft__future_wait_firmly(futures[i]);
		if (err == 0)
			err = futures[i]->error;
	}
	return err;
}

/* The error with which the wait for them ends early. Entered. */
static int wait_for_all(weft_future *futures[], size_t n, int64_t deadline_ns)
{
	int err = 0;

	for (size_t i = 0; i < n && err == 0; i++)
		err = weft__object_wait(&futures[i]->object, deadline_ns);
	return err;
}

int weft_executor_map(weft_executor *executor, weft_func *fn, void *const items[], size_t n,
		      void *values[], int64_t deadline_ns)
{
	weft_future **futures;
	size_t submitted = 0;
	int err = 0;

	if (executor == NULL || fn == NULL || (items == NULL && n != 0) || deadline_ns < 0)
		return -EINVAL;
	if (weft__me() == NULL)
		return -EPERM;
	futures = calloc(n + 1, sizeof(*futures));
	if (futures == NULL)
		return -ENOMEM;
	while (submitted < n && err == 0) {
		err = weft_executor_submit(executor, &futures[submitted], fn, items[submitted]);
		submitted += err == 0;
	}
	weft__enter();
	if (err == 0)
		err = wait_for_all(futures, n, deadline_ns);
	err = finish_all(futures, submitted, err);
	for (size_t i = 0; i < submitted; i++) {
		if (err == 0 && values != NULL)
			values[i] = futures[i]->value;
		weft__future_unref(futures[i]);
	}
	weft__leave();
	free(futures);
	return err;
}
