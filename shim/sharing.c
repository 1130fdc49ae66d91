/* See sharing.h: asked of the kernel, one mapping at a time, or by reading its list. */
#include "sharing.h"

#include <fcntl.h>
#include <string.h>

#include "denied.h"
#include "raw.h"

/* _IOWR('f', 17, 104-byte struct): which mapping holds an address (Linux 6.11, proc(5)). */
#define MAP_QUERY 0xc0686611UL

struct map_query {
	uint64_t size, flags, address, start, end, vma_flags, page_size, offset, inode;
	uint32_t dev_major, dev_minor, name_size, build_id_size;
	uint64_t name, build_id;
};

#define MAP_SHARED_FLAG 0x08

/* One line of /proc/self/maps: "start-end rwxs ..."; 1 shared, 0 private, -1 another address. */
static int judge_line(const char *line, uintptr_t address)
{
	uintptr_t bound[2] = {0, 0};
	int i = 0;

	for (; *line != ' ' && *line != '\0'; line++) {
		if (*line == '-')
			i = 1;
		else
			bound[i] = bound[i] << 4 |
				   (uintptr_t)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
	}
	if (address < bound[0] || address >= bound[1] || strlen(line) < 5)
		return -1;
	return line[4] == 's';
}

/* Look through /proc/self/maps; of each line only the beginning matters. */
static bool search_maps(long maps, uintptr_t address)
{
	char text[512] = "", line[64];
	size_t used = 0;
	long n;

	while ((n = weft__raw(SYS_read, maps, text, sizeof(text))) > 0)
		for (long i = 0; i < n; i++) {
			int verdict;

			if (text[i] != '\n') {
				if (used < sizeof(line) - 1)
					line[used++] = text[i];
				continue;
			}
			line[used] = '\0';
			used = 0;
			verdict = judge_line(line, address);
			if (verdict >= 0)
				return verdict;
		}
	return false;
}

bool weft__is_shared(uintptr_t address)
{
	struct map_query query = {.size = sizeof(query), .address = address};
	long maps;
	bool shared;

	if (weft__denied[SYS_openat] || weft__denied[SYS_ioctl] || weft__denied[SYS_read] ||
	    weft__denied[SYS_close])
		return true;
	maps = weft__raw(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (maps < 0)
		return true;
	if (weft__raw(SYS_ioctl, maps, MAP_QUERY, &query) == 0)
		shared = (query.vma_flags & MAP_SHARED_FLAG) != 0;
	else
		shared = search_maps(maps, address);
	weft__raw(SYS_close, maps);
	return shared;
}
