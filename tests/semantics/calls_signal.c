/* Calls that wait for signals, send them, block them, and say what they do. */
#include "ticks.h"
#include "waits.h"

/* SIGUSR2 has a handler that does nothing, SIGURG is blocked everywhere. */
static void interrupt(void)
{
	end_by_signal(SIGUSR2);
}

static void send_blocked(void)
{
	pthread_kill(now.thread, SIGURG);
}

static void send_blocked_to_process(void)
{
	check(kill(getpid(), SIGURG) == 0);
}

/* Whatever an interrupted wait has left pending. */
static void take_blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	while (sigtimedwait(&set, NULL, &(struct timespec){0, 0}) > 0)
		;
}

static const struct fixture handled_signal = {do_nothing, interrupt, do_nothing},
			    blocked_signal = {do_nothing, send_blocked, take_blocked},
			    signal_of_process = {do_nothing, send_blocked_to_process, take_blocked};

static uint64_t none, urgent = 1ULL << (SIGURG - 1), old;
static siginfo_t info, queued = {.si_code = SI_QUEUE};
static struct timespec wrong = {0, -1}, now_or_never = {0, 0};
static struct {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
} action;
static stack_t small = {.ss_sp = &old, .ss_size = 16}, odd = {.ss_flags = 99}, was;

TICKS_ONCE(pause, handled_signal)
TICKS_ONCE(rt_sigsuspend, handled_signal, &none, 8)
TICKS_ONCE(rt_sigtimedwait, blocked_signal, &urgent, NULL, NULL, 8)
TICKS_ONCE(rt_sigtimedwait, signal_of_process, &urgent, &info, &far, 8)

ANSWERS(rt_sigtimedwait, without_waiting, ask(&urgent, NULL, &now_or_never, 8))
ANSWERS(rt_sigtimedwait, wrong_time, ask(&urgent, NULL, &wrong, 8))
ANSWERS(rt_sigtimedwait, wrong_size, ask(&urgent, NULL, NULL, 3))
ANSWERS(rt_sigtimedwait, from_nowhere, ask(NULL, NULL, NULL, 8))
ANSWERS(rt_sigsuspend, wrong_size, ask(&none, 3))
ANSWERS(rt_sigsuspend, from_nowhere, ask(NULL, 8))
ANSWERS(rt_sigaction, look, ask(SIGUSR2, NULL, &action, 8))
ANSWERS(rt_sigaction, no_signal, ask(99, NULL, &action, 8))
ANSWERS(rt_sigaction, of_kill, ask(SIGKILL, &action, NULL, 8))
ANSWERS(rt_sigaction, wrong_size, ask(SIGUSR2, NULL, &action, 3))
ANSWERS(rt_sigaction, from_nowhere, ask(SIGUSR2, (void *)8, NULL, 8))
ANSWERS(rt_sigprocmask, look, ask(SIG_BLOCK, NULL, &old, 8))
ANSWERS(rt_sigprocmask, block, ask(SIG_BLOCK, &urgent, &old, 8))
ANSWERS(rt_sigprocmask, bad_way, ask(99, &urgent, NULL, 8))
ANSWERS(rt_sigprocmask, wrong_size, ask(SIG_BLOCK, &urgent, NULL, 3))
ANSWERS(rt_sigprocmask, from_nowhere, ask(SIG_BLOCK, (void *)8, NULL, 8))
ANSWERS(rt_sigpending, look, ask(&old, 8))
ANSWERS(rt_sigpending, too_long, ask(&old, 99))
ANSWERS(rt_sigpending, nowhere, ask(NULL, 8))
ANSWERS(sigaltstack, look, ask(NULL, &was))
ANSWERS(sigaltstack, too_small, ask(&small, NULL))
ANSWERS(sigaltstack, bad_flags, ask(&odd, NULL))
ANSWERS(sigaltstack, from_nowhere, ask((void *)8, NULL))
ANSWERS(kill, no_signal, ask(getpid(), 0))
ANSWERS(kill, bad_signal, ask(getpid(), 99))
ANSWERS(kill, handled, ask(getpid(), SIGUSR2))
ANSWERS(kill, nobody, ask(0x7FFFFFFF, 0))
ANSWERS(tkill, no_signal, ask(gettid(), 0))
ANSWERS(tkill, bad_signal, ask(gettid(), 99))
ANSWERS(tkill, handled, ask(gettid(), SIGUSR2))
ANSWERS(tkill, nobody, ask(-1, 0))
ANSWERS(tgkill, no_signal, ask(getpid(), gettid(), 0))
ANSWERS(tgkill, handled, ask(getpid(), gettid(), SIGUSR2))
ANSWERS(tgkill, of_another_process, ask(getppid(), gettid(), 0))
ANSWERS(tgkill, nobody, ask(-1, -1, 0))
ANSWERS(rt_sigqueueinfo, handled, ask(getpid(), SIGUSR2, &queued))
ANSWERS(rt_sigqueueinfo, bad_signal, ask(getpid(), 99, &queued))
ANSWERS(rt_sigqueueinfo, nobody, ask(0x7FFFFFFF, 0, &queued))
ANSWERS(rt_sigqueueinfo, from_nowhere, ask(getpid(), SIGUSR2, NULL))
ANSWERS(rt_tgsigqueueinfo, handled, ask(getpid(), gettid(), SIGUSR2, &queued))
ANSWERS(rt_tgsigqueueinfo, bad_signal, ask(getpid(), gettid(), 99, &queued))
ANSWERS(rt_tgsigqueueinfo, nobody, ask(-1, -1, 0, &queued))
ANSWERS(rt_tgsigqueueinfo, from_nowhere, ask(getpid(), gettid(), SIGUSR2, NULL))

static void ignore(int signal)
{
	(void)signal;
}

int main(int argc, char *argv[])
{
	sigset_t mask;

	(void)argc;
	sigemptyset(&mask);
	sigaddset(&mask, SIGURG);
	check(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
	check(sigaction(SIGUSR2, &(struct sigaction){.sa_handler = ignore}, NULL) == 0);
	return run_trials(argv);
}
