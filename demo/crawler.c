/*
 * The classic example: fetch pages that take a tenth of a second each, first
 * one after another, then all at once with a thread per URL.
 *
 *     crawler [PAGES]
 *
 * The server is in the program too, so that nothing leaves the machine. It
 * answers each page after 100 ms, with text that names the page.
 */
#include "net.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_PAGES 20
#define MOST_PAGES 10000
#define PAGE_DELAY_US 100000

struct fetch {
	const char *port;
	long page;
	pthread_t thread;
	bool started;
	bool right; /* the answer came whole, and was this page */
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Read until the other side has no more, or until the buffer is full. */
static void read_text(int fd, char *text, size_t size, const char *until)
{
	size_t have = 0;
	long n;

	text[0] = '\0';
	while (have < size - 1 && (n = read_some(fd, text + have, size - 1 - have)) > 0) {
		have += (size_t)n;
		text[have] = '\0';
		if (until != NULL && strstr(text, until) != NULL)
			break;
	}
}

static void *serve_page(void *arg)
{
	static const char start[] = "GET /page/";
	int fd = (int)(intptr_t)arg;
	char text[1024];

	read_text(fd, text, sizeof(text), "\r\n\r\n");
	if (strncmp(text, start, strlen(start)) == 0) {
		long page = strtol(text + strlen(start), NULL, 10);

		usleep(PAGE_DELAY_US);
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nThis is page %ld.\n", page);
		write_all(fd, text, strlen(text));
	}
	close(fd);
	return NULL;
}

static void *serve_pages(void *listener)
{
	for (;;)
		serve_in_thread(serve_page, accept_next((int)(intptr_t)listener));
	return NULL;
}

/* Start the server; its port as text. */
static void start_server(char *port, size_t size)
{
	struct sockaddr_in addr = {0};
	socklen_t len = sizeof(addr);
	int listener = listen_local("0");
	pthread_t thread;

	if (getsockname(listener, (struct sockaddr *)&addr, &len) != 0 ||
	    pthread_create(&thread, NULL, serve_pages, (void *)(intptr_t)listener) != 0) {
		perror("server");
		exit(1);
	}
	snprintf(port, size, "%d", ntohs(addr.sin_port));
}

static int connect_by_name(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	struct addrinfo *list;
	int fd = -1;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -1;
	/* localhost may come as ::1 first, where nobody listens. */
	for (struct addrinfo *addr = list; addr != NULL && fd < 0; addr = addr->ai_next) {
		fd = socket(addr->ai_family, addr->ai_socktype | SOCK_CLOEXEC, addr->ai_protocol);
		if (fd >= 0 && connect(fd, addr->ai_addr, addr->ai_addrlen) != 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	return fd;
}

static void *fetch_page(void *arg)
{
	struct fetch *fetch = arg;
	int fd = connect_by_name("localhost", fetch->port);
	char text[1024], right[64];

	if (fd < 0)
		return NULL;
	snprintf(text, sizeof(text), "GET /page/%ld HTTP/1.1\r\nHost: localhost\r\n\r\n",
		 fetch->page);
	if (write_all(fd, text, strlen(text)) == 0) {
		read_text(fd, text, sizeof(text), NULL);
		snprintf(right, sizeof(right), "\r\n\r\nThis is page %ld.\n", fetch->page);
		fetch->right = strstr(text, right) != NULL;
	}
	close(fd);
	return NULL;
}

static void fetch_one_by_one(struct fetch *fetches, long pages)
{
	for (long i = 0; i < pages; i++)
		fetch_page(&fetches[i]);
}

static void fetch_all_at_once(struct fetch *fetches, long pages)
{
	for (long i = 0; i < pages; i++)
		fetches[i].started =
			pthread_create(&fetches[i].thread, NULL, fetch_page, &fetches[i]) == 0;
	for (long i = 0; i < pages; i++)
		if (fetches[i].started)
			pthread_join(fetches[i].thread, NULL);
}

/* Fetch all pages one way and say how long it took; the pages that failed. */
static long crawl(const char *how, void (*fetch_all)(struct fetch *, long), const char *port,
		  long pages)
{
	struct fetch *fetches = calloc((size_t)pages, sizeof(*fetches));
	double started_s = now_s();
	long wrong = 0;

	if (fetches == NULL) {
		perror("crawler");
		exit(1);
	}
	for (long i = 0; i < pages; i++) {
		fetches[i].port = port;
		fetches[i].page = i;
	}
	fetch_all(fetches, pages);
	for (long i = 0; i < pages; i++)
		wrong += !fetches[i].right;
	printf("%ld pages %s: %.2f s, %ld failed\n", pages, how, now_s() - started_s, wrong);
	fflush(stdout);
	free(fetches);
	return wrong;
}

int main(int argc, char **argv)
{
	long pages = argc > 1 ? strtol(argv[1], NULL, 10) : DEFAULT_PAGES;
	char port[8];
	long wrong;

	if (argc > 2 || pages < 1 || pages > MOST_PAGES) {
		fprintf(stderr, "usage: %s [PAGES]\n", argv[0]);
		return 2;
	}
	start_server(port, sizeof(port));
	wrong = crawl("one after another", fetch_one_by_one, port, pages);
	wrong += crawl("all at once", fetch_all_at_once, port, pages);
	return wrong == 0 ? 0 : 1;
}
