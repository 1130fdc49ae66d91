/*
 * Ten timers of two seconds, one of which is cancelled: ten_timers [MILLISECONDS]. The nine others
 * are due two seconds later, all of them. Nobody joins them: weft_run() does not return while a timer
 * is armed.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

#define TIMERS 10
#define CANCELLED 3

static weft_timer *timers[TIMERS];
static int numbers[TIMERS];
static int64_t duration_ns = 2 * WEFT_S;

static void ring(void *number)
{
	printf("timer %d rings\n", *(int *)number);
}

static void *start_all(void *unused)
{
	for (int i = 0; i < TIMERS; i++) {
		numbers[i] = i;
		if (weft_timer_new(&timers[i], ring, &numbers[i]) != 0 ||
		    weft_timer_start(timers[i], duration_ns, 0) != 0)
			abort();
	}
	printf("%d timers are started\n", TIMERS);
	if (weft_timer_cancel(timers[CANCELLED]) == 1)
		printf("timer %d is cancelled\n", CANCELLED);
	return unused;
}

int main(int argc, char *argv[])
{
	int64_t begin_ns = weft_now(), took_ns;

	if (argc > 1)
		duration_ns = strtol(argv[1], NULL, 10) * WEFT_MS;
	if (weft_run(start_all, NULL, NULL) != 0)
		return 1;
	took_ns = weft_now() - begin_ns;
	printf("not sooner than they should: %s\n", took_ns >= duration_ns ? "yes" : "no");
	printf("sooner than one after the other: %s\n",
	       took_ns < (TIMERS - 1) * duration_ns ? "yes" : "no");
	for (int i = 0; i < TIMERS; i++)
		weft_timer_free(timers[i]);
	return 0;
}
