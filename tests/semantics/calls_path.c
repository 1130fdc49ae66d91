/* Calls that make, move and look up names, in a folder of their own and beside ticks. */
#include "tree.h"

#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/inotify.h>

/* From linux/fs.h, which does not go with the headers of libc. */
#define NO_REPLACE 1
#define EXCHANGE 2

static char text[4096];

static const char *const far_name = (const char *)8;

/* The working folder is that of all threads; it is the tree again after that. */
static long and_where(long result)
{
	char name[128];

	if (result >= 0) {
		check(getcwd(name, sizeof(name)) != NULL);
		say("then in %s", strrchr(name, '/'));
	}
	check(chdir(tree_path) == 0);
	return result;
}

ON(tree, chdir, folder, and_where(ask("folder")))
ON(tree, chdir, file, ask("file"))
ON(tree, chdir, nothing, ask("nothing"))
ON(tree, chdir, empty, ask(""))
ON(tree, chdir, too_long, ask(long_name))
ANSWERS(chdir, nowhere, ask(NULL))
ON(tree, fchdir, folder, and_where(ask(folder)))
ON(tree, fchdir, file, ask(file))
ANSWERS(fchdir, no_descriptor, ask(-1))

/* In a child: there is no way back. */
static long change_root(void)
{
	if (ask("folder") != 0)
		return errno;
	return 100 + (access("file", F_OK) == 0) + (access("/file", F_OK) == 0);
}

ON(tree, chroot, folder_in_a_child, in_child(change_root))
ON(tree, chroot, file, ask("file"))
ON(tree, chroot, nothing, ask("nothing"))
ANSWERS(chroot, nowhere, ask(NULL))

/* --- names made --- */
ON(tree, mkdirat, in_folder, and_status("folder/new", ask(folder, "new", 0711)))
ON(tree, mkdirat, here, and_status("new", ask(AT_FDCWD, "new", 0777)))
ON(tree, mkdirat, there_already, ask(AT_FDCWD, "file", 0700))
ON(tree, mkdirat, in_a_file, ask(file, "new", 0700))
ON(tree, mkdirat, too_long, ask(folder, long_name, 0700))
ANSWERS(mkdirat, no_descriptor, ask(-1, "new", 0700))
ANSWERS(mkdirat, nowhere, ask(AT_FDCWD, NULL, 0700))
ON(tree, mknod, fifo, and_status("new", ask("new", S_IFIFO | 0600, 0L)))
ON(tree, mknod, file, and_status("new", ask("new", S_IFREG | 0600, 0L)))
ON(tree, mknod, folder, ask("new", S_IFDIR | 0700, 0L))
ON(tree, mknod, of_no_kind, ask("new", S_IFLNK | 0600, 0L))
ON(tree, mknod, there_already, ask("file", S_IFIFO | 0600, 0L))
ANSWERS(mknod, nowhere, ask(NULL, S_IFIFO | 0600, 0L))
ON(tree, mknodat, socket, and_status("folder/new", ask(folder, "new", S_IFSOCK | 0600, 0L)))
ON(tree, mknodat, in_a_file, ask(file, "new", S_IFIFO | 0600, 0L))
ANSWERS(mknodat, no_descriptor, ask(-1, "new", S_IFIFO | 0600, 0L))
ON(tree, linkat, file, and_status("folder/new", ask(AT_FDCWD, "file", folder, "new", 0)))
ON(tree, linkat, of_a_link, and_status("new", ask(AT_FDCWD, "link", AT_FDCWD, "new", 0)))
ON(tree, linkat, through_a_link,
   and_status("new", ask(AT_FDCWD, "link", AT_FDCWD, "new", AT_SYMLINK_FOLLOW)))
ON(tree, linkat, of_a_folder, ask(AT_FDCWD, "folder", AT_FDCWD, "new", 0))
ON(tree, linkat, onto_a_file, ask(AT_FDCWD, "file", AT_FDCWD, "link", 0))
ON(tree, linkat, bad_flags, ask(AT_FDCWD, "file", AT_FDCWD, "new", 1))
ANSWERS(linkat, no_descriptor, ask(-1, "file", -1, "new", 0))
ON(tree, symlinkat, in_folder, and_status("folder/new", ask("../file", folder, "new")))
ON(tree, symlinkat, to_nothing, ask("nothing", AT_FDCWD, "new"))
ON(tree, symlinkat, there_already, ask("nothing", AT_FDCWD, "file"))
ON(tree, symlinkat, empty, ask("", AT_FDCWD, "new"))
ANSWERS(symlinkat, nowhere, ask(NULL, AT_FDCWD, "new"))
ANSWERS(symlinkat, no_descriptor, ask("nothing", -1, "new"))

ON(tree, mkdir, here, and_status("new", ask("new", 0750)))
ON(tree, symlink, here, and_status("new", ask("nothing", "new")))
ON(tree, link, here, and_status("new", ask("file", "new")))
ON(tree, creat, new, and_status("new", as_fd(ask("new", 0600))))
ON(tree, creat, folder, ask("folder", 0600))
ON(tree, open, new, and_status("new", as_fd(ask("new", O_CREAT | O_EXCL | O_WRONLY, 0600))))
ON(tree, open, there_already, ask("file", O_CREAT | O_EXCL | O_WRONLY, 0600))
ON(tree, open, cut, as_fd(ask("link", O_TRUNC | O_RDWR)))
ON(tree, open, link, ask("link", O_NOFOLLOW | O_RDONLY))
ON(tree, openat, new, and_status("folder/new", as_fd(ask(folder, "new", O_CREAT | O_RDWR, 0600))))
ON(tree, openat, without_a_name, as_fd(ask(folder, ".", O_TMPFILE | O_RDWR, 0600)))
ON(tree, openat, in_a_file, ask(file, "new", O_CREAT | O_RDWR, 0600))

static struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};

ON(tree, openat2, beneath, as_fd(ask(AT_FDCWD, "link", &how, sizeof(how))))
ON(tree, openat2, beyond, ask(folder, "../file", &how, sizeof(how)))
ON(tree, openat2, no_size, ask(folder, "../file", &how, 0L))
ON(tree, openat2, from_nowhere, ask(folder, "../file", NULL, sizeof(how)))

/* --- names changed --- */
ON(tree, rename, onto_nothing, and_status("new", ask("file", "new")))
ON(tree, unlink, link, and_status("file", ask("link")))
ON(tree, unlink, folder, ask("folder"))
ON(tree, unlinkat, folder, ask(AT_FDCWD, "folder", AT_REMOVEDIR))
ON(tree, unlinkat, bad_flags, ask(AT_FDCWD, "folder", 1))
ON(tree, rmdir, folder, ask("folder"))
ON(tree, rmdir, file, ask("file"))
ON(tree, truncate, file, and_status("file", ask("link", 5L)))
ON(tree, renameat, into_folder, and_status("folder/new", ask(AT_FDCWD, "file", folder, "new")))
ON(tree, renameat, onto_a_link, and_status("link", ask(AT_FDCWD, "file", AT_FDCWD, "link")))
ON(tree, renameat, onto_a_folder, ask(AT_FDCWD, "file", AT_FDCWD, "folder"))
ON(tree, renameat, into_itself, ask(AT_FDCWD, "folder", folder, "new"))
ON(tree, renameat, nothing, ask(AT_FDCWD, "nothing", AT_FDCWD, "new"))
ANSWERS(renameat, no_descriptor, ask(-1, "file", -1, "new"))
ANSWERS(renameat, nowhere, ask(AT_FDCWD, far_name, AT_FDCWD, far_name))
ON(tree, renameat2, exchange,
   and_status("file", ask(AT_FDCWD, "file", AT_FDCWD, "folder", EXCHANGE)))
ON(tree, renameat2, onto_nothing,
   and_status("new", ask(AT_FDCWD, "file", AT_FDCWD, "new", NO_REPLACE)))
ON(tree, renameat2, onto_a_file, ask(AT_FDCWD, "link", AT_FDCWD, "file", NO_REPLACE))
ON(tree, renameat2, bad_flags, ask(AT_FDCWD, "file", AT_FDCWD, "new", EXCHANGE | NO_REPLACE))
ANSWERS(renameat2, no_descriptor, ask(-1, "file", -1, "new", 0))

/* --- names looked up --- */
ON(tree, readlinkat, link, ask(AT_FDCWD, "link", text, 8L))
ON(tree, readlinkat, cut, ask(AT_FDCWD, "link", text, 2L))
ON(tree, readlinkat, no_room, ask(AT_FDCWD, "link", text, 0L))
ON(tree, readlinkat, of_a_file, ask(AT_FDCWD, "file", text, 8L))
ON(tree, readlinkat, to_nowhere, ask(AT_FDCWD, "link", NULL, 8L))
ANSWERS(readlinkat, no_descriptor, ask(-1, "link", text, 8L))
ON(tree, readlink, link, ask("link", text, 8L))
ON(tree, stat, link, as_zero(ask("link", text)))
ON(tree, stat, to_nowhere, ask("link", NULL))
ON(tree, lstat, link, as_zero(ask("link", text)))
ON(tree, fstat, file, ask(file, text))
ON(tree, fstat, to_nowhere, ask(file, NULL))
ON(tree, newfstatat, in_folder, ask(folder, "nothing", text, 0))
ON(tree, newfstatat, itself, ask(folder, "", text, AT_EMPTY_PATH))
ON(tree, newfstatat, bad_flags, ask(folder, "", text, 1 << 30))
ON(tree, statx, file, ask(folder, "../file", 0, STATX_BASIC_STATS, text))
ON(tree, statx, bad_mask, ask(folder, "../file", 0, STATX__RESERVED, text))
ON(tree, access, file, ask("file", R_OK))
ON(tree, access, bad_mode, ask("file", 99))
ON(tree, faccessat, in_folder, ask(folder, "../file", R_OK))
ON(tree, faccessat2, link, ask(AT_FDCWD, "link", R_OK, AT_SYMLINK_NOFOLLOW))
ON(tree, faccessat2, bad_flags, ask(AT_FDCWD, "link", R_OK, 1))
ON(tree, statfs, folder, ask("folder", text))
ON(tree, statfs, to_nowhere, ask("folder", NULL))
ON(tree, fstatfs, file, ask(file, text))

static unsigned long device(void)
{
	struct stat status;

	check(fstat(file, &status) == 0);
	return status.st_dev;
}

ON(tree, ustat, mounted, ask(device(), text))
ON(tree, ustat, to_nowhere, ask(device(), NULL))
ANSWERS(ustat, no_device, ask(0xFFFFFL, text))

/* --- handles --- */
static union {
	struct file_handle header;
	char room[256];
} handle;
static int mount_id;

static struct file_handle *with_room(unsigned int bytes)
{
	memset(&handle, 0, sizeof(handle));
	handle.header.handle_bytes = bytes;
	return &handle.header;
}

static struct file_handle *of_file(void)
{
	syscall(SYS_name_to_handle_at, AT_FDCWD, "file", with_room(128), &mount_id, 0);
	return &handle.header;
}

ON(tree, name_to_handle_at, file, ask(AT_FDCWD, "file", with_room(128), &mount_id, 0))
ON(tree, name_to_handle_at, no_room, ask(AT_FDCWD, "file", with_room(0), &mount_id, 0))
ON(tree, name_to_handle_at, huge, ask(AT_FDCWD, "file", with_room(99999), &mount_id, 0))
ON(tree, name_to_handle_at, nothing, ask(AT_FDCWD, "nothing", with_room(128), &mount_id, 0))
ON(tree, name_to_handle_at, to_nowhere, ask(AT_FDCWD, "file", NULL, &mount_id, 0))
ON(tree, name_to_handle_at, bad_flags, ask(AT_FDCWD, "file", with_room(128), &mount_id, 1 << 30))
ANSWERS(name_to_handle_at, no_descriptor, ask(-1, "file", with_room(128), &mount_id, 0))
ON(tree, open_by_handle_at, file, as_fd(ask(folder, of_file(), O_RDONLY)))
ON(tree, open_by_handle_at, no_handle, ask(folder, with_room(0), O_RDONLY))
ON(tree, open_by_handle_at, huge, ask(folder, with_room(99999), O_RDONLY))
ON(tree, open_by_handle_at, from_nowhere, ask(folder, NULL, O_RDONLY))
ON(tree, open_by_handle_at, no_descriptor, ask(-1, of_file(), O_RDONLY))

/* --- watches --- */
static int watcher;

static void make_watched(void)
{
	make_tree();
	watcher = inotify_init1(IN_NONBLOCK);
	check(watcher >= 0);
}

static void remove_watched(void)
{
	close(watcher);
	remove_tree();
}

static const struct fixture watched = {make_watched, NULL, remove_watched};

static long and_events(long result)
{
	if (result >= 0) {
		check(mkdir("folder/new", 0700) == 0);
		say("then %d bytes of events", (int)read(watcher, text, sizeof(text)));
	}
	return result;
}

ON(watched, inotify_add_watch, folder, and_events(ask(watcher, "folder", IN_CREATE)))
ON(watched, inotify_add_watch, file_as_folder, ask(watcher, "file", IN_CREATE | IN_ONLYDIR))
ON(watched, inotify_add_watch, nothing, ask(watcher, "nothing", IN_CREATE))
ON(watched, inotify_add_watch, for_nothing, ask(watcher, "folder", 0))
ON(watched, inotify_add_watch, by_a_file, ask(file, "folder", IN_CREATE))
ON(watched, inotify_add_watch, nowhere, ask(watcher, NULL, IN_CREATE))
ANSWERS(inotify_add_watch, no_descriptor, ask(-1, "folder", IN_CREATE))

int main(int argc, char *argv[])
{
	(void)argc;
	umask(022);
	return run_trials(argv);
}
