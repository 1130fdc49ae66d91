/* One stream used by many threads: lines stay whole, flockfile excludes, it can be nested. */
#include "guest.h"

#define THREADS 20
#define LINES 100

static FILE *shared;

static void *print_lines(void *arg)
{
	int number = (int)(intptr_t)arg;

	for (int i = 0; i < LINES; i++) {
		if (i % 2 == 0) {
			fprintf(shared, "%d:%d:whole\n", number, i);
		} else {
			flockfile(shared);
			fprintf(shared, "%d:", number);
			if (i % 25 == 0)
				usleep(200);
			sched_yield();
			fprintf(shared, "%d:", i);
			fputs("whole\n", shared);
			funlockfile(shared);
		}
	}
	return NULL;
}

static void *try_lock(void *arg)
{
	say("ftrylockfile while another holds it: %d", ftrylockfile(arg) != 0);
	return NULL;
}

/* The other end reads slowly: printing blocks while the stream is locked. */
static void *count_lines(void *arg)
{
	FILE *in = fdopen(*(int *)arg, "r");
	int next[THREADS] = {0}, number, line;
	char text[64], word[16];
	long whole = 0;

	while (fgets(text, sizeof(text), in) != NULL) {
		if (sscanf(text, "%d:%d:%15s", &number, &line, word) != 3)
			continue;
		whole += strcmp(word, "whole") == 0 && line == next[number]++;
	}
	fclose(in);
	return (void *)whole;
}

int main(void)
{
	pthread_t threads[THREADS], reader;
	int pair[2], small = 4096;

	unix_pair(SOCK_STREAM, pair);
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	shared = fdopen(pair[1], "w");
	setvbuf(shared, NULL, _IOLBF, 256);
	reader = start(count_lines, &pair[0]);
	for (intptr_t i = 0; i < THREADS; i++)
		threads[i] = start(print_lines, (void *)i);
	for (int i = 0; i < THREADS; i++)
		finish(threads[i]);
	flockfile(shared);
	flockfile(shared);
	finish(start(try_lock, shared));
	funlockfile(shared);
	funlockfile(shared);
	fclose(shared);
	say("whole lines, each thread's in order: %ld", (long)finish(reader));
	return 0;
}
