/* The rules about programs: what a text says of one, and what is wrong with it. */
#include "rules.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct weft__rule rule;
static char complaints[4096];

static void note(const char *file, unsigned int line, const char *why, bool named)
{
	size_t used = strlen(complaints);

	snprintf(complaints + used, sizeof(complaints) - used, "%s:%u:%s %s\n", file, line,
		 named ? "" : " another's:", why);
}

static void scan(const char *text, const char *program)
{
	memset(&rule, 0, sizeof(rule));
	complaints[0] = '\0';
	strcpy(rule.file, "f");
	weft__rules_scan(text, strlen(text), program, &rule, note);
}

static void expect_complaint(const char *text, const char *complaint)
{
	scan(text, "server");
	cr_expect_str_eq(complaints, complaint, "of: %s", text);
	cr_expect_eq(rule.line, 0);
}

Test(rules, a_rule_is_found_by_the_programs_name)
{
	scan("other catch=only\nserver catch=all preempt-ms=5\n", "server");

	cr_expect_eq(rule.line, 2);
	cr_expect_str_eq(rule.value[WEFT__SET_CATCH], "all");
	cr_expect_str_eq(rule.value[WEFT__SET_PREEMPT_MS], "5");
	cr_expect_str_eq(rule.value[WEFT__SET_STATS], "");
	cr_expect_str_eq(rule.reason, "");
	cr_expect_str_eq(complaints, "");
}

Test(rules, no_rule_is_about_a_program_with_a_longer_or_shorter_name)
{
	scan("server catch=all\n", "server2");
	cr_expect_eq(rule.line, 0);
	scan("server catch=all\n", "serve");
	cr_expect_eq(rule.line, 0);
	scan("server catch=all\n", "");
	cr_expect_eq(rule.line, 0);
}

Test(rules, a_star_stands_for_the_rest_of_a_name)
{
	scan("python3* stats=1\n", "python3.11");
	cr_expect_eq(rule.line, 1);
	scan("python3* stats=1\n", "python3");
	cr_expect_eq(rule.line, 1);
	scan("python3* stats=1\n", "python2");
	cr_expect_eq(rule.line, 0);
}

Test(rules, lines_add_up_and_the_last_value_holds)
{
	scan("server catch=all stats=1\nother stats=0\nser* catch=only\n", "server");

	cr_expect_eq(rule.line, 3);
	cr_expect_str_eq(rule.value[WEFT__SET_CATCH], "only");
	cr_expect_str_eq(rule.value[WEFT__SET_STATS], "1");
}

Test(rules, a_reason_is_all_between_the_quotation_marks)
{
	scan("server refuse \"it is # 1, catch=all\"  # why\n", "server");

	cr_expect_str_eq(complaints, "");
	cr_expect_str_eq(rule.reason, "it is # 1, catch=all");
	cr_expect_str_eq(rule.value[WEFT__SET_CATCH], "");
}

Test(rules, comments_blanks_and_a_missing_newline_do_not_matter)
{
	scan("# server catch=only\n\n   \t\r\n  server\tcatch=all\r\n#\nserver stats=1 # x",
	     "server");

	cr_expect_str_eq(complaints, "");
	cr_expect_eq(rule.line, 6);
	cr_expect_str_eq(rule.value[WEFT__SET_CATCH], "all");
	cr_expect_str_eq(rule.value[WEFT__SET_STATS], "1");
}

Test(rules, a_bad_line_says_nothing_and_the_rest_holds)
{
	scan("server stats=1\nserver catch=none preempt-ms=fast\nserver catch=all\n", "server");

	cr_expect_str_eq(complaints, "f:2: the setting cannot have this value\n");
	cr_expect_eq(rule.line, 3);
	cr_expect_str_eq(rule.value[WEFT__SET_CATCH], "all");
	cr_expect_str_eq(rule.value[WEFT__SET_STATS], "1");
	cr_expect_str_eq(rule.value[WEFT__SET_PREEMPT_MS], "");
}

Test(rules, a_setting_may_be_a_list_of_ports)
{
	const struct weft__setting *setting = &weft__setting_table[WEFT__SET_ITERATIVE];

	scan("server iterative=80,8080,65535\n", "server");

	cr_expect_str_eq(rule.value[WEFT__SET_ITERATIVE], "80,8080,65535");
	cr_expect_eq(weft__setting_value(setting, "80,8080"), 3);
	cr_expect_eq(weft__setting_value(setting, "8080"), 3);
	cr_expect_eq(weft__setting_value(setting, "check"), 2);
	cr_expect_eq(weft__setting_value(setting, "1"), 1);
	cr_expect_eq(weft__setting_value(setting, "0"), 0);
}

Test(rules, each_kind_of_bad_line_is_named)
{
	char long_value[64 + WEFT__VALUE_BYTES] = "server offload-threads=";

	memset(long_value + strlen(long_value), '0', WEFT__VALUE_BYTES);
	strcat(long_value, "1\n");
	expect_complaint("server\n", "f:1: nothing is said of the program\n");
	expect_complaint("server # catch=all\n", "f:1: nothing is said of the program\n");
	expect_complaint("server catch\n", "f:1: neither setting=value nor refuse \"reason\"\n");
	expect_complaint("server =all\n", "f:1: there is no such setting\n");
	expect_complaint("server Catch=all\n", "f:1: there is no such setting\n");
	expect_complaint("server profiles=0\n", "f:1: there is no such setting\n");
	expect_complaint("server catch=\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server catch=al\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server catch=all,only\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server preempt-ms=10001\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server preempt-ms=-1\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server iterative=all\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server iterative=80,\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server iterative=0,80\n", "f:1: the setting cannot have this value\n");
	expect_complaint("server iterative=80,65536\n",
			 "f:1: the setting cannot have this value\n");
	expect_complaint("server iterative-slice-kb=8\n",
			 "f:1: the setting cannot have this value\n");
	expect_complaint(long_value, "f:1: the setting cannot have this value\n");
	expect_complaint("server refuse\n", "f:1: refuse takes a reason in quotation marks\n");
	expect_complaint("server refuse it\n", "f:1: refuse takes a reason in quotation marks\n");
	expect_complaint("server refuse \"it\n", "f:1: the reason has no closing quotation mark\n");
	expect_complaint("server refuse \"\"\n", "f:1: the reason is empty\n");
	expect_complaint("\nother x\n",
			 "f:2: another's: neither setting=value nor refuse \"reason\"\n");
}

Test(rules, lines_and_reasons_that_are_too_long_are_bad)
{
	char text[3000] = "server refuse \"";

	memset(text + strlen(text), 'x', WEFT__REASON_BYTES);
	strcat(text, "\"\n");
	expect_complaint(text, "f:1: the reason is too long\n");
	strcpy(text, "server stats=1 ");
	memset(text + strlen(text), ' ', 2000);
	strcat(text, "catch=all\n");
	expect_complaint(text, "f:1: too long, or no text\n");
}

Test(rules, any_bytes_at_all_do_no_harm)
{
	char text[600];
	unsigned int state = 1;

	for (int round = 0; round < 20000; round++) {
		static const char some[] = "server refuse=\"# \n\tcatch=all*stats1\r";

		memset(&rule, 0, sizeof(rule));
		complaints[0] = '\0';
		for (size_t i = 0; i < sizeof(text); i++) {
			state = state * 1103515245 + 12345;
			text[i] = state >> 28 == 0 ? (char)(state >> 8)
						   : some[(state >> 16) % (sizeof(some) - 1)];
		}
		weft__rules_scan(text, sizeof(text), "server", &rule, note);
		cr_assert(strlen(rule.reason) < WEFT__REASON_BYTES);
	}
}

Test(rules, the_values_of_settings_are_judged)
{
	const struct weft__setting *words = &weft__setting_table[WEFT__SET_CATCH];
	const struct weft__setting *number = &weft__setting_table[WEFT__SET_OFFLOAD_THREADS];

	cr_expect_eq(weft__setting_value(words, "auto"), 0);
	cr_expect_eq(weft__setting_value(words, "only"), 3);
	cr_expect_eq(weft__setting_value(words, "auto none"), -1);
	cr_expect_eq(weft__setting_value(words, ""), -1);
	cr_expect_eq(weft__setting_value(number, "1"), 1);
	cr_expect_eq(weft__setting_value(number, "1024"), 1024);
	cr_expect_eq(weft__setting_value(number, "0"), -1);
	cr_expect_eq(weft__setting_value(number, "1025"), -1);
	cr_expect_eq(weft__setting_value(number, "99999999999999999999"), -1);
	cr_expect_eq(weft__setting_value(number, "+2"), -1);
}

Test(rules, a_setting_may_be_one_word_or_a_number)
{
	const struct weft__setting *carriers = &weft__setting_table[WEFT__SET_CARRIERS];

	cr_expect_eq(weft__setting_value(carriers, "auto"), 0);
	cr_expect_eq(weft__setting_value(carriers, "1"), 1);
	cr_expect_eq(weft__setting_value(carriers, "63"), 63);
	cr_expect_eq(weft__setting_value(carriers, "0"), -1);
	cr_expect_eq(weft__setting_value(carriers, "64"), -1);
	cr_expect_eq(weft__setting_value(carriers, "-1"), -1);
	cr_expect_eq(weft__setting_value(carriers, "1000000"), -1);
	cr_expect_eq(weft__setting_value(carriers, "99999999999999999999"), -1);
	cr_expect_eq(weft__setting_value(carriers, ""), -1);
	cr_expect_eq(weft__setting_value(carriers, "Auto"), -1);
	cr_expect_eq(weft__setting_value(carriers, "auto 2"), -1);
	cr_expect_eq(weft__setting_value(carriers, "2 "), -1);
	cr_expect_eq(weft__setting_value(carriers, "2x"), -1);
	cr_expect_eq(weft__setting_value(carriers, "0x2"), -1);
}

Test(rules, a_rule_may_say_how_many_carriers)
{
	scan("server carriers=auto\n", "server");
	cr_expect_str_eq(rule.value[WEFT__SET_CARRIERS], "auto");
	scan("server carriers=2\n", "server");
	cr_expect_str_eq(rule.value[WEFT__SET_CARRIERS], "2");
	expect_complaint("server carriers=0\n", "f:1: the setting cannot have this value\n");
}
