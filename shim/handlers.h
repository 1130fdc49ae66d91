/* The handlers that calls.def names. */
#ifndef WEFT_HANDLERS_H
#define WEFT_HANDLERS_H

#include "call.h"

#define DECLARE_PASS(handler)
#define DECLARE_PARK(handler) weft__handler handler;
#define DECLARE_OFFLOAD DECLARE_PARK
#define DECLARE_EMULATE DECLARE_PARK
#define CALL(number, name, class, handler, family, reason) DECLARE_##class(handler)
#include "calls.def"
#undef CALL

#endif
