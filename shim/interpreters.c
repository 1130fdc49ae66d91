/*
 * Interpreters: programs whose frames are not, or not all, on the stack.
 *
 * What a connection is at stands in the interpreter's own frames, on the heap, and one static says which
 * is the topmost. Copies of the main thread would share both.
 */
#include "interpreters.h"

#include <dlfcn.h>
#include <stddef.h>

static const struct {
	const char *symbol, *name;
} interpreters[] = {
	{"PyEval_EvalCode", "Python"}, {"rb_eval_string", "Ruby"}, {"perl_run", "Perl"},
	{"lua_pcallk", "Lua"},         {"Tcl_EvalObjEx", "Tcl"},   {"zend_execute", "PHP"},
	{"scm_eval", "Guile"},
};

const char *weft__interpreter(void)
{
	for (size_t i = 0; i < sizeof(interpreters) / sizeof(*interpreters); i++)
		if (dlsym(RTLD_DEFAULT, interpreters[i].symbol) != NULL)
			return interpreters[i].name;
	return NULL;
}
