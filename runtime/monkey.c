/* See monkey.h. */
#include "monkey.h"

#include <stddef.h>

bool weft__on_threads;
const struct weft__shim_ops *weft__shim;

bool weft__patched(void)
{
	return weft__shim != NULL && weft__shim->wake();
}
