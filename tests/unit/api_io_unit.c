/* See api_io.h. */
#include "api_io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void *make_call(void *arg)
{
	struct made *made = arg;

	made->result = made->call(made->arg);
	return NULL;
}

void make(struct made *made, ssize_t (*call)(void *arg), void *arg)
{
	*made = (struct made){.call = call, .arg = arg, .result = -EINPROGRESS};
	cr_assert_eq(weft_spawn(&made->task, make_call, made), 0);
}

void make_and_wait(struct made *made, ssize_t (*call)(void *arg), void *arg)
{
	make(made, call, arg);
	until_waits(made->task);
}

ssize_t result_of(struct made *made)
{
	join(made->task);
	return made->result;
}

void make_pair(int ends[2])
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

void fill_up(int fd)
{
	static const char bytes[4096];
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	while (write(fd, bytes, sizeof(bytes)) > 0)
		;
	while (write(fd, bytes, 1) > 0)
		;
	fcntl(fd, F_SETFL, flags);
}

int listen_here(struct sockaddr_in *addr)
{
	socklen_t len = sizeof(*addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_in){.sin_family = AF_INET,
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	cr_assert_eq(bind(fd, (struct sockaddr *)addr, len), 0);
	cr_assert_eq(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)addr, &len);
	return fd;
}

char *before_a_hole(size_t bytes)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(pages, MAP_FAILED);
	mprotect(pages + 4096, 4096, PROT_NONE);
	return pages + 4096 - bytes;
}
