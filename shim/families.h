/*
 * Families of calls, as programs that patch themselves choose them (weft/monkey.h), and as calls.def
 * has them. A call of a family that was not asked for is the kernel's: its handler is set aside, and
 * stands again when the family is asked for later. So nothing is looked at while a call is answered.
 */
#ifndef WEFT_FAMILIES_H
#define WEFT_FAMILIES_H

#include "call.h"

/** Those that are answered: bits of weft/monkey.h. All, unless somebody has asked for fewer. */
extern unsigned int weft__families;

/** Whether the family of some calls is answered, all bits of it. */
static inline bool weft__has_family(unsigned int family)
{
	return (weft__families & family) == family;
}

/** Answer these families, the first time, and these as well from then on. Context: any task, or none yet. */
void weft__families_ask(unsigned int families);

/** Which families a call is of, as bits of weft/monkey.h; 0: the kernel's; WEFT_ALL: always answered. */
unsigned int weft__family_of(long nr);

/** Give a call another handler, now, or for when its family is asked for. */
void weft__handler_replace(long nr, weft__handler *handler);

#endif
