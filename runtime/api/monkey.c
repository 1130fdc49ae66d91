/*
 * Monkey control (weft/monkey.h): finds the shim, which does the work, where nobody preloaded it.
 *
 * That one is looked for beside this library first: two that were not made together would differ in
 * what they hold of the same memory. It is loaded for good: it will have changed libc.
 */
#include <weft/monkey.h>

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "crew.h"
#include "monkey.h"

#define SHIM "libweft-preload.so"

/* Load the shim from the folder of this library; false: it is not there. */
static bool load_beside(void)
{
	char path[PATH_MAX];
	const char *slash;
	Dl_info info;
	int length;

	if (dladdr(&weft__shim, &info) == 0 || info.dli_fname == NULL)
		return false;
	slash = strrchr(info.dli_fname, '/');
	if (slash == NULL)
		return false;
	length = snprintf(path, sizeof(path), "%.*s/" SHIM, (int)(slash - info.dli_fname),
			  info.dli_fname);
	return length > 0 && (size_t)length < sizeof(path) &&
	       dlopen(path, RTLD_NOW | RTLD_NODELETE) != NULL;
}

/* It fills in weft__shim as it is loaded, unless it has found another libweft.so. */
static int load(void)
{
	if (weft__shim == NULL && !load_beside())
		dlopen(SHIM, RTLD_NOW | RTLD_NODELETE);
	return weft__shim == NULL ? -ELIBACC : 0;
}

int weft_patch(unsigned int families)
{
	int err;

	if (families == 0 || (families & ~WEFT_ALL) != 0)
		return -EINVAL;
	if (weft__carrier_here() != NULL && weft_patched() == 0)
		return -EBUSY;
	err = load();
	return err != 0 ? err : weft__shim->patch(families);
}

int weft_patch_all(void)
{
	return weft_patch(WEFT_ALL);
}

unsigned int weft_patched(void)
{
	return weft__shim == NULL ? 0 : weft__shim->patched();
}

int weft_is_patched(const char *call_name)
{
	int err = call_name == NULL ? -EINVAL : load();

	return err != 0 ? err : weft__shim->is_patched(call_name);
}

int weft_get_original(const char *name, void **ret_function)
{
	int err = name == NULL || ret_function == NULL ? -EINVAL : load();

	return err != 0 ? err : weft__shim->original(name, ret_function);
}
