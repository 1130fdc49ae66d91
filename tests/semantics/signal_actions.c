/* What sigaction(2) promises, in threads: children told of or not, one-time and nested handlers, the
 * writer's SIGPIPE, faults that handlers mend by changing the registers they interrupt.
 */
#include "guest.h"

#include <sys/mman.h>
#include <ucontext.h>

static volatile sig_atomic_t caught, depth, deepest, code;
static volatile pid_t told_pid;
static volatile int told_status;
static void *volatile told_address;
static __thread int self;
static volatile int caught_by;

static void handle(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	check(sigaction(number, &action, NULL) == 0);
}

static void on_child(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	told_pid = info->si_pid;
	told_status = info->si_status;
	code = info->si_code;
	caught++;
}

static void *have_child(void *how)
{
	int number = (int)(intptr_t)how;
	pid_t child;
	siginfo_t info;

	caught = 0;
	child = fork();
	if (child == 0) {
		if (number != 0)
			raise(number);
		_exit(42);
	}
	if (number == SIGSTOP) {
		check(waitid(P_PID, (id_t)child, &info, WSTOPPED) == 0);
		settle();
		say("a child stops: told %d", caught);
		check(kill(child, SIGCONT) == 0);
	}
	while (caught == 0)
		usleep(1000);
	say("told of the child %d, code %d, status %d", told_pid == child, code, told_status);
	show(waitpid(child, NULL, 0) == child);
	return NULL;
}

static void *have_child_unwaited(void *arg)
{
	pid_t child = fork();

	if (child == 0)
		_exit(1);
	show(waitpid(child, NULL, 0));
	show(waitpid(-1, NULL, 0));
	return arg;
}

static void nest(int signal, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	depth++;
	deepest = depth > deepest ? depth : deepest;
	if (caught++ < 3)
		pthread_kill(pthread_self(), signal);
	depth--;
}

static void *raise_nested(void *arg)
{
	caught = deepest = 0;
	raise(SIGUSR1);
	say("handled %d, nested %d deep", caught, deepest);
	return arg;
}

static void *raise_once(void *arg)
{
	struct sigaction now;

	caught = 3;
	raise(SIGUSR2);
	check(sigaction(SIGUSR2, NULL, &now) == 0);
	say("afterwards default: %d", now.sa_handler == SIG_DFL);
	return arg;
}

static void note_thread(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	caught_by = self;
	code = info->si_code;
}

static void *write_nowhere(void *number)
{
	int pipe_fds[2], pair[2];

	self = (int)(intptr_t)number;
	check(pipe(pipe_fds) == 0);
	unix_pair(SOCK_STREAM, pair);
	close(pipe_fds[0]);
	close(pair[0]);
	caught_by = 0;
	show(write(pipe_fds[1], "x", 1));
	say("by thread %d, code %d", caught_by, code);
	caught_by = 0;
	show(send(pair[1], "x", 1, 0));
	say("by thread %d", caught_by);
	caught_by = 0;
	show(send(pair[1], "x", 1, MSG_NOSIGNAL));
	say("by thread %d", caught_by);
	close(pair[1]);
	close(pipe_fds[1]);
	return NULL;
}

/* --- faults --- */
static void skip(int signal, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)signal;
	caught_by = self;
	told_address = info->si_addr;
	code = info->si_code;
	registers[REG_RIP] += 3; /* each of the instructions below is so long, or padded to it */
	registers[REG_RAX] = 77;
	sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}

static void fault(const char *what, long (*run)(void *), void *address)
{
	sigset_t mask, usr2;
	long result;

	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	check(pthread_sigmask(SIG_UNBLOCK, &usr2, NULL) == 0);
	caught_by = 0;
	result = run(address);
	check(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0);
	say("%s: %ld, in thread %d, code %d, address %d, mask changed %d", what, result, caught_by,
	    code, told_address == address, sigismember(&mask, SIGUSR2));
}

static long load(void *address)
{
	long value = 1;

	__asm__ volatile(".byte 0x48, 0x8b, 0x02" /* mov (%rdx), %rax */
			 : "+a"(value)
			 : "d"(address)
			 : "memory");
	return value;
}

static long undefined(void *address)
{
	long value = 1;

	(void)address;
	__asm__ volatile("ud2\n\tnop" : "+a"(value));
	return value;
}

static long divide(void *address)
{
	long value = 1;

	(void)address;
	__asm__ volatile("xor %%ecx, %%ecx\n\txor %%edx, %%edx\n\t.byte 0x48, 0xf7, 0xf1"
			 : "+a"(value)
			 :
			 : "rcx", "rdx");
	return value;
}

static void *have_faults(void *number)
{
	char file_name[] = "/tmp/actions.XXXXXX";
	int fd = mkstemp(file_name);
	char *page, *behind;

	self = (int)(intptr_t)number;
	check(fd >= 0 && unlink(file_name) == 0);
	page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	behind = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	check(page != MAP_FAILED && behind != MAP_FAILED);
	fault("nothing there", load, (void *)64);
	fault("no access", load, page + 8);
	fault("behind the end of a file", load, behind + 16);
	fault("no such instruction", undefined, told_address);
	fault("division by 0", divide, told_address);
	munmap(page, 4096);
	munmap(behind, 4096);
	close(fd);
	return NULL;
}

int main(void)
{
	become_threaded();
	handle(SIGCHLD, on_child, SA_RESTART | SA_NOCLDSTOP);
	finish(start(have_child, NULL));
	finish(start(have_child, (void *)(intptr_t)SIGKILL));
	finish(start(have_child, (void *)(intptr_t)SIGSTOP));
	have_child(NULL);
	handle(SIGCHLD, on_child, SA_RESTART | SA_NOCLDWAIT);
	finish(start(have_child_unwaited, NULL));
	have_child_unwaited(NULL);

	handle(SIGUSR1, nest, SA_NODEFER);
	finish(start(raise_nested, NULL));
	handle(SIGUSR1, nest, 0);
	finish(start(raise_nested, NULL));
	handle(SIGUSR2, nest, (int)SA_RESETHAND);
	finish(start(raise_once, NULL));

	handle(SIGPIPE, note_thread, 0);
	finish(start(write_nowhere, (void *)1));
	finish(start(write_nowhere, (void *)2));

	for (int i = 0; i < 4; i++)
		handle((int[]){SIGSEGV, SIGBUS, SIGILL, SIGFPE}[i], skip, 0);
	finish(start(have_faults, (void *)3));
	have_faults((void *)4);
	return 0;
}
