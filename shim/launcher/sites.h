#ifndef WEFT_LAUNCHER_SITES_H
#define WEFT_LAUNCHER_SITES_H

#include "program.h"

#include <stdbool.h>

/**
 * Print to stdout what weft would patch in a program and in each library it needs.
 *
 * The program's loader is asked for the libraries, which runs none of their
 * code, and runs weft's own library, which looks at the files. Objects without
 * a system call of their own are not named.
 *
 * each   a line for each call, instead of one for each object
 *
 * @return whether all objects could be looked at
 */
bool weft__sites_print(const struct weft__program *program, const char *library, bool each);

#endif
