/*
 * A producer hands its products to a consumer, and gets an answer for each, without a lock, a queue
 * or a second thread: the consumer is a generator, and what it yields is its answer.
 */
#include <stdio.h>
#include <weft.h>

/* What it yields goes to who sends; what is sent next is what weft_gen_yield() hands out. */
static void *consume(void *unused)
{
	void *answer = "", *product;

	while (weft_gen_yield(answer, &product) == 0) {
		if (product == NULL)
			continue;
		printf("[consumer] consuming %ld\n", (long)product);
		answer = "200 OK";
	}
	puts("[consumer] closed");
	return unused;
}

static int produce(weft_gen *consumer)
{
	void *answer;

	/* It has to come as far as its first yield before it can be sent anything. */
	if (weft_gen_next(consumer, NULL) != 1)
		return 1;
	for (long product = 1; product <= 5; product++) {
		printf("[producer] producing %ld\n", product);
		if (weft_gen_send(consumer, (void *)product, &answer) != 1)
			return 1;
		printf("[producer] consumer returned %s\n", (char *)answer);
	}
	return weft_gen_close(consumer) != 0;
}

int main(void)
{
	weft_gen *consumer;
	int failed;

	if (weft_gen_new(&consumer, consume, NULL, 0) != 0)
		return 1;
	failed = produce(consumer);
	weft_gen_free(consumer);
	return failed;
}
