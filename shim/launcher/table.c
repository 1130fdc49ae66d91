/* `weft calls`: the table of system calls, for people. */
#include "commands.h"

#include <stdio.h>
#include <string.h>

/* In the order in which the groups of the Markdown table stand. */
enum call_class {
	CLASS_PARK,
	CLASS_OFFLOAD,
	CLASS_EMULATE,
	CLASS_PASS,
};

static const struct {
	const char *name;
	const char *text; /* stands in the Markdown table for a call without a reason */
} classes[] = {
	[CLASS_PARK] = {"park", "tried at once; the task parks while it would wait"},
	[CLASS_OFFLOAD] = {"offload", "an offload thread makes the call, the task parks"},
	[CLASS_EMULATE] = {"emulate", "weft answers"},
	[CLASS_PASS] = {"pass", "the kernel answers"},
};

static const struct call {
	int number;
	enum call_class kind;
	const char *name;
	const char *reason;
} calls[] = {
#define CALL(number, name, class, handler, family, reason) {number, CLASS_##class, #name, reason},
#include "../calls.def"
#undef CALL
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static const char blocks[] = "blocks: ";

static void print_plain(void)
{
	for (size_t i = 0; i < CALLS; i++) {
		const struct call *call = &calls[i];

		printf("%3d  %-23s  ", call->number, call->name);
		if (call->reason[0] == '\0')
			printf("%s\n", classes[call->kind].name);
		else
			printf("%-7s  %s\n", classes[call->kind].name, call->reason);
	}
}

static bool is_listed(const struct call *call, enum call_class kind)
{
	if (call->kind != kind)
		return false;
	return kind != CLASS_PASS || strncmp(call->reason, blocks, strlen(blocks)) == 0;
}

/* One row for all calls of the class that share the reason of this one, their first. */
static void print_row(const struct call *first)
{
	const char *reason = first->reason;

	if (first->kind == CLASS_PASS)
		reason += strlen(blocks);
	else if (reason[0] == '\0')
		reason = classes[first->kind].text;
	printf("| %s |", first->kind == CLASS_PASS ? "pass, blocks" : classes[first->kind].name);
	for (const struct call *call = first; call < calls + CALLS; call++)
		if (call->kind == first->kind && strcmp(call->reason, first->reason) == 0)
			printf(" `%s`", call->name);
	printf(" | %s |\n", reason);
}

static bool is_first_of_row(const struct call *call)
{
	for (const struct call *before = calls; before < call; before++)
		if (before->kind == call->kind && strcmp(before->reason, call->reason) == 0)
			return false;
	return true;
}

static void print_markdown(void)
{
	puts("| Class | System calls | Remark |\n| --- | --- | --- |");
	for (enum call_class kind = CLASS_PARK; kind <= CLASS_PASS; kind++)
		for (const struct call *call = calls; call < calls + CALLS; call++)
			if (is_listed(call, kind) && is_first_of_row(call))
				print_row(call);
}

void weft__calls_print(bool markdown)
{
	if (markdown)
		print_markdown();
	else
		print_plain();
}
