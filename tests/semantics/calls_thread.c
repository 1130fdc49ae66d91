/* What a thread is called, how it is scheduled, what it owns; what memory and descriptors it has. */
#include "ticks.h"
#include "waits.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/uio.h>

static struct rusage usage;
static struct sched_param none, high = {99};
static struct timespec quantum;
/* The first form of struct sched_attr, which later C libraries declare. */
static struct {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
} attr = {.size = sizeof(attr)};
static uint64_t processors[128];
static char text[16];
static void *list;
static size_t len;

ANSWERS(gettid, same_twice, ask() == ask())
ANSWERS(getrusage, thread, ask(RUSAGE_THREAD, &usage))
ANSWERS(getrusage, nobody, ask(99, &usage))
ANSWERS(getrusage, nowhere, ask(RUSAGE_THREAD, NULL))
ANSWERS(sched_getparam, own, ask(0, &none))
ANSWERS(sched_getparam, nobody, ask(0x7FFFFFFF, &none))
ANSWERS(sched_getparam, nowhere, ask(0, NULL))
ANSWERS(sched_setparam, own, ask(0, &none))
ANSWERS(sched_setparam, too_high, ask(0, &high))
ANSWERS(sched_getscheduler, own, ask(0))
ANSWERS(sched_getscheduler, nobody, ask(0x7FFFFFFF))
ANSWERS(sched_setscheduler, own, ask(0, SCHED_OTHER, &none))
ANSWERS(sched_setscheduler, no_policy, ask(0, 99, &none))
ANSWERS(sched_setscheduler, nobody, ask(-1, SCHED_OTHER, &none))
ANSWERS(sched_rr_get_interval, own, ask(0, &quantum))
ANSWERS(sched_rr_get_interval, nobody, ask(0x7FFFFFFF, &quantum))
ANSWERS(sched_getattr, own, ask(0, &attr, sizeof(attr), 0))
ANSWERS(sched_getattr, too_short, ask(0, &attr, 8, 0))
ANSWERS(sched_setattr, own, ask(0, &attr, 0))
ANSWERS(sched_setattr, nowhere, ask(0, NULL, 0))
ANSWERS(sched_setattr, bad_flags, ask(0, &attr, -1))
ANSWERS(sched_getaffinity, own, as_zero(ask(0, sizeof(processors), processors)))
ANSWERS(sched_getaffinity, odd_size, ask(0, 3, processors))
ANSWERS(sched_setaffinity, own, ask(0, sizeof(processors), processors))
ANSWERS(sched_setaffinity, nowhere, ask(0, sizeof(processors), NULL))
ANSWERS(getpriority, own, ask(PRIO_PROCESS, 0))
ANSWERS(getpriority, no_kind, ask(99, 0))
ANSWERS(setpriority, own, ask(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)))
ANSWERS(setpriority, no_kind, ask(99, 0, 0))
ANSWERS(ioprio_get, own, ask(1, 0))
ANSWERS(ioprio_get, no_kind, ask(99, 0))
ANSWERS(ioprio_set, own, ask(1, 0, 0))
ANSWERS(ioprio_set, no_kind, ask(99, 0, 0))
ANSWERS(prctl, set_name, ask(PR_SET_NAME, "ticks", 0, 0, 0))
ANSWERS(prctl, get_name, ask(PR_GET_NAME, text, 0, 0, 0))
ANSWERS(prctl, name_nowhere, ask(PR_SET_NAME, NULL, 0, 0, 0))
ANSWERS(prctl, no_option, ask(-1, 0, 0, 0, 0))
ANSWERS(get_robust_list, own, ask(0, &list, &len))
ANSWERS(get_robust_list, nobody, ask(0x7FFFFFFF, &list, &len))
ANSWERS(get_robust_list, nowhere, ask(0, NULL, NULL))
ANSWERS(set_robust_list, wrong_size, ask(list, 3))

static long keep_robust_list(void)
{
	check(syscall(SYS_get_robust_list, 0, &list, &len) == 0);
	return ask(list, len);
}

ANSWERS(set_robust_list, own, keep_robust_list())

/* Where glibc has registered one; it is put back as it was. */
static long renew_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	long off = ask(area, 32, 1, RSEQ_SIG), on = ask(area, 32, 0, RSEQ_SIG);

	return __rseq_size == 0 ? 0 : off + on;
}

ANSWERS(rseq, off_and_on, renew_rseq())

static long set_address(void)
{
	static int address;

	return ask(&address) != gettid();
}

ANSWERS(set_tid_address, in_a_child, in_child(set_address))

/* --- memory --- */
static char *mapping;

static void map(void)
{
	mapping = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(mapping != MAP_FAILED);
}

static void unmap(void)
{
	munmap(mapping, 8192);
}

static long map_and_unmap(long address)
{
	return address == -1 ? -1 : munmap((void *)address, 4096);
}

static const struct fixture pages = {map, NULL, unmap};

#define PART(at) (&(struct iovec){at, 64})
#define STACK (MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK)

ANSWERS(mmap, stack, map_and_unmap(ask(NULL, 4096L, PROT_NONE, STACK, -1L, 0L)))
ANSWERS(mmap, no_length, ask(NULL, 0L, PROT_NONE, STACK, -1L, 0L))
ANSWERS(mmap, huge, ask(NULL, 1L << 62, PROT_NONE, STACK, -1L, 0L))
ANSWERS(mmap, no_descriptor, ask(NULL, 4096L, PROT_READ, MAP_PRIVATE, -1L, 0L))
ON(pages, mprotect, to_read, ask(mapping, 4096L, PROT_READ))
ON(pages, mprotect, astray, ask(mapping + 1, 4096L, PROT_READ))
ON(pages, mprotect, bad_protection, ask(mapping, 4096L, -1))
ANSWERS(mprotect, nowhere, ask(NULL, 4096L, PROT_READ))
ON(pages, munmap, half, ask(mapping + 4096, 4096L))
ON(pages, munmap, astray, ask(mapping + 1, 4096L))
ANSWERS(munmap, nothing, ask(4096L, 4096L))
ANSWERS(munmap, no_length, ask(4096L, 0L))
ON(pages, madvise, dont_need, ask(mapping, 4096L, MADV_DONTNEED))
ON(pages, madvise, bad_advice, ask(mapping, 4096L, 9999))
ON(pages, madvise, astray, ask(mapping + 1, 4096L, MADV_DONTNEED))
ON(pages, mremap, smaller, ask(mapping, 8192L, 4096L, 0) == (long)mapping)
ON(pages, mremap, astray, ask(mapping + 1, 4096L, 4096L, 0))
ANSWERS(mremap, nothing, ask(4096L, 4096L, 8192L, MREMAP_MAYMOVE))
ON(pages, mincore, whole, ask(mapping, 8192L, (unsigned char[2]){0}))
ON(pages, mincore, nowhere, ask(mapping, 8192L, NULL))
ANSWERS(mincore, nothing, ask(4096L, 4096L, (unsigned char[1]){0}))
ON(pages, pkey_mprotect, as_mprotect, ask(mapping, 4096L, PROT_READ, -1))
ON(pages, pkey_mprotect, bad_key, ask(mapping, 4096L, PROT_READ, 99))
ON(pages, process_vm_readv, own, ask(getpid(), PART(mapping), 1L, PART(mapping + 64), 1L, 0L))
ON(pages, process_vm_readv, nothing, ask(getpid(), PART(mapping), 1L, PART(NULL), 1L, 0L))
ON(pages, process_vm_writev, own, ask(getpid(), PART(mapping), 1L, PART(mapping + 64), 1L, 0L))
ON(pages, process_vm_writev, bad_flags, ask(getpid(), PART(mapping), 1L, PART(mapping), 1L, 1L))
ANSWERS(madvise, nowhere, ask(NULL, 4096L, MADV_DONTNEED))

/* --- descriptors --- */
ON(pages, close, no_descriptor, ask(-1))
ON(pages, close, huge, ask(0x7FFFFFFF))
ANSWERS(close, copy, ask(dup(0)))
ANSWERS(close_range, none, ask(0xFFFF0000L, 0xFFFFFFFFL, 0))
ANSWERS(close_range, backwards, ask(9, 3, 0))
ANSWERS(close_range, bad_flags, ask(0xFFFF0000L, 0xFFFFFFFFL, 1))
ANSWERS(dup2, no_descriptor, ask(-1, 9))
ANSWERS(dup2, onto_itself, ask(0, 0))
ANSWERS(dup2, beyond, ask(0, -1))
ANSWERS(dup2, new, as_fd(ask(0, 99)))
ANSWERS(dup3, onto_itself, ask(0, 0, 0))
ANSWERS(dup3, bad_flags, ask(0, 9, 1))
ANSWERS(dup3, new, as_fd(ask(0, 99, O_CLOEXEC)))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
