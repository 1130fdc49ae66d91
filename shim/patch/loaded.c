/*
 * See loaded.h.
 *
 * The loader keeps a list of what is loaded for debuggers, and calls an empty function whenever it
 * has changed, on which they set a breakpoint (link.h, struct r_debug). weft has it jump to
 * weft__objects_changed() instead. That is called with the loader's own lock held, by dlopen(3)
 * before any code of the new objects runs, or is relocated, and by dlclose(3) after they are gone.
 *
 * An object is known by where it lies. One that has gone takes its stubs with it: whoever is in one
 * of them is in unmapped code anyway. The record of an object without sites has no stubs.
 *
 * The loader itself is patched like any other: it is not executed while its text is not executable,
 * since weft's libraries are bound before they run (-z now).
 *
 * Not patched: weft's own libraries, which ask the kernel on purpose; objects in other namespaces
 * (dlmopen(3)), which have a libc of their own and threads that weft does not make.
 */
#include "loaded.h"

#include <link.h>
#include <string.h>

#include "call.h"
#include "memory.h"
#include "patch.h"
#include "shim.h"

#define JUMP_BYTES 5

struct loaded {
	struct loaded *next;
	uintptr_t base;
	const ElfW(Phdr) * phdr;
	struct weft__region stubs;
	bool seen; /* in the walk through the list that is going on */
};

struct weft__patches weft__patches;

static struct loaded *all;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static bool is_named(const struct weft__object *object, const char *prefix)
{
	return strncmp(base_name(object->name), prefix, strlen(prefix)) == 0;
}

static bool is_own(const struct weft__object *object)
{
	return weft__object_holds(object, (uintptr_t)weft__entry, 1) ||
	       weft__object_holds(object, (uintptr_t)weft__alloc, 1);
}

int weft__is_answered(int nr)
{
	return nr < 0 || (nr < WEFT__CALLS && weft__handlers[nr] != NULL);
}

/* Where the others would be caught, the kernel answers sooner by way of a stub. */
static int is_wanted(int nr)
{
	if (weft__settings.catch_mode == WEFT__CATCH_ALL && nr != SYS_vfork &&
	    nr != SYS_rt_sigreturn)
		return true;
	return weft__is_answered(nr);
}

static int is_clock(int nr)
{
	return nr < 0 || nr == SYS_clock_gettime || nr == SYS_clock_getres;
}

static struct loaded *find(const struct weft__object *object)
{
	struct loaded *loaded = all;

	while (loaded != NULL && (loaded->base != object->base || loaded->phdr != object->phdr))
		loaded = loaded->next;
	return loaded;
}

static struct loaded *add(const struct weft__object *object)
{
	struct loaded *loaded = weft__alloc(sizeof(*loaded));

	if (loaded == NULL)
		return NULL;
	*loaded = (struct loaded){
		.next = all, .base = object->base, .phdr = object->phdr, .seen = true};
	all = loaded;
	return loaded;
}

static void count(const struct weft__patch *patch, const char *refused)
{
	weft__patches.sites += patch->patched;
	weft__patches.unfit += patch->unfit;
	weft__patches.missed += patch->missed;
	weft__patches.objects += patch->patched > 0;
	weft__patches.refused += refused != NULL;
	if (refused != NULL && weft__patches.why == NULL)
		weft__patches.why = refused;
}

/* Patch an object unless it was; what refused it, or NULL. */
static const char *patch_new(const struct weft__object *object)
{
	bool is_vdso = is_named(object, "linux-vdso.so.1");
	struct loaded *loaded = find(object);
	struct weft__patch patch;
	const char *refused;

	if (loaded != NULL) {
		loaded->seen = true;
		return NULL;
	}
	if (is_own(object))
		return NULL;
	loaded = add(object);
	if (loaded == NULL)
		return "out of memory";
	refused = weft__patch_object(object, is_vdso ? is_clock : is_wanted,
				     is_vdso ? weft__entry_clock : weft__entry, &patch);
	loaded->stubs = patch.stubs;
	/* The vDSO may be sealed (mseal(2) of Linux 6.10 and later): without it, then. */
	if (!is_vdso || refused == NULL)
		count(&patch, refused);
	return refused;
}

static int patch_any(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	struct weft__object object;

	(void)bytes;
	(void)arg;
	weft__object_learn(&object, info);
	patch_new(&object);
	return 0;
}

/* libc comes first: without it, nothing is to be patched. */
static int patch_libc(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	const char **refused = arg;
	struct weft__object object;

	(void)bytes;
	weft__object_learn(&object, info);
	if (!is_named(&object, "libc.so.6"))
		return 0;
	*refused = patch_new(&object);
	if (*refused == NULL && weft__patches.sites == 0)
		*refused = "no system calls found in it";
	return 1;
}

/*
 * Whether a function does nothing, and nothing else begins before there is room for a jump. A
 * debugger's breakpoint is none of what may be there.
 */
static bool is_empty(const struct weft__object *object, uintptr_t address)
{
	static const uint8_t ret[] = {0xc3}, endbr64_ret[] = {0xf3, 0x0f, 0x1e, 0xfa, 0xc3};
	struct weft__function function, padded;
	const void *code = (const void *)address;

	if (weft__find_function(object, address, &function) != WEFT__COVERED ||
	    weft__find_function(object, address + JUMP_BYTES - 1, &padded) != WEFT__COVERED ||
	    function.start != address || padded.start != address)
		return false;
	if (function.end - address == sizeof(ret))
		return memcmp(code, ret, sizeof(ret)) == 0;
	return function.end - address == sizeof(endbr64_ret) &&
	       memcmp(code, endbr64_ret, sizeof(endbr64_ret)) == 0;
}

static int hook_loader(struct dl_phdr_info *info, size_t bytes, void *arg)
{
	uintptr_t state = _r_debug.r_brk;
	struct weft__function function = {state, state + JUMP_BYTES};
	struct weft__object object;

	(void)bytes;
	(void)arg;
	weft__object_learn(&object, info);
	if (state == 0 || !weft__object_holds(&object, state, JUMP_BYTES))
		return 0;
	weft__patches.later = is_empty(&object, state) &&
			      weft__patch_function(&object, &function, weft__entry_loaded) == NULL;
	return 1;
}

static void forget_unseen(void)
{
	struct loaded **link = &all;

	while (*link != NULL) {
		struct loaded *loaded = *link;

		if (loaded->seen) {
			link = &loaded->next;
			continue;
		}
		*link = loaded->next;
		weft__patch_forget(&loaded->stubs);
		weft__free(loaded, sizeof(*loaded));
	}
}

void weft__objects_changed(void)
{
	if (_r_debug.r_state != RT_CONSISTENT)
		return;
	for (struct loaded *loaded = all; loaded != NULL; loaded = loaded->next)
		loaded->seen = false;
	dl_iterate_phdr(patch_any, NULL);
	forget_unseen();
	weft__catch_missed();
}

const char *weft__patch_all(void)
{
	const char *refused = "it is not loaded, or not laid out as usual";

	dl_iterate_phdr(patch_libc, &refused);
	if (refused != NULL)
		return refused;
	dl_iterate_phdr(patch_any, NULL);
	dl_iterate_phdr(hook_loader, NULL);
	return NULL;
}
