/*
 * Two coroutines that take turns: one eats, the other plays.
 *
 * Each switches to the other by name. When a coroutine's function returns, its parent goes on, which
 * is who made it: here the main program.
 */
#include <stdio.h>
#include <weft.h>

static weft_co *eater, *player;

static void *eat(void *name)
{
	printf("%s: eat 1\n", (char *)name);
	weft_switch(player, "pony", NULL);
	printf("%s: eat 2\n", (char *)name);
	weft_switch(player, NULL, NULL);
	return NULL;
}

static void *play(void *name)
{
	printf("%s: play 1\n", (char *)name);
	weft_switch(eater, NULL, NULL);
	printf("%s: play 2\n", (char *)name);
	return "enough played";
}

int main(void)
{
	void *last = NULL;

	if (weft_co_new(&eater, eat, 0) != 0 || weft_co_new(&player, play, 0) != 0)
		return 1;
	if (weft_switch(eater, "kitten", &last) != 0)
		return 1;
	printf("%s\n", (char *)last);
	printf("the player has ended: %s\n", weft_co_state(player) == WEFT_CO_DEAD ? "yes" : "no");
	printf("the eater has ended: %s\n", weft_co_state(eater) == WEFT_CO_DEAD ? "yes" : "no");
	weft_co_free(player);
	weft_co_free(eater); /* its last weft_switch() returns -ECANCELED, and then it returns */
	return 0;
}
