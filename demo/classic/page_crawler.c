/*
 * A crawler: from the first page it follows all links. Page N of the server links to the pages 2N and 2N+1,
 * and takes a while. One task fetches page after page; then each page is a task, which spawns those of the
 * pages that it finds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#define PAGES 31

static char port[8];

/* What was found: of each page, how often. Under weft tasks may run on several processors. */
static int found[PAGES + 1];

static void serve(weft_stream *stream, void *unused)
{
	char line[64], page[256];
	int number, n;

	(void)unused;
	if (weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER) <= 0 ||
	    sscanf(line, "GET /%d", &number) != 1)
		return;
	weft_sleep(20 * WEFT_MS);
	n = snprintf(page, sizeof(page), "page %d\n", number);
	for (int link = 2 * number; link <= 2 * number + 1 && link <= PAGES; link++)
		n += snprintf(page + n, sizeof(page) - (size_t)n, "link /%d\n", link);
	weft_stream_write(stream, page, (size_t)n);
}

/* Fetch a page; its links, at most two. */
static int fetch(int number, int links[2])
{
	char line[64];
	weft_stream *stream;
	int n = snprintf(line, sizeof(line), "GET /%d\n", number), count = 0, named;

	if (weft_open_connection(&stream, "127.0.0.1", port, WEFT_FOREVER) != 0)
		return 0;
	weft_stream_write(stream, line, (size_t)n);
	while (weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER) > 0)
		if (sscanf(line, "page %d", &named) == 1 && named == number)
			__atomic_add_fetch(&found[number], 1, __ATOMIC_RELAXED);
		else if (count < 2 && sscanf(line, "link /%d", &links[count]) == 1)
			count++;
	weft_stream_free(stream);
	return count;
}

static void crawl_one_by_one(void)
{
	int pages[PAGES + 2] = {1}, known = 1;

	for (int i = 0; i < known && known <= PAGES; i++)
		known += fetch(pages[i], &pages[known]);
}

static void *crawl_from(void *page)
{
	weft_task *tasks[2];
	int links[2], n = fetch((int)(intptr_t)page, links), spawned = 0;

	for (int i = 0; i < n; i++)
		if (weft_spawn(&tasks[spawned], crawl_from, (void *)(intptr_t)links[i]) == 0)
			spawned++;
	for (int i = 0; i < spawned; i++) {
		weft_join(tasks[i], WEFT_FOREVER);
		weft_release(tasks[i]);
	}
	return NULL;
}

static void crawl_all_at_once(void)
{
	crawl_from((void *)1);
}

static int64_t time_of(const char *how, void (*crawl)(void))
{
	int64_t begun_ns = weft_now(), took_ns;
	int once = 0;

	memset(found, 0, sizeof(found));
	crawl();
	took_ns = weft_now() - begun_ns;
	for (int i = 1; i <= PAGES; i++)
		once += found[i] == 1;
	printf("%s: %d of %d pages found once\n", how, once, PAGES);
	return took_ns;
}

static void *serve_and_crawl(void *unused)
{
	int64_t one_by_one_ns, at_once_ns;
	weft_server *server;

	if (weft_server_new(&server, "127.0.0.1", "0", serve, NULL, WEFT_FOREVER) != 0)
		return NULL;
	snprintf(port, sizeof(port), "%d", weft_server_port(server));
	one_by_one_ns = time_of("one by one", crawl_one_by_one);
	at_once_ns = time_of("all at once", crawl_all_at_once);
	printf("all at once took less time: %s\n", at_once_ns < one_by_one_ns ? "yes" : "no");
	weft_server_close(server);
	weft_server_wait_closed(server, WEFT_FOREVER);
	weft_server_free(server);
	return unused;
}

int main(void)
{
	return weft_run(serve_and_crawl, NULL, NULL) == 0 ? 0 : 1;
}
