/* Calls on memory, mounts, modules and the machine: what is harmless, and what can only be refused.
 *
 * fanotify_init() is the last: whoever serves files may have to answer for look-ups of its own.
 */
#include "ticks.h"

#include <linux/aio_abi.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <sys/fanotify.h>

#define MEASURE 4096L
#define POLICIES 99
#define TREE_CLONE 1 /* of open_tree(2) */

static char *page;

static void make_page(void)
{
	page = mmap(NULL, MEASURE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check(page != MAP_FAILED);
	page[0] = 1;
}

static void unmap_page(void)
{
	munmap(page, MEASURE);
}

static const struct fixture pages = {make_page, NULL, unmap_page};

/* Where nothing is: a page that was one. */
static char *no_page(void)
{
	make_page();
	unmap_page();
	return page;
}

static long and_unlocked(long result)
{
	check(munlockall() == 0);
	return result;
}

ON(pages, mlock, page, ask(page, MEASURE))
ON(pages, mlock, nothing, ask(page, 0L))
ON(pages, mlock, length_that_wraps, ask(page, -1L))
ANSWERS(mlock, no_page, ask(no_page(), MEASURE))
ON(pages, mlock2, page, ask(page, MEASURE, 0))
ON(pages, mlock2, when_touched, ask(page, MEASURE, MLOCK_ONFAULT))
ON(pages, mlock2, bad_flags, ask(page, MEASURE, 99))
ANSWERS(mlock2, no_page, ask(no_page(), MEASURE, 0))
ANSWERS(mlockall, no_flags, ask(0))
ANSWERS(mlockall, bad_flags, ask(99))
ANSWERS(mlockall, when_touched_only, ask(MCL_ONFAULT))
ANSWERS(mlockall, what_is_there, and_unlocked(ask(MCL_CURRENT | MCL_ONFAULT)))

/* --- where memory lies --- */
static unsigned long nodes[16] = {1};
static int status;

static void **places(void *place)
{
	static void *one;

	one = place;
	return &one;
}

ON(pages, mbind, by_default, ask(page, MEASURE, 0, NULL, 0L, 0))
ON(pages, mbind, no_policy, ask(page, MEASURE, POLICIES, NULL, 0L, 0))
ON(pages, mbind, astray, ask(page + 1, MEASURE, 0, NULL, 0L, 0))
ON(pages, mbind, bad_flags, ask(page, MEASURE, 0, NULL, 0L, 1 << 20))
ON(pages, mbind, nodes_nowhere, ask(page, MEASURE, 2, (void *)8, 64L, 0))
ANSWERS(mbind, no_page, ask(no_page(), MEASURE, 0, NULL, 0L, 0))
ANSWERS(migrate_pages, own, as_zero(ask(0, 64L, nodes, nodes)))
ANSWERS(migrate_pages, nobodys, ask(1 << 30, 64L, nodes, nodes))
ANSWERS(migrate_pages, nodes_nowhere, ask(0, 64L, (void *)8, (void *)8))
ON(pages, move_pages, look, as_zero(ask(0, 1L, places(page), NULL, &status, 0)))
ON(pages, move_pages, bad_flags, ask(0, 1L, places(page), NULL, &status, 1 << 20))
ON(pages, move_pages, nowhere, ask(0, 1L, (void *)8, NULL, &status, 0))
ON(pages, move_pages, nobodys, ask(1 << 30, 1L, places(page), NULL, &status, 0))

/* --- advice to and memory of a process --- */
static int self;

static void make_self(void)
{
	make_page();
	self = (int)syscall(SYS_pidfd_open, getpid(), 0);
	check(self >= 0);
}

static void close_self(void)
{
	close(self);
	unmap_page();
}

static const struct fixture pidfd = {make_self, NULL, close_self};

static struct iovec *whole_page(void)
{
	static struct iovec one;

	one = (struct iovec){page, MEASURE};
	return &one;
}

ON(pidfd, process_madvise, cold, ask(self, whole_page(), 1L, MADV_COLD, 0))
ON(pidfd, process_madvise, bad_advice, ask(self, whole_page(), 1L, 99, 0))
ON(pidfd, process_madvise, bad_flags, ask(self, whole_page(), 1L, MADV_COLD, 1))
ON(pidfd, process_madvise, nowhere, ask(self, NULL, 1L, MADV_COLD, 0))
ON(pidfd, process_madvise, no_descriptor, ask(-1, whole_page(), 1L, MADV_COLD, 0))
ON(pidfd, process_mrelease, alive, ask(self, 0))
ON(pidfd, process_mrelease, bad_flags, ask(self, 1))
ANSWERS(process_mrelease, no_descriptor, ask(-1, 0))
ANSWERS(userfaultfd, descriptor, as_fd(ask(O_CLOEXEC)))
ANSWERS(userfaultfd, bad_flags, ask(1 << 20))

/* --- barriers: what is registered for the process stays so --- */
ANSWERS(membarrier, query, ask(MEMBARRIER_CMD_QUERY, 0, 0))
ANSWERS(membarrier, all, ask(MEMBARRIER_CMD_GLOBAL, 0, 0))
ANSWERS(membarrier, not_registered, ask(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0))
ANSWERS(membarrier, registers, ask(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0))
ANSWERS(membarrier, registered, ask(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0))
ANSWERS(membarrier, registers_globally, ask(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0))
ANSWERS(membarrier, globally, ask(MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0))
ANSWERS(membarrier, no_command, ask(1 << 30, 0, 0))
ANSWERS(membarrier, bad_flags, ask(MEMBARRIER_CMD_GLOBAL, 99, 0))

/* --- asynchronous requests --- */
static aio_context_t context(void)
{
	aio_context_t requests = 0;

	check(syscall(SYS_io_setup, 4, &requests) == 0);
	return requests;
}

static long destroy_twice(void)
{
	aio_context_t requests = context();

	check(ask(requests) == 0);
	return ask(requests);
}

ANSWERS(io_destroy, context, ask(context()))
ANSWERS(io_destroy, once_more, destroy_twice())
ANSWERS(io_destroy, nothing, ask(0L))

/* --- a child that borrows the memory, while the ticker goes on --- */
static __attribute__((noinline)) long borrow_until(int enough)
{
	pid_t borrower;
	int ending;

	*asked = 1;
	borrower = vfork();
	if (borrower == 0) {
		while (look(&ticks) < enough)
			nap();
		_exit(7);
	}
	if (borrower < 0)
		return -1;
	check(waitpid(borrower, &ending, 0) == borrower);
	return WEXITSTATUS(ending);
}

ANSWERS(vfork, while_others_tick, borrow_until(look(&ticks) + TICKS_BEFORE))

/* --- the machine --- */
static const char *const no_module = "no_such_module";

ANSWERS(reboot, bad_magic, ask(0, 0, 0, NULL))
ANSWERS(init_module, nothing, ask(NULL, 0L, ""))
ANSWERS(init_module, from_nowhere, ask((void *)8, 4096L, ""))
ANSWERS(finit_module, no_descriptor, ask(-1, "", 0))
ANSWERS(finit_module, bad_flags, ask(-1, "", 1 << 20))
ANSWERS(delete_module, nothing, ask(no_module, O_NONBLOCK))
ANSWERS(delete_module, nowhere, ask(NULL, O_NONBLOCK))
ANSWERS(kexec_load, bad_flags, ask(0L, 1L << 20, NULL, 0xFFFFL))
ANSWERS(kexec_file_load, bad_flags, ask(-1, -1, 0L, NULL, 1L << 20))
ANSWERS(quotactl_fd, no_descriptor, ask(-1, 0, 0, NULL))
ANSWERS(quotactl_fd, no_command, ask(0, -1, 0, NULL))

/* --- mounts looked at --- */
ANSWERS(open_tree, root, as_fd(ask(AT_FDCWD, "/", O_CLOEXEC)))
ANSWERS(open_tree, copied, as_fd(ask(AT_FDCWD, "/tmp", O_CLOEXEC | TREE_CLONE)))
ANSWERS(open_tree, nothing, ask(AT_FDCWD, "/nonexistent", 0))
ANSWERS(open_tree, bad_flags, ask(AT_FDCWD, "/", 1 << 30))
ANSWERS(open_tree, nowhere, ask(AT_FDCWD, NULL, 0))
ANSWERS(open_tree, no_descriptor, ask(-1, "name", 0))
ANSWERS(open_tree_attr, root, as_fd(ask(AT_FDCWD, "/", O_CLOEXEC, NULL, 0L)))
ANSWERS(open_tree_attr, nothing, ask(AT_FDCWD, "/nonexistent", 0, NULL, 0L))
ANSWERS(open_tree_attr, no_size, ask(AT_FDCWD, "/", TREE_CLONE, nodes, 0L))
ANSWERS(open_tree_attr, bad_flags, ask(AT_FDCWD, "/", 1 << 30, NULL, 0L))
ANSWERS(fspick, root, as_fd(ask(AT_FDCWD, "/", 1)))
ANSWERS(fspick, nothing, ask(AT_FDCWD, "/nonexistent", 0))
ANSWERS(fspick, bad_flags, ask(AT_FDCWD, "/", 1 << 20))
ANSWERS(fspick, no_descriptor, ask(-1, "name", 0))

/* --- serving files --- */
static int group = -1;

static void make_group(void)
{
	group = (int)syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY);
}

static void close_group(void)
{
	close(group);
}

static const struct fixture listener = {make_group, NULL, close_group};

ANSWERS(fanotify_mark, no_descriptor, ask(-1, FAN_MARK_ADD, (long)FAN_CREATE, AT_FDCWD, "/tmp"))
ANSWERS(fanotify_mark, no_group, ask(0, FAN_MARK_ADD, (long)FAN_CREATE, AT_FDCWD, "/tmp"))
ANSWERS(fanotify_init, bad_flags, ask(1 << 30, O_RDONLY))
ANSWERS(fanotify_init, bad_flags_of_events, ask(FAN_CLASS_NOTIF, -1))
ANSWERS(fanotify_init, group, as_fd(ask(FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY)))
ON(listener, fanotify_mark, folder, ask(group, FAN_MARK_ADD, (long)FAN_CREATE, AT_FDCWD, "/tmp"))
ON(listener, fanotify_mark, nothing, ask(group, FAN_MARK_ADD, (long)FAN_CREATE, AT_FDCWD, "/none"))
ON(listener, fanotify_mark, for_nothing, ask(group, FAN_MARK_ADD, 0L, AT_FDCWD, "/tmp"))
ON(listener, fanotify_mark, bad_flags, ask(group, 1 << 30, (long)FAN_CREATE, AT_FDCWD, "/tmp"))
ON(listener, fanotify_mark, nowhere, ask(group, FAN_MARK_ADD, (long)FAN_CREATE, AT_FDCWD, 8L))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
