/* Blocking reads on eventfd, timerfd, signalfd, inotify and a terminal; plain files too. */
#include "guest.h"

#include <pty.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

static char path[] = "/tmp/guest-file-XXXXXX";
static int event, signals;

static void *post_event(void *arg)
{
	settle();
	check(eventfd_write(event, 5) == 0);
	return arg;
}

static void *take_from_full_event(void *arg)
{
	eventfd_t value;

	settle();
	check(eventfd_read(event, &value) == 0);
	return arg;
}

static void *send_signal(void *arg)
{
	settle();
	kill(getpid(), SIGUSR1);
	return arg;
}

static void *touch_file(void *arg)
{
	settle();
	close(open(path, O_WRONLY));
	return arg;
}

static void *type_line(void *arg)
{
	settle();
	write_all(*(int *)arg, "typed\n", 6);
	return NULL;
}

static void use_eventfd(void)
{
	pthread_t thread = start(post_event, NULL);
	eventfd_t value;

	show(eventfd_read(event, &value));
	say("value %lu", (unsigned long)value);
	finish(thread);
	show(eventfd_write(event, 0xFFFFFFFFFFFFFFFE));
	thread = start(take_from_full_event, NULL);
	show(eventfd_write(event, 1));
	finish(thread);
	show(eventfd_read(event, &value));
	say("value %lu", (unsigned long)value);
}

static void use_timerfd(void)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec time = {.it_value = {0, 20000000}};
	int64_t begun = now_ns(CLOCK_MONOTONIC);
	uint64_t expirations;

	check(timerfd_settime(timer, 0, &time, NULL) == 0);
	show(read(timer, &expirations, sizeof(expirations)));
	say("expired %lu, not early %d", (unsigned long)expirations,
	    now_ns(CLOCK_MONOTONIC) - begun >= 20000000);
	close(timer);
}

int main(void)
{
	struct signalfd_siginfo info;
	int watch = inotify_init(), master, slave;
	char bytes[4096];
	pthread_t thread;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &mask, NULL);
	become_threaded();
	event = eventfd(0, 0);
	use_eventfd();
	use_timerfd();

	signals = signalfd(-1, &mask, 0);
	thread = start(send_signal, NULL);
	show(read(signals, &info, sizeof(info)));
	say("SIG%s", sigabbrev_np((int)info.ssi_signo));
	finish(thread);

	close(mkstemp(path));
	check(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	thread = start(touch_file, NULL);
	show(read(watch, bytes, sizeof(bytes)));
	finish(thread);
	unlink(path);

	check(openpty(&master, &slave, NULL, NULL, NULL) == 0);
	thread = start(type_line, &master);
	show(read(slave, bytes, sizeof(bytes)));
	finish(thread);
	return 0;
}
