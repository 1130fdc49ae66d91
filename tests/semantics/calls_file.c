/* Calls on files and file systems: they wait for disks only, so here they answer beside ticks. */
#include "ticks.h"
#include "waits.h"

#include <sys/mman.h>

static char *page, pair_of[2][8];
static struct iovec two[2] = {{pair_of[0], 4}, {pair_of[1], 4}};
static off_t offset;
static int file, copy, folder;

/* Two files of which the first has ten bytes; a page of it in memory. */
static void make_files(void)
{
	file = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	copy = open("/tmp", O_RDWR | O_TMPFILE, 0600);
	folder = open("/tmp", O_RDONLY | O_DIRECTORY);
	check(file >= 0 && copy >= 0 && folder >= 0);
	write_all(file, "0123456789", 10);
	check(lseek(file, 0, SEEK_SET) == 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	check(page != MAP_FAILED);
	offset = 2;
}

static void close_files(void)
{
	munmap(page, 4096);
	close(file);
	close(copy);
	close(folder);
}

static const struct fixture files = {make_files, NULL, close_files};

/* What a call has left in a file, with its result: nothing is said of a failure but its errno. */
static long with_content(long result)
{
	char all[64] = "";
	ssize_t n = pread(copy, all, sizeof(all) - 1, 0);

	for (ssize_t i = 0; i < n; i++)
		if (all[i] == '\0')
			all[i] = '.';
	if (result >= 0)
		say("then %zd bytes: %s, at %ld", n, all, (long)lseek(copy, 0, SEEK_CUR));
	return result;
}

ON(files, read, bytes, ask(file, page, 4))
ON(files, read, none, ask(file, page, 0))
ON(files, readv, bytes, ask(file, two, 2))
ON(files, write, bytes, with_content(ask(copy, "abc", 3)))
ON(files, write, none, ask(copy, "abc", 0))
ON(files, write, to_folder, ask(folder, "abc", 3))
ON(files, writev, bytes, with_content(ask(copy, two, 2)))
ON(files, pread64, bytes, ask(file, page, 4, 8L))
ON(files, pread64, beyond, ask(file, page, 4, 100L))
ON(files, pread64, negative, ask(file, page, 4, -1L))
ON(files, pread64, of_folder, ask(folder, page, 4, 0L))
ON(files, pwrite64, bytes, with_content(ask(copy, "abc", 3, 2L)))
ON(files, pwrite64, negative, ask(copy, "abc", 3, -1L))
ON(files, preadv, bytes, ask(file, two, 2, 4L, 0L))
ON(files, preadv, negative, ask(file, two, 2, -1L, -1L))
ON(files, pwritev, bytes, with_content(ask(copy, two, 2, 2L, 0L)))
ON(files, pwritev, negative, ask(copy, two, 2, -1L, -1L))
ON(files, preadv2, bytes, ask(file, two, 2, 4L, 0L, 0))
ON(files, preadv2, at_position, ask(file, two, 2, -1L, -1L, 0))
ON(files, preadv2, cached, ask(file, two, 2, 0L, 0L, RWF_NOWAIT))
ON(files, preadv2, bad_flags, ask(file, two, 2, 0L, 0L, 1 << 30))
ON(files, pwritev2, bytes, with_content(ask(copy, two, 2, 2L, 0L, 0)))
ON(files, pwritev2, appended, with_content(ask(copy, two, 2, 0L, 0L, RWF_APPEND)))
ON(files, pwritev2, synchronous, with_content(ask(copy, two, 2, 0L, 0L, RWF_DSYNC)))
ON(files, pwritev2, bad_flags, ask(copy, two, 2, 0L, 0L, 1 << 30))
ON(files, lseek, end, ask(file, 0L, SEEK_END))
ON(files, lseek, beyond, ask(file, 1L << 40, SEEK_SET))
ON(files, lseek, data, ask(file, 3L, SEEK_DATA))
ON(files, lseek, hole, ask(file, 3L, SEEK_HOLE))
ON(files, lseek, data_beyond, ask(file, 99L, SEEK_DATA))
ON(files, lseek, negative, ask(file, -1L, SEEK_CUR))
ON(files, lseek, bad_origin, ask(file, 0L, 99))
ON(files, lseek, of_folder, ask(folder, 0L, SEEK_SET))
ANSWERS(lseek, no_descriptor, ask(-1, 0L, SEEK_SET))
ON(files, fsync, file, ask(file))
ON(files, fsync, folder, ask(folder))
ANSWERS(fsync, no_descriptor, ask(-1))
ANSWERS(fsync, device, ask(0))
ON(files, fdatasync, file, ask(file))
ANSWERS(fdatasync, no_descriptor, ask(-1))
ANSWERS(sync, all, ask())
ON(files, syncfs, file, ask(file))
ANSWERS(syncfs, no_descriptor, ask(-1))
ON(files, sync_file_range, all, ask(file, 0L, 0L, 7))
ON(files, sync_file_range, bad_flags, ask(file, 0L, 0L, 99))
ON(files, sync_file_range, negative, ask(file, -1L, 0L, 7))
ANSWERS(sync_file_range, no_descriptor, ask(-1, 0L, 0L, 7))
ON(files, msync, page, ask(page, 4096L, MS_SYNC))
ON(files, msync, astray, ask(page + 1, 4096L, MS_SYNC))
ON(files, msync, bad_flags, ask(page, 4096L, 99))
ANSWERS(msync, nowhere, ask(NULL, 4096L, MS_SYNC))
ON(files, fallocate, bytes, with_content(ask(copy, 0, 0L, 6L)))
ON(files, fallocate, no_length, ask(copy, 0, 0L, 0L))
ON(files, fallocate, bad_mode, ask(copy, 0x8000, 0L, 6L))
ON(files, fallocate, of_folder, ask(folder, 0, 0L, 6L))
ANSWERS(fallocate, no_descriptor, ask(-1, 0, 0L, 6L))
ANSWERS(truncate, nothing, ask("/nonexistent", 0L))
ANSWERS(truncate, folder, ask("/tmp", 0L))
ANSWERS(truncate, negative, ask("/tmp", -1L))
ANSWERS(truncate, nowhere, ask(NULL, 0L))
ON(files, ftruncate, longer, with_content(ask(copy, 5L)))
ON(files, ftruncate, negative, ask(copy, -1L))
ON(files, ftruncate, of_folder, ask(folder, 0L))
ANSWERS(ftruncate, no_descriptor, ask(-1, 0L))
ON(files, copy_file_range, all, with_content(ask(file, NULL, copy, NULL, 100L, 0)))
ON(files, copy_file_range, from_offset, with_content(ask(file, &offset, copy, NULL, 4L, 0)))
ON(files, copy_file_range, bad_flags, ask(file, NULL, copy, NULL, 4L, 1 << 20))
ON(files, copy_file_range, to_folder, ask(file, NULL, folder, NULL, 4L, 0))
ON(files, copy_file_range, onto_itself, ask(file, NULL, file, NULL, 4L, 0))
ANSWERS(copy_file_range, no_descriptor, ask(-1, NULL, -1, NULL, 4L, 0))
ON(files, sendfile, all, with_content(ask(copy, file, NULL, 100L)))
ON(files, sendfile, from_offset, with_content(ask(copy, file, &offset, 4L)) + offset * 100)
ON(files, sendfile, from_folder, ask(copy, folder, NULL, 4L))
ON(files, splice, no_pipe, ask(file, NULL, copy, NULL, 4L, 0))
ON(files, readahead, all, ask(file, 0L, 10L))
ANSWERS(readahead, no_descriptor, ask(-1, 0L, 10L))
ON(files, fadvise64, dont_need, ask(file, 0L, 0L, POSIX_FADV_DONTNEED))
ON(files, fadvise64, bad_advice, ask(file, 0L, 0L, 99))
ANSWERS(fadvise64, no_descriptor, ask(-1, 0L, 0L, 0))
ON(files, getdents64, folder, as_zero(ask(folder, page, 4096)))
ON(files, getdents64, no_room, ask(folder, page, 1))
ON(files, getdents64, of_file, ask(file, page, 4096))
ON(files, getdents64, nowhere, ask(folder, NULL, 4096))
ANSWERS(getdents64, no_descriptor, ask(-1, pair_of, 8))
ON(files, getdents, folder, as_zero(ask(folder, page, 4096)))
ON(files, getdents, of_file, ask(file, page, 4096))
ANSWERS(getdents, no_descriptor, ask(-1, pair_of, 8))
ANSWERS(statfs, nothing, ask("/nonexistent", pair_of))
ANSWERS(fstatfs, no_descriptor, ask(-1, pair_of))
ANSWERS(stat, nothing, ask("/nonexistent", pair_of))
ANSWERS(lstat, nothing, ask("/nonexistent", pair_of))
ANSWERS(fstat, no_descriptor, ask(-1, pair_of))
ANSWERS(newfstatat, nothing, ask(AT_FDCWD, "/nonexistent", pair_of, 0))
ANSWERS(statx, nothing, ask(AT_FDCWD, "/nonexistent", 0, 0, pair_of))
ANSWERS(access, nothing, ask("/nonexistent", F_OK))
ANSWERS(faccessat, nothing, ask(AT_FDCWD, "/nonexistent", F_OK))
ANSWERS(faccessat2, nothing, ask(AT_FDCWD, "/nonexistent", F_OK, 0))
ANSWERS(readlink, nothing, ask("/nonexistent", pair_of, 8L))
ANSWERS(unlink, nothing, ask("/nonexistent"))
ANSWERS(unlinkat, nothing, ask(AT_FDCWD, "/nonexistent", 0))
ANSWERS(rename, nothing, ask("/nonexistent", "/nonexistent/too"))
ANSWERS(mkdir, there_already, ask("/tmp", 0700))
ANSWERS(rmdir, nothing, ask("/nonexistent"))
ANSWERS(link, nothing, ask("/nonexistent", "/nonexistent/too"))
ANSWERS(symlink, nowhere, ask("name", "/nonexistent/name"))
ANSWERS(mount, nothing, ask(NULL, "/nonexistent", NULL, 0L, NULL))
ANSWERS(umount2, nothing, ask("/nonexistent", 0))
ANSWERS(umount2, bad_flags, ask("/tmp", -1))
ANSWERS(pivot_root, nothing, ask("/nonexistent", "/nonexistent"))
ANSWERS(swapon, nothing, ask("/nonexistent", 0))
ANSWERS(swapoff, nothing, ask("/nonexistent"))
ANSWERS(quotactl, nothing, ask(-1, NULL, 0, NULL))
ANSWERS(acct, nothing, ask("/nonexistent"))
ANSWERS(fsopen, nowhere, ask(NULL, 0))
ANSWERS(fsmount, no_descriptor, ask(-1, 0, 0))
ANSWERS(fsconfig, no_descriptor, ask(-1, 0, NULL, NULL, 0))
ANSWERS(move_mount, no_descriptor, ask(-1, "", -1, "", 0))
ANSWERS(request_key, nowhere, ask(NULL, NULL, NULL, 0))
ANSWERS(syslog, no_action, ask(99, NULL, 0))
ANSWERS(syslog, nowhere, ask(2, NULL, 10))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
