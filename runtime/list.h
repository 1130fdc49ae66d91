/* A doubly linked ring whose links stand inside the elements. */
#ifndef WEFT_LIST_H
#define WEFT_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct weft__link {
	struct weft__link *prev, *next;
};

/** The element of `type` whose member `member` is at `link`. */
#define weft__container(link, type, member) \
	((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void weft__list_init(struct weft__link *head)
{
	head->prev = head->next = head;
}

static inline bool weft__list_empty(const struct weft__link *head)
{
	return head->next == head;
}

/** Put `link` last. */
static inline void weft__list_append(struct weft__link *head, struct weft__link *link)
{
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

/** Take `link` out; doing so again does nothing. */
static inline void weft__list_remove(struct weft__link *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->prev = link->next = link;
}

#endif
