/* See denied.h. */
#include "denied.h"

bool weft__denied[WEFT__DENIABLE];
