/*
 * The numbers of Fibonacci by a generator: it computes each when it is asked for, and what it
 * returns in the end is how many there were.
 */
#include <inttypes.h>
#include <stdio.h>
#include <weft.h>

static void *fibonacci(void *limit)
{
	uintptr_t a = 0, b = 1, count = 0;

	for (; a <= (uintptr_t)limit; count++) {
		uintptr_t next = a + b;

		if (weft_gen_yield((void *)a, NULL) != 0)
			break;
		a = b;
		b = next;
	}
	return (void *)count;
}

static const char *state_of(const weft_gen *gen)
{
	static const char *const names[] = {
		[WEFT_GEN_CREATED] = "created",
		[WEFT_GEN_RUNNING] = "running",
		[WEFT_GEN_SUSPENDED] = "suspended",
		[WEFT_GEN_CLOSED] = "closed",
	};

	return names[weft_gen_state(gen)];
}

int main(void)
{
	weft_gen *gen;
	void *value;

	if (weft_gen_new(&gen, fibonacci, (void *)100, 0) != 0)
		return 1;
	printf("%s\n", state_of(gen));
	while (weft_gen_next(gen, &value) == 1)
		printf("%" PRIuPTR " (%s)\n", (uintptr_t)value, state_of(gen));
	printf("%s after %" PRIuPTR " numbers\n", state_of(gen), (uintptr_t)value);
	return weft_gen_free(gen) != 0;
}
