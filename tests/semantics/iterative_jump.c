/* Jumps, alloca, recursion and large frames while other connections have the stack in between. */
#include "serve.h"

#include <alloca.h>
#include <setjmp.h>

#define CLIENTS 40

static sigjmp_buf out_of_handler;

static void jump_out(int number)
{
	siglongjmp(out_of_handler, number);
}

static void give_turn(void)
{
	usleep(2000);
}

/* Errors leave nested calls by a jump, from behind a wait. */
static void count_down(jmp_buf *error, int n, int from)
{
	volatile int mine = n;

	give_turn();
	if (n > 0)
		count_down(error, n - 1, from);
	if (mine == 0)
		longjmp(*error, from);
}

static int jump_back(int n)
{
	jmp_buf error;
	volatile int tries = 0;
	int from = setjmp(error);

	tries++;
	give_turn();
	if (tries <= 3)
		count_down(&error, n % 7 + 1, n + tries);
	return from;
}

/* The place to jump to is a static: no wait between the one and the other. */
static int jump_from_signal(int n)
{
	int number = sigsetjmp(out_of_handler, 1);
	sigset_t mask;

	if (number == 0)
		raise(n % 2 == 0 ? SIGUSR1 : SIGUSR2);
	check(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
	check(!sigismember(&mask, SIGUSR1) && !sigismember(&mask, SIGUSR2));
	give_turn();
	return number == (n % 2 == 0 ? SIGUSR1 : SIGUSR2);
}

static int take_room(int n)
{
	size_t bytes = (size_t)(n * 977 % 9000 + 1);
	char *room = alloca(bytes);

	fill(room, bytes, (uint64_t)n);
	give_turn();
	return is_filled(room, bytes, (uint64_t)n);
}

__attribute__((noinline)) static int go_deep(int n, int depth)
{
	volatile char frame[1024];

	frame[0] = (char)n;
	frame[sizeof(frame) - 1] = (char)depth;
	if (depth > 0)
		check(go_deep(n, depth - 1) == n);
	else
		give_turn();
	check(frame[0] == (char)n && frame[sizeof(frame) - 1] == (char)depth);
	return n;
}

__attribute__((noinline)) static int have_large_frame(int n)
{
	char frame[180000];

	fill(frame, sizeof(frame), (uint64_t)n);
	give_turn();
	return is_filled(frame, sizeof(frame), (uint64_t)n);
}

static void serve(int fd)
{
	char line[64];
	int n;

	begin_service();
	check(read_line(fd, line, sizeof(line)));
	if (strcmp(line, "end") == 0) {
		check_end();
		exit(0);
	}
	n = atoi(line);
	answer(fd, "%d %d %d %d %d %d", n, jump_back(n), jump_from_signal(n), take_room(n),
	       go_deep(n, n % 3 == 0 ? 150 : 20), n % 4 == 0 ? have_large_frame(n) : 1);
	end_service();
}

static void make(char *text, int i)
{
	sprintf(text, "%d\n", i);
}

static void judge(const char *heard, int i)
{
	char right[64];

	sprintf(right, "%d %d 1 1 %d 1", i, i + 3, i);
	check(strcmp(heard, right) == 0);
	say("%s", heard);
}

static void drive(void)
{
	say_and_hear(CLIENTS, make, judge);
	end_server();
}

int main(void)
{
	int listener;

	check(signal(SIGUSR1, jump_out) != SIG_ERR);
	check(signal(SIGUSR2, jump_out) != SIG_ERR);
	listener = begin_server(drive);
	for (;;) {
		int fd = accept_one(listener);

		serve(fd);
		close(fd);
	}
}
