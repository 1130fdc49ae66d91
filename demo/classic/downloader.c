/*
 * Ten pictures from a server that takes a while for each: one after the other, then all at once. The server
 * is in the program, too, so that nothing leaves the machine.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#define PICTURES 10
#define PICTURE_BYTES 100000

static char port[8];

/* A picture as good as any: each has other bytes. */
static char pixel(long picture, long i)
{
	return (char)((i * (picture + 3)) >> 2);
}

/* Its number is all that is asked. */
static void serve(weft_stream *stream, void *unused)
{
	char line[32], *picture;
	long number;

	(void)unused;
	if (weft_stream_read_line(stream, line, sizeof(line), WEFT_FOREVER) <= 0)
		return;
	number = strtol(line, NULL, 10);
	picture = malloc(PICTURE_BYTES);
	if (picture == NULL)
		return;
	for (long i = 0; i < PICTURE_BYTES; i++)
		picture[i] = pixel(number, i);
	weft_sleep(50 * WEFT_MS);
	weft_stream_write(stream, picture, PICTURE_BYTES);
	weft_stream_drain(stream, WEFT_FOREVER);
	free(picture);
}

struct download {
	long number;
	ssize_t bytes;
	char picture[PICTURE_BYTES + 1];
};

static void *download(void *arg)
{
	struct download *it = arg;
	weft_stream *stream;
	char line[32];
	int n = snprintf(line, sizeof(line), "%ld\n", it->number);

	if (weft_open_connection(&stream, "127.0.0.1", port, WEFT_FOREVER) != 0)
		return NULL;
	weft_stream_write(stream, line, (size_t)n);
	it->bytes = weft_stream_read_exactly(stream, it->picture, PICTURE_BYTES + 1, WEFT_FOREVER);
	weft_stream_free(stream);
	return NULL;
}

static void download_one_by_one(struct download *downloads)
{
	for (long i = 0; i < PICTURES; i++)
		download(&downloads[i]);
}

static void download_all_at_once(struct download *downloads)
{
	weft_task *tasks[PICTURES];

	for (long i = 0; i < PICTURES; i++)
		if (weft_spawn(&tasks[i], download, &downloads[i]) != 0)
			exit(1);
	weft_joinall(tasks, PICTURES, 0, WEFT_FOREVER);
	for (long i = 0; i < PICTURES; i++)
		weft_release(tasks[i]);
}

static int64_t time_of(const char *how, void (*download_them)(struct download *))
{
	struct download *downloads = calloc(PICTURES, sizeof(*downloads));
	int64_t begun_ns = weft_now(), took_ns;
	int right = 0;

	if (downloads == NULL)
		exit(1);
	for (long i = 0; i < PICTURES; i++)
		downloads[i].number = i;
	download_them(downloads);
	took_ns = weft_now() - begun_ns;
	for (long i = 0; i < PICTURES; i++) {
		long j = 0;

		while (j < downloads[i].bytes && downloads[i].picture[j] == pixel(i, j))
			j++;
		right += j == PICTURE_BYTES;
	}
	printf("%s: %d pictures, all bytes right: %d\n", how, PICTURES, right);
	free(downloads);
	return took_ns;
}

static void *serve_and_download(void *unused)
{
	int64_t one_by_one_ns, at_once_ns;
	weft_server *server;

	if (weft_server_new(&server, "127.0.0.1", "0", serve, NULL, WEFT_FOREVER) != 0)
		return NULL;
	snprintf(port, sizeof(port), "%d", weft_server_port(server));
	one_by_one_ns = time_of("one by one", download_one_by_one);
	at_once_ns = time_of("all at once", download_all_at_once);
	printf("all at once took less time: %s\n", at_once_ns < one_by_one_ns ? "yes" : "no");
	weft_server_close(server);
	weft_server_wait_closed(server, WEFT_FOREVER);
	weft_server_free(server);
	return unused;
}

int main(void)
{
	return weft_run(serve_and_download, NULL, NULL) == 0 ? 0 : 1;
}
