/*
 * asyncio's two first examples. Two tasks say hello and world after a while, at the same time. And
 * three pages are fetched at once by weft_gather_calls(), which gives them in the order in which
 * they were asked for, whichever came first. A sleep stands for each fetch.
 */
#include <stdio.h>

#include <weft.h>

struct saying {
	int64_t duration_ns;
	const char *what;
};

static void *say_after(void *arg)
{
	const struct saying *saying = arg;

	weft_sleep(saying->duration_ns);
	printf("%s\n", saying->what);
	return NULL;
}

static void say_hello_world(void)
{
	struct saying hello = {20 * WEFT_MS, "hello"}, world = {100 * WEFT_MS, "world"};
	weft_task *tasks[2];

	if (weft_spawn(&tasks[0], say_after, &world) != 0)
		return;
	if (weft_spawn(&tasks[1], say_after, &hello) == 0) {
		weft_gather(tasks, 2, NULL, NULL);
		weft_release(tasks[1]);
	}
	weft_release(tasks[0]);
}

struct page {
	const char *address;
	int64_t takes_ns;
	const char *text;
};

static void *fetch(void *arg)
{
	const struct page *page = arg;

	printf("fetching %s\n", page->address);
	weft_sleep(page->takes_ns);
	printf("fetched %s\n", page->address);
	return (void *)page->text;
}

static void fetch_all(void)
{
	static struct page pages[] = {{"slow.example", 200 * WEFT_MS, "Slow is beautiful."},
				      {"fast.example", 20 * WEFT_MS, "Here you are."},
				      {"fair.example", 100 * WEFT_MS, "As promised."}};
	weft_call calls[] = {{fetch, &pages[0]}, {fetch, &pages[1]}, {fetch, &pages[2]}};
	void *texts[3];

	if (weft_gather_calls(calls, 3, NULL, texts) != 0)
		return;
	for (int i = 0; i < 3; i++)
		printf("%s: %s\n", pages[i].address, (const char *)texts[i]);
}

static void *main_task(void *unused)
{
	say_hello_world();
	fetch_all();
	return unused;
}

int main(void)
{
	return weft_run_until_complete(main_task, NULL, NULL) == 0 ? 0 : 1;
}
