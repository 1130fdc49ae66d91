/* A folder of its own for each trial of ticks.h, and the process in it: what calls on paths work on.
 *
 *     file     ten bytes, mode 0640       folder   empty, and open as `folder`
 *     link     leads to file              nothing  is not there
 *
 * A trial may make and change what it likes in it: the tidy removes all that is left.
 */
#ifndef TREE_H
#define TREE_H

#include "ticks.h"

#include <ftw.h>
#include <sys/stat.h>

static char tree_path[32], long_name[300];
static int file, folder;

static void make_tree(void)
{
	strcpy(tree_path, "/tmp/guest-tree-XXXXXX");
	check(mkdtemp(tree_path) != NULL && chdir(tree_path) == 0);
	file = open("file", O_RDWR | O_CREAT, 0640);
	check(file >= 0 && mkdir("folder", 0750) == 0 && symlink("file", "link") == 0);
	write_all(file, "0123456789", 10);
	folder = open("folder", O_RDONLY | O_DIRECTORY);
	check(folder >= 0);
	memset(long_name, 'x', sizeof(long_name) - 1);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status, (void)kind, (void)where;
	return remove(path);
}

static void remove_tree(void)
{
	close(file);
	close(folder);
	check(chdir("/") == 0);
	check(nftw(tree_path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

static const struct fixture tree = {make_tree, NULL, remove_tree};

/* Say what a name stands for after a call that has changed it; nothing of one that failed. */
static inline long and_status(const char *name, long result)
{
	struct stat status;

	if (result < 0)
		return result;
	check(fstatat(AT_FDCWD, name, &status, AT_SYMLINK_NOFOLLOW) == 0);
	say("then %s: mode %o, %ld links, ids %d and %d", name, (unsigned)status.st_mode,
	    (long)status.st_nlink, (int)status.st_uid, (int)status.st_gid);
	return result;
}

/* The same of its times, as far as they are not those of today. */
static inline long and_times(const char *name, long result)
{
	struct stat status;

	if (result < 0)
		return result;
	check(fstatat(AT_FDCWD, name, &status, AT_SYMLINK_NOFOLLOW) == 0);
	if (status.st_atime < 1000000)
		say("then %s: read at %ld.%09ld", name, (long)status.st_atim.tv_sec,
		    status.st_atim.tv_nsec);
	if (status.st_mtime < 1000000)
		say("then %s: written at %ld.%09ld", name, (long)status.st_mtim.tv_sec,
		    status.st_mtim.tv_nsec);
	return result;
}

#endif
