/*
 * Calls that look a path up, or change what it leads to.
 *
 * A change waits for the journal like a write, so an offload thread makes it. A look-up hardly ever
 * waits on a disk of this machine, and is made often (stat, open, access): those are the carrier's,
 * unless they may have to ask a server: when a network or FUSE file system is mounted, when a
 * program serves files itself, or when the user wishes so (WEFT_OFFLOAD_PATHS).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "blocking.h"
#include "descriptor.h"
#include "file.h"
#include "handlers.h"
#include "memory.h"
#include "shim.h"

#define FUSE_DEVICE makedev(10, 229)

#define LINES_BYTES ((size_t)16 * 1024)

bool weft__paths_wait;
static bool serving; /* who opens a file may wait for another task */

static const char *const far_systems[] = {
	"nfs", "nfs4",   "cifs",  "smb3", "fuse",   "fuseblk", "9p",   "ceph",
	"afs", "lustre", "ocfs2", "gfs2", "autofs", "beegfs",  "coda", "orangefs",
};

static bool is_far(const char *type)
{
	for (size_t i = 0; i < sizeof(far_systems) / sizeof(far_systems[0]); i++)
		if (strcmp(type, far_systems[i]) == 0)
			return true;
	return strncmp(type, "fuse.", 5) == 0;
}

/*
 * A line of /proc/self/mounts: what, where, type. Every desktop has FUSE for its own use below
 * /run/user, and autofs stands in for a part of /proc.
 */
static bool line_is_far(char *line)
{
	char *place = strchr(line, ' '), *type = place == NULL ? NULL : strchr(place + 1, ' ');

	if (type == NULL || strncmp(place, " /run/user/", 11) == 0 ||
	    strncmp(place, " /proc/", 7) == 0)
		return false;
	type++;
	type[strcspn(type, " ")] = '\0';
	return is_far(type);
}

/* A line that is longer than there is room for is of an overlay, which is near. */
static bool any_is_far(long mounts, char *text, size_t room)
{
	size_t used = 0;
	long n;

	while ((n = weft__raw(SYS_read, mounts, text + used, room - 1 - used)) > 0) {
		char *line = text, *end;

		text[used + (size_t)n] = '\0';
		for (; (end = strchr(line, '\n')) != NULL; line = end + 1) {
			*end = '\0';
			if (line_is_far(line))
				return true;
		}
		used = strlen(line);
		if (used == room - 1)
			used = 0;
		memmove(text, line, used);
	}
	return false;
}

void weft__paths_look(void)
{
	char *text;
	long mounts;

	weft__paths_wait = weft__settings.paths == WEFT__PATHS_OFFLOADED;
	if (weft__settings.paths != WEFT__PATHS_AS_NEEDED)
		return;
	text = weft__alloc(LINES_BYTES);
	mounts = weft__raw(SYS_openat, AT_FDCWD, "/proc/self/mounts", O_RDONLY | O_CLOEXEC);
	weft__paths_wait = serving;
	if (mounts >= 0 && text != NULL && any_is_far(mounts, text, LINES_BYTES))
		weft__paths_wait = true;
	if (mounts >= 0)
		weft__raw(SYS_close, mounts);
	weft__free(text, LINES_BYTES);
}

static void serves_files(void)
{
	serving = true;
	if (weft__settings.paths == WEFT__PATHS_AS_NEEDED)
		weft__paths_wait = true;
}

long on_path(struct weft__call *c)
{
	return weft__paths_wait ? weft__offloaded(c) : WEFT__PASS;
}

/* Mounting and its like: what is mounted is looked at anew. */
long on_mount(struct weft__call *c)
{
	long result = weft__offloaded(c);

	weft__paths_look();
	return result;
}

/* Its events for permissions hold up who opens a file, maybe another task. */
long on_fanotify_init(struct weft__call *c)
{
	serves_files();
	(void)c;
	return WEFT__PASS;
}

/*
 * Whether opening a device may wait: for a line's carrier, for its turn at a sound card. Not these:
 * memory (1), ptmx, miscellaneous (10), pseudo terminals (136 to 143, pty(7)).
 */
static bool device_waits(dev_t device)
{
	unsigned int number = major(device);

	return number != 1 && number != 10 && !(number == 5 && minor(device) == 2) &&
	       !(number >= 136 && number <= 143);
}

static long open_device(const struct weft__call *c, dev_t device)
{
	if (device == FUSE_DEVICE)
		serves_files();
	return device_waits(device) ? weft__blocking(c, NULL) : WEFT__PASS;
}

/* The call with O_NONBLOCK; -EAGAIN when it says more than is known here. */
static long open_nonblock(const struct weft__call *c)
{
	struct open_how how;

	switch (c->nr) {
	case SYS_open:
		return weft__raw(SYS_open, c->arg[0], c->arg[1] | O_NONBLOCK, c->arg[2]);
	case SYS_openat:
		return weft__raw(SYS_openat, c->arg[0], c->arg[1], c->arg[2] | O_NONBLOCK,
				 c->arg[3]);
	case SYS_creat:
		return weft__raw(SYS_open, c->arg[0], O_CREAT | O_WRONLY | O_TRUNC | O_NONBLOCK,
				 c->arg[1]);
	default:
		if (c->arg[3] != sizeof(how))
			return -EAGAIN;
		if (weft__copy(&how, (void *)c->arg[2], sizeof(how)) != 0)
			return -EFAULT;
		how.flags |= O_NONBLOCK;
		return weft__raw(SYS_openat2, c->arg[0], c->arg[1], &how, sizeof(how));
	}
}

static long without_nonblock(long number)
{
	if (number >= 0)
		weft__raw(SYS_fcntl, number, F_SETFL,
			  weft__raw(SYS_fcntl, number, F_GETFL) & ~O_NONBLOCK);
	return number;
}

/* It fails where there is no reader, and lets one go on that waits. */
static long try_writer(const struct weft__call *c)
{
	long number = open_nonblock(c);

	return number == -ENXIO ? -EAGAIN : without_nonblock(number);
}

/* Whether a FIFO has a writer, or had one since it was opened. Nothing is taken by a read to nowhere. */
static bool has_writer(long number)
{
	struct pollfd events = {.fd = (int)number, .events = POLLIN};

	return weft__raw(SYS_read, number, 8L, 1L) != 0 || weft__poll_now(&events, 1) > 0;
}

/* The FIFO is open then, as writers are to see, but its number is nobody's before there is one. */
static long await_writer(const struct weft__call *c)
{
	long number = open_nonblock(c);

	if (number == -EAGAIN)
		return weft__blocking(c, NULL);
	while (number >= 0 && !has_writer(number))
		if (weft__park(weft__now_ns() + WEFT__TRY_AGAIN_NS) == -EINTR) {
			weft__raw(SYS_close, number);
			return -EINTR;
		}
	return without_nonblock(number);
}

/*
 * A FIFO opens once its other end is opened too, maybe by a task of this process: so that one must
 * not have to wait for an offload thread which this one has.
 */
static long open_fifo(const struct weft__call *c, long flags)
{
	long number;

	if ((flags & O_ACCMODE) != O_RDONLY)
		return weft__blocking(c, try_writer);
	return weft__blocking_once(c, &number) ? number : await_writer(c);
}

static long look_up(long folder, long path, long flags, struct stat *status)
{
	bool follows = (flags & (O_NOFOLLOW | O_EXCL)) == 0;
	struct weft__call look = {
		.nr = SYS_newfstatat,
		.arg = {folder, path, (long)status, follows ? 0 : AT_SYMLINK_NOFOLLOW}};

	return weft__paths_wait ? weft__offloaded(&look)
				: weft__raw(SYS_newfstatat, look.arg[0], look.arg[1], look.arg[2],
					    look.arg[3]);
}

/* Maybe a FIFO, maybe a server's file: which of them matters only if FIFOs have all the threads. */
static long open_far(const struct weft__call *c, long folder, long path, long flags)
{
	struct stat status;
	long number;

	if ((flags & O_NONBLOCK) != 0)
		return weft__offloaded(c);
	if (weft__blocking_once(c, &number))
		return number;
	if (look_up(folder, path, flags, &status) != 0)
		return weft__offloaded(c);
	if (S_ISFIFO(status.st_mode) && (flags & O_ACCMODE) != O_RDWR)
		return open_fifo(c, flags);
	return S_ISCHR(status.st_mode) ? weft__blocking(c, NULL) : weft__offloaded(c);
}

static long open_path(struct weft__call *c, long folder, long path, long flags)
{
	struct stat status;
	long number = weft__open_name((uintptr_t)path, flags);

	if (number != WEFT__PASS)
		return number;
	if (weft__paths_wait)
		return open_far(c, folder, path, flags);
	if ((flags & O_TMPFILE) == O_TMPFILE)
		return weft__offloaded(c);
	if ((flags & (O_PATH | O_DIRECTORY)) != 0 ||
	    (flags & (O_NONBLOCK | O_CREAT | O_TRUNC)) == O_NONBLOCK)
		return WEFT__PASS;
	if (look_up(folder, path, flags, &status) != 0)
		return (flags & O_CREAT) != 0 ? weft__offloaded(c) : WEFT__PASS;
	if (S_ISREG(status.st_mode) && (flags & O_TRUNC) != 0 &&
	    status.st_blocks >= WEFT__BIG_BLOCKS)
		return weft__offloaded(c);
	if ((flags & O_NONBLOCK) != 0)
		return WEFT__PASS;
	if (S_ISCHR(status.st_mode))
		return open_device(c, status.st_rdev);
	return S_ISFIFO(status.st_mode) && (flags & O_ACCMODE) != O_RDWR ? open_fifo(c, flags)
									 : WEFT__PASS;
}

long on_open(struct weft__call *c)
{
	return open_path(c, AT_FDCWD, c->arg[0], c->arg[1]);
}

long on_openat(struct weft__call *c)
{
	return open_path(c, c->arg[0], c->arg[1], c->arg[2]);
}

long on_openat2(struct weft__call *c)
{
	struct open_how how;

	if ((size_t)c->arg[3] < sizeof(how) ||
	    weft__copy(&how, (void *)c->arg[2], sizeof(how)) != 0)
		return WEFT__PASS;
	return open_path(c, c->arg[0], c->arg[1], (long)how.flags);
}

long on_creat(struct weft__call *c)
{
	return open_path(c, AT_FDCWD, c->arg[0], O_CREAT | O_WRONLY | O_TRUNC);
}
