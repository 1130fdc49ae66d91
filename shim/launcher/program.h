#ifndef WEFT_LAUNCHER_PROGRAM_H
#define WEFT_LAUNCHER_PROGRAM_H

#include "../rules.h"
#include "finding.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* A program as far as it was found; weft__program_find() writes all of it. */
struct weft__program {
	char path[PATH_MAX];    /* what execve(2) gets; "" for NOT_FOUND in PATH */
	char image[PATH_MAX];   /* the file judged: path, or what interprets it; may be missing */
	char loader[PATH_MAX];  /* PT_INTERP of image; "" where it was not read */
	int scripts;            /* #! lines on the way from path to image */
	bool shell;             /* neither ELF nor #!: /bin/sh runs it, as execvp(3) has it */
	int err;                /* why, an errno; valid for REFUSED */
	struct weft__rule rule; /* valid after weft__program_rule() */
};

/**
 * Find the program as execvp(3) would and judge what will really run.
 *
 * For a #! script that is its interpreter (and not what the interpreter goes
 * on to run). The program is read, never run.
 */
enum weft__finding weft__program_find(struct weft__program *program, const char *name);

/**
 * Find what the rules say of a program that fits.
 *
 * @param library  path of libweft-preload.so, near which weft's own rules are
 *
 * @return RULED_OUT or FITS
 */
enum weft__finding weft__program_rule(struct weft__program *program, const char *library,
				      weft__rules_wrong *wrong);

/**
 * Write to text, of text_bytes, why the finding is what it is.
 *
 * The sentence names the interpreter when that is to blame. It does not name
 * the program.
 */
void weft__program_explain(const struct weft__program *program, enum weft__finding finding,
			   char *text, size_t text_bytes);

/** The launcher's exit status for a finding: 0, 126 or 127. */
int weft__program_status(enum weft__finding finding);

#endif
