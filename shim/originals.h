/* Calls by name, for weft_is_patched() and weft_get_original(). */
#ifndef WEFT_ORIGINALS_H
#define WEFT_ORIGINALS_H

/** weft_is_patched(), but for -EINVAL and -ELIBACC. */
int weft__is_patched(const char *name);

/** weft_get_original(), likewise. */
int weft__original(const char *name, void **ret_function);

#endif
