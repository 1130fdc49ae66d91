/* Queues of messages and semaphores, of System V and of POSIX: empty, full, taken away. */
#include "ticks.h"
#include "waits.h"

#include <dirent.h>

/* Of one of our kernel threads. Where the kernel does not tell, it is taken to be in the call. */
static bool is_in(const char *id, long call)
{
	char name[64], line[128] = "";
	FILE *file;

	snprintf(name, sizeof(name), "/proc/self/task/%.20s/syscall", id);
	file = fopen(name, "r");
	if (file == NULL)
		return access("/proc/self/syscall", F_OK) != 0;
	check(fgets(line, sizeof(line), file) != NULL || errno == ESRCH);
	fclose(file);
	return line[0] >= '0' && line[0] <= '9' && strtol(line, NULL, 10) == call;
}

/* Of what has gone before a call begins, the kernel says another thing than of what goes meanwhile. */
static bool is_waited_in(long call)
{
	DIR *all = opendir("/proc/self/task");
	struct dirent *entry;
	bool found = false;

	check(all != NULL);
	while (!found && (entry = readdir(all)) != NULL)
		found = entry->d_name[0] != '.' && is_in(entry->d_name, call);
	closedir(all);
	return found;
}

static void await_wait(void)
{
	while (!look(&now.is_done) && !is_waited_in(now.trial->number))
		nap();
}

static void take_queue_away(void)
{
	await_wait();
	remove_queue();
}

static void take_semaphores_away(void)
{
	await_wait();
	remove_semaphores();
}

static const struct fixture empty_mq = {make_mq, post_mq, close_mq},
			    full_mq = {make_full_mq, take_mq, close_mq},
			    empty_queue = {make_queue, post_message, remove_queue},
			    full_queue = {make_full_queue, take_message, remove_queue},
			    low_semaphore = {make_semaphores, raise_semaphore, remove_semaphores},
			    vanishing_queue = {make_queue, take_queue_away, remove_queue},
			    vanishing_semaphore = {make_semaphores, take_semaphores_away,
						   remove_semaphores};

static struct sembuf down = {0, -1, 0}, at_once = {0, -1, IPC_NOWAIT}, of_none = {99, -1, 0};
static struct timespec wrong = {0, -1}, past = {1, 0}, soon = {0, 5000000};

TICKS(mq_timedreceive, empty_mq, mq, message.text, 8, NULL, NULL)
TICKS(mq_timedsend, full_mq, mq, "x", 1, 0, NULL)
TICKS_ONCE(msgrcv, empty_queue, queue, &message, 8, 0, 0)
TICKS_ONCE(msgrcv, vanishing_queue, queue, &message, 8, 0, 0)
TICKS_ONCE(msgsnd, full_queue, queue, &message, 8, 0)
TICKS_ONCE(semop, low_semaphore, queue, &down, 1)
TICKS_ONCE(semop, vanishing_semaphore, queue, &down, 1)
TICKS_ONCE(semtimedop, low_semaphore, queue, &down, 1, &far)
TICKS_ONCE(semtimedop, vanishing_semaphore, queue, &down, 1, &far)

ON(empty_mq, mq_timedreceive, too_short, ask(mq, message.text, 7, NULL, NULL))
ON(empty_mq, mq_timedreceive, too_late, ask(mq, message.text, 8, NULL, &past))
ON(empty_mq, mq_timedreceive, wrong_time, ask(mq, message.text, 8, NULL, &wrong))
ON(full_mq, mq_timedreceive, at_once, ask(mq, message.text, 8, NULL, NULL))
ON(full_mq, mq_timedreceive, nowhere, ask(mq, NULL, 8, NULL, NULL))
ON(empty_mq, mq_timedsend, at_once, ask(mq, "x", 1, 0, NULL))
ON(empty_mq, mq_timedsend, too_long, ask(mq, "123456789", 9, 0, NULL))
ON(empty_mq, mq_timedsend, of_high_priority, ask(mq, "x", 1, 32768, NULL))
ON(empty_mq, mq_timedsend, from_nowhere, ask(mq, NULL, 1, 0, NULL))
ON(full_mq, mq_timedsend, too_late, ask(mq, "x", 1, 0, &past))
ON(full_mq, mq_timedsend, wrong_time, ask(mq, "x", 1, 0, &wrong))
ANSWERS(mq_timedreceive, no_descriptor, ask(-1, message.text, 8, NULL, NULL))
ANSWERS(mq_timedreceive, no_queue, ask(0, message.text, 8, NULL, NULL))
ANSWERS(mq_timedsend, no_descriptor, ask(-1, "x", 1, 0, NULL))
ANSWERS(mq_timedsend, no_queue, ask(0, "x", 1, 0, NULL))

ON(empty_queue, msgsnd, room, ask(queue, &message, 8, 0))
ON(empty_queue, msgsnd, negative_size, ask(queue, &message, -1L, 0))
ON(empty_queue, msgsnd, from_nowhere, ask(queue, NULL, 8, 0))
ON(empty_queue, msgsnd, no_type, ask(queue, &(struct message){0, ""}, 8, 0))
ON(full_queue, msgsnd, full_at_once, ask(queue, &message, 8, IPC_NOWAIT))
ON(empty_queue, msgrcv, empty_at_once, ask(queue, &message, 8, 0, IPC_NOWAIT))
ON(empty_queue, msgrcv, negative_size, ask(queue, &message, -1L, 0, 0))
ON(full_queue, msgrcv, too_short, ask(queue, &message, 2, 0, 0))
ON(full_queue, msgrcv, cut, ask(queue, &message, 2, 0, MSG_NOERROR))
ON(full_queue, msgrcv, nowhere, ask(queue, NULL, 8, 0, 0))
ANSWERS(msgsnd, no_queue, ask(-1, &message, 8, 0))
ANSWERS(msgrcv, no_queue, ask(-1, &message, 8, 0, 0))

ON(low_semaphore, semop, raise, ask(queue, &(struct sembuf){0, 1, 0}, 1))
ON(low_semaphore, semop, low_at_once, ask(queue, &at_once, 1))
ON(low_semaphore, semop, of_none, ask(queue, &of_none, 1))
ON(low_semaphore, semop, no_operations, ask(queue, &down, 0))
ON(low_semaphore, semop, too_many, ask(queue, &down, 100000))
ON(low_semaphore, semop, from_nowhere, ask(queue, NULL, 1))
ON(low_semaphore, semtimedop, too_late, ask(queue, &down, 1, &soon))
ON(low_semaphore, semtimedop, wrong_time, ask(queue, &down, 1, &wrong))
ON(low_semaphore, semtimedop, time_nowhere, ask(queue, &down, 1, (void *)8))
ANSWERS(semop, no_set, ask(-1, &down, 1))
ANSWERS(semtimedop, no_set, ask(-1, &down, 1, &far))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
