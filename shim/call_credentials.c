/*
 * Calls that change what a kernel thread is: whose it is and what it may do. The carriers are all
 * tasks', so all of them change, as glibc has it for the ids. Offload threads have what the
 * carrier had when they were made: others are made from then on.
 */
#include "carriers.h"
#include "handlers.h"
#include "offload.h"

long on_credentials(struct weft__call *c)
{
	long result =
		weft__raw6(c->nr, c->arg[0], c->arg[1], c->arg[2], c->arg[3], c->arg[4], c->arg[5]);

	if (weft__failed(result))
		return result;
	weft__call_for_others(c);
	weft__offload_retire();
	return result;
}
