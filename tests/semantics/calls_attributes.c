/* Calls that change whose a file is, who may use it, its times and what else is written on it. */
#include "tree.h"

#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

#define NOBODY 65534

/* What struct file_attr of linux/fs.h is, which came with Linux 6.17. */
struct attributes {
	uint64_t flags;
	uint32_t words[4];
};

static const struct utimbuf old = {5, 6};
static const struct timeval old_us[2] = {{5, 100}, {6, 200}}, no_us[2] = {{5, 2000000}, {6, 0}};
static const struct timespec old_ns[2] = {{5, 100}, {6, 200}}, no_ns[2] = {{5, -7}, {6, 0}},
			     untouched[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};

ON(tree, chmod, file, and_status("file", ask("file", 04711)))
ON(tree, chmod, through_a_link, and_status("file", ask("link", 0600)))
ON(tree, chmod, folder, and_status("folder", ask("folder", 01777)))
ON(tree, chmod, nothing, ask("nothing", 0600))
ON(tree, chmod, too_long, ask(long_name, 0600))
ANSWERS(chmod, nowhere, ask(NULL, 0600))
ON(tree, fchmod, file, and_status("file", ask(file, 0604)))
ANSWERS(fchmod, no_descriptor, ask(-1, 0600))
ON(tree, fchmodat, in_folder, and_status("file", ask(folder, "../file", 0606)))
ON(tree, fchmodat, in_a_file, ask(file, "file", 0600))
ANSWERS(fchmodat, no_descriptor, ask(-1, "file", 0600))
ON(tree, fchmodat2, file, and_status("file", ask(AT_FDCWD, "file", 0606, 0)))
ON(tree, fchmodat2, itself, and_status("folder", ask(folder, "", 0700, AT_EMPTY_PATH)))
ON(tree, fchmodat2, bad_flags, ask(AT_FDCWD, "file", 0600, 1))
ANSWERS(fchmodat2, no_descriptor, ask(-1, "file", 0600, 0))

ON(tree, chown, nobody, and_status("file", ask("file", NOBODY, NOBODY)))
ON(tree, chown, as_it_is, and_status("file", ask("file", -1, -1)))
ON(tree, chown, through_a_link, and_status("link", ask("link", NOBODY, -1)))
ON(tree, chown, nothing, ask("nothing", -1, -1))
ANSWERS(chown, nowhere, ask(NULL, -1, -1))
ON(tree, lchown, link, and_status("link", ask("link", NOBODY, NOBODY)))
ON(tree, lchown, as_it_is, ask("link", -1, -1))
ON(tree, lchown, nothing, ask("nothing", -1, -1))
ON(tree, fchown, file, and_status("file", ask(file, NOBODY, -1)))
ON(tree, fchown, as_it_is, ask(file, -1, -1))
ANSWERS(fchown, no_descriptor, ask(-1, -1, -1))
ON(tree, fchownat, link, and_status("link", ask(AT_FDCWD, "link", 1, 1, AT_SYMLINK_NOFOLLOW)))
ON(tree, fchownat, in_folder, ask(folder, "../file", -1, -1, 0))
ON(tree, fchownat, bad_flags, ask(AT_FDCWD, "file", -1, -1, 1))
ANSWERS(fchownat, no_descriptor, ask(-1, "file", -1, -1, 0))

/* --- times --- */
ON(tree, utime, old, and_times("file", ask("file", &old)))
ON(tree, utime, as_of_now, and_times("file", ask("file", NULL)))
ON(tree, utime, nothing, ask("nothing", &old))
ON(tree, utime, from_nowhere, ask("file", (void *)8))
ON(tree, utimes, old, and_times("file", ask("file", old_us)))
ON(tree, utimes, impossible, ask("file", no_us))
ON(tree, utimes, nothing, ask("nothing", old_us))
ANSWERS(utimes, nowhere, ask(NULL, old_us))
ON(tree, futimesat, in_folder, and_times("file", ask(folder, "../file", old_us)))
ON(tree, futimesat, itself, and_times("file", ask(file, NULL, old_us)))
ON(tree, futimesat, impossible, ask(AT_FDCWD, "file", no_us))
ANSWERS(futimesat, no_descriptor, ask(-1, "file", old_us))
ON(tree, utimensat, link, and_times("link", ask(AT_FDCWD, "link", old_ns, AT_SYMLINK_NOFOLLOW)))
ON(tree, utimensat, itself, and_times("file", ask(file, NULL, old_ns, 0)))
ON(tree, utimensat, untouched, and_times("file", ask(AT_FDCWD, "file", untouched, 0)))
ON(tree, utimensat, impossible, ask(AT_FDCWD, "file", no_ns, 0))
ON(tree, utimensat, bad_flags, ask(AT_FDCWD, "file", old_ns, 1))
ANSWERS(utimensat, no_descriptor, ask(-1, "file", old_ns, 0))

/* --- extended attributes --- */
static char value[64];
static char big[70000];

static void make_tree_with_attribute(void)
{
	make_tree();
	setxattr("file", "user.one", "first", 5, 0);
}

static const struct fixture marked = {make_tree_with_attribute, NULL, remove_tree};

/* Names that the machine itself puts on files are none of the program's: only its own are counted. */
static long names_in(long bytes)
{
	long count = 0;

	for (char *at = value; at < value + bytes; at += strlen(at) + 1)
		count += strncmp(at, "user.", 5) == 0;
	return bytes < 0 ? bytes : count;
}

/* Whether another call reads what was written. */
static long and_value(const char *attribute, long result)
{
	memset(value, 0, sizeof(value));
	if (result >= 0 && lgetxattr("file", attribute, value, sizeof(value) - 1) >= 0)
		say("then %s: %s", attribute, value);
	return result;
}

ON(marked, setxattr, new, and_value("user.two", ask("file", "user.two", "second", 6L, 0)))
ON(marked, setxattr, again, and_value("user.one", ask("link", "user.one", "1", 1L, XATTR_REPLACE)))
ON(marked, setxattr, there_already, ask("file", "user.one", "1", 1L, XATTR_CREATE))
ON(marked, setxattr, bad_flags, ask("file", "user.one", "1", 1L, 99))
ON(marked, setxattr, bad_name, ask("file", "one", "1", 1L, 0))
ON(marked, setxattr, no_name, ask("file", "", "1", 1L, 0))
ON(marked, setxattr, too_big, ask("file", "user.one", big, 70000L, 0))
ON(marked, setxattr, from_nowhere, ask("file", "user.one", (void *)8, 8L, 0))
ON(marked, setxattr, nothing, ask("nothing", "user.one", "1", 1L, 0))
ON(marked, lsetxattr, file, and_value("user.two", ask("file", "user.two", "second", 6L, 0)))
ON(marked, lsetxattr, link, ask("link", "user.two", "second", 6L, 0))
ON(marked, fsetxattr, file, and_value("user.two", ask(file, "user.two", "second", 6L, 0)))
ANSWERS(fsetxattr, no_descriptor, ask(-1, "user.two", "second", 6L, 0))
ON(marked, getxattr, there, ask("link", "user.one", value, 64L))
ON(marked, getxattr, how_long, ask("file", "user.one", NULL, 0L))
ON(marked, getxattr, no_room, ask("file", "user.one", value, 2L))
ON(marked, getxattr, of_no_name, ask("file", "user.two", value, 64L))
ON(marked, getxattr, to_nowhere, ask("file", "user.one", (void *)8, 64L))
ON(marked, getxattr, nothing, ask("nothing", "user.one", value, 64L))
ON(marked, lgetxattr, file, ask("file", "user.one", value, 64L))
ON(marked, lgetxattr, link, ask("link", "user.one", value, 64L))
ON(marked, fgetxattr, file, ask(file, "user.one", value, 64L))
ANSWERS(fgetxattr, no_descriptor, ask(-1, "user.one", value, 64L))
ON(marked, listxattr, file, names_in(ask("link", value, 64L)))
ON(marked, listxattr, no_room, ask("file", value, 2L))
ON(marked, listxattr, to_nowhere, ask("file", (void *)8, 64L))
ON(marked, listxattr, nothing, ask("nothing", value, 64L))
ON(marked, llistxattr, file, names_in(ask("file", value, 64L)))
ON(marked, llistxattr, link, names_in(ask("link", value, 64L)))
ON(marked, flistxattr, file, names_in(ask(file, value, 64L)))
ANSWERS(flistxattr, no_descriptor, ask(-1, value, 64L))
ON(marked, removexattr, there, ask("file", "user.one"))
ON(marked, removexattr, of_no_name, ask("file", "user.two"))
ON(marked, removexattr, nothing, ask("nothing", "user.one"))
ANSWERS(removexattr, nowhere, ask(NULL, "user.one"))
ON(marked, lremovexattr, file, ask("file", "user.one"))
ON(marked, lremovexattr, link, ask("link", "user.one"))
ON(marked, fremovexattr, file, ask(file, "user.one"))
ANSWERS(fremovexattr, no_descriptor, ask(-1, "user.one"))

/* --- the same at a folder, since Linux 6.13 --- */
struct attribute_value {
	uint64_t value;
	uint32_t bytes, flags;
};

static struct attribute_value *holds(const void *bytes, uint32_t count, uint32_t flags)
{
	static struct attribute_value arg;

	arg = (struct attribute_value){(uintptr_t)bytes, count, flags};
	return &arg;
}

ON(marked, setxattrat, in_folder,
   and_value("user.two", ask(folder, "../file", 0, "user.two", holds("second", 6, 0), 16L)))
ON(marked, setxattrat, there_already,
   ask(AT_FDCWD, "file", 0, "user.one", holds("1", 1, XATTR_CREATE), 16L))
ON(marked, setxattrat, no_size, ask(AT_FDCWD, "file", 0, "user.one", holds("1", 1, 0), 0L))
ON(marked, setxattrat, bad_flags, ask(AT_FDCWD, "file", 1, "user.one", holds("1", 1, 0), 16L))
ANSWERS(setxattrat, no_descriptor, ask(-1, "file", 0, "user.one", holds("1", 1, 0), 16L))
ON(marked, getxattrat, there, ask(AT_FDCWD, "file", 0, "user.one", holds(value, 64, 0), 16L))
ON(marked, getxattrat, of_no_name, ask(AT_FDCWD, "file", 0, "user.two", holds(value, 64, 0), 16L))
ON(marked, getxattrat, from_nowhere, ask(AT_FDCWD, "file", 0, "user.one", (void *)8, 16L))
ANSWERS(getxattrat, no_descriptor, ask(-1, "file", 0, "user.one", holds(value, 64, 0), 16L))
ON(marked, listxattrat, there, names_in(ask(AT_FDCWD, "file", 0, value, 64L)))
ON(marked, listxattrat, bad_flags, ask(AT_FDCWD, "file", 1, value, 64L))
ANSWERS(listxattrat, no_descriptor, ask(-1, "file", 0, value, 64L))
ON(marked, removexattrat, there, ask(folder, "../file", 0, "user.one"))
ON(marked, removexattrat, of_no_name, ask(AT_FDCWD, "file", 0, "user.two"))
ANSWERS(removexattrat, no_descriptor, ask(-1, "file", 0, "user.one"))

/* --- what a file system itself keeps of a file, since Linux 6.17 --- */
static struct attributes attributes;

ON(tree, file_getattr, file, ask(AT_FDCWD, "file", &attributes, sizeof(attributes), 0))
ON(tree, file_getattr, nothing, ask(AT_FDCWD, "nothing", &attributes, sizeof(attributes), 0))
ON(tree, file_getattr, no_size, ask(AT_FDCWD, "file", &attributes, 0L, 0))
ON(tree, file_getattr, bad_flags, ask(AT_FDCWD, "file", &attributes, sizeof(attributes), 1))
ANSWERS(file_getattr, no_descriptor, ask(-1, "file", &attributes, sizeof(attributes), 0))
ON(tree, file_setattr, nothing, ask(AT_FDCWD, "nothing", &attributes, sizeof(attributes), 0))
ON(tree, file_setattr, no_size, ask(AT_FDCWD, "file", &attributes, 0L, 0))
ON(tree, file_setattr, from_nowhere, ask(AT_FDCWD, "file", NULL, sizeof(attributes), 0))
ON(tree, file_setattr, bad_flags, ask(AT_FDCWD, "file", &attributes, sizeof(attributes), 1))
ANSWERS(file_setattr, no_descriptor, ask(-1, "file", &attributes, sizeof(attributes), 0))

int main(int argc, char *argv[])
{
	(void)argc;
	umask(022);
	return run_trials(argv);
}
