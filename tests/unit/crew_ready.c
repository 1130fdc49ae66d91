/* Descriptors that are in one carrier's readiness set, and waited for on others. */
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "hub.h"
#include "on_crew.h"
#include "ready.h"

#define PAIRS 12
#define ROUNDS 200

static unsigned int here, done;

static struct weft__fd *record(int number)
{
	struct weft__fd *fd;

	enter_weft();
	fd = weft__fd_at(number);
	leave_weft();
	return fd;
}

static int wait_for(int number, uint64_t deadline_ns)
{
	int result;

	enter_weft();
	result = weft__ready_wait(weft__fd_at(number), number, POLLIN, deadline_ns);
	leave_weft();
	return result;
}

/* As handlers do: the try is made without the lock. Raw, for errno belongs to kernel threads here. */
static long receive(int number, char *byte)
{
	struct weft__fd *fd = record(number);

	for (;;) {
		uint16_t events = weft__fd_events(fd);
		long n = weft__raw(SYS_recvfrom, number, byte, 1, MSG_DONTWAIT, NULL, NULL);

		if (n != -EAGAIN)
			return n;
		enter_weft();
		if (events == weft__fd_events(fd))
			weft__ready_wait(fd, number, POLLIN, 0);
		leave_weft();
	}
}

static void send_byte(int number)
{
	weft__check(weft__raw(SYS_write, number, "x", 1) == 1);
}

static void make_pair(int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* Wait, and let nobody else run here, until a task has parked. */
static void compute_until_parked(const struct weft__task *task)
{
	bool parked;

	do {
		sched_yield();
		enter_weft();
		parked = task->state == WEFT__PARKED;
		leave_weft();
	} while (!parked);
}

struct pair {
	int ends[2];
	unsigned int asked, answered;
};

static struct pair pairs[PAIRS];

static void ask(void *arg)
{
	struct pair *pair = arg;
	char byte;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		send_byte(pair->ends[0]);
		pair->asked += receive(pair->ends[0], &byte) == 1;
	}
}

static void answer(void *arg)
{
	struct pair *pair = arg;
	char byte;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		pair->answered += receive(pair->ends[1], &byte) == 1;
		send_byte(pair->ends[1]);
	}
}

static void start_pairs(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < PAIRS; i++) {
		start(ask, &pairs[i]);
		start(answer, &pairs[i]);
	}
}

Test(crew_ready, those_who_write_to_each_other_from_all_carriers_miss_nothing, .timeout = HANG_S)
{
	for (size_t i = 0; i < PAIRS; i++)
		make_pair(pairs[i].ends);

	run_on_crew(CARRIERS, start_pairs, NULL);

	for (size_t i = 0; i < PAIRS; i++) {
		cr_assert_eq(pairs[i].asked, ROUNDS);
		cr_assert_eq(pairs[i].answered, ROUNDS);
	}
}

/* One that waits on another carrier than where the test begins, for what is in a set here or there. */
struct visit {
	int ends[2];
	int first; /* what a wait here came to, before */
	int result;
	unsigned int home, at;
	struct weft__task *task;
};

static void wait_there(void *arg)
{
	struct visit *visit = arg;

	count_one(&here);
	visit->result = wait_for(visit->ends[0], 0);
	visit->at = where();
}

static void have_wait_there(struct visit *visit)
{
	visit->task = start_here(wait_there, visit);
	compute_with_ticks(&here, 1);
	compute_until_parked(visit->task);
	enter_weft();
	visit->home = weft__fd_at(visit->ends[0])->home;
	leave_weft();
}

static void register_here(struct visit *visit)
{
	visit->first = wait_for(visit->ends[0], weft__now_ns() + MS);
}

static void write_from_home(void *arg)
{
	struct visit *visit = arg;

	register_here(visit);
	have_wait_there(visit);
	send_byte(visit->ends[1]);
}

Test(crew_ready, an_event_wakes_who_waits_on_another_carrier, .timeout = HANG_S)
{
	struct visit visit = {.result = 1};

	make_pair(visit.ends);
	run_on_crew(2, write_from_home, &visit);

	cr_assert_eq(visit.first, -ETIMEDOUT);
	cr_assert_eq(visit.home, 0);
	cr_assert_eq(visit.at, 1);
	cr_assert_eq(visit.result, 0);
}

static void wait_to_write(void *arg)
{
	struct visit *visit = arg;

	visit->at = where();
	count_one(&here);
	enter_weft();
	visit->result = weft__ready_wait(weft__fd_at(visit->ends[0]), visit->ends[0], POLLOUT, 0);
	leave_weft();
}

static void have_it_written_there(void *arg)
{
	register_here(arg);
	start_here(wait_to_write, arg);
	compute_with_ticks(&here, 1);
}

static long take_out_of(unsigned int carrier, int number)
{
	return weft__raw(SYS_epoll_ctl, weft__hub_set(crew->carrier[carrier]), EPOLL_CTL_DEL,
			 number, NULL);
}

Test(crew_ready, what_else_is_waited_for_elsewhere_is_told_by_the_same_set, .timeout = HANG_S)
{
	struct visit visit = {.result = 1};

	make_pair(visit.ends);
	run_on_crew(2, have_it_written_there, &visit);

	cr_assert_eq(visit.at, 1);
	cr_assert_eq(visit.result, 0);
	cr_assert_eq(take_out_of(1, visit.ends[0]), -ENOENT);
	cr_assert_eq(take_out_of(0, visit.ends[0]), 0);
}

static void forget(int number)
{
	enter_weft();
	weft__fd_forget(weft__fd_at(number), number);
	leave_weft();
}

static void forget_from_afar(void *arg)
{
	struct visit *visit = arg;

	have_wait_there(visit);
	forget(visit->ends[0]);
}

Test(crew_ready, a_close_takes_a_descriptor_out_of_another_carriers_set, .timeout = HANG_S)
{
	struct visit visit = {.result = 1};

	make_pair(visit.ends);
	run_on_crew(2, forget_from_afar, &visit);

	cr_assert_eq(visit.home, 1);
	cr_assert_eq(visit.at, 1);
	cr_assert_eq(visit.result, -EBADF);
	cr_assert_eq(crew->carrier[1]->registered, 0);
}

static struct weft__task *waiting[PAIRS];
static int results[PAIRS];

static void wait_for_all(void *arg)
{
	results[(uintptr_t)arg] = wait_for(pairs[0].ends[0], 0);
	count_one(&done);
}

static void forget_while_all_wait(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < PAIRS; i++)
		waiting[i] = start(wait_for_all, (void *)i);
	for (size_t i = 0; i < PAIRS; i++) {
		enter_weft();
		while (waiting[i]->state != WEFT__PARKED) {
			weft__yield();
			weft__breathe();
		}
		leave_weft();
	}
	forget(pairs[0].ends[0]);
	weft__raw(SYS_close, pairs[0].ends[0]);
	compute_with_ticks(&done, PAIRS);
}

Test(crew_ready, those_of_all_carriers_who_wait_are_told_of_a_close, .timeout = HANG_S)
{
	make_pair(pairs[0].ends);
	run_on_crew(CARRIERS, forget_while_all_wait, NULL);

	for (size_t i = 0; i < PAIRS; i++)
		cr_assert_eq(results[i], -EBADF);
	for (unsigned int i = 0; i < CARRIERS; i++)
		cr_assert_eq(crew->carrier[i]->registered, 0);
}

/* The event comes to the other carrier's hub, after a try that found nothing and before a wait. */
static void try_and_see(void *arg)
{
	struct visit *visit = arg;
	struct weft__fd *fd = record(visit->ends[0]);
	uint16_t events = weft__fd_events(fd);
	char byte;

	visit->at = where();
	count_one(&here);
	compute_until(&here, 2); /* the other has gone, so that its hub sees the event */
	visit->first = (int)weft__raw(SYS_recvfrom, visit->ends[0], &byte, 1, MSG_DONTWAIT, 0, 0);
	send_byte(visit->ends[1]);
	while (events == weft__fd_events(fd))
		sched_yield();
	visit->result = (int)weft__raw(SYS_recvfrom, visit->ends[0], &byte, 1, MSG_DONTWAIT, 0, 0);
}

static void let_it_try(void *arg)
{
	struct visit *visit = arg;

	register_here(visit);
	start_here(try_and_see, visit);
	compute_with_ticks(&here, 1);
	count_one(&here);
}

Test(crew_ready, an_event_is_seen_by_who_is_about_to_wait_elsewhere, .timeout = HANG_S)
{
	struct visit visit = {.result = 1};

	make_pair(visit.ends);
	run_on_crew(2, let_it_try, &visit);

	cr_assert_eq(visit.at, 1);
	cr_assert_eq(visit.first, -EAGAIN);
	cr_assert_eq(visit.result, 1);
}

/* Whoever polls has the lock from its look to its wait, so no event comes in between. */
static long poll_both(struct pollfd fds[2])
{
	long ready;

	enter_weft();
	while ((ready = weft__poll_now(fds, 2)) == 0)
		weft__ready_wait_any(fds, 2, 0);
	leave_weft();
	return ready;
}

static void poll_pairs(void *arg)
{
	struct pair *pair = arg;
	struct pollfd fds[2] = {{.fd = pair[0].ends[0], .events = POLLIN},
				{.fd = pair[1].ends[0], .events = POLLIN}};
	char byte;

	while (pair[0].answered + pair[1].answered < 2 * ROUNDS) {
		poll_both(fds);
		for (size_t i = 0; i < COUNT(fds); i++)
			if (fds[i].revents != 0)
				pair[i].answered += receive(fds[i].fd, &byte) == 1;
	}
}

static void write_often(void *arg)
{
	struct pair *pair = arg;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		send_byte(pair->ends[1]);
		enter_weft();
		weft__yield();
		leave_weft();
	}
}

static void start_polls(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < PAIRS; i += 2)
		start(poll_pairs, &pairs[i]);
	for (size_t i = 0; i < PAIRS; i++)
		start(write_often, &pairs[i]);
}

Test(crew_ready, who_polls_what_others_write_to_on_all_carriers_misses_nothing, .timeout = HANG_S)
{
	for (size_t i = 0; i < PAIRS; i++)
		make_pair(pairs[i].ends);

	run_on_crew(CARRIERS, start_polls, NULL);

	for (size_t i = 0; i < PAIRS; i++)
		cr_assert_eq(pairs[i].answered, ROUNDS);
}

/* A call that waits in the kernel is for once made with the lock, which others have meanwhile. */
static void read_without_the_lock(void *arg)
{
	struct visit *visit = arg;
	char byte;

	enter_weft();
	count_one(&here);
	visit->result = (int)weft__raw_free(SYS_recvfrom, visit->ends[0], &byte, 1, 0, NULL, NULL);
	leave_weft();
}

static void write_with_the_lock(void *arg)
{
	struct visit *visit = arg;

	start_here(read_without_the_lock, visit);
	compute_with_ticks(&here, 1);
	enter_weft();
	send_byte(visit->ends[1]);
	leave_weft();
}

Test(crew_ready, others_have_the_lock_while_the_kernel_waits, .timeout = HANG_S)
{
	struct visit visit = {.result = 0};

	make_pair(visit.ends);
	run_on_crew(2, write_with_the_lock, &visit);

	cr_assert_eq(visit.result, 1);
}
