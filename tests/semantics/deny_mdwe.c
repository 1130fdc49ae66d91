/* A program that forbids itself to make code (prctl(2), PR_SET_MDWE), and then has threads. */
#include "guest.h"

#include <sys/mman.h>
#include <sys/prctl.h>

#ifndef PR_SET_MDWE /* Linux 6.3 */
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int turn;

static void *echo(void *arg)
{
	int fd = *(int *)arg;
	char buf[100];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		write_all(fd, buf, (size_t)n);
	return NULL;
}

static void *take_turns(void *arg)
{
	long mine = (long)arg;

	pthread_mutex_lock(&lock);
	for (int i = 0; i < 100; i++) {
		while (turn % 3 != mine)
			pthread_cond_wait(&changed, &lock);
		turn++;
		pthread_cond_broadcast(&changed);
	}
	pthread_mutex_unlock(&lock);
	usleep(1000);
	return NULL;
}

static void talk(void)
{
	pthread_t thread;
	char buf[6] = "";
	int pair[2];

	tcp_pair(pair);
	thread = start(echo, &pair[1]);
	write_all(pair[0], "hello", 5);
	check(read_all(pair[0], buf, 5) == 5);
	say("echo: %s", buf);
	shutdown(pair[0], SHUT_WR);
	finish(thread);
}

static void show_that_it_holds(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(page != MAP_FAILED);
	show(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

int main(void)
{
	pthread_t threads[3];

	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) != 0) {
		say("skipped: this kernel has no PR_SET_MDWE");
		return 0;
	}
	show_that_it_holds();
	for (long i = 0; i < 3; i++)
		threads[i] = start(take_turns, (void *)i);
	for (int i = 0; i < 3; i++)
		finish(threads[i]);
	say("turns: %d", turn);
	talk();
	return 0;
}
