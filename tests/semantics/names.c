/* getaddrinfo, getnameinfo, getpwnam, getgrgid and friends in many threads. */
#include "guest.h"

#include <grp.h>
#include <netdb.h>
#include <pwd.h>

#define THREADS 20

static void *look_up(void *arg)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
	struct passwd entry, *user;
	char buf[4096], host[64], port[16];
	long right = 0;

	check(getaddrinfo("localhost", "80", &hints, &found) == 0);
	right += ((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
	check(getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof(host), port, sizeof(port),
			  NI_NUMERICHOST | NI_NUMERICSERV) == 0);
	right += strcmp(host, "127.0.0.1") == 0 && strcmp(port, "80") == 0;
	freeaddrinfo(found);
	right += getaddrinfo("127.0.0.1", "no-such-service", &hints, &found) != 0;
	right += getpwnam_r("root", &entry, buf, sizeof(buf), &user) == 0 && user->pw_uid == 0;
	right += getpwnam_r("no-such-user", &entry, buf, sizeof(buf), &user) == 0 && user == NULL;
	return (void *)(right + (arg != NULL));
}

int main(void)
{
	pthread_t threads[THREADS];
	struct group *group;
	long right = 0;

	for (int i = 0; i < THREADS; i++)
		threads[i] = start(look_up, NULL);
	for (int i = 0; i < THREADS; i++)
		right += (long)finish(threads[i]);
	say("right answers: %ld", right);
	group = getgrgid(0);
	say("group 0: %s", group->gr_name);
	say("root lives in %s", getpwuid(0)->pw_dir);
	return 0;
}
