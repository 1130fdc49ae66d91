/*
 * See weft/io.h: files. What the page cache has is read and written at once (RWF_NOWAIT); the rest is an
 * chore. Where it can be given up the bytes are copied, for the caller's memory may be gone when the
 * disk answers.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chore.h"
#include "native.h"

/* More than a disk gives at a time, and what may be left to a disk that hangs. */
#define MOST_BYTES ((size_t)1 << 20)

/* A call of a chore. */
struct file_call {
	struct weft__chore chore;
	long nr, arg[6], result;
	char bytes[];
};

static void make_call(struct weft__chore *chore)
{
	struct file_call *it = (struct file_call *)chore;

	it->result = weft__ask(it->nr, it->arg[0], it->arg[1], it->arg[2], it->arg[3], it->arg[4],
			       it->arg[5]);
}

static struct file_call *new_call(long nr, size_t size_bytes)
{
	struct file_call *it = calloc(1, sizeof(*it) + size_bytes);

	if (it != NULL) {
		it->chore.run = make_call;
		it->nr = nr;
	}
	return it;
}

static long end_call(struct file_call *it)
{
	long result = it->result;

	free(it);
	return result;
}

long weft__file_io(int fd, bool writes, const struct iovec *places, int n, int64_t deadline_ns)
{
	struct file_call *it;
	int err;

	if (weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	it = new_call(writes ? SYS_writev : SYS_readv, 0);
	if (it == NULL)
		return -ENOMEM;
	it->arg[0] = fd;
	it->arg[1] = (long)places;
	it->arg[2] = n;
	err = weft__chore_firmly(&it->chore);
	return err != 0 ? err : end_call(it);
}

/* Copy, but -EFAULT of what is no memory, where the kernel tells. */
static int copy(void *to, const void *from, size_t size_bytes, bool outward)
{
	struct iovec here = {outward ? (void *)from : to, size_bytes};
	struct iovec there = {outward ? to : (void *)from, size_bytes};
	long n = weft__ask(outward ? SYS_process_vm_writev : SYS_process_vm_readv, getpid(), &here,
			   1, &there, 1, 0);

	if (n == (long)size_bytes)
		return 0;
	if (n >= 0 || n == -EFAULT)
		return -EFAULT;
	memcpy(to, from, size_bytes);
	return 0;
}

static long run_at(struct file_call *it, bool writes, void *bytes, int64_t deadline_ns)
{
	size_t size_bytes = (size_t)it->arg[2];
	int err = writes ? copy(it->bytes, bytes, size_bytes, false) : 0;
	long result;

	if (err != 0) {
		free(it);
		return err;
	}
	err = weft__chore(&it->chore, deadline_ns);
	if (err != 0)
		return err;
	result = it->result;
	if (result > 0 && !writes)
		err = copy(bytes, it->bytes, (size_t)result, true);
	free(it);
	return err != 0 ? err : result;
}

static ssize_t transfer_at(int fd, bool writes, void *bytes, size_t size_bytes, off_t offset,
			   int64_t deadline_ns)
{
	struct iovec whole = {bytes, size_bytes};
	int err = weft__may_wait(deadline_ns);
	struct file_call *it;
	long result;

	if (err != 0)
		return err;
	if (size_bytes > SSIZE_MAX || offset < 0)
		return -EINVAL;
	result = weft__ask(writes ? SYS_pwritev2 : SYS_preadv2, fd, &whole, 1, offset, 0,
			   RWF_NOWAIT);
	if (result != -EAGAIN && result != -EOPNOTSUPP && result != -ENOSYS) {
		weft__spend_turn();
		return result;
	}
	if (weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	if (size_bytes > MOST_BYTES)
		size_bytes = MOST_BYTES;
	it = new_call(writes ? SYS_pwrite64 : SYS_pread64, size_bytes);
	if (it == NULL)
		return -ENOMEM;
	it->arg[0] = fd;
	it->arg[1] = (long)it->bytes;
	it->arg[2] = (long)size_bytes;
	it->arg[3] = offset;
	return run_at(it, writes, bytes, deadline_ns);
}

ssize_t weft_pread(int fd, void *bytes, size_t size_bytes, off_t offset, int64_t deadline_ns)
{
	return transfer_at(fd, false, bytes, size_bytes, offset, deadline_ns);
}

ssize_t weft_pwrite(int fd, const void *bytes, size_t size_bytes, off_t offset, int64_t deadline_ns)
{
	return transfer_at(fd, true, (void *)bytes, size_bytes, offset, deadline_ns);
}

static void close_opened(struct weft__chore *chore)
{
	long fd = ((struct file_call *)chore)->result;

	if (fd >= 0)
		weft__ask(SYS_close, fd);
}

int weft_open(const char *path, int flags, mode_t mode, int64_t deadline_ns)
{
	int err = path == NULL ? -EINVAL : weft__may_wait(deadline_ns);
	struct file_call *it;

	if (err != 0)
		return err;
	if (weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	it = new_call(SYS_openat, strlen(path) + 1);
	if (it == NULL)
		return -ENOMEM;
	strcpy(it->bytes, path);
	it->arg[0] = AT_FDCWD;
	it->arg[1] = (long)it->bytes;
	it->arg[2] = flags;
	it->arg[3] = mode;
	it->chore.undo = close_opened;
	it->chore.lasts = true; /* a FIFO's other side may never come */
	err = weft__chore(&it->chore, deadline_ns);
	return err != 0 ? err : (int)end_call(it);
}

int weft_fsync(int fd, int64_t deadline_ns)
{
	int err = weft__may_wait(deadline_ns);
	struct file_call *it;

	if (err != 0)
		return err;
	if (weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	it = new_call(SYS_fsync, 0);
	if (it == NULL)
		return -ENOMEM;
	it->arg[0] = fd;
	err = weft__chore(&it->chore, deadline_ns);
	return err != 0 ? err : (int)end_call(it);
}
