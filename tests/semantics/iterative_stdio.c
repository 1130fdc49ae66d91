/* A stream for each connection: fdopen, fgets, fprintf, fscanf, getline, while others have theirs. */
#include "serve.h"

#define CLIENTS 50
#define LINES 12

static void serve_lines(FILE *in, FILE *out)
{
	char word[64], *line = NULL;
	size_t room = 0;
	int lines = 0;
	long sum = 0, number;

	check(fscanf(in, "%63s", word) == 1);
	if (strcmp(word, "end") == 0) {
		check_end();
		exit(0);
	}
	check(fgetc(in) == '\n');
	while (getline(&line, &room, in) > 0) {
		check(sscanf(line, "line %ld", &number) == 1);
		sum += number;
		lines++;
		fprintf(out, "%s %d: %s", word, lines, line);
		if (lines % 4 == 0)
			fflush(out);
		usleep(500);
	}
	fprintf(out, "%s has said %d lines, sum %ld\n", word, lines, sum);
	free(line);
}

static void serve(int fd)
{
	FILE *in, *out;

	begin_service();
	in = fdopen(fd, "r");
	out = fdopen(dup(fd), "w");
	check(in != NULL && out != NULL);
	serve_lines(in, out);
	check(fclose(out) == 0 && fclose(in) == 0);
	end_service();
}

static void make(char *text, int i)
{
	int length = sprintf(text, "client%d\n", i);

	for (int line = 0; line < LINES; line++)
		length += sprintf(text + length, "line %d\n", i * LINES + line);
}

static void judge(const char *heard, int i)
{
	char right[64];
	const char *last = heard;

	sprintf(right, "client%d 1: line %d\n", i, i * LINES);
	check(strncmp(heard, right, strlen(right)) == 0);
	for (const char *end = strchr(last, '\n'); end[1] != '\0'; end = strchr(last, '\n'))
		last = end + 1;
	say("%.*s", (int)strcspn(last, "\n"), last);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

int main(void)
{
	int listener = begin_server(drive);

	for (;;)
		serve(accept_one(listener)); /* which closes it */
}
