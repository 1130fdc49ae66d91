/* Whoever gives up what root may, while threads wait, goes on as before. */
#include "after.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#define NOBODY 65534

static void *tell_user(void *arg)
{
	uid_t *ids = arg;

	check(getresuid(&ids[0], &ids[1], &ids[2]) == 0);
	return NULL;
}

static void *open_secret(void *arg)
{
	int fd = open("/tmp", O_WRONLY | O_TMPFILE, 0600);

	(void)arg;
	check(fd >= 0);
	close(fd);
	fd = open("/etc/shadow", O_RDONLY);
	return (void *)(intptr_t)(fd < 0 ? errno : 0);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{.effective = 0}};

	show(syscall(SYS_capset, &header, none));
}

static void become_nobody(void)
{
	gid_t group = NOBODY;

	if (geteuid() != 0) {
		say("skipped: not root, so nothing is given up");
		return;
	}
	show(prctl(PR_SET_KEEPCAPS, 1));
	show(setgroups(1, &group));
	show(setgid(NOBODY));
	show(setuid(NOBODY));
}

int main(void)
{
	uid_t ids[3];

	become_threaded();
	begin_waiting();
	become_nobody();
	show(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	drop_capabilities();
	show(prctl(PR_SET_DUMPABLE, 0));
	go_on();
	finish(start(tell_user, ids));
	say("one user: %d", ids[0] == getuid() && ids[1] == ids[0] && ids[2] == ids[0]);
	say("secret: %s", strerrorname_np((int)(intptr_t)finish(start(open_secret, NULL))));
	show(prctl(PR_GET_DUMPABLE));
	show(prctl(PR_SET_DUMPABLE, 1));
	begin_waiting();
	end_waiting();
	return 0;
}
