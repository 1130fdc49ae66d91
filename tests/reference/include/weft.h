/*
 * weft: a sample of headers, with all that the reference has to read.
 *
 * Only the test of the reference reads it.
 */
#ifndef WEFT_H
#define WEFT_H

#include <weft/sample.h>

#endif
