/*
 * Threads wait in system calls that are made by code which came to be at run time. Each wait is
 * ended by another thread, which therefore has to run meanwhile.
 */
#include "made_code.h"

#define THREADS 8
#define ROUNDS 200
#define LONG_SLEEP_S 1000

static made_call *made_read, *made_write, *made_nanosleep, *made_futex, *made_gettid, *made_getppid,
	*made_tgkill, *made_sigprocmask, *made_unknown;
static int lines[2], ring[THREADS][2];
static uint32_t word;
static volatile int caught, is_interrupted;
static volatile pid_t waiter_tid;

static void count(int signal)
{
	(void)signal;
	caught++;
}

static void *sleep_long(void *ret_left)
{
	struct timespec time = {LONG_SLEEP_S, 0};
	long result;

	waiter_tid = (pid_t)made(made_gettid, 0);
	result = made(made_nanosleep, &time, ret_left);
	is_interrupted = 1;
	return (void *)result;
}

/* Whoever sleeps does not keep the one from running who wakes it. */
static void interrupt_a_sleep(void)
{
	struct sigaction action = {.sa_handler = count};
	struct timespec left = {0, 0};
	pthread_t sleeper;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	caught = is_interrupted = 0;
	sleeper = start(sleep_long, &left);
	while (waiter_tid == 0)
		usleep(1000);
	/* one that comes before it sleeps ends nothing */
	while (!is_interrupted) {
		settle();
		if (!is_interrupted)
			check(made(made_tgkill, getpid(), waiter_tid, SIGUSR1) == 0);
	}
	say_made("a sleep that a signal ends", (long)finish(sleeper));
	say("handled: %d, some is left: %d", caught > 0, left.tv_sec > 0);
}

static void *read_made(void *arg)
{
	char byte;
	long result = made(made_read, lines[0], &byte, 1);

	(void)arg;
	is_interrupted = 1;
	return (void *)result;
}

static void read_a_pipe(void)
{
	pthread_t reader = start(read_made, NULL);

	settle();
	say_made("write", made(made_write, lines[1], "x", 1));
	say_made("read", (long)finish(reader));
}

static void interrupt_a_read(int flags, const char *what)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = flags};
	pthread_t reader;

	check(sigaction(SIGUSR1, &action, NULL) == 0);
	caught = is_interrupted = 0;
	reader = start(read_made, NULL);
	if (flags == SA_RESTART) {
		settle();
		check(pthread_kill(reader, SIGUSR1) == 0);
		while (caught == 0)
			usleep(1000);
		made(made_write, lines[1], "x", 1);
	} else {
		interrupt_until(&is_interrupted, reader, SIGUSR1);
	}
	say_made(what, (long)finish(reader));
}

static void *cancel_me(void *arg)
{
	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	return read_made(arg);
}

static void cancel_a_read(void)
{
	pthread_t reader = start(cancel_me, NULL);

	settle();
	check(pthread_cancel(reader) == 0);
	say("a read that is cancelled: %d", finish(reader) == PTHREAD_CANCELED);
}

static void *wait_for_word(void *arg)
{
	(void)arg;
	return (void *)made(made_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
}

static void wake_a_waiter(void)
{
	struct timespec soon = {0, 1000000};
	pthread_t waiter;

	say_made("a futex of another value", made(made_futex, &word, FUTEX_WAIT_PRIVATE, 5, NULL));
	say_made("a futex for a while", made(made_futex, &word, FUTEX_WAIT_PRIVATE, 0, &soon));
	waiter = start(wait_for_word, NULL);
	while (made(made_futex, &word, FUTEX_WAKE_PRIVATE, 1) == 0)
		usleep(1000);
	say_made("a futex that is woken", (long)finish(waiter));
}

/* Thread n waits for a byte of its own line and passes it on, one further each round. */
static void *pass_on(void *arg)
{
	long n = (long)arg;
	unsigned char byte;

	for (int round = 0; round < ROUNDS; round++) {
		check(made(made_read, ring[n][0], &byte, 1) == 1);
		byte++;
		check(made(made_write, ring[(n + 1) % THREADS][1], &byte, 1) == 1);
	}
	return NULL;
}

static void pass_around(void)
{
	pthread_t thread[THREADS];
	unsigned char byte = 0;

	for (int n = 0; n < THREADS; n++)
		check(pipe(ring[n]) == 0);
	for (long n = 0; n < THREADS; n++)
		thread[n] = start(pass_on, (void *)n);
	check(made(made_write, ring[0][1], &byte, 1) == 1);
	for (int n = 0; n < THREADS; n++)
		finish(thread[n]);
	check(made(made_read, ring[0][0], &byte, 1) == 1);
	say("passed around: %d", byte);
}

static void make_mistakes(void)
{
	say_made("read of no descriptor", made(made_read, -1, &word, 1));
	say_made("write from nowhere", made(made_write, lines[1], 8, 1));
	say_made("sleep for a time nowhere", made(made_nanosleep, 8, NULL));
	say_made("futex nowhere", made(made_futex, 8, FUTEX_WAIT_PRIVATE, 0, NULL));
	say_made("no call has this number", made(made_unknown, 0));
}

/* All are blocked by such a call: those go on all the same, and others' masks are theirs. */
static void *block_all(void *arg)
{
	sigset_t mask;
	long all = -1;

	check(made(made_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all)) == 0);
	check(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	say("blocked in the thread: %d %d", sigismember(&mask, SIGUSR1),
	    sigismember(&mask, SIGSYS));
	say("its parent is main's: %d", made(made_getppid, 0) == getppid());
	read_made(arg);
	return NULL;
}

static void *block_for_another(void *arg)
{
	pthread_t blocker = start(block_all, NULL);
	sigset_t mask;

	settle();
	check(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
	write_all(lines[1], "x", 1);
	finish(blocker);
	say("blocked in another: %d %d", sigismember(&mask, SIGUSR1), sigismember(&mask, SIGSYS));
	return arg;
}

static void raise_sigsys(void)
{
	struct sigaction action = {.sa_handler = count};

	check(sigaction(SIGSYS, &action, NULL) == 0);
	caught = 0;
	check(raise(SIGSYS) == 0);
	check(kill(getpid(), SIGSYS) == 0);
	while (caught < 2)
		usleep(1000);
	say("SIGSYS is handled: %d", caught);
}

/* Nobody needs more of a stack for a call than what it returns to. */
static long call_with_little_stack(made_call *call, long a, long b, long c)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long result;

	check(pages != MAP_FAILED && mprotect(pages, 4096, PROT_NONE) == 0);
	__asm__ volatile("mov %%rsp, %%rbx\n"
			 "mov %[stack], %%rsp\n"
			 "call *%[call]\n"
			 "mov %%rbx, %%rsp\n"
			 : "=a"(result), "+D"(a), "+S"(b), "+d"(c)
			 : [stack] "r"(pages + 4096 + 256), [call] "r"(call)
			 : "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	check(munmap(pages, 8192) == 0);
	return result;
}

static void *read_with_little_stack(void *arg)
{
	char byte;

	check(call_with_little_stack(made_getppid, 0, 0, 0) == getppid());
	for (int i = 0; i < 3; i++)
		check(call_with_little_stack(made_read, lines[0], (long)&byte, 1) == 1);
	return arg;
}

static void use_little_stack(void)
{
	struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART | SA_ONSTACK};
	stack_t stack = {.ss_size = 65536}, none = {.ss_flags = SS_DISABLE};
	pthread_t other = start(read_with_little_stack, NULL);

	settle();
	for (int i = 0; i < 3; i++)
		check(made(made_write, lines[1], "x", 1) == 1);
	finish(other);
	stack.ss_sp = malloc(stack.ss_size);
	check(sigaction(SIGUSR1, &action, NULL) == 0 && sigaltstack(&stack, NULL) == 0);
	caught = 0;
	check(call_with_little_stack(made_tgkill, getpid(), made(made_gettid, 0), SIGUSR1) == 0);
	check(sigaltstack(&none, NULL) == 0);
	free(stack.ss_sp);
	say("with little stack, handled: %d", caught);
}

/* Of what a call destroys, rcx and r11, nobody can say anything; the rest is as it was. */
static void keep_registers(void)
{
	unsigned char before[16][16], after[16][16] = {{0}};
	register long r8 __asm__("r8") = 8, r9 __asm__("r9") = 9, r10 __asm__("r10") = 10;
	register long r12 __asm__("r12") = 12, r13 __asm__("r13") = 13;
	register long r14 __asm__("r14") = 14, r15 __asm__("r15") = 15;
	long rdi = 1, rsi = 2, rdx = 3, result;

	fill(before, sizeof(before), 7);
#define LOAD(n) "movdqu " #n "*16(%[before]), %%xmm" #n "\n"
#define STORE(n) "movdqu %%xmm" #n ", " #n "*16(%[after])\n"
#define EACH(do) \
	do \
	(0) do(1) do(2) do(3) do(4) do(5) do(6) do(7) do(8) do(9) do(10) do(11) do(12) do(13) do( \
		14) do(15)
	__asm__ volatile(EACH(LOAD) "mov %[call], %%rax\n"
				    "call *%%rax\n"
			 : "=&a"(result), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r8), "+r"(r9),
			   "+r"(r10), "+r"(r12), "+r"(r13), "+r"(r14), "+r"(r15)
			 : [before] "b"(before), [call] "m"(made_getppid)
			 : "rcx", "r11", "memory", "cc");
	__asm__ volatile(EACH(STORE) : : [after] "r"(after) : "memory");
	say("registers: %ld %ld %ld %ld %ld %ld %ld %ld %ld", rdi, rsi, rdx, r8, r9, r12, r13, r14,
	    r15);
	say("wide ones: %d, result: %d", memcmp(before, after, sizeof(after)) == 0,
	    result == getppid());
}

int main(void)
{
	made_read = make_call(SYS_read);
	made_write = make_call(SYS_write);
	made_nanosleep = make_call(SYS_nanosleep);
	made_futex = make_call(SYS_futex);
	made_gettid = make_call(SYS_gettid);
	made_getppid = make_call(SYS_getppid);
	made_tgkill = make_call(SYS_tgkill);
	made_sigprocmask = make_call(SYS_rt_sigprocmask);
	made_unknown = make_call(100000);
	check(pipe(lines) == 0);
	become_threaded();
	interrupt_a_sleep();
	read_a_pipe();
	interrupt_a_read(SA_RESTART, "a read that starts over");
	interrupt_a_read(0, "a read that a signal ends");
	cancel_a_read();
	wake_a_waiter();
	pass_around();
	make_mistakes();
	finish(start(block_for_another, NULL));
	raise_sigsys();
	use_little_stack();
	keep_registers();
	return 23;
}
