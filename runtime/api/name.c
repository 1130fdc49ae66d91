/* See weft_getaddrinfo(): libc's resolver loads modules and keeps its state by thread; a chore's has that. */
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "chore.h"
#include "native.h"

struct lookup {
	struct weft__chore chore;
	struct addrinfo hints, *list;
	const char *node, *service;
	bool hinted;
	int result, error; /* of getaddrinfo(3); errno */
	char text[];
};

static void look_up(struct weft__chore *chore)
{
	struct lookup *it = (struct lookup *)chore;

	it->result = getaddrinfo(it->node, it->service, it->hinted ? &it->hints : NULL, &it->list);
	it->error = errno;
}

static void free_list(struct weft__chore *chore)
{
	struct lookup *it = (struct lookup *)chore;

	if (it->result == 0)
		freeaddrinfo(it->list);
}

/* A string behind what is there already; NULL stays NULL. */
static const char *keep(char **end, const char *string)
{
	char *place = *end;

	if (string == NULL)
		return NULL;
	strcpy(place, string);
	*end += strlen(string) + 1;
	return place;
}

static struct lookup *new_lookup(const char *node, const char *service,
				 const struct addrinfo *hints)
{
	size_t bytes =
		(node == NULL ? 0 : strlen(node) + 1) + (service == NULL ? 0 : strlen(service) + 1);
	struct lookup *it = calloc(1, sizeof(*it) + bytes);
	char *end;

	if (it == NULL)
		return NULL;
	end = it->text;
	it->chore.run = look_up;
	it->chore.undo = free_list;
	it->node = keep(&end, node);
	it->service = keep(&end, service);
	it->hinted = hints != NULL;
	if (hints != NULL)
		it->hints = *hints;
	return it;
}

int weft_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		     int64_t deadline_ns, struct addrinfo **ret_list)
{
	int err = ret_list == NULL ? -EINVAL : weft__may_wait(deadline_ns);
	struct lookup *it;

	if (err != 0)
		return err;
	if (weft_now() >= deadline_ns)
		return -ETIMEDOUT;
	it = new_lookup(node, service, hints);
	if (it == NULL)
		return -ENOMEM;
	err = weft__chore(&it->chore, deadline_ns);
	if (err != 0)
		return err;
	if (it->result == 0)
		*ret_list = it->list;
	else
		err = it->result == EAI_SYSTEM ? -it->error : -it->result;
	free(it);
	return err;
}
