#ifndef WEFT_LAUNCHER_IMAGE_H
#define WEFT_LAUNCHER_IMAGE_H

#include "finding.h"

#include <stdbool.h>
#include <stddef.h>

/* A file's bytes, mapped. The file is not trusted: every read is checked against size. */
struct weft__image {
	const unsigned char *data; /* NULL for an empty file */
	size_t size;
};

/**
 * Map the file at path for reading.
 *
 * Ownership  *image is given back by weft__image_close()
 *
 * @return 0, or -errno as open(2), fstat(2) or mmap(2) say
 */
int weft__image_open(struct weft__image *image, const char *path);

/** Unmap what weft__image_open() mapped. */
void weft__image_close(struct weft__image *image);

/** Whether the file starts as an ELF file does, be the rest as it may. */
bool weft__image_is_elf(const struct weft__image *image);

/**
 * Judge an ELF file by its headers.
 *
 * The path of its loader is copied to loader, of loader_bytes, when the
 * result is FITS, OTHER_LIBC, NO_LIBC or LEAKS; loader is left alone otherwise.
 *
 * @return FITS, OTHER_LIBC, NO_LIBC, LEAKS, STATIC, NARROW, FOREIGN, NOT_A_PROGRAM or DAMAGED
 */
enum weft__finding weft__image_judge(const struct weft__image *image, char *loader,
				     size_t loader_bytes);

/** Whether a relocation of the file asks for a function of that name from elsewhere. */
bool weft__image_imports(const struct weft__image *image, const char *name);

#endif
