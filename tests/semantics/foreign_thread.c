/*
 * A kernel thread that the program made itself, past its C library: it and the library's threads
 * wait for each other by futexes.
 */
#include "guest.h"

#include <sched.h>
#include <sys/mman.h>

#define ROUNDS 300
#define STACK_BYTES 65536
#define TLS_BYTES 65536 /* below the thread pointer: more than the variables of a program need */
#define TCB_BYTES 4096

static uint32_t ball, lock, pi_word, first, second, requeued, gone;
static long guarded, guarded_by_pi;

/* The two sides play: a word that is one's own number means it is one's turn. */
static void play(uint32_t me)
{
	for (int i = 0; i < ROUNDS; i++) {
		while (__atomic_load_n(&ball, __ATOMIC_SEQ_CST) != me)
			futex(&ball, FUTEX_WAIT_PRIVATE, !me, NULL, NULL, 0);
		__atomic_store_n(&ball, !me, __ATOMIC_SEQ_CST);
		futex(&ball, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

/* 0 free, 1 held, 2 held and waited for (Drepper, Futexes are tricky). */
static void add_under_lock(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t state = 0;

		if (!__atomic_compare_exchange_n(&lock, &state, 1, 0, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			while (__atomic_exchange_n(&lock, 2, __ATOMIC_SEQ_CST) != 0)
				futex(&lock, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
		guarded++;
		if (i % 8 == 0)
			syscall(SYS_sched_yield);
		if (__atomic_exchange_n(&lock, 0, __ATOMIC_SEQ_CST) == 2)
			futex(&lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	}
}

static void add_under_pi_lock(void)
{
	uint32_t me = (uint32_t)syscall(SYS_gettid);

	for (int i = 0; i < ROUNDS; i++) {
		uint32_t state = 0;

		if (!__atomic_compare_exchange_n(&pi_word, &state, me, 0, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			while (futex(&pi_word, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) != 0)
				;
		guarded_by_pi++;
		if (i % 8 == 0)
			syscall(SYS_sched_yield);
		state = me;
		if (!__atomic_compare_exchange_n(&pi_word, &state, 0, 0, __ATOMIC_SEQ_CST,
						 __ATOMIC_SEQ_CST))
			futex(&pi_word, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
	}
}

static void *play_against(void *arg)
{
	play(0);
	add_under_lock();
	add_under_pi_lock();
	while (__atomic_load_n(&guarded_by_pi, __ATOMIC_SEQ_CST) < 2 * ROUNDS)
		usleep(1000);
	return arg;
}

static void be_foreign(void)
{
	play(1);
	add_under_lock();
	add_under_pi_lock();
	while (__atomic_load_n(&requeued, __ATOMIC_SEQ_CST) == 0)
		futex(&first, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/*
 * clone(2) by the instruction itself. The child runs on a stack and with a thread pointer of its
 * own: enough of one for system calls by way of the library.
 */
static void make_thread(char *stack_top, char *thread_pointer)
{
	long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
		     CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	register void *r8 __asm__("r8") = thread_pointer;
	register void *r10 __asm__("r10") = &gone;
	register void (*run)(void) __asm__("r12") = be_foreign;
	long result = SYS_clone;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%%r12\n\t"
			 "mov $60, %%eax\n\t"
			 "xor %%edi, %%edi\n\t"
			 "syscall\n"
			 "1:"
			 : "+a"(result)
			 : "D"(flags), "S"(stack_top), "d"(&gone), "r"(r10), "r"(r8), "r"(run)
			 : "rcx", "r11", "memory");
	check(result > 0);
}

static char *memory(size_t bytes)
{
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(at != MAP_FAILED);
	return at;
}

int main(void)
{
	char *stack = memory(STACK_BYTES), *local = memory(TLS_BYTES + TCB_BYTES) + TLS_BYTES;
	uint32_t id;
	pthread_t thread;

	become_threaded();
	((void **)local)[0] = local; /* where libraries find the thread pointer itself */
	((void **)local)[2] = local;
	thread = start(play_against, NULL);
	make_thread(stack + STACK_BYTES, local);
	finish(thread);
	say("guarded: %ld %ld", guarded, guarded_by_pi);

	/* It waits now, or will: move it to another word and wake it there. */
	while (futex(&first, FUTEX_REQUEUE_PRIVATE, 0, (void *)1, &second, 0) == 0)
		usleep(1000);
	__atomic_store_n(&requeued, 1, __ATOMIC_SEQ_CST);
	show(futex(&first, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	show(futex(&second, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	while ((id = __atomic_load_n(&gone, __ATOMIC_SEQ_CST)) != 0)
		futex(&gone, FUTEX_WAIT, id, NULL, NULL, 0);
	say("it is gone");
	return 0;
}
