/*
 * Interpreters, which an iterative server cannot be written for (iterative.h).
 */
#ifndef WEFT_INTERPRETERS_H
#define WEFT_INTERPRETERS_H

/** The interpreter that is part of the program, or of one of its libraries; NULL: none is known. */
const char *weft__interpreter(void);

#endif
