/* What a new program finds after exec by a thread: signals pending, blocked and ignored; each exec. */
#include "guest.h"

extern char **environ;
static char self[4096];

static void on_signal(int signal)
{
	(void)signal;
}

/* In the new program, before it has made any thread. */
static void tell(const char *how)
{
	static const char *const lines[] = {"Threads:", "SigBlk:", "SigIgn:", "SigCgt:"};
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	sigset_t pending;

	check(status != NULL);
	say("by %s, environment %s", how, getenv("GREETING"));
	while (fgets(line, sizeof(line), status) != NULL)
		for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
			if (strncmp(line, lines[i], strlen(lines[i])) == 0)
				printf("  %s", line);
	fclose(status);
	check(sigpending(&pending) == 0);
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		if (sigismember(&pending, signal) == 1)
			say("  pending: %d", signal);
	become_threaded();
}

static void exec_by(int variant)
{
	char *argv[] = {self, (char *)"tell", (char *)"", NULL};
	int fd;

	setenv("GREETING", "hello", 1);
	switch (variant) {
	case 0:
		argv[2] = (char *)"execve";
		execve(self, argv, environ);
		break;
	case 1:
		argv[2] = (char *)"execv";
		execv(self, argv);
		break;
	case 2:
		argv[2] = (char *)"execvp";
		execvp(self, argv);
		break;
	case 3:
		argv[2] = (char *)"execvpe";
		execvpe(self, argv, environ);
		break;
	case 4:
		execl(self, self, "tell", "execl", (char *)NULL);
		break;
	case 5:
		execlp(self, self, "tell", "execlp", (char *)NULL);
		break;
	case 6:
		execle(self, self, "tell", "execle", (char *)NULL, environ);
		break;
	case 7:
		argv[2] = (char *)"fexecve";
		fd = open(self, O_RDONLY | O_CLOEXEC);
		fexecve(fd, argv, environ);
		break;
	default:
		argv[2] = (char *)"execveat";
		fd = open("/", O_PATH | O_DIRECTORY);
		execveat(fd, self + 1, argv, environ, 0);
		break;
	}
	check(!"exec returned");
}

static void *block_and_exec(void *variant)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGRTMIN + 3);
	check(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
	check(pthread_kill(pthread_self(), SIGUSR1) == 0);
	check(raise(SIGRTMIN + 3) == 0);
	execv("/nonexistent", (char *[]){self, NULL});
	check(errno == ENOENT);
	exec_by(*(int *)variant);
	return NULL;
}

static void *sleep_long(void *arg)
{
	sleep(1000);
	return arg;
}

static void prepare_and_exec(int variant, int from_thread)
{
	struct sigaction action = {.sa_handler = on_signal};

	signal(SIGHUP, SIG_IGN);
	sigaction(SIGUSR2, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	start(sleep_long, NULL);
	signal(SIGQUIT, SIG_IGN);
	settle();
	if (from_thread)
		finish(start(block_and_exec, &variant));
	block_and_exec(&variant);
}

int main(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	check(n > 0);
	if (argc > 2) {
		tell(argv[2]);
		return 5;
	}
	for (int i = 0; i < 18; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			prepare_and_exec(i / 2, i % 2);
		check(waitpid(child, &status, 0) == child);
		say_status(i % 2 ? "exec by a thread" : "exec by the first thread", status);
	}
	return 0;
}
