/*
 * See iterative.h.
 *
 * A member's record says where it goes on, like any task's. For one that is not resident that is
 * `away`, a prepared first frame in its own record, whose function takes the exchange stack and never
 * comes back to it.
 *
 * What is on the exchange stack belongs to nobody when it is left: one is enough, and it is always begun
 * at its upper end.
 */
#include "iterative.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "catch.h"
#include "clients.h"
#include "descriptor.h"
#include "interpreters.h"
#include "mask.h"
#include "memory.h"
#include "offload.h"
#include "shim.h"
#include "signals.h"
#include "statics.h"
#include "thread.h"

#define EXCHANGE_STACK_BYTES 16384
#define AWAY_BYTES 128 /* a first frame of context.h, and what its function's call pushes */
#define FIRST_SLICE_BYTES ((size_t)1024 * 1024) /* of which memory is what it uses */
#define RETURN_AT 7                             /* the word of it that this overwrites */

/* The frames of a member while it is not resident. */
struct slice {
	char *bytes;
	size_t used, room;
	void *sp; /* where in the stack they belong, and the member goes on */
	int error;
	void *exceptions[2];
};

struct member {
	struct weft__thread *thread;
	unsigned long number; /* of all copies; 0: the main thread */
	long listener; /* where it comes from, and ends; -1: the main thread, or it is the program */
	long accepted; /* what it serves; -1: nothing yet */
	struct slice slice;
	void *away_sp;
	uintptr_t away_return;
	char away[AWAY_BYTES] __attribute__((aligned(16)));
};

struct copy {
	struct weft__thread thread; /* first */
	struct member member;
};

struct weft__iterative_counts weft__iterative_counts;
bool weft__iterative_on;

static unsigned int wanted_mode;
static size_t most_slice_bytes;

static char exchange_stack[EXCHANGE_STACK_BYTES] __attribute__((aligned(64), used));
static struct member first = {.listener = -1, .accepted = -1};
static struct copy *opening; /* the main thread waits until it has accepted */
static struct member *resident;
static unsigned int held;          /* the resident stays: others use what is on its stack */
static struct weft__queue waiting; /* members whose turn it was meanwhile */
static void **(*exceptions)(void); /* __cxa_get_globals of the C++ library, if there is one */
static bool said_too_large;
static bool in_turn; /* the main thread is not split any more */

static struct member *member_of(struct weft__task *task)
{
	if (task == &weft__main_thread.task)
		return &first;
	return ((struct weft__thread *)task)->is_copy ? &((struct copy *)task)->member : NULL;
}

static uintptr_t stack_end(void)
{
	return weft__main_thread.stack_top;
}

/* What the stack holds from sp on. */
static size_t bytes_from(const void *sp)
{
	return stack_end() - (uintptr_t)sp;
}

void weft__iterative_set(unsigned int mode, const char *list, unsigned int slice_kb)
{
	wanted_mode = mode;
	most_slice_bytes = (size_t)slice_kb * 1024;
	if (mode == WEFT__ITERATIVE_PORTS)
		weft__clients_only_at(list);
}

bool weft__iterative_wakes(void)
{
	return wanted_mode != WEFT__ITERATIVE_NO;
}

static void exchange(struct member *member) __attribute__((noreturn, used));

/* Where the record of a member leads that is not resident; on 8 bytes of stack. */
__attribute__((naked)) static void begin_exchange(void *member __attribute__((unused)))
{
	__asm__("lea exchange_stack+16384(%rip), %rsp\n\t"
		"call exchange\n\t"
		"ud2");
}

static void prepare_away(struct member *member)
{
	struct weft__context context;

	weft__context_make(&context, member->away, sizeof(member->away) - 16,
			   (void (*)(void *))begin_exchange, member, 0);
	member->away_sp = context.sp;
	member->away_return = ((uintptr_t *)context.sp)[RETURN_AT];
}

static void lead_to_exchange(struct member *member)
{
	((uintptr_t *)member->away_sp)[RETURN_AT] = member->away_return;
	member->thread->task.context.sp = member->away_sp;
}

static bool make_room(struct slice *slice, size_t bytes)
{
	size_t room = (bytes + 63) & ~(size_t)63;
	char *block;

	if (bytes <= slice->room && (slice->room - bytes < 4096 || slice == &first.slice))
		return true;
	block = weft__alloc(room);
	if (block == NULL)
		return false;
	weft__free(slice->bytes, slice->room);
	slice->bytes = block;
	slice->room = room;
	return true;
}

/* Take what the stack holds from sp on. False: it is too much, or there is no memory. */
static bool take_frames(struct slice *slice, void *sp)
{
	size_t bytes = bytes_from(sp);

	if (!make_room(slice, bytes))
		return false;
	memcpy(slice->bytes, sp, bytes);
	slice->used = bytes;
	slice->sp = sp;
	slice->error = errno;
	if (exceptions != NULL)
		memcpy(slice->exceptions, exceptions(), sizeof(slice->exceptions));
	return true;
}

static void put_frames(const struct slice *slice)
{
	memcpy(slice->sp, slice->bytes, slice->used);
	errno = slice->error;
	if (exceptions != NULL)
		memcpy(exceptions(), slice->exceptions, sizeof(slice->exceptions));
}

/* What a copy has on the stack. The main thread is not served, but serves: it may have what it wants. */
static bool is_too_large(const struct member *member)
{
	return member != &first && bytes_from(member->thread->task.context.sp) > most_slice_bytes;
}

static void say_too_large(void)
{
	if (!said_too_large)
		weft__say("a connection takes more than %zu KB of stack, or there is no memory for "
			  "it: it is served alone (WEFT_ITERATIVE_SLICE_KB)",
			  most_slice_bytes / 1024);
	said_too_large = true;
}

/* False: it stays. */
static bool move_out(struct member *member)
{
	if (held != 0)
		return false;
	if (is_too_large(member) || !take_frames(&member->slice, member->thread->task.context.sp)) {
		say_too_large();
		held = UINT32_MAX; /* until it ends */
		return false;
	}
	lead_to_exchange(member);
	return true;
}

/*
 * A member's turn has come, but the resident stays: it is still the one that runs under the thread
 * pointer, or nobody is, where a child has borrowed that (spawn.c).
 */
static void wait_for_stack(struct member *member) __attribute__((noreturn));

static void wait_for_stack(struct member *member)
{
	lead_to_exchange(member);
	weft__hold_back(&member->thread->task, &waiting);
}

static void exchange(struct member *member)
{
	struct weft__context nobody;

	if (resident != NULL && !move_out(resident))
		wait_for_stack(member);
	weft__current = &member->thread->task;
	put_frames(&member->slice);
	resident = member;
	weft__iterative_counts.exchanges++;
	weft__iterative_counts.bytes += member->slice.used;
	member->thread->task.context.sp = member->slice.sp;
	weft__context_leave(&nobody, &member->thread->task.context);
}

static void let_go(void)
{
	if (--held == 0)
		weft__put_all_ready(&waiting);
}

/* From the frame of who asks on. */
static bool is_on_stack(uintptr_t address)
{
	return address >= (uintptr_t)__builtin_frame_address(0) && address < stack_end();
}

/* Those whose arguments lead to where it is said what they read and write. */
static bool leads_further(long nr)
{
	static const short calls[] = {SYS_readv,    SYS_writev,   SYS_preadv,   SYS_pwritev,
				      SYS_preadv2,  SYS_pwritev2, SYS_sendmsg,  SYS_recvmsg,
				      SYS_vmsplice, SYS_ioctl,    SYS_io_submit};

	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		if (calls[i] == nr)
			return true;
	return false;
}

/* What a call on an offload thread reads and writes may be on the stack of who waits for it. */
static bool uses_stack(const struct weft__job *call)
{
	if (call->run != NULL || call->ends || leads_further(call->nr))
		return true;
	for (size_t i = 0; i < sizeof(call->arg) / sizeof(*call->arg); i++)
		if ((int)i != call->data_arg && is_on_stack((uintptr_t)call->arg[i]))
			return true;
	return false;
}

static bool on_offload(const struct weft__job *call)
{
	if (call == NULL) {
		if (held != UINT32_MAX)
			let_go();
		return true;
	}
	if (member_of(weft__current) == NULL || held == UINT32_MAX || !uses_stack(call))
		return false;
	held++;
	return true;
}

void weft__iterative_shares(const void *object)
{
	static bool said;

	if (weft__likely(!weft__iterative_on) || !is_on_stack((uintptr_t)object) ||
	    member_of(weft__current) == NULL)
		return;
	if (weft__current == &weft__main_thread.task) {
		in_turn = true;
		weft__say("others use what is on the main thread's stack: connections are served "
			  "in turn (WEFT_ITERATIVE)");
		return;
	}
	held = UINT32_MAX; /* until it ends */
	if (!said)
		weft__say("others use what a connection has on its stack: it is served alone "
			  "(WEFT_ITERATIVE)");
	said = true;
}

static void bury_copy(struct weft__task *task)
{
	struct copy *copy = (struct copy *)task;

	weft__iterative_counts.now--;
	weft__thread_free_parts(&copy->thread);
	weft__free(copy->member.slice.bytes, copy->member.slice.room);
	weft__free(copy, sizeof(*copy));
}

static struct copy *make_record(long listener)
{
	struct copy *copy = weft__alloc(sizeof(*copy));

	if (copy == NULL)
		return NULL;
	weft__thread_init_copy(&copy->thread, &weft__main_thread);
	copy->thread.task.bury = bury_copy;
	copy->member = (struct member){.thread = &copy->thread,
				       .number = ++weft__iterative_counts.copies,
				       .listener = listener,
				       .accepted = -1};
	prepare_away(&copy->member);
	if (++weft__iterative_counts.now > weft__iterative_counts.most)
		weft__iterative_counts.most = weft__iterative_counts.now;
	return copy;
}

struct split {
	struct copy *copy;
	bool made;
};

/* On the exchange stack: the main thread's frames are complete, and what a copy begins with. */
static void split_here(void *arg)
{
	struct split *split = arg;
	void *sp = weft__main_thread.task.context.sp;
	struct weft__context nobody;

	split->made =
		bytes_from(sp) <= most_slice_bytes && take_frames(&split->copy->member.slice, sp);
	weft__context_leave(&nobody, &weft__main_thread.task.context);
}

/* What is only looked at comes again, and is for the one that takes it. */
static bool takes_datagram(const struct weft__call *c)
{
	long flags = c->nr == SYS_recvfrom ? c->arg[3] : c->arg[2];

	return (flags & (MSG_PEEK | MSG_ERRQUEUE)) == 0 && weft__clients_send_to(c->arg[0]);
}

static bool may_split(long number)
{
	return weft__current == &weft__main_thread.task && !in_turn && weft__clients_wanted(number);
}

static bool is_split(const struct weft__call *c)
{
	if (!may_split(c->arg[0]))
		return false;
	return c->nr == SYS_accept || c->nr == SYS_accept4 || takes_datagram(c);
}

bool weft__iterative_accepts(long number)
{
	return may_split(number) && weft__clients_come_to(number);
}

/* In the main thread, *ret_copy is set: NULL if there is none. */
static enum weft__split split_main(long number, struct copy **ret_copy)
{
	struct weft__context context;
	struct split split = {.made = false};

	*ret_copy = NULL;
	split.copy = make_record(number);
	if (split.copy == NULL)
		return WEFT__SPLIT_NOT; /* as plain: it is served, and then the next one */
	weft__context_make(&context, exchange_stack, sizeof(exchange_stack), split_here, &split, 0);
	weft__context_visit(&weft__main_thread.task.context, &context);
	if (weft__current != &weft__main_thread.task)
		return WEFT__SPLIT_COPY; /* in its turn */
	if (!split.made) {
		say_too_large();
		weft__mask_end(&split.copy->thread);
		bury_copy(&split.copy->thread.task);
		return WEFT__SPLIT_NOT;
	}
	lead_to_exchange(&split.copy->member);
	weft__start(&split.copy->thread.task);
	*ret_copy = split.copy;
	return WEFT__SPLIT_MAIN;
}

/* A copy has accepted, or taken a datagram, or cannot any more: then that is negative. */
static void note_accepted(const struct weft__call *c, long result)
{
	struct member *me = member_of(weft__current);

	if (me != NULL && result >= 0 && (c->nr == SYS_accept || c->nr == SYS_accept4))
		me->accepted = result;
	if (opening == NULL || weft__current != &opening->thread.task)
		return;
	opening = NULL;
	weft__wake(&weft__main_thread.task, 0);
}

long weft__iterative_split(struct weft__call *c, long result)
{
	struct copy *copy;

	if (weft__likely(!weft__iterative_on))
		return result;
	if (result < 0 || !is_split(c)) {
		note_accepted(c, result);
		return result;
	}
	if (split_main(c->arg[0], &copy) == WEFT__SPLIT_MAIN) {
		/* The copy first: what it received may be in static data, and is gone with the next one. */
		weft__yield();
		return WEFT__AGAIN;
	}
	note_accepted(c, result);
	return result;
}

enum weft__split weft__iterative_split_at(long number)
{
	struct copy *copy;
	enum weft__split split = split_main(number, &copy);

	if (split != WEFT__SPLIT_MAIN)
		return split;
	opening = copy;
	while (opening != NULL)
		if (weft__park(0) == -EINTR) {
			opening = NULL;
			return WEFT__SPLIT_INTERRUPTED;
		}
	while (in_turn) /* the copy is the program now */
		weft__park_firmly();
	return WEFT__SPLIT_MAIN;
}

bool weft__iterative_takes_over(void)
{
	member_of(weft__current)->listener = -1;
	if (!in_turn)
		weft__say("the program waits for several connections at once by itself "
			  "(WEFT_ITERATIVE)");
	in_turn = true;
	return true;
}

static const struct member *member_here(void)
{
	return weft__iterative_on ? member_of(weft__current) : NULL;
}

int weft__iterative_accepted(void)
{
	const struct member *me = member_here();

	return me == NULL ? -1 : (int)me->accepted;
}

int weft__iterative_listener(void)
{
	const struct member *me = member_here();

	return me == NULL ? -1 : (int)me->listener;
}

void weft__iterative_comes_back(long number, bool polls)
{
	struct weft__thread *me = weft__thread_here();

	if (opening != NULL && &opening->thread == me && !polls)
		return; /* it has come to accept for the first time */
	if ((int)number < 0 || weft__iterative_listener() != (int)number)
		return;
	if (weft__statics_on)
		weft__statics_forget(weft__iterative_copy());
	note_accepted(NULL, -1);
	weft__mask_end(me);
	resident = NULL;
	held = 0;
	weft__put_all_ready(&waiting);
	weft__task_exit();
}

unsigned long weft__iterative_copy(void)
{
	const struct member *me = member_here();

	return me == NULL ? 0 : me->number;
}

bool weft__iterative_checks(void)
{
	return wanted_mode == WEFT__ITERATIVE_CHECK;
}

void weft__iterative_end(void)
{
	weft__statics_end();
	weft__iterative_on = false;
	weft__offload_waits = NULL;
}

/* Said once, not by each child that accepts. */
static bool is_interpreted(void)
{
	static const char *said;
	const char *name = weft__interpreter();

	if (name != NULL && said == NULL)
		weft__say("connections are served in turn: where it is with each is what %s keeps, "
			  "and not on the stack (WEFT_ITERATIVE)",
			  name);
	said = name;
	return name != NULL;
}

void weft__iterative_begin(void)
{
	if (wanted_mode == WEFT__ITERATIVE_NO || is_interpreted())
		return;
	first.thread = &weft__main_thread;
	first.slice = (struct slice){.used = 0};
	weft__iterative_on = make_room(&first.slice, FIRST_SLICE_BYTES);
	prepare_away(&first);
	weft__iterative_counts = (struct weft__iterative_counts){.copies = 0};
	resident = &first;
	held = 0;
	opening = NULL;
	in_turn = false;
	waiting = (struct weft__queue){.first = NULL};
	exceptions = (void **(*)(void))dlsym(RTLD_DEFAULT, "__cxa_get_globals");
	weft__offload_waits = on_offload;
	if (wanted_mode == WEFT__ITERATIVE_CHECK && weft__catching)
		weft__statics_begin();
}
