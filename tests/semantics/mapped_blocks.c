/*
 * Blocks of memory that malloc(3) maps one by one: what a call finds where one has been, what is in
 * the next one, and what happens to one that has been changed before it is free.
 */
#include "guest.h"
#include "sandbox.h"

#include <malloc.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define PAGE 4096L
#define BLOCK 20000L
#define MAPPED (5 * PAGE)
#define THREADS 8
#define TURNS 2000

static sigjmp_buf faulted;

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(faulted, 1);
}

static const char *looks(const volatile char *at)
{
	if (sigsetjmp(faulted, 1) != 0)
		return "a fault";
	return *at == 0 ? "zero" : "something";
}

static const char *outcome(long result)
{
	return result == 0 ? "works" : strerrorname_np(errno);
}

/* Stores that are lost with a free block would be left out else. */
static void use(char *block, int byte)
{
	memset(block, byte, BLOCK);
	__asm__ volatile("" : : "r"(block) : "memory");
}

/* Where the mapping of a block begins. */
static char *mapping_of(char *block)
{
	check(block != NULL && ((uintptr_t)block & (PAGE - 1)) == 16);
	return block - 16;
}

/* What there is of the heap goes first. */
static void use_up_heap(void)
{
	while (((uintptr_t)malloc(BLOCK) & (PAGE - 1)) != 16)
		;
}

/* A block that was used and is free, and where it was mapped. */
static char *free_block(void)
{
	char *block = malloc(BLOCK), *mapping = mapping_of(block);

	use(block, 0xAA);
	free(block);
	return mapping;
}

static bool is_zero(const char *block)
{
	for (long i = 0; i < BLOCK; i++)
		if (block[i] != 0)
			return false;
	return true;
}

static void next_is_clear(void)
{
	for (int i = 0; i < 3; i++) {
		char *block, *other;

		free_block();
		block = calloc(1, BLOCK);
		other = calloc(1, BLOCK);
		say("the next block is %s, and one more %s", is_zero(block) ? "clear" : "not clear",
		    is_zero(other) ? "clear" : "not clear");
		use(block, 1);
		use(other, 2);
		check(block[0] == 1 && block[BLOCK - 1] == 1 && other[BLOCK - 1] == 2);
		free(other);
		free(block);
	}
}

/* Where a free block was, no call finds memory. */
static void calls_find_nothing(void)
{
	unsigned char in[5];
	char byte, *at;
	struct iovec here = {&byte, 1}, there;

	say("mincore: %s", outcome(mincore(free_block(), MAPPED, in)));
	say("msync: %s", outcome(msync(free_block(), MAPPED, MS_ASYNC)));
	say("mprotect: %s", outcome(mprotect(free_block(), MAPPED, PROT_READ)));
	say("madvise: %s", outcome(madvise(free_block(), MAPPED, MADV_DONTNEED)));
	say("mlock: %s", outcome(mlock(free_block(), MAPPED)));
	at = mremap(free_block(), MAPPED, 2 * MAPPED, MREMAP_MAYMOVE);
	say("mremap: %s", at == MAP_FAILED ? strerrorname_np(errno) : "works");
	there = (struct iovec){free_block(), 1};
	say("process_vm_readv: %s", process_vm_readv(getpid(), &here, 1, &there, 1, 0) < 0
					    ? strerrorname_np(errno)
					    : "works");
	at = free_block();
	at = mmap(at, MAPPED, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	say("mmap there: %s, %s", at == MAP_FAILED ? strerrorname_np(errno) : "works", looks(at));
	check(munmap(at, MAPPED) == 0);
	say("after a second munmap: %s", outcome(munmap(at, MAPPED)));
}

/* What the program has mapped itself is gone once it is unmapped. */
static void own_is_gone(void)
{
	char *at = mmap(NULL, MAPPED, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int pipe_fds[2];

	check(at != MAP_FAILED && pipe(pipe_fds) == 0);
	at[0] = 1;
	check(munmap(at, MAPPED) == 0);
	say("its own, unmapped: %s", looks(at));
	say("written to a pipe: %s", outcome(write(pipe_fds[1], at, 1)));
	check(syscall(SYS_mmap, at, MAPPED, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (long)at);
	say("mapped again: %s", looks(at));
	check(munmap(at, MAPPED) == 0);
}

/* How much memory is locked, in KB. */
static long locked(void)
{
	char line[128];
	FILE *status = fopen("/proc/self/status", "re");
	long kb = -1;

	while (kb < 0 && fgets(line, sizeof(line), status) != NULL)
		sscanf(line, "VmLck: %ld kB", &kb);
	fclose(status);
	return kb;
}

/* A block that was locked, closed or advised is like any other once it is free. */
static void changes_end_with_it(void)
{
	char *block = malloc(BLOCK), *next;
	pid_t child;
	int status;

	check(mlock(block, BLOCK) == 0);
	free(block);
	next = calloc(1, BLOCK);
	say("locked, once free and taken again: %ld KB", locked());
	free(next);

	block = malloc(BLOCK);
	check(mprotect(mapping_of(block) + PAGE, PAGE, PROT_NONE) == 0);
	free(block);
	next = calloc(1, BLOCK);
	say("after one with a page closed: %s, %s", looks(next + PAGE),
	    is_zero(next) ? "clear" : "not clear");
	free(next);

	block = malloc(BLOCK);
	check(madvise(mapping_of(block), MAPPED, MADV_DONTFORK) == 0);
	free(block);
	next = calloc(1, BLOCK);
	next[0] = 1;
	child = fork();
	if (child == 0)
		_exit(next[0] == 1 && is_zero(calloc(1, BLOCK)) ? 0 : 2);
	check(waitpid(child, &status, 0) == child);
	say("after one that a child does not get, a child: status %d", status);
	free(next);
}

/* Where a filter denies munmap(2). */
static void in_a_filter(void)
{
	struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {sizeof(rules) / sizeof(*rules), rules};
	unsigned char in[5];
	char *block = free_block();

	check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0);
	say("free before there was a filter: %s", outcome(mincore(block, MAPPED, in)));
	block = free_block();
	say("free behind it, mincore: %s", outcome(mincore(block, MAPPED, in)));
	say("munmap: %s", outcome(munmap(block, MAPPED)));
	say("the next: %s", is_zero(calloc(1, BLOCK)) ? "clear" : "not clear");
}

static void *use_many(void *arg)
{
	long seed = (long)arg;

	for (int i = 0; i < TURNS; i++) {
		char *block = calloc(1, BLOCK);

		check(is_zero(block));
		use(block, (int)seed + 1);
		if (i % 16 == 0)
			sched_yield();
		check(block[0] == (char)(seed + 1) && block[BLOCK - 1] == (char)(seed + 1));
		free(block);
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_fault};
	pthread_t threads[THREADS];

	check(mallopt(M_MMAP_THRESHOLD, PAGE) == 1 && mallopt(M_ARENA_MAX, 1) == 1);
	become_threaded();
	use_up_heap();
	check(sigaction(SIGSEGV, &action, NULL) == 0);
	next_is_clear();
	calls_find_nothing();
	own_is_gone();
	changes_end_with_it();
	run_apart("in a filter", in_a_filter);
	for (long i = 0; i < THREADS; i++)
		check(pthread_create(&threads[i], NULL, use_many, (void *)i) == 0);
	for (long i = 0; i < THREADS; i++)
		check(pthread_join(threads[i], NULL) == 0);
	say("%d threads had %d blocks each, all clear", THREADS, TURNS);
	return 0;
}
