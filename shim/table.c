/* The dispatch array, from calls.def. */
#include "handlers.h"

#define ENTRY_PASS(number, handler)
#define ENTRY_PARK(number, handler) [number] = (handler),
#define ENTRY_OFFLOAD ENTRY_PARK
#define ENTRY_EMULATE ENTRY_PARK
#define CALL(number, name, class, handler, family, reason) ENTRY_##class(number, handler)

weft__handler *weft__handlers[WEFT__CALLS] = {
#include "calls.def"
};
