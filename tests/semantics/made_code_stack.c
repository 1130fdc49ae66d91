/*
 * Children that borrow memory, made by code that came to be at run time, on a stack of the program's
 * own: as runtimes do that make their calls themselves. The child begins on the stack of its maker.
 */
#include "made_code.h"

#include <sys/wait.h>
#include <ucontext.h>

#define STACK_BYTES 4096

static char stack[STACK_BYTES];
static ucontext_t outside, inside;
static made_call *made_vfork, *made_execve, *made_exit;
static long child;

static void make_child(void)
{
	static char *const argv[] = {"sh", "-c", "exit 8", NULL}, *const environment[] = {NULL};

	child = made(made_vfork, 0);
	if (child == 0) {
		made(made_execve, "/bin/sh", argv, environment);
		made(made_exit, 127);
	}
}

static void *make_children(void *arg)
{
	int status;

	for (int i = 0; i < 20; i++) {
		check(getcontext(&inside) == 0);
		inside.uc_stack = (stack_t){.ss_sp = stack, .ss_size = sizeof(stack)};
		inside.uc_link = &outside;
		makecontext(&inside, make_child, 0);
		check(swapcontext(&outside, &inside) == 0);
		check(child > 0 && waitpid((pid_t)child, &status, 0) == (pid_t)child);
		check(WIFEXITED(status) && WEXITSTATUS(status) == 8);
	}
	return arg;
}

int main(void)
{
	made_vfork = (made_call *)make_code(made_vfork_begin, made_vfork_end, -1);
	made_execve = make_call(SYS_execve);
	made_exit = make_call(SYS_exit_group);
	become_threaded();
	make_children(NULL);
	finish(start(make_children, NULL));
	say("all children have run");
	return 0;
}
