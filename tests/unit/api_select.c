/* weft.h: selectors. */
#include "api_io.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static weft_selector *new_selector(void)
{
	weft_selector *selector = NULL;

	cr_assert_eq(weft_selector_new(&selector), 0);
	return selector;
}

static ssize_t select_one(void *selector)
{
	weft_ready ready;
	int result = weft_selector_select(selector, &ready, 1, WEFT_FOREVER);

	return result == 1 ? ready.fd : result;
}

BothWays(api_select, what_is_ready_is_told_with_its_data)
{
	weft_selector *selector = new_selector();
	weft_ready ready[4];
	int ends[2], data;

	make_pair(ends);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN | WEFT_OUT, &data), 0);
	cr_assert_eq(weft_selector_register(selector, ends[1], WEFT_IN, NULL), 0);
	cr_assert_eq(weft_selector_count(selector), 2);

	cr_assert_eq(weft_selector_select(selector, ready, 4, WEFT_FOREVER), 1);
	cr_assert_eq(ready[0].fd, ends[0]);
	cr_assert_eq(ready[0].events, WEFT_OUT);
	cr_assert_eq(ready[0].data, &data);
	put_byte(ends[0]);
	put_byte(ends[1]);
	cr_assert_eq(weft_selector_select(selector, ready, 4, WEFT_FOREVER), 2);
	cr_assert_eq(weft_selector_select(selector, ready, 1, WEFT_FOREVER), 1);
	cr_assert_eq(weft_selector_free(selector), 0);
}

BothWays(api_select, a_select_waits_for_the_first)
{
	weft_selector *selector = new_selector();
	struct made made;
	int ends[2];

	make_pair(ends);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), 0);
	make_and_wait(&made, select_one, selector);
	cr_assert_eq(weft_selector_free(selector), -EBUSY);
	put_byte(ends[1]);

	cr_assert_eq(result_of(&made), ends[0]);
	cr_assert_eq(weft_selector_free(selector), 0);
}

BothWays(api_select, who_waits_is_told_of_what_is_registered_then)
{
	weft_selector *selector = new_selector();
	int ends[2], file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct made made;

	make_pair(ends);
	put_byte(ends[1]);
	make_and_wait(&made, select_one, selector);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), 0);
	cr_assert_eq(result_of(&made), ends[0]);
	cr_assert_eq(weft_selector_unregister(selector, ends[0]), 0);
	make_and_wait(&made, select_one, selector);
	cr_assert_eq(weft_selector_register(selector, file, WEFT_IN, NULL), 0);
	cr_assert_eq(result_of(&made), file);
	cr_assert_eq(weft_selector_free(selector), 0);
}

BothWays(api_select, what_is_wanted_can_be_changed)
{
	weft_selector *selector = new_selector();
	weft_ready ready;
	int ends[2], one, two, events = 0;
	void *data = NULL;

	make_pair(ends);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, &one), 0);
	cr_assert_eq(weft_selector_select(selector, &ready, 1, 0), -ETIMEDOUT);
	cr_assert_eq(weft_selector_modify(selector, ends[0], WEFT_OUT, &two), 0);
	cr_assert_eq(weft_selector_get_key(selector, ends[0], &events, &data), 0);
	cr_assert_eq(events, WEFT_OUT);
	cr_assert_eq(data, &two);
	cr_assert_eq(weft_selector_get_key(selector, ends[0], NULL, NULL), 0);
	cr_assert_eq(weft_selector_select(selector, &ready, 1, 0), 1);
	cr_assert_eq(ready.data, &two);
	cr_assert_eq(weft_selector_unregister(selector, ends[0]), 0);
	cr_assert_eq(weft_selector_count(selector), 0);
	cr_assert_eq(weft_selector_select(selector, &ready, 1, 0), -ETIMEDOUT);
	cr_assert_eq(weft_selector_free(selector), 0);
}

BothWays(api_select, regular_files_are_always_ready_and_leave_room_for_others)
{
	weft_selector *selector = new_selector();
	int files[3], told[3] = {0};
	weft_ready ready;

	for (size_t i = 0; i < 3; i++) {
		files[i] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		cr_assert_eq(weft_selector_register(selector, files[i], WEFT_IN, &told[i]), 0);
	}
	for (unsigned int i = 0; i < 6; i++) {
		cr_assert_eq(weft_selector_select(selector, &ready, 1, WEFT_FOREVER), 1);
		++*(int *)ready.data;
	}
	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(told[i], 2);
	cr_assert_eq(weft_selector_unregister(selector, files[1]), 0);
	cr_assert_eq(weft_selector_count(selector), 2);
	cr_assert_eq(weft_selector_free(selector), 0);
}

BothWays(api_select, a_hang_up_makes_all_events_true)
{
	weft_selector *selector = new_selector();
	weft_ready ready;
	int ends[2];

	make_pair(ends);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN | WEFT_OUT, NULL), 0);
	close(ends[1]);

	cr_assert_eq(weft_selector_select(selector, &ready, 1, WEFT_FOREVER), 1);
	cr_assert_eq(ready.events, WEFT_IN | WEFT_OUT);
	cr_assert_eq(weft_selector_free(selector), 0);
}

/* epoll(7) tells of a file as long as anybody has it open. */
BothWays(api_select, what_was_closed_before_it_was_unregistered_is_not_told_of)
{
	weft_selector *selector = new_selector();
	int ends[2], others[2], copy;
	struct made made;

	make_pair(ends);
	make_pair(others);
	cr_assert_eq(weft_selector_register(selector, others[0], WEFT_IN, NULL), 0);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), 0);
	copy = fcntl(ends[0], F_DUPFD_CLOEXEC, 500);
	close(ends[0]);
	cr_assert_eq(weft_selector_unregister(selector, ends[0]), 0);
	put_byte(ends[1]);
	make_and_wait(&made, select_one, selector);
	put_byte(others[1]);

	cr_assert_eq(result_of(&made), others[0]);
	cr_assert_eq(weft_selector_free(selector), 0);
	close(copy);
}

BothWays(api_select, a_close_ends_the_waits)
{
	weft_selector *selector = new_selector();
	weft_ready ready;
	struct made made[3];
	int ends[2];

	make_pair(ends);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), 0);
	for (size_t i = 0; i < 3; i++)
		make_and_wait(&made[i], select_one, selector);
	cr_assert_eq(weft_selector_close(selector), 0);

	for (size_t i = 0; i < 3; i++)
		cr_assert_eq(result_of(&made[i]), -EBADF);
	cr_assert_eq(weft_selector_close(selector), -EBADF);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), -EBADF);
	cr_assert_eq(weft_selector_modify(selector, ends[0], WEFT_IN, NULL), -EBADF);
	cr_assert_eq(weft_selector_unregister(selector, ends[0]), -EBADF);
	cr_assert_eq(weft_selector_get_key(selector, ends[0], NULL, NULL), -EBADF);
	cr_assert_eq(weft_selector_count(selector), -EBADF);
	cr_assert_eq(weft_selector_select(selector, &ready, 1, 0), -EBADF);
	cr_assert_eq(weft_selector_free(selector), 0);
	put_byte(ends[1]);
}

BothWays(api_select, bad_arguments_are_refused)
{
	weft_selector *selector = new_selector();
	weft_ready ready;
	int ends[2];

	make_pair(ends);
	cr_assert_eq(weft_selector_new(NULL), -EINVAL);
	cr_assert_eq(weft_selector_register(NULL, ends[0], WEFT_IN, NULL), -EINVAL);
	cr_assert_eq(weft_selector_register(selector, ends[0], 0, NULL), -EINVAL);
	cr_assert_eq(weft_selector_register(selector, ends[0], 4, NULL), -EINVAL);
	cr_assert_eq(weft_selector_register(selector, -1, WEFT_IN, NULL), -EBADF);
	cr_assert_eq(weft_selector_register(selector, 900, WEFT_IN, NULL), -EBADF);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), 0);
	cr_assert_eq(weft_selector_register(selector, ends[0], WEFT_IN, NULL), -EEXIST);
	cr_assert_eq(weft_selector_modify(selector, ends[0], 0, NULL), -EINVAL);
	cr_assert_eq(weft_selector_modify(selector, ends[1], WEFT_IN, NULL), -ENOENT);
	cr_assert_eq(weft_selector_modify(NULL, ends[1], WEFT_IN, NULL), -EINVAL);
	cr_assert_eq(weft_selector_unregister(selector, ends[1]), -ENOENT);
	cr_assert_eq(weft_selector_unregister(selector, -1), -ENOENT);
	cr_assert_eq(weft_selector_unregister(NULL, 0), -EINVAL);
	cr_assert_eq(weft_selector_get_key(selector, ends[1], NULL, NULL), -ENOENT);
	cr_assert_eq(weft_selector_get_key(NULL, 0, NULL, NULL), -EINVAL);
	cr_assert_eq(weft_selector_count(NULL), -EINVAL);
	cr_assert_eq(weft_selector_close(NULL), -EINVAL);
	cr_assert_eq(weft_selector_select(NULL, &ready, 1, 0), -EINVAL);
	cr_assert_eq(weft_selector_select(selector, NULL, 1, 0), -EINVAL);
	cr_assert_eq(weft_selector_select(selector, &ready, 0, 0), -EINVAL);
	cr_assert_eq(weft_selector_select(selector, &ready, 1, -1), -EINVAL);
	close(ends[0]);
	cr_assert_eq(weft_selector_modify(selector, ends[0], WEFT_OUT, NULL), -EBADF);
	cr_assert_eq(weft_selector_unregister(selector, ends[0]), 0);
	cr_assert_eq(weft_selector_free(selector), 0);
	cr_assert_eq(weft_selector_free(NULL), 0);
	cr_assert_str_eq(weft_selector_mechanism(), "epoll");
}
