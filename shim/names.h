/* What the program's own dynamic section tells of it, in its own process. */
#ifndef WEFT_NAMES_H
#define WEFT_NAMES_H

#include <stdbool.h>

/** Whether it is linked against any library: one that is not has no libc, but that weft needs one. */
bool weft__program_has_libraries(void);

/** Whether a symbol or library of that name is there, wanted or defined by it. */
bool weft__program_names(const char *symbol);

/** Whether it looks for leaks as sanitizers do, which takes kernel threads, and nobody has told it not to. */
bool weft__program_finds_leaks(void);

/** Whether it may trace other processes (ptrace(2)). */
bool weft__program_traces(void);

#endif
