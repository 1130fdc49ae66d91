/*
 * Calls that return twice, not at all, or elsewhere, made by code that came to be at run time,
 * while another thread is parked.
 */
#include "made_code.h"

#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

#define STACK_BYTES 65536
#define SEGMENTS (0x33UL | 0x2bUL << 48) /* cs and ss of a 64-bit program, as in a ucontext */

static made_call *made_fork, *made_vfork, *made_clone, *made_clone3, *made_wait4, *made_exit,
	*made_exit_group, *made_execve, *made_sigreturn, *made_tgkill;
static int never[2];
static ucontext_t kept;
static long kept_return; /* where the call that the handler interrupted returns to */

static void reap(const char *what, long child)
{
	int status;

	check(child > 0);
	check(made(made_wait4, child, &status, __WALL, NULL) == child);
	say_status(what, status);
}

static void fork_made(void)
{
	long child = made(made_fork, 0);

	if (child == 0) {
		become_threaded(); /* it has threads of its own */
		made(made_exit_group, 7);
	}
	reap("fork", child);
}

static void vfork_made(void)
{
	static char *const argv[] = {"sh", "-c", "exit 8", NULL}, *const environment[] = {NULL};
	long child = made(made_vfork, 0);

	if (child == 0) {
		made(made_execve, "/bin/sh", argv, environment);
		made(made_exit_group, 127);
	}
	reap("vfork", child);
}

static char *make_stack(void)
{
	char *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);

	check(stack != MAP_FAILED);
	return stack + STACK_BYTES;
}

/* It runs in this memory, and begins where its stack says: with exit(9). */
static void clone_made(void)
{
	struct clone_args call = {.flags = CLONE_VM, .exit_signal = SIGCHLD};
	void **top = (void **)make_stack();

	*--top = make_code(made_end_begin, made_end_end, -1);
	reap("clone", made(made_clone, CLONE_VM | SIGCHLD, top, NULL, NULL, 0));
	call.stack = (uintptr_t)top - STACK_BYTES / 2;
	call.stack_size = STACK_BYTES / 2;
	reap("clone3", made(made_clone3, &call, sizeof(call)));
	say_made("a clone that cannot be",
		 made(made_clone, CLONE_THREAD | SIGCHLD, top, NULL, NULL, 0));
	say_made("another", made(made_clone, CLONE_VM | CLONE_THREAD, top, NULL, NULL, 0));
}

static void keep(int signal, siginfo_t *info, void *ucontext)
{
	(void)signal;
	(void)info;
	kept = *(ucontext_t *)ucontext;
	kept_return = *(long *)kept.uc_mcontext.gregs[REG_RSP];
}

/* What a handler would return by, with a state that the program has changed. */
static void return_again(void)
{
	struct sigaction action = {.sa_sigaction = keep, .sa_flags = SA_SIGINFO};
	pid_t thread = (pid_t)syscall(SYS_gettid);
	volatile int times = 0;
	sigset_t mask;
	stack_t stack;
	long result;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	result = made_tgkill(getpid(), thread, SIGUSR1, 0, 0, 0);
	if (times++ == 0) {
		kept.uc_flags = 0;
		kept.uc_mcontext.fpregs = NULL;
		kept.uc_mcontext.gregs[REG_RAX] = 5;
		kept.uc_mcontext.gregs[REG_CSGSFS] = (long)SEGMENTS;
		kept.uc_mcontext.gregs[REG_EFL] = 0x202;
		sigaddset(&kept.uc_sigmask, SIGUSR2);
		/* the stack of that call has been used again since */
		__asm__ volatile("mov %0, %%rsp; mov %2, (%3); jmp *%1"
				 :
				 : "r"(memcpy(make_stack() - sizeof(kept), &kept, sizeof(kept))),
				   "r"(made_sigreturn), "r"(kept_return),
				   "r"(kept.uc_mcontext.gregs[REG_RSP])
				 : "memory");
	}
	check(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	check(sigaltstack(NULL, &stack) == 0);
	say("returned again: %d, with %ld", times, result);
	say("blocked now: %d %d, alternate stack: %d", sigismember(&mask, SIGUSR1),
	    sigismember(&mask, SIGUSR2), (stack.ss_flags & SS_DISABLE) == 0);
}

static void answer_trapped(int signal, siginfo_t *info, void *ucontext)
{
	(void)signal;
	say("trapped: %d %d", info->si_code, info->si_syscall == SYS_getppid);
	((ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RAX] = 42;
}

/* A filter of the program's own sends SIGSYS, too (seccomp(2)). */
static void trap_getppid(void)
{
	struct sigaction action = {.sa_sigaction = answer_trapped, .sa_flags = SA_SIGINFO};
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(rules) / sizeof(*rules), rules};

	check(sigaction(SIGSYS, &action, NULL) == 0);
	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

/* Its first thread comes when SIGSYS is blocked and ignored. */
static void live_with_sigsys(void)
{
	made_call *made_getppid = make_call(SYS_getppid);
	sigset_t all;

	sigfillset(&all);
	check(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
	check(signal(SIGSYS, SIG_IGN) == SIG_DFL);
	become_threaded();
	say("ignored: %d", made(made_getppid, 0) == getppid() && kill(getpid(), SIGSYS) == 0);
	check(sigprocmask(SIG_UNBLOCK, &all, NULL) == 0);
	trap_getppid();
	say_made("a trapped call", made(made_getppid, 0));
	made(made_exit_group, 5);
}

/* Calls as 32-bit programs make them: no kernel has to know how. */
static void call_by_int80(void)
{
	long result;

	become_threaded();
	for (int i = 0; i < 3; i++) {
		__asm__ volatile("int $0x80"
				 : "=a"(result)
				 : "0"(20) /* getpid */
				 : "r8", "r9", "r10", "r11", "memory");
		check(result == getpid());
	}
	made(made_exit_group, 6);
}

static void live_oddly(void)
{
	long child = made(made_fork, 0);

	if (child == 0)
		live_with_sigsys();
	reap("SIGSYS", child);
	child = made(made_fork, 0);
	if (child == 0)
		call_by_int80();
	reap("int $0x80", child);
}

static void do_all(void)
{
	live_oddly();
	fork_made();
	vfork_made();
	clone_made();
	return_again();
}

static void *leave(void *arg)
{
	do_all();
	made(made_exit, 0);
	return arg;
}

int main(void)
{
	pthread_t parked;

	made_fork = make_call(SYS_fork);
	made_vfork = (made_call *)make_code(made_vfork_begin, made_vfork_end, -1);
	made_clone = make_call(SYS_clone);
	made_clone3 = make_call(SYS_clone3);
	made_wait4 = make_call(SYS_wait4);
	made_exit = make_call(SYS_exit);
	made_exit_group = make_call(SYS_exit_group);
	made_execve = make_call(SYS_execve);
	made_sigreturn = make_call(SYS_rt_sigreturn);
	made_tgkill = make_call(SYS_tgkill);
	check(pipe(never) == 0);
	parked = start(read_byte, &never[0]);
	settle();
	do_all();
	finish(start(leave, NULL));
	write_all(never[1], "x", 1);
	finish(parked);
	made(made_exit_group, 23);
	return 0;
}
