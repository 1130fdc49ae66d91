/* A listening socket shared by processes that each accept in several threads while another ticks. */
#include "guest.h"

#include <sys/mman.h>

#define PROCESSES 4
#define ACCEPTERS 3
#define CONNECTIONS 200
#define CLIENTS 8

static struct sockaddr_in address;
static int listener;

/* Seen by all processes. */
static struct {
	int served[CONNECTIONS]; /* how often each connection was answered */
	int accepted[PROCESSES];
	int ticks[PROCESSES];
	int is_over;
} * shared;

static void *accept_on(void *arg)
{
	int process = (int)(intptr_t)arg, number, client;

	while ((client = accept(listener, NULL, NULL)) >= 0) {
		if (read_all(client, &number, sizeof(number)) != sizeof(number)) {
			close(client);
			break;
		}
		__atomic_add_fetch(&shared->served[number], 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&shared->accepted[process], 1, __ATOMIC_SEQ_CST);
		write_all(client, &number, sizeof(number));
		close(client);
	}
	return NULL;
}

static void *tick(void *arg)
{
	int process = (int)(intptr_t)arg;

	while (!__atomic_load_n(&shared->is_over, __ATOMIC_SEQ_CST)) {
		usleep(1000);
		__atomic_add_fetch(&shared->ticks[process], 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static _Noreturn void work(intptr_t process)
{
	pthread_t accepters[ACCEPTERS], ticker = start(tick, (void *)process);

	for (int i = 0; i < ACCEPTERS; i++)
		accepters[i] = start(accept_on, (void *)process);
	for (int i = 0; i < ACCEPTERS; i++)
		finish(accepters[i]);
	finish(ticker);
	_exit(0);
}

static void *be_client(void *arg)
{
	for (int number = (int)(intptr_t)arg; number < CONNECTIONS; number += CLIENTS) {
		int fd = tcp_connect(&address), answer;

		write_all(fd, &number, sizeof(number));
		check(read_all(fd, &answer, sizeof(answer)) == sizeof(answer));
		check(answer == number);
		close(fd);
	}
	return NULL;
}

/* All processes tick on, between connections and when none comes. */
static void await_ticks(int more)
{
	for (int i = 0; i < PROCESSES; i++) {
		int before = __atomic_load_n(&shared->ticks[i], __ATOMIC_SEQ_CST);

		while (__atomic_load_n(&shared->ticks[i], __ATOMIC_SEQ_CST) < before + more)
			usleep(1000);
	}
}

static void connect_all(void)
{
	pthread_t clients[CLIENTS];

	for (intptr_t i = 0; i < CLIENTS; i++)
		clients[i] = start(be_client, (void *)i);
	for (int i = 0; i < CLIENTS; i++)
		finish(clients[i]);
}

/* One connection that says nothing and ends ends one accepter. */
static void end_all(pid_t *pids)
{
	int status, failed = 0;

	__atomic_store_n(&shared->is_over, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < PROCESSES * ACCEPTERS; i++)
		close(tcp_connect(&address));
	for (int i = 0; i < PROCESSES; i++) {
		check(waitpid(pids[i], &status, 0) == pids[i]);
		failed += status != 0;
	}
	say("processes that failed: %d", failed);
}

int main(void)
{
	int once = 0, sum = 0;
	pid_t pids[PROCESSES];

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	check(shared != MAP_FAILED);
	become_threaded();
	listener = tcp_listen(&address);
	for (intptr_t i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			work(i);
	}
	await_ticks(20);
	connect_all();
	await_ticks(20);
	for (int i = 0; i < CONNECTIONS; i++)
		once += shared->served[i] == 1;
	for (int i = 0; i < PROCESSES; i++)
		sum += shared->accepted[i];
	say("served once: %d of %d, accepted: %d", once, CONNECTIONS, sum);
	end_all(pids);
	return 0;
}
