#ifndef WEFT_LAUNCHER_LIBRARIES_H
#define WEFT_LAUNCHER_LIBRARIES_H

#include <stddef.h>

/**
 * Find libweft-preload.so: beside this program, else where it is installed.
 *
 * @return 0 with its path in path, of path_bytes, or
 *   -ENOENT  it is in none of these places
 *   -EINVAL  it is in a directory whose name LD_PRELOAD cannot carry: there a
 *            space or a colon ends a name, and a dollar sign starts a variable;
 *            path is written
 */
int weft__library_find(char *path, size_t path_bytes);

/**
 * Put library in front of LD_PRELOAD.
 *
 * What else is there stays, in its order; another libweft-preload.so does not.
 *
 * @return 0, or -ENOMEM
 */
int weft__library_preload(const char *library);

#endif
