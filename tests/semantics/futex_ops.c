/*
 * futex(2), futex_waitv(2) and their younger kin: what each operation, known or not, answers to
 * good and bad words, times, counts and flags, and what it leaves in the words.
 */
#include "guest.h"

#include <sys/mman.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define NR_FUTEX_WAKE 454
#define NR_FUTEX_WAIT 455
#define NR_FUTEX_REQUEUE 456

#define OPS 16

static uint32_t words[4];
static char *no_page, *read_only, *shared;
static struct timespec *past, *bad, *negative; /* at fixed addresses as well */

/* An id that is the caller's is shown as "me": it differs from run to run. */
static void say_word(const char *name, uint32_t word)
{
	uint32_t tid = word & FUTEX_TID_MASK;

	if (tid == (uint32_t)gettid())
		say("    %s: me%s%s", name, word & FUTEX_WAITERS ? " waiters" : "",
		    word & FUTEX_OWNER_DIED ? " died" : "");
	else if (word != 0)
		say("    %s: %#x", name, word);
}

static void ask(const char *what, uint32_t first, void *addr, int op, uint32_t value,
		const void *time, void *addr2, uint32_t value3)
{
	char text[160];

	words[0] = first;
	words[1] = 0;
	snprintf(text, sizeof(text), "op %d%s%s, %s", op & FUTEX_CMD_MASK,
		 op & FUTEX_PRIVATE_FLAG ? " private" : "",
		 op & FUTEX_CLOCK_REALTIME ? " realtime" : "", what);
	show_result(text, futex(addr, op, value, time, addr2, value3));
	say_word("first", words[0]);
	say_word("second", words[1]);
}

static void ask_all(int op)
{
	char *odd = (char *)words + 1, *half = (char *)words + 2;
	void *kernel = (void *)0xFFFF800000000000, *beyond = (void *)0x00007FFFFFFFFFFC;
	int command = op & FUTEX_CMD_MASK;

	ask("value differs", 0, words, op, 5, past, words + 1, 9);
	ask("time bad", 0, words, op, 0, bad, words + 1, 0);
	ask("time negative", 0, words, op, 0, negative, words + 1, 0);
	ask("time nowhere", 0, words, op, 0, no_page, words + 1, 0);
	ask("time past", 0, words, op, 0, past, words + 1, 0xFFFFFFFF);
	ask("no bits", 0, words, op, 0, past, words + 1, 0);
	ask("odd", 0, odd, op, 0, past, words + 1, 1);
	ask("half", 0, half, op, 0, past, words + 1, 1);
	ask("odd and time nowhere", 0, odd, op, 0, no_page, words + 1, 1);
	ask("second odd", 0, words, op, 1, past, odd, 0);
	ask("nowhere", 0, no_page, op, 0, past, words + 1, 1);
	ask("nowhere, odd", 0, no_page + 1, op, 0, past, words + 1, 1);
	ask("null", 0, NULL, op, 0, past, words + 1, 1);
	ask("kernel's", 0, kernel, op, 0, past, words + 1, 1);
	ask("beyond", 0, beyond, op, 0, past, words + 1, 1);
	ask("second nowhere", 0, words, op, 1, (void *)1, no_page, 0);
	ask("second the kernel's", 0, words, op, 1, (void *)1, kernel, 0);
	ask("read only", 0, read_only, op, 0, past, words + 1, 1);
	ask("second read only", 0, words, op, 1, (void *)1, read_only, 0);
	ask("both the same", 0, words, op, 1, (void *)1, words, 0);
	ask("count 0", 0x3fffff, words, op, 0, (void *)0, words + 1, 0);
	ask("count negative", 0x3fffff, words, op, (uint32_t)-1, (void *)1, words + 1, 0);
	ask("second count negative", 0, words, op, 1, (void *)-1, words + 1, 0);
	ask("in shared memory", 0, shared, op, 7, past, shared + 4, 9);
	if (command >= FUTEX_LOCK_PI && command <= FUTEX_TRYLOCK_PI) {
		ask("held by nobody alive", 0x3fffff, words, op, 0, past, words + 1, 1);
		ask("mine", (uint32_t)gettid(), words, op, 0, past, words + 1, 1);
		ask("mine, waiters", (uint32_t)gettid() | FUTEX_WAITERS, words, op, 0, past,
		    words + 1, 1);
		ask("owner died", FUTEX_OWNER_DIED, words, op, 0, past, words + 1, 1);
		ask("waiters, owner died", FUTEX_OWNER_DIED | FUTEX_WAITERS, words, op, 0, past,
		    words + 1, 1);
		ask("waiters of none", FUTEX_WAITERS, words, op, 0, past, words + 1, 1);
	}
	if (command == FUTEX_WAKE_OP) {
		ask("bad operation", 0, words, op, 1, (void *)1, words + 1, 0x70000000);
		ask("bad operation nowhere", 0, words, op, 1, (void *)1, no_page, 0x70000000);
		ask("bad comparison", 0, words, op, 1, (void *)1, words + 1,
		    (uint32_t)FUTEX_OP(FUTEX_OP_ADD, 3, 15, 0));
		ask("first nowhere", 0, no_page, op, 1, (void *)1, words + 1,
		    (uint32_t)FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 0));
		ask("shift", 0, words, op, 1, (void *)1, words + 1,
		    (uint32_t)FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 4, 0, 0));
	}
}

static long waitv(const void *vector, unsigned int n, unsigned int flags, const void *time,
		  clockid_t clock)
{
	return syscall(SYS_futex_waitv, vector, n, flags, time, clock);
}

static void ask_waitv(void)
{
	struct futex_waitv one = {.uaddr = (uintptr_t)words, .flags = FUTEX_32};
	struct futex_waitv two[2] = {one, one}, many[129];

	words[0] = words[1] = 0;
	two[1].uaddr = (uintptr_t)(words + 1);
	for (int i = 0; i < 129; i++)
		many[i] = one;
	show(waitv(&one, 1, 1, past, CLOCK_MONOTONIC));
	show(waitv(&one, 0, 0, past, CLOCK_MONOTONIC));
	show(waitv(NULL, 1, 0, past, CLOCK_MONOTONIC));
	show(waitv(no_page, 1, 0, past, CLOCK_MONOTONIC));
	show(waitv(many, 129, 0, past, CLOCK_MONOTONIC));
	show(waitv(many, 128, 0, past, CLOCK_MONOTONIC));
	show(waitv(&one, 1, 0, past, CLOCK_BOOTTIME));
	show(waitv(&one, 1, 0, bad, CLOCK_MONOTONIC));
	show(waitv(&one, 1, 0, no_page, CLOCK_MONOTONIC));
	show(waitv(&one, 1, 0, past, CLOCK_REALTIME));
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1].val = 5;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1].val = 0;
	two[1].uaddr = (uintptr_t)words + 1;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1].uaddr = (uintptr_t)no_page;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1] = one;
	two[1].flags = 0x40;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1].flags = 0;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1] = one;
	two[1].__reserved = 1;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
	two[1] = one;
	two[1].val = 1ULL << 40;
	show(waitv(two, 2, 0, past, CLOCK_MONOTONIC));
}

/* Linux 6.7. */
static void ask_younger(void)
{
	static const unsigned int flags[] = {FUTEX_32, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0, 3, 0x40};
	struct futex_waitv two[2] = {{.uaddr = (uintptr_t)words, .flags = FUTEX_32},
				     {.uaddr = (uintptr_t)(words + 1), .flags = FUTEX_32}};
	char *odd = (char *)words + 1;

	words[0] = words[1] = 0;
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		unsigned int flag = flags[i];

		say("flags %#x", flag);
		show(syscall(NR_FUTEX_WAKE, words, 1UL, 1, flag));
		show(syscall(NR_FUTEX_WAKE, words, 0UL, 1, flag));
		show(syscall(NR_FUTEX_WAKE, words, 1UL << 40, 1, flag));
		show(syscall(NR_FUTEX_WAKE, odd, 1UL, 1, flag));
		show(syscall(NR_FUTEX_WAKE, no_page, 1UL, 1, flag));
		show(syscall(NR_FUTEX_WAIT, words, 0UL, 1UL, flag, past, CLOCK_MONOTONIC));
		show(syscall(NR_FUTEX_WAIT, words, 5UL, 1UL, flag, NULL, 0));
		show(syscall(NR_FUTEX_WAIT, words, 0UL, 0UL, flag, past, CLOCK_MONOTONIC));
		show(syscall(NR_FUTEX_WAIT, words, 0UL, 1UL, flag, bad, CLOCK_MONOTONIC));
		show(syscall(NR_FUTEX_WAIT, words, 0UL, 1UL, flag, no_page, CLOCK_MONOTONIC));
		show(syscall(NR_FUTEX_WAIT, words, 0UL, 1UL, flag, past, CLOCK_BOOTTIME));
		show(syscall(NR_FUTEX_WAIT, words, 1UL << 40, 1UL, flag, past, 0));
		show(syscall(NR_FUTEX_WAIT, odd, 0UL, 1UL, flag, past, CLOCK_REALTIME));
		show(syscall(NR_FUTEX_WAIT, no_page, 0UL, 1UL, flag, past, CLOCK_REALTIME));
		two[1].flags = flag;
		show(syscall(NR_FUTEX_REQUEUE, two, 0, 1, 1));
		show(syscall(NR_FUTEX_REQUEUE, two, 1, 1, 1));
		show(syscall(NR_FUTEX_REQUEUE, NULL, 0, 1, 1));
		show(syscall(NR_FUTEX_REQUEUE, no_page, 0, 1, 1));
		show(syscall(NR_FUTEX_REQUEUE, two, 0, -1, 1));
	}
	two[0].val = 3;
	two[1].flags = FUTEX_32;
	show(syscall(NR_FUTEX_REQUEUE, two, 0, 1, 1));
}

static void *ask_everything(void *arg)
{
	static const int flags[] = {0, FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME,
				    FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME};

	for (int op = 0; op < OPS; op++)
		for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
			ask_all(op | flags[i]);
	ask_all(0x7f);
	ask_all(0x1000);
	ask_waitv();
	ask_younger();
	return arg;
}

/* At the same place in each run: an address may be taken for a count. */
static char *page(char *place, int protection, int flags)
{
	char *at =
		mmap(place, 4096, protection, flags | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	check(at != MAP_FAILED);
	return at;
}

int main(void)
{
	no_page = page((char *)0x100000000000, PROT_NONE, MAP_PRIVATE);
	read_only = page((char *)0x100000010000, PROT_READ, MAP_PRIVATE);
	shared = page((char *)0x100000020000, PROT_READ | PROT_WRITE, MAP_SHARED);
	past = (void *)page((char *)0x100000030000, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	bad = past + 1;
	negative = past + 2;
	*past = (struct timespec){0, 1};
	*bad = (struct timespec){0, 1000000000};
	*negative = (struct timespec){-1, 0};
	say("in a thread");
	finish(start(ask_everything, NULL));
	say("in the first thread");
	ask_everything(NULL);
	return 0;
}
