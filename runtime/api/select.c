/*
 * See weft/select.h. The keys are a table by number; what epoll does not take (EPERM) is always ready, and
 * counted, so that a selector that has none of those asks nothing of it.
 */
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "native.h"

#define AT_A_TIME 64

struct key {
	void *data;
	uint32_t
		number; /* of the registration: an event of an earlier one of the same descriptor is old */
	uint8_t events; /* 0: not registered */
	bool always;
};

struct weft_selector {
	int epoll_fd;
	int keys, always;
	uint32_t number; /* of the latest registration */
	size_t room;
	struct key *key;
	struct weft__link waiters;
	int next_always; /* where the search for those begins: each has its turn */
	bool closed;
};

int weft_selector_new(weft_selector **ret_selector)
{
	weft_selector *selector;
	int epoll_fd;

	if (ret_selector == NULL)
		return -EINVAL;
	selector = calloc(1, sizeof(*selector));
	if (selector == NULL)
		return -ENOMEM;
	epoll_fd = (int)weft__ask(SYS_epoll_create1, EPOLL_CLOEXEC);
	if (epoll_fd < 0) {
		free(selector);
		return epoll_fd;
	}
	selector->epoll_fd = epoll_fd;
	weft__list_init(&selector->waiters);
	*ret_selector = selector;
	return 0;
}

/* Enter with a selector that is open, or an error. */
static int enter(weft_selector *selector)
{
	if (selector == NULL)
		return -EINVAL;
	weft__enter();
	if (!selector->closed)
		return 0;
	weft__leave();
	return -EBADF;
}

int weft_selector_close(weft_selector *selector)
{
	int err = enter(selector);

	if (err != 0)
		return err;
	selector->closed = true;
	while (!weft__list_empty(&selector->waiters))
		weft__wait_end(weft__wait_first(&selector->waiters), -EBADF);
	weft__leave();
	return 0;
}

/* The epoll set is closed here, when nobody can be in poll(2) for it any more. */
int weft_selector_free(weft_selector *selector)
{
	bool used;

	if (selector == NULL)
		return 0;
	weft__enter();
	used = !weft__list_empty(&selector->waiters);
	weft__leave();
	if (used)
		return -EBUSY;
	weft__ask(SYS_close, selector->epoll_fd);
	free(selector->key);
	free(selector);
	return 0;
}

/* The key of a descriptor that is registered, or NULL. Entered, like all below. */
static struct key *find(const weft_selector *selector, int fd)
{
	if (fd < 0 || (size_t)fd >= selector->room || selector->key[fd].events == 0)
		return NULL;
	return &selector->key[fd];
}

static int make_room(weft_selector *selector, int fd)
{
	size_t room = selector->room == 0 ? 16 : selector->room;
	struct key *more;

	while (room <= (size_t)fd)
		room *= 2;
	if (room == selector->room)
		return 0;
	more = realloc(selector->key, room * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	for (size_t i = selector->room; i < room; i++)
		more[i] = (struct key){0};
	selector->key = more;
	selector->room = room;
	return 0;
}

static int control(const weft_selector *selector, int op, int fd, int events, uint32_t number)
{
	struct epoll_event event = {.events = ((events & WEFT_IN) != 0 ? (uint32_t)EPOLLIN : 0) |
					      ((events & WEFT_OUT) != 0 ? (uint32_t)EPOLLOUT : 0),
				    .data.u64 = (uint64_t)number << 32 | (uint32_t)fd};

	return (int)weft__ask(SYS_epoll_ctl, selector->epoll_fd, op, fd, &event);
}

static void wake_all(weft_selector *selector)
{
	while (!weft__list_empty(&selector->waiters))
		weft__wait_end(weft__wait_first(&selector->waiters), -EAGAIN);
}

static int add_key(weft_selector *selector, int fd, int events, void *data)
{
	bool always;
	int err;

	if (find(selector, fd) != NULL)
		return -EEXIST;
	err = fd < 0 ? -EBADF : make_room(selector, fd);
	if (err != 0)
		return err;
	err = control(selector, EPOLL_CTL_ADD, fd, events, ++selector->number);
	always = err == -EPERM;
	if (err != 0 && !always)
		return err;
	selector->key[fd] = (struct key){data, selector->number, (uint8_t)events, always};
	selector->keys++;
	selector->always += always;
	if (always) /* nothing tells who waits for the others */
		wake_all(selector);
	return 0;
}

int weft_selector_register(weft_selector *selector, int fd, int events, void *data)
{
	int err;

	if (events == 0 || (events & ~(WEFT_IN | WEFT_OUT)) != 0)
		return -EINVAL;
	err = enter(selector);
	if (err != 0)
		return err;
	err = add_key(selector, fd, events, data);
	weft__leave();
	return err;
}

int weft_selector_modify(weft_selector *selector, int fd, int events, void *data)
{
	struct key *key;
	int err;

	if (events == 0 || (events & ~(WEFT_IN | WEFT_OUT)) != 0)
		return -EINVAL;
	err = enter(selector);
	if (err != 0)
		return err;
	key = find(selector, fd);
	if (key == NULL)
		err = -ENOENT;
	else if (!key->always)
		err = control(selector, EPOLL_CTL_MOD, fd, events, key->number);
	if (err == 0) {
		key->events = (uint8_t)events;
		key->data = data;
	}
	weft__leave();
	return err;
}

int weft_selector_unregister(weft_selector *selector, int fd)
{
	struct key *key;
	int err = enter(selector);

	if (err != 0)
		return err;
	key = find(selector, fd);
	if (key == NULL) {
		err = -ENOENT;
	} else {
		if (!key->always)
			control(selector, EPOLL_CTL_DEL, fd, 0, 0);
		selector->keys--;
		selector->always -= key->always;
		*key = (struct key){0};
	}
	weft__leave();
	return err;
}

int weft_selector_get_key(weft_selector *selector, int fd, int *ret_events, void **ret_data)
{
	const struct key *key;
	int err = enter(selector);

	if (err != 0)
		return err;
	key = find(selector, fd);
	if (key == NULL) {
		err = -ENOENT;
	} else {
		if (ret_events != NULL)
			*ret_events = key->events;
		if (ret_data != NULL)
			*ret_data = key->data;
	}
	weft__leave();
	return err;
}

int weft_selector_count(weft_selector *selector)
{
	int result = enter(selector);

	if (result != 0)
		return result;
	result = selector->keys;
	weft__leave();
	return result;
}

const char *weft_selector_mechanism(void)
{
	return "epoll";
}

/*
 * The set tells of a file that nobody watches any more: its descriptor was closed before it was
 * unregistered, and another keeps the file open. Only a new set is without it.
 */
static void rebuild(weft_selector *selector)
{
	int number = selector->epoll_fd, fresh = (int)weft__ask(SYS_epoll_create1, EPOLL_CLOEXEC);

	if (fresh < 0)
		return;
	selector->epoll_fd = fresh;
	for (size_t fd = 0; fd < selector->room; fd++)
		if (selector->key[fd].events != 0 && !selector->key[fd].always)
			control(selector, EPOLL_CTL_ADD, (int)fd, selector->key[fd].events,
				selector->key[fd].number);
	weft__ask(SYS_close, number);
	wake_all(selector);
}

/* Of epoll's events, those of descriptors that are still registered. */
static size_t take_events(weft_selector *selector, weft_ready ready[], size_t n)
{
	struct epoll_event event[AT_A_TIME];
	size_t taken = 0;
	bool stale = false;
	long told = weft__ask(SYS_epoll_pwait, selector->epoll_fd, event,
			      n < AT_A_TIME ? n : AT_A_TIME, 0, NULL, 0);

	for (long i = 0; i < told; i++) {
		int fd = (int)(uint32_t)event[i].data.u64;
		const struct key *key = find(selector, fd);
		int events = 0;

		if (key == NULL || key->number != event[i].data.u64 >> 32) {
			stale = true;
			continue;
		}
		if ((event[i].events & (uint32_t)(EPOLLERR | EPOLLHUP)) != 0)
			events = key->events;
		if ((event[i].events & (uint32_t)EPOLLIN) != 0)
			events |= WEFT_IN;
		if ((event[i].events & (uint32_t)EPOLLOUT) != 0)
			events |= WEFT_OUT;
		ready[taken++] = (weft_ready){fd, events & key->events, key->data};
	}
	if (stale)
		rebuild(selector);
	return taken;
}

static size_t take_always(weft_selector *selector, weft_ready ready[], size_t n)
{
	size_t taken = 0, room = selector->room, begin = (size_t)selector->next_always;

	for (size_t i = 0; selector->always != 0 && i < room && taken < n; i++) {
		size_t fd = (begin + i) % room;
		const struct key *key = &selector->key[fd];

		if (!key->always)
			continue;
		ready[taken++] = (weft_ready){(int)fd, key->events, key->data};
		selector->next_always = (int)fd + 1;
	}
	return taken;
}

static int select_entered(weft_selector *selector, weft_ready ready[], size_t n,
			  int64_t deadline_ns)
{
	struct weft__wait wait;
	size_t taken;
	int err;

	for (;;) {
		struct pollfd poll_fd = {.events = POLLIN};

		taken = take_events(selector, ready, n);
		taken += take_always(selector, ready + taken, n - taken);
		if (taken != 0)
			return (int)taken;
		poll_fd.fd = selector->epoll_fd; /* perhaps a new one */
		err = weft__poll_in(&selector->waiters, &wait, &poll_fd, 1, deadline_ns);
		if (selector->closed)
			return -EBADF;
		if (err < 0 && err != -EAGAIN)
			return err;
	}
}

int weft_selector_select(weft_selector *selector, weft_ready ready[], size_t n, int64_t deadline_ns)
{
	int result;

	if (ready == NULL || n == 0 || n > INT_MAX)
		return -EINVAL;
	result = weft__may_wait(deadline_ns);
	if (result != 0)
		return result;
	result = enter(selector);
	if (result != 0)
		return result;
	result = select_entered(selector, ready, n, deadline_ns);
	weft__leave();
	return result;
}
