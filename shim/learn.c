/*
 * Learning what is behind a descriptor, by its kind of file, the file system that it lies on, or the
 * name that the kernel has for it. Once for each; what it costs is a system call or two.
 */
#include <errno.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "blocking.h"
#include "denied.h"
#include "descriptor.h"
#include "shim.h"

#define MQUEUE_MAGIC 0x19800202 /* the kernel's ipc/mqueue.c */
#define DEVICES 16              /* whose file systems are remembered */

/* Streams of bytes without marks: TCP. Unix sockets and MPTCP may return short with more left. */
bool weft__is_stream(long number)
{
	int domain = weft__socket_option(number, SO_DOMAIN);

	return (domain == AF_INET || domain == AF_INET6) &&
	       weft__socket_option(number, SO_TYPE) == SOCK_STREAM &&
	       weft__socket_option(number, SO_PROTOCOL) == IPPROTO_TCP;
}

/* Those have more to do with who calls, or with readiness, than with a disk. */
static bool is_no_file(long type)
{
	return type == PROC_SUPER_MAGIC || type == SECURITYFS_MAGIC || type == SELINUX_MAGIC ||
	       type == SMACK_MAGIC || type == MQUEUE_MAGIC;
}

static bool is_in_memory(long type)
{
	return type == TMPFS_MAGIC || type == RAMFS_MAGIC || type == HUGETLBFS_MAGIC;
}

static enum weft__kind kind_of(long type)
{
	if (is_in_memory(type))
		return WEFT__MEMORY;
	return is_no_file(type) ? WEFT__OTHER : WEFT__FILE;
}

static struct {
	uint64_t device;
	enum weft__kind kind; /* WEFT__UNKNOWN: the place is free */
} known[DEVICES];

static enum weft__kind remember(uint64_t device, enum weft__kind kind)
{
	static unsigned int next;

	known[next].device = device;
	known[next].kind = kind;
	next = (next + 1) % DEVICES;
	return kind;
}

/* The one that every program has and nobody waits for. */
static void remember_proc(void)
{
	struct statfs system;
	struct stat status;

	if (weft__raw(SYS_stat, "/proc", &status) == 0 &&
	    weft__raw(SYS_statfs, "/proc", &system) == 0 && system.f_type == PROC_SUPER_MAGIC)
		remember(status.st_dev, kind_of(system.f_type));
}

/* fstatfs(2) may ask a server, hence the offload thread: once for each device. */
static enum weft__kind ask_kind(long number)
{
	struct statfs system;
	struct weft__call c = {.nr = SYS_fstatfs, .arg = {number, (long)&system}};

	return weft__offloaded(&c) == 0 ? kind_of(system.f_type) : WEFT__FILE;
}

static enum weft__kind file_kind(long number, uint64_t device)
{
	if (major(device) != 0)
		return WEFT__FILE; /* on a disk */
	if (weft__denied[SYS_statfs] || weft__denied[SYS_fstatfs] || weft__denied[SYS_stat])
		return WEFT__FILE;
	if (known[0].kind == WEFT__UNKNOWN)
		remember_proc();
	for (unsigned int i = 0; i < DEVICES; i++)
		if (known[i].kind != WEFT__UNKNOWN && known[i].device == device)
			return known[i].kind;
	return remember(device, ask_kind(number));
}

/* Descriptors without a file, by what the kernel calls them: whether their reads wait, or not. */
static const struct {
	const char *name;
	enum weft__kind kind;
	bool written; /* writes may wait, too; else they fail at once */
} nameless[] = {
	{"anon_inode:[eventfd]", WEFT__OTHER, true},
	{"anon_inode:[timerfd]", WEFT__OTHER, false},
	{"anon_inode:[signalfd]", WEFT__SIGNALFD, false},
	{"anon_inode:inotify", WEFT__OTHER, false},
	{"anon_inode:[fanotify]", WEFT__OTHER, false},
	{"anon_inode:[userfaultfd]", WEFT__UNPOLLED,
	 false}, /* a blocking one never polls as ready */
};

/* The rest of them, epoll sets and pidfds among them, have no reads or none that wait. */
static void learn_nameless(struct weft__fd *fd, long number)
{
	char path[32], name[32] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", (int)number);
	fd->kind = WEFT__MEMORY;
	if (weft__denied[SYS_readlink] ||
	    weft__raw(SYS_readlink, path, name, sizeof(name) - 1) < 0) { /* no /proc here */
		fd->kind = WEFT__OTHER;
		return;
	}
	for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++)
		if (strcmp(name, nameless[i].name) == 0) {
			fd->kind = nameless[i].kind;
			fd->unwritten = !nameless[i].written;
		}
}

/* Calls that move the position of one file are of one order. */
static uint32_t order_of(const struct stat *status)
{
	return (uint32_t)((status->st_dev ^ status->st_ino) * 0x9E3779B97F4A7C15ULL >> 32) | 1;
}

/* False: while its file system was asked for its kind, the number has become another file's. */
static bool learn_file(struct weft__fd *fd, long number, const struct stat *status)
{
	uint16_t generation = fd->generation;
	enum weft__kind kind = file_kind(number, status->st_dev);

	if (fd->generation != generation || fd->kind != WEFT__UNKNOWN)
		return false;
	fd->kind = kind;
	fd->order = order_of(status);
	if (kind == WEFT__FILE && fd->armed != 0)
		fd->kind = WEFT__OTHER; /* it can be waited for, as some of sysfs */
	else if (kind == WEFT__FILE)
		fd->cached = (struct weft__cached){.placed = false};
	return true;
}

bool weft__fd_learn(struct weft__fd *fd, long number)
{
	struct stat status = {.st_mode = 0};

	if (weft__raw(SYS_fstat, number, &status) != 0)
		return false;
	if (S_ISSOCK(status.st_mode)) {
		fd->kind = WEFT__SOCKET;
		fd->stream = weft__is_stream(number);
	} else if (S_ISFIFO(status.st_mode)) {
		fd->kind = WEFT__PIPE;
	} else if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) {
		return learn_file(fd, number, &status) || fd->kind != WEFT__UNKNOWN ||
		       weft__fd_learn(fd, number);
	} else if ((status.st_mode & S_IFMT) == 0) {
		learn_nameless(fd, number);
	} else {
		fd->kind = WEFT__OTHER;
	}
	return true;
}
