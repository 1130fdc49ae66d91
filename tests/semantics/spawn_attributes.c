/* posix_spawn with every attribute and file action, popen and system from many threads at once. */
#include "guest.h"

#include <sched.h>
#include <spawn.h>

extern char **environ;
static int never[2], out;
static char out_name[64];

/* Spawn `sh -c script` with the script's output in a file, and put that into the transcript. */
static void spawn(const char *what, const char *script, posix_spawn_file_actions_t *actions,
		  posix_spawnattr_t *attr)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL}, text[512];
	int status, err;
	ssize_t n;
	pid_t child;

	err = posix_spawn(&child, "/bin/sh", actions, attr, argv, environ);
	if (err != 0) {
		say("%s: %s", what, strerrorname_np(err));
	} else {
		check(waitpid(child, &status, 0) == child);
		n = pread(out, text, sizeof(text) - 1, 0);
		text[n < 0 ? 0 : n] = '\0';
		say_status(what, status);
		fputs(text, stdout);
	}
	close(out);
	posix_spawn_file_actions_destroy(actions);
	posix_spawnattr_destroy(attr);
}

/* A line of /proc/self/status, of the shell itself. */
#define STATUS(line) \
	"read_it() { while read -r a b; do [ \"$a\" = " line \
	": ] && echo $b; done; }; read_it </proc/$$/status"

static void begin(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, short flags)
{
	out = open(out_name, O_RDWR | O_CREAT | O_TRUNC, 0600);
	check(out >= 0);
	posix_spawn_file_actions_init(actions);
	check(posix_spawn_file_actions_adddup2(actions, out, 1) == 0);
	posix_spawnattr_init(attr);
	check(posix_spawnattr_setflags(attr, flags) == 0);
}

static void test_attributes(void)
{
	posix_spawn_file_actions_t actions;
	struct sched_param param = {0};
	posix_spawnattr_t attr;
	sigset_t set;

	begin(&actions, &attr, POSIX_SPAWN_RESETIDS);
	spawn("RESETIDS", "[ $(id -u) = $(id -ru) ]", &actions, &attr);
	begin(&actions, &attr, POSIX_SPAWN_SETPGROUP);
	spawn("SETPGROUP",
	      "read -r a b c d e f "
	      "</proc/$$/stat && [ $e = $$ ]",
	      &actions, &attr);
	begin(&actions, &attr, POSIX_SPAWN_SETSID);
	spawn("SETSID", "read -r a b c d e f g </proc/$$/stat && [ $f = $$ ]", &actions, &attr);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	begin(&actions, &attr, POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigdefault(&attr, &set);
	spawn("SETSIGDEF", STATUS("SigIgn"), &actions, &attr);
	begin(&actions, &attr, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attr, &set);
	spawn("SETSIGMASK", STATUS("SigBlk"), &actions, &attr);
	begin(&actions, &attr, 0);
	spawn("mask and ignored signals as they are", STATUS("SigBlk") ";" STATUS("SigIgn"),
	      &actions, &attr);
	begin(&actions, &attr, POSIX_SPAWN_SETSCHEDPARAM | POSIX_SPAWN_USEVFORK);
	posix_spawnattr_setschedparam(&attr, &param);
	spawn("SETSCHEDPARAM", "echo ran", &actions, &attr);
	begin(&actions, &attr, POSIX_SPAWN_SETSCHEDULER);
	posix_spawnattr_setschedpolicy(&attr, SCHED_BATCH);
	posix_spawnattr_setschedparam(&attr, &param);
	spawn("SETSCHEDULER", "echo ran", &actions, &attr);
}

static void test_actions(void)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int folder = open("/usr", O_RDONLY | O_DIRECTORY);

	begin(&actions, &attr, 0);
	posix_spawn_file_actions_addopen(&actions, 40, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, 40, 41);
	posix_spawn_file_actions_addclose(&actions, 40);
	spawn("open, dup2, close",
	      "cd /proc/$$/fd && for i in 40 41; do [ -e $i ] && echo $i; "
	      "done; :",
	      &actions, &attr);
	begin(&actions, &attr, 0);
	posix_spawn_file_actions_addchdir_np(&actions, "/usr/bin");
	spawn("chdir", "pwd -P", &actions, &attr);
	begin(&actions, &attr, 0);
	posix_spawn_file_actions_addfchdir_np(&actions, folder);
	spawn("fchdir", "pwd -P", &actions, &attr);
	begin(&actions, &attr, 0);
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	posix_spawn_file_actions_addopen(&actions, 5, "/dev/null", O_RDONLY, 0);
	spawn("closefrom",
	      "for i in /proc/$$/fd/*; do i=${i##*/}; [ $i -gt 2 ] && [ $i -lt 10 ] "
	      "&& echo $i; done; :",
	      &actions, &attr);
	begin(&actions, &attr, 0);
	posix_spawn_file_actions_addopen(&actions, 5, "/nowhere/at/all", O_RDONLY, 0);
	spawn("open what is not there", ":", &actions, &attr);
	begin(&actions, &attr, 0);
	posix_spawn_file_actions_adddup2(&actions, 900, 5);
	spawn("dup2 what is not open", ":", &actions, &attr);
	begin(&actions, &attr, 0);
	posix_spawn_file_actions_addtcsetpgrp_np(&actions, never[0]);
	spawn("tcsetpgrp on a pipe", ":", &actions, &attr);
	close(folder);
}

static void *test_here(void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	test_attributes();
	test_actions();
	return arg;
}

static void *run_shell(void *arg)
{
	char line[64] = "", command[64];
	FILE *stream;
	long right = 0;

	snprintf(command, sizeof(command), "echo %ld; exit 3", (long)arg);
	stream = popen(command, "r");
	check(stream != NULL && fgets(line, sizeof(line), stream) != NULL);
	right += atol(line) == (long)arg;
	right += WEXITSTATUS(pclose(stream)) == 3;
	right += WEXITSTATUS(system("exit 4")) == 4;
	return (void *)right;
}

static volatile sig_atomic_t children_told;

static void on_child(int signal)
{
	(void)signal;
	children_told++;
}

static void run_many_shells(void)
{
	struct sigaction action = {.sa_handler = on_child, .sa_flags = SA_RESTART}, after;
	pthread_t threads[20];
	sigset_t mask;
	long right = 0;

	check(sigaction(SIGCHLD, &action, NULL) == 0);
	for (long i = 0; i < 20; i++)
		threads[i] = start(run_shell, (void *)i);
	for (int i = 0; i < 20; i++)
		right += (long)finish(threads[i]);
	say("of 60 answers of shells right: %ld", right);
	sigaction(SIGINT, NULL, &after);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	say("SIGINT is as before: %d, SIGCHLD unblocked: %d", after.sa_handler == SIG_DFL,
	    !sigismember(&mask, SIGCHLD));
	say("the handler heard of children: %d", children_told > 0);
	show(wait(NULL));
	errno = 0;
	show(system("kill -INT $$"));
	say_status("system that was interrupted", system("kill -QUIT $$"));
	say("shell there: %d", system(NULL) != 0);
}

int main(void)
{
	snprintf(out_name, sizeof(out_name), "/tmp/spawn.%d", getpid());
	signal(SIGUSR2, SIG_IGN);
	signal(SIGALRM, SIG_IGN);
	check(pipe(never) == 0);
	start(read_byte, &never[0]);
	settle();
	test_here(NULL);
	finish(start(test_here, NULL));
	run_many_shells();
	unlink(out_name);
	return 0;
}
