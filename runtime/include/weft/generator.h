/*
 * Generators: functions that give one value after the other, each when it is asked for.
 *
 *     static void *count_to(void *last)
 *     {
 *         for (long i = 1; i <= (long)last; i++)
 *             if (weft_gen_yield((void *)i, NULL) != 0)
 *                 break;
 *         return NULL;
 *     }
 *
 *     weft_gen *gen;
 *     void *value;
 *
 *     weft_gen_new(&gen, count_to, (void *)3, 0);
 *     while (weft_gen_next(gen, &value) == 1)
 *         printf("%ld\n", (long)value);
 *     weft_gen_free(gen);
 *
 * prints 1, 2, 3. A generator is a coroutine (weft/greenlet.h) whose partner is whoever asks it: it may
 * yield from as deep in its calls as it likes, can be sent values and errors, and runs in any thread
 * without weft_run(). It belongs to the thread or task that made it.
 *
 * The rules are those of Python's generators (PEP 342), with the end told by a return value: as long as
 * there are values weft_gen_next() returns 1, and 0 when the function has returned.
 */
#ifndef WEFT_GENERATOR_H
#define WEFT_GENERATOR_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A generator. */
typedef struct weft_gen weft_gen;

/** What becomes of a generator. */
enum weft_gen_state {
	WEFT_GEN_CREATED,   /* nobody has asked it yet */
	WEFT_GEN_RUNNING,   /* it has been asked, and has not answered */
	WEFT_GEN_SUSPENDED, /* it has yielded */
	WEFT_GEN_CLOSED,    /* its function has returned, or never will run */
};

/**
 * Make a generator that runs fn(arg), from the first time that it is asked.
 *
 * Switches   no
 * Context    any thread; not a signal handler
 * Ownership  arg stays the caller's; *ret_gen is the caller's, to be freed by weft_gen_free()
 *
 * @param stack_bytes  as for weft_co_new(); 0: 128 KB
 *
 * @return 0, or
 *   -EINVAL  ret_gen or fn is NULL, or stack_bytes too large
 *   -ENOMEM  no room
 */
WEFT_API int weft_gen_new(weft_gen **ret_gen, weft_func *fn, void *arg, size_t stack_bytes);

/**
 * Close a generator and free it.
 *
 * Of one whose thread or task has ended only the memory is freed, and by any thread.
 *
 * Switches   yes, to the generator, if it is suspended
 * Context    the thread or task that it belongs to
 * Ownership  gen is gone when this returns 0
 *
 * @return as weft_gen_close()
 */
WEFT_API int weft_gen_free(weft_gen *gen);

/**
 * Ask a generator for its next value.
 *
 * Switches   yes, to the generator; other tasks do not run
 * Context    the thread or task that it belongs to
 *
 * @param ret_value  where that goes; at the end, what the function returns, and NULL if it had ended
 *                   before; may be NULL
 *
 * @return 1: it has yielded a value; 0: it has ended; or
 *   -EINVAL  gen is NULL
 *   -EPERM   it belongs to another thread or task
 *   -EBUSY   it is running
 *   -EINTR   somebody else has switched to the caller meanwhile; the generator is still running
 *   what has been thrown at the caller meanwhile, the same
 */
WEFT_API int weft_gen_next(weft_gen *gen, void **ret_value);

/**
 * Ask a generator for its next value and give it one, which its weft_gen_yield() hands out.
 *
 * Switches   yes, to the generator
 * Context    the thread or task that it belongs to
 *
 * @return as weft_gen_next(), or
 *   -EINVAL  value is not NULL, and nobody has asked the generator yet: it waits for none
 */
WEFT_API int weft_gen_send(weft_gen *gen, void *value, void **ret_value);

/**
 * Ask a generator for its next value and give it an error, which its weft_gen_yield() returns.
 *
 * One that nobody has asked yet is closed.
 *
 * Switches   yes, to the generator, if it is suspended
 * Context    the thread or task that it belongs to
 *
 * @param error  a negative errno value
 *
 * @return as weft_gen_next(), or
 *   -EINVAL  error is not a negative errno value
 *   error    the generator is closed, and was when this was called or nobody had asked it
 */
WEFT_API int weft_gen_throw(weft_gen *gen, int error, void **ret_value);

/**
 * Have a generator end.
 *
 * One that is suspended gets -ECANCELED from its weft_gen_yield(), and is to clean up and return. What
 * it returns is dropped.
 *
 * Switches   yes, to the generator, if it is suspended
 * Context    the thread or task that it belongs to
 *
 * @return 0: it is closed, or
 *   -EINVAL  gen is NULL
 *   -EPERM   it belongs to another thread or task
 *   -EBUSY   it is running, or has yielded one more value, which is dropped
 *   -EINTR   somebody else has switched to the caller meanwhile; it is still running
 *   what has been thrown at the caller meanwhile, the same
 */
WEFT_API int weft_gen_close(weft_gen *gen);

/**
 * Tell what has become of a generator.
 *
 * Switches   no
 * Context    the thread or task that it belongs to
 *
 * @return an enum weft_gen_state, or
 *   -EINVAL  gen is NULL
 *   -EPERM   it belongs to another thread or task
 */
WEFT_API int weft_gen_state(const weft_gen *gen);

/**
 * In a generator: give a value to who has asked for it, and wait to be asked again.
 *
 * Switches   yes, to who has asked
 * Context    a generator, at any depth of its calls
 *
 * @param ret_sent  where what is sent then goes, NULL after weft_gen_next(); may be NULL
 *
 * @return 0, or
 *   -EPERM      the caller is no generator
 *   -EPIPE      nobody waits for a value: who has asked has been switched to by somebody else
 *   -ECANCELED  it is to clean up and return
 *   what else was thrown
 */
WEFT_API int weft_gen_yield(void *value, void **ret_sent);

#ifdef __cplusplus
}
#endif

#endif
