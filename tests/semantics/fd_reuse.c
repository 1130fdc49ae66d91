/* A descriptor's number is used again by others: nobody reads what was meant for the one before. */
#include "guest.h"

#define ROUNDS 300
#define THREADS 8

/* Every thread opens, parks on, closes: the numbers circulate among all. */
static void *open_and_close(void *arg)
{
	int number = (int)(intptr_t)arg;

	for (int i = 0; i < ROUNDS; i++) {
		int pair[2], value = number * ROUNDS + i, got = -1;

		if (i % 3 == 0)
			check(pipe(pair) == 0);
		else if (i % 3 == 1)
			unix_pair(SOCK_STREAM, pair);
		else
			unix_pair(SOCK_DGRAM, pair);
		if (i % 16 == 0)
			usleep(100);
		check(fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0);
		check(read(pair[0], &got, sizeof(got)) == -1 && errno == EAGAIN);
		check(fcntl(pair[0], F_SETFL, 0) == 0);
		check(write(pair[1], &value, sizeof(value)) == sizeof(value));
		check(read(pair[0], &got, sizeof(got)) == sizeof(got));
		check(got == value);
		check(close(pair[0]) == 0 && close(pair[1]) == 0);
	}
	return NULL;
}

static void *echo_once(void *arg)
{
	char byte;

	check(read(*(int *)arg, &byte, 1) == 1);
	check(write(*(int *)arg, &byte, 1) == 1);
	return NULL;
}

static void park_on_same_number(void)
{
	int first = -1, same = 1;

	for (int i = 0; i < 50; i++) {
		pthread_t echo;
		char byte = (char)i, back = -1;
		int pair[2];

		unix_pair(SOCK_STREAM, pair);
		if (first < 0)
			first = pair[0];
		same &= pair[0] == first;
		echo = start(echo_once, &pair[1]);
		usleep(500);
		check(write(pair[0], &byte, 1) == 1);
		check(read(pair[0], &back, 1) == 1 && back == byte);
		finish(echo);
		close(pair[0]);
		close(pair[1]);
	}
	say("always the same number: %d", same);
}

int main(void)
{
	pthread_t threads[THREADS];

	park_on_same_number();
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(open_and_close, (void *)i);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	say("all values arrived where they were meant");
	return 0;
}
