/* A thread that computes on a small stack of its own making is stopped without touching what lies
 * around that stack.
 */
#include "guest.h"

#include <ucontext.h>

#define BYTES 4096 /* as some coroutine libraries have them */
#define FENCE 64

static volatile bool stop;

struct stack {
	unsigned char before[65536];
	unsigned char stack[BYTES];
	unsigned char after[4096];
};

static __thread ucontext_t outside, inside;
static __thread long rounds;

static void compute(void)
{
	do
		rounds++;
	while (!stop);
}

static void *run(void *arg)
{
	struct stack *room = malloc(sizeof(*room));
	unsigned char fill = 0x5a;

	(void)arg;
	memset(room, fill, sizeof(*room));
	check(getcontext(&inside) == 0);
	inside.uc_stack.ss_sp = room->stack;
	inside.uc_stack.ss_size = BYTES;
	inside.uc_link = &outside;
	makecontext(&inside, compute, 0);
	check(swapcontext(&outside, &inside) == 0);
	check(rounds > 0);
	for (size_t i = 0; i < sizeof(room->before); i++)
		check(room->before[i] == fill);
	for (size_t i = 0; i < FENCE; i++)
		check(room->stack[i] == fill && room->after[i] == fill);
	free(room);
	return NULL;
}

int main(void)
{
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		threads[i] = start(run, NULL);
	for (int i = 0; i < 10; i++)
		usleep(10000);
	stop = true;
	for (int i = 0; i < 3; i++)
		finish(threads[i]);
	say("nothing around the stacks was touched");
	return 0;
}
