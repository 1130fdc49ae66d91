/*
 * See ready.h.
 *
 * The table is two-level: a directory of blocks of 1024 records, made as numbers come up. Blocks
 * are never moved or freed, so epoll's data.ptr can be the record itself.
 */
#include "ready.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/mman.h>

#include "crew.h"
#include "denied.h"
#include "hub.h"
#include "memory.h"

#define BLOCK_BITS 10
#define BLOCK (1U << BLOCK_BITS)
#define DIRECTORY 4096 /* four million descriptors; the kernel's own limit starts at one */

#define READ_EVENTS ((uint32_t)(EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET))
/* What poll(2) may ask for that an event tells; the numbers are the same. */
#define TOLD_EVENTS (POLLIN | POLLPRI | POLLRDHUP | POLLOUT)
/* Among a poller's events: they do not tell all. No event of epoll's. */
#define UNTOLD ((uint32_t)EPOLLET)

struct weft__fd *weft__fd_peek(long number)
{
	struct weft__carrier *carrier = weft__carrier_here();
	unsigned long n = (unsigned long)number;
	struct weft__fd **directory, *block;

	if (carrier == NULL || n >= (unsigned long)DIRECTORY * BLOCK)
		return NULL;
	directory = __atomic_load_n(&carrier->crew->descriptors, __ATOMIC_ACQUIRE);
	if (directory == NULL)
		return NULL;
	block = __atomic_load_n(&directory[n >> BLOCK_BITS], __ATOMIC_ACQUIRE);
	return block == NULL ? NULL : &block[n & (BLOCK - 1)];
}

static void *map(size_t bytes)
{
	long memory = weft__raw(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return weft__failed(memory) ? NULL : (void *)memory;
}

static struct weft__fd *make_block(unsigned long n)
{
	struct weft__carrier *carrier = weft__carrier_here();
	struct weft__crew *crew;
	struct weft__fd **directory, *block;

	if (carrier == NULL || n >= (unsigned long)DIRECTORY * BLOCK)
		return NULL;
	crew = carrier->crew;
	directory = crew->descriptors;
	if (directory == NULL)
		directory = map(DIRECTORY * sizeof(*directory));
	if (directory == NULL)
		return NULL;
	__atomic_store_n(&crew->descriptors, directory, __ATOMIC_RELEASE);
	block = map(BLOCK * sizeof(*block));
	__atomic_store_n(&directory[n >> BLOCK_BITS], block, __ATOMIC_RELEASE);
	return block == NULL ? NULL : &block[n & (BLOCK - 1)];
}

struct weft__fd *weft__fd_at(long number)
{
	struct weft__fd *fd = weft__fd_peek(number);

	if (weft__unlikely(fd == NULL))
		fd = make_block((unsigned long)number);
	if (weft__unlikely(fd != NULL && !fd->linked)) {
		weft__list_init(&fd->readers);
		weft__list_init(&fd->writers);
		fd->linked = true;
	}
	return fd;
}

static void tell(struct weft__poller *poller, uint32_t events, uint32_t asked)
{
	poller->events |= (int32_t)(poller->since - asked) > 0 ? UNTOLD : events;
}

/* Of several who wait, one may take what the others were told of. */
static void wake_all(struct weft__link *waiting, uint32_t events, uint32_t asked)
{
	if (waiting->next != waiting->prev)
		events = UNTOLD;
	while (!weft__list_empty(waiting)) {
		struct weft__waiter *waiter =
			weft__container(waiting->next, struct weft__waiter, link);

		weft__list_remove(&waiter->link);
		if (waiter != &waiter->task->waiter)
			tell(weft__container(waiter, struct weft__poller, waiter), events, asked);
		weft__wake(waiter->task, 0);
	}
}

/* The number of events, and one more. */
static uint16_t one_more(const struct weft__fd *fd)
{
	return fd->events == UINT16_MAX - 1 ? 0 : (uint16_t)(fd->events + 1);
}

void weft__fd_forget(struct weft__fd *fd, int number)
{
	uint16_t generation = (uint16_t)(fd->generation + 1), events = one_more(fd);
	struct weft__carrier *carrier = weft__carrier_here();

	if (fd->kind == WEFT__UNKNOWN && fd->armed == 0) {
		fd->generation = generation;
		fd->events = events;
		return;
	}
	if (fd->armed != 0 && carrier != NULL) {
		struct weft__carrier *home = carrier->crew->carrier[fd->home];

		if (!weft__denied[SYS_epoll_ctl])
			weft__raw(SYS_epoll_ctl, weft__hub_set(home), EPOLL_CTL_DEL, number, NULL);
		home->registered--;
	}
	if (fd->linked && fd->kind != WEFT__FILE) {
		wake_all(&fd->readers, UNTOLD, 0);
		wake_all(&fd->writers, UNTOLD, 0);
	}
	*fd = (struct weft__fd){.generation = generation, .events = events};
}

long weft__fd_next_used(long first, long last)
{
	struct weft__carrier *carrier = weft__carrier_here();

	if (carrier == NULL || carrier->crew->descriptors == NULL)
		return -1;
	for (long i = first >> BLOCK_BITS; i < DIRECTORY && i <= last >> BLOCK_BITS; i++) {
		const struct weft__fd *block = carrier->crew->descriptors[i];

		for (long j = 0; block != NULL && j < BLOCK; j++) {
			long number = i << BLOCK_BITS | j;

			if (number >= first && number <= last &&
			    (block[j].kind != WEFT__UNKNOWN || block[j].armed != 0))
				return number;
		}
	}
	return -1;
}

void weft__fd_forget_all(struct weft__crew *crew)
{
	if (crew->descriptors == NULL)
		return;
	for (unsigned int i = 0; i < DIRECTORY; i++)
		if (crew->descriptors[i] != NULL)
			weft__raw(SYS_munmap, crew->descriptors[i],
				  BLOCK * sizeof(struct weft__fd));
	weft__raw(SYS_munmap, crew->descriptors, DIRECTORY * sizeof(*crew->descriptors));
	crew->descriptors = NULL;
}

static int arm(struct weft__fd *fd, int number, uint32_t wanted)
{
	struct epoll_event event = {.events = fd->armed | wanted, .data.ptr = fd};
	struct weft__carrier *here = weft__carrier_here();
	struct weft__carrier *home = fd->armed == 0 ? here : here->crew->carrier[fd->home];
	int set = weft__hub_set(home);
	int op = fd->armed == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	long err;

	if (weft__unlikely(weft__denied[SYS_epoll_ctl]))
		return -ENOSYS;
	err = weft__raw(SYS_epoll_ctl, set, op, number, &event);

	/* The same file under the same number, registered before the number was given up and
	 * kept alive by a duplicate: ours still. */
	if (err == -EEXIST)
		err = weft__raw(SYS_epoll_ctl, set, EPOLL_CTL_MOD, number, &event);
	/* Another file, whose number nobody told us had been given up. */
	if (err == -ENOENT)
		err = weft__raw(SYS_epoll_ctl, set, EPOLL_CTL_ADD, number, &event);
	if (err != 0)
		return (int)err;
	if (fd->armed == 0) {
		fd->home = (uint8_t)home->number;
		home->registered++;
	}
	fd->armed = event.events;
	if (fd->kind == WEFT__FILE) { /* not one of a disk's, or no longer: to be learnt anew */
		weft__list_init(&fd->readers);
		weft__list_init(&fd->writers);
		fd->kind = WEFT__UNKNOWN;
	}
	return 0;
}

static uint32_t epoll_events(int events)
{
	return ((events & POLLOUT) != 0 ? (uint32_t)EPOLLOUT | (uint32_t)EPOLLET : 0) |
	       ((events & ~POLLOUT) != 0 ? READ_EVENTS : 0);
}

int weft__ready_wait(struct weft__fd *fd, int number, int events, uint64_t deadline_ns)
{
	struct weft__waiter *waiter = &weft__current->waiter;
	uint32_t wanted = epoll_events(events);
	uint16_t generation = fd->generation;
	int result;

	if ((fd->armed & wanted) != wanted) {
		result = arm(fd, number, wanted);
		if (result != 0)
			return result;
	}
	weft__list_append((events & POLLOUT) != 0 ? &fd->writers : &fd->readers, &waiter->link);
	result = weft__park(deadline_ns);
	weft__list_remove(&waiter->link);
	return result == 0 && fd->generation != generation && weft__current->moved == 0 ? -EBADF
											: result;
}

static struct weft__task *lone_waiter(const struct weft__link *waiting)
{
	for (struct weft__link *link = waiting->next; link != waiting; link = link->next) {
		struct weft__waiter *waiter = weft__container(link, struct weft__waiter, link);

		if (waiter == &waiter->task->waiter)
			return waiter->task;
	}
	return NULL;
}

struct weft__task *weft__fd_lone_waiter(const struct weft__fd *fd)
{
	struct weft__task *task;

	if (!fd->linked || fd->kind == WEFT__FILE)
		return NULL;
	task = lone_waiter(&fd->readers);
	return task != NULL ? task : lone_waiter(&fd->writers);
}

int weft__fd_move(struct weft__task *task, struct weft__fd *fd, int number)
{
	struct weft__fd *to = weft__fd_at(number);
	bool writes = false;
	int err;

	if (to == NULL)
		return -ENOMEM;
	for (struct weft__link *link = fd->writers.next; link != &fd->writers; link = link->next)
		writes = writes || link == &task->waiter.link;
	weft__fd_forget(to, number);
	to = weft__fd_at(number);
	err = arm(to, number, epoll_events(writes ? POLLOUT : POLLIN));
	if (err != 0)
		return err;
	to->kind = fd->kind;
	to->stream = fd->stream;
	to->lowat = fd->lowat;
	to->listening = fd->listening;
	weft__list_remove(&task->waiter.link);
	weft__list_append(writes ? &to->writers : &to->readers, &task->waiter.link);
	task->moved = number;
	return 0;
}

int weft__ready_renew(int number, int events)
{
	struct weft__fd *fd = weft__fd_at(number);

	return fd == NULL ? -ENOMEM : arm(fd, number, epoll_events(events | POLLHUP));
}

void weft__ready_release(struct weft__task *task)
{
	weft__free(task->pollers, task->pollers_room * sizeof(*task->pollers));
	task->pollers = NULL;
	task->pollers_room = 0;
}

static bool make_room(struct weft__task *task, nfds_t n)
{
	size_t room = 2 * n;
	struct weft__poller *more;

	/* Two for each descriptor: one among its readers, one among its writers. */
	if (task->pollers_room >= room)
		return true;
	more = weft__alloc(room * sizeof(*more));
	if (more == NULL)
		return false;
	weft__ready_release(task);
	task->pollers = more;
	task->pollers_room = (unsigned int)room;
	return true;
}

/*
 * Register all that is not yet. -EAGAIN when anything was, so the caller's look may be outdated; what
 * is always ready, or not open, is no error.
 */
static int arm_all(const struct pollfd *fds, nfds_t n)
{
	int result = 0;

	for (nfds_t i = 0; i < n; i++) {
		uint32_t wanted = epoll_events(fds[i].events | POLLHUP);
		struct weft__fd *fd = fds[i].fd < 0 ? NULL : weft__fd_at(fds[i].fd);
		int err;

		if (fd == NULL || (fd->armed & wanted) == wanted)
			continue;
		err = arm(fd, fds[i].fd, wanted);
		if (err == 0)
			result = -EAGAIN;
		else if (err != -EPERM && err != -EBADF)
			return err;
	}
	return result;
}

static void watch(struct weft__task *me, struct weft__poller *place, struct weft__link *waiting)
{
	place->waiter.task = me;
	place->events = 0;
	place->since = me->carrier->crew->polls;
	weft__list_append(waiting, &place->waiter.link);
}

/* Of each descriptor, whether it is watched: two places, the second of which may be empty. */
static void watch_all(struct weft__task *me, const struct pollfd *fds, nfds_t n)
{
	me->carrier->crew->polls++;
	for (nfds_t i = 0; i < n; i++) {
		struct weft__poller *place = &me->pollers[2 * i];
		struct weft__fd *fd = fds[i].fd < 0 ? NULL : weft__fd_peek(fds[i].fd);

		place[0].waiter.task = place[1].waiter.task = NULL;
		if (fd == NULL || fd->armed == 0)
			continue;
		watch(me, &place[0], &fd->readers);
		if ((fds[i].events & POLLOUT) != 0)
			watch(me, &place[1], &fd->writers);
	}
}

static uint32_t unwatch(struct weft__poller *place)
{
	if (place->waiter.task == NULL)
		return 0;
	weft__list_remove(&place->waiter.link);
	return place->events;
}

/* Whether an event says of a descriptor all that poll(2) would. */
static bool tells_all(const struct pollfd *poll_fd)
{
	const struct weft__fd *fd = weft__fd_peek(poll_fd->fd);

	return (fd->kind == WEFT__SOCKET || fd->kind == WEFT__PIPE) &&
	       (poll_fd->events & ~TOLD_EVENTS) == 0;
}

/* Take all out of their lists, and count the descriptors that the events say are ready; 0: ask. */
static int unwatch_all(struct weft__task *me, struct pollfd *fds, nfds_t n)
{
	bool untold = false;
	int ready = 0;

	for (nfds_t i = 0; i < n; i++) {
		struct weft__poller *place = &me->pollers[2 * i];
		uint32_t events = unwatch(&place[0]) | unwatch(&place[1]);

		fds[i].revents = (short)(events & (fds[i].events | POLLERR | POLLHUP));
		if ((events & UNTOLD) != 0 || (events != 0 && !tells_all(&fds[i])))
			untold = true;
		ready += fds[i].revents != 0;
	}
	return untold ? 0 : ready;
}

int weft__ready_wait_any(struct pollfd *fds, nfds_t n, uint64_t deadline_ns)
{
	struct weft__task *me = weft__current;
	int result, ready;

	if (!make_room(me, n))
		return -ENOMEM;
	result = arm_all(fds, n);
	if (result != 0)
		return result;
	watch_all(me, fds, n);
	result = weft__park(deadline_ns);
	ready = unwatch_all(me, fds, n);
	return result == 0 ? ready : result;
}

bool weft__ready_none(const struct pollfd *fds, nfds_t n)
{
	for (nfds_t i = 0; i < n; i++) {
		const struct weft__fd *fd = fds[i].fd < 0 ? NULL : weft__fd_peek(fds[i].fd);

		if (fds[i].fd >= 0 && (fd == NULL || !weft__fd_is_drained(fd) || fd->hung_up ||
				       (fds[i].events & ~(POLLIN | POLLPRI | POLLRDHUP)) != 0))
			return false;
	}
	return true;
}

void weft__ready_event(struct weft__fd *fd, uint32_t events, uint32_t asked)
{
	if (!fd->linked)
		return;
	if ((events & (uint32_t)(EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0)
		fd->hung_up = true;
	__atomic_store_n(&fd->events, one_more(fd), __ATOMIC_RELEASE);
	if ((events & ~(uint32_t)EPOLLOUT) != 0)
		wake_all(&fd->readers, events, asked);
	if ((events & (uint32_t)(EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		wake_all(&fd->writers, events, asked);
}
