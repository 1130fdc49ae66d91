/* What a process may do, asked for as it is already: nothing changes, and the kernel says so. */
#include "ticks.h"
#include "waits.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/fsuid.h>

static struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0},
				       odd_header = {1, 0};
static struct __user_cap_data_struct capabilities[2];
static gid_t groups[64];

static long keep_capabilities(void)
{
	check(syscall(SYS_capget, &header, capabilities) == 0);
	return ask(&header, capabilities);
}

static long keep_groups(void)
{
	int count = getgroups(64, groups);

	check(count >= 0);
	return ask((long)count, groups);
}

ANSWERS(setuid, own, ask(getuid()))
ANSWERS(setuid, no_id, ask(-1))
ANSWERS(setgid, own, ask(getgid()))
ANSWERS(setgid, no_id, ask(-1))
ANSWERS(setreuid, none, ask(-1, -1))
ANSWERS(setreuid, own, ask(getuid(), geteuid()))
ANSWERS(setregid, none, ask(-1, -1))
ANSWERS(setregid, own, ask(getgid(), getegid()))
ANSWERS(setresuid, none, ask(-1, -1, -1))
ANSWERS(setresgid, none, ask(-1, -1, -1))
ANSWERS(setgroups, own, keep_groups())
ANSWERS(setgroups, too_many, ask(1 << 20, groups))
ANSWERS(setgroups, from_nowhere, ask(1, (void *)8))
ANSWERS(setfsuid, none, ask(-1) == geteuid())
ANSWERS(setfsgid, none, ask(-1) == getegid())
ANSWERS(capset, own, keep_capabilities())
ANSWERS(capset, odd_version, ask(&odd_header, capabilities))
ANSWERS(capset, from_nowhere, ask(NULL, capabilities))
ANSWERS(personality, look, ask(0xFFFFFFFFL))
ANSWERS(iopl, none, ask(0))
ANSWERS(iopl, too_high, ask(9))
ANSWERS(ioperm, off, ask(0x80L, 1L, 0))
ANSWERS(ioperm, beyond, ask(1L << 20, 1L, 1))
ANSWERS(seccomp, look, ask(SECCOMP_GET_ACTION_AVAIL, 0, &(uint32_t){SECCOMP_RET_ALLOW}))
ANSWERS(seccomp, no_operation, ask(99, 0, NULL))
ANSWERS(seccomp, filter_nowhere, ask(SECCOMP_SET_MODE_FILTER, 0, NULL))
ANSWERS(set_mempolicy, default_one, ask(0, NULL, 0L))
ANSWERS(set_mempolicy, no_policy, ask(99, NULL, 0L))
ANSWERS(landlock_restrict_self, no_descriptor, ask(-1, 0))
ANSWERS(landlock_restrict_self, bad_flags, ask(-1, 1 << 30))
ANSWERS(lsm_set_self_attr, nowhere, ask(0, NULL, 0, 0))
ANSWERS(lsm_set_self_attr, bad_flags, ask(100, NULL, 16, 99))

int main(int argc, char *argv[])
{
	(void)argc;
	return run_trials(argv);
}
