#ifndef WEFT_LAUNCHER_SITES_H
#define WEFT_LAUNCHER_SITES_H

#include "program.h"

#include <stdbool.h>

/* What is to become of the calls of a program. */
enum weft__sites {
	WEFT__SITES_UNKNOWN, /* not all objects could be looked at */
	WEFT__SITES_PATCHED, /* those that are not are the kernel's, and may be none */
	WEFT__SITES_CAUGHT,  /* some cannot be patched, so weft has the kernel bring it these */
};

/**
 * Print to stdout what weft would patch in a program and in each library it needs.
 *
 * The program's loader is asked for the libraries, which runs none of their
 * code, and runs weft's own library, which looks at the files. Objects without
 * a system call of their own are not named.
 *
 * each   a line for each call, instead of one for each object; the result is then not CAUGHT
 */
enum weft__sites weft__sites_print(const struct weft__program *program, const char *library,
				   bool each);

#endif
