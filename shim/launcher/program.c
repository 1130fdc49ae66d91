/*
 * From the name of a program to a judgement on the ELF file that will run:
 *
 *     name --PATH--> path --#! or /bin/sh, some levels--> image --ELF, ids--> finding
 *
 * Between the judgement and execve(2) files may change; the kernel and the
 * loader then decide, and weft is at worst not brought in.
 */
#include "program.h"

#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <paths.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* execve(2), "Interpreter scripts": four levels of recursion; measured on Linux 6.18: 5 run. */
#define SCRIPTS_MAX 5
/* BINPRM_BUF_SIZE: what of the first line the kernel looks at. */
#define SCRIPT_LINE_BYTES 256

/* from is known to be shorter than PATH_MAX, which to has room for. */
static void copy_path(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

/* Judge what stat(2) and access(2) tell; *st is valid for FITS. */
static enum weft__finding look(struct weft__program *program, const char *path, struct stat *st)
{
	if (stat(path, st) != 0)
		goto failed;
	if (S_ISDIR(st->st_mode))
		return WEFT__DIRECTORY;
	if (!S_ISREG(st->st_mode))
		return WEFT__NOT_A_FILE;
	if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
		goto failed;
	return WEFT__FITS;
failed:
	if (errno == ENOENT || errno == ENOTDIR)
		return WEFT__NOT_FOUND;
	if (errno == EACCES)
		return WEFT__NOT_EXECUTABLE;
	program->err = errno;
	return WEFT__REFUSED;
}

/* A file that may not be run is passed over, but remembered, as execvp(3) does it. */
static enum weft__finding search_path(struct weft__program *program, const char *name)
{
	enum weft__finding finding = WEFT__NOT_FOUND;
	const char *directory = getenv("PATH");
	struct stat st;

	if (directory == NULL)
		directory = "/bin:/usr/bin"; /* glibc's own default in execvp(3) */
	for (;;) {
		int length = (int)strcspn(directory, ":");
		/* An empty element is the working directory. */
		int wanted = snprintf(program->path, PATH_MAX, "%.*s%s%s", length, directory,
				      length > 0 ? "/" : "", name);

		if (wanted > 0 && wanted < PATH_MAX) {
			switch (look(program, program->path, &st)) {
			case WEFT__FITS:
				return WEFT__FITS;
			case WEFT__NOT_EXECUTABLE:
				finding = WEFT__NOT_EXECUTABLE;
				break;
			default:
				break;
			}
		}
		if (directory[length] == '\0')
			break;
		directory += length + 1;
	}
	program->path[0] = '\0';
	return finding;
}

static enum weft__finding resolve(struct weft__program *program, const char *name)
{
	if (name[0] == '\0')
		return WEFT__NOT_FOUND;
	if (strchr(name, '/') == NULL)
		return search_path(program, name);
	if (strlen(name) >= PATH_MAX) {
		program->err = ENAMETOOLONG;
		return WEFT__REFUSED;
	}
	copy_path(program->path, name);
	return WEFT__FITS;
}

/*
 * Whether the file is a #! script; its interpreter is then copied to path.
 * As in the kernel, an empty interpreter, or one that may have been cut off
 * at the end of the buffer, makes the file no script at all.
 */
static bool read_script(const struct weft__image *image, char *path)
{
	char line[SCRIPT_LINE_BYTES + 1] = "";
	const char *name = line + 2;
	size_t length;

	if (image->size < 2 || memcmp(image->data, "#!", 2) != 0)
		return false;
	memcpy(line, image->data,
	       image->size < SCRIPT_LINE_BYTES ? image->size : SCRIPT_LINE_BYTES);
	name += strspn(name, " \t");
	length = strcspn(name, " \t\n");
	if (length == 0 || (name + length == line + SCRIPT_LINE_BYTES))
		return false;
	memcpy(path, name, length);
	path[length] = '\0';
	return true;
}

static bool on_nosuid_mount(const char *path)
{
	struct statvfs fs;

	return statvfs(path, &fs) == 0 && (fs.f_flag & ST_NOSUID);
}

/*
 * The loader ignores LD_PRELOAD with a slash in it when the kernel sets
 * AT_SECURE: effective ids that differ from the real ones, or capabilities
 * gained from the file by somebody who is not root (security/commoncap.c).
 */
static enum weft__finding judge_ids(const char *path, const struct stat *st)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if ((st->st_mode & (S_ISUID | S_ISGID)) && !on_nosuid_mount(path) &&
	    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		if (st->st_mode & S_ISUID)
			uid = st->st_uid;
		if ((st->st_mode & S_ISGID) && (st->st_mode & S_IXGRP))
			gid = st->st_gid;
	}
	if (uid != getuid())
		return WEFT__SETUID;
	if (gid != getgid())
		return WEFT__SETGID;
	if (uid != 0 && getxattr(path, "security.capability", NULL, 0) > 0 &&
	    !on_nosuid_mount(path))
		return WEFT__CAPABLE;
	return WEFT__FITS;
}

/* Judge program->image, or put the next interpreter there and set *again. */
static enum weft__finding judge_image(struct weft__program *program, bool *again)
{
	enum weft__finding finding;
	struct weft__image image;
	struct stat st;
	int err;

	finding = look(program, program->image, &st);
	if (finding != WEFT__FITS)
		return finding;
	err = weft__image_open(&image, program->image);
	if (err == -EACCES) {
		finding = judge_ids(program->image, &st);
		return finding == WEFT__FITS ? WEFT__UNREADABLE : finding;
	}
	if (err != 0) {
		program->err = -err;
		return WEFT__REFUSED;
	}

	if (weft__image_is_elf(&image)) {
		finding = weft__image_judge(&image, program->loader, sizeof(program->loader));
		if (finding == WEFT__FITS)
			finding = judge_ids(program->image, &st);
	} else if (read_script(&image, program->image)) {
		program->scripts++;
		*again = true;
	} else if (program->shell) {
		finding = WEFT__NOT_A_PROGRAM;
	} else {
		copy_path(program->image, _PATH_BSHELL);
		program->shell = true;
		*again = true;
	}
	weft__image_close(&image);
	return finding;
}

enum weft__finding weft__program_find(struct weft__program *program, const char *name)
{
	enum weft__finding finding;
	bool again;

	program->path[0] = '\0';
	program->loader[0] = '\0';
	program->scripts = 0;
	program->shell = false;
	program->rule.line = 0;
	program->err = 0;
	finding = resolve(program, name);
	copy_path(program->image, program->path);
	if (finding != WEFT__FITS)
		return finding;

	do {
		again = false;
		finding = judge_image(program, &again);
		if (program->scripts > SCRIPTS_MAX)
			return WEFT__TOO_DEEP;
	} while (again);
	return finding;
}

enum weft__finding weft__program_rule(struct weft__program *program, const char *library,
				      weft__rules_wrong *wrong)
{
	char path[PATH_MAX];

	if (realpath(program->image, path) == NULL)
		copy_path(path, program->image);
	weft__rules_find(weft__base_name(path), library, &program->rule, wrong);
	return program->rule.line != 0 && program->rule.reason[0] != '\0' ? WEFT__RULED_OUT
									  : WEFT__FITS;
}

static const struct {
	int status;
	const char *text;
} findings[] = {
#define FINDING(name, status, text) [WEFT__##name] = {status, text},
	WEFT__FINDINGS(FINDING)
#undef FINDING
};

void weft__program_explain(const struct weft__program *program, enum weft__finding finding,
			   char *text, size_t text_bytes)
{
	bool interpreted = strcmp(program->path, program->image) != 0;
	const char *why = findings[finding].text;

	if (finding == WEFT__REFUSED)
		why = strerror(program->err);
	if (finding == WEFT__RULED_OUT)
		why = program->rule.reason;
	if (!interpreted || finding == WEFT__FITS || finding == WEFT__TOO_DEEP)
		snprintf(text, text_bytes, "%s", why);
	else
		snprintf(text, text_bytes, "its interpreter %s: %s", program->image, why);
}

int weft__program_status(enum weft__finding finding)
{
	return findings[finding].status;
}
