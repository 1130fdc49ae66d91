/* ELF files that are mapped to be looked at, not to be run. */
#ifndef WEFT_PATCH_IMAGE_H
#define WEFT_PATCH_IMAGE_H

#include "object.h"

/**
 * Map the segments of a file for reading, as far from each other as a loader would.
 *
 * Ownership  *object is the caller's for good: who looks at files ends soon
 *
 * @return NULL, or what is wrong with the file
 */
const char *weft__image_map(struct weft__object *object, const char *path);

#endif
