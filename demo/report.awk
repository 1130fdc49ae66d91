# The table, the CSV file and the plot data from the lines of runs.txt, each
#
#     TEST CASE MODE name=value ...
#
# csv, plot    the files to write
#
# Ends with 1 if anything was wrong, failed or broken. With runs.awk.

BEGIN {
	labels["create"] = "pthread_create + join, ns"
	labels["handoff"] = "condition hand-off, ns"
	labels["yield"] = "sched_yield, ns"
	labels["park_64k"] = "parked thread, 64 KB stack, KB"
	labels["park_default"] = "parked thread, default stack, KB"
	labels["most"] = "threads at once, of 100000"
	names["create"] = "create_join_ns"
	names["handoff"] = "handoff_ns"
	names["yield"] = "yield_ns"
	names["park_64k"] = names["park_default"] = "kb_per_thread"
	names["most"] = "threads"
}

function record(test, which, name, plain, weft)
{
	printf "%s,%s,%s,%s,%s,%s\n", test, which, name, plain, weft,
		show(ratio(weft, plain), "%.4g", "") >csv
}

function print_load_line(test, which, label, rps, p50, p99, cpu, kb, threads, wrong, failed)
{
	printf "%-5s %11s  %-10s %10s %9s %9s %8s %8s %8s %6s %6s\n",
		test, which, label, rps, p50, p99, cpu, kb, threads, wrong, failed
}

function load_line(test, which, mode, shown_test, shown_case)
{
	print_load_line(shown_test, shown_case, mode,
		show(median(test, which, mode, "rps"), "%.0f", ""),
		show(median(test, which, mode, "p50_us"), "%.0f", ""),
		show(median(test, which, mode, "p99_us"), "%.0f", ""),
		show(median(test, which, mode, "cpu_us"), "%.2f", ""),
		show(median(test, which, mode, "kb"), "%.1f", ""),
		show(median(test, which, mode, "threads"), "%d", ""),
		sums[test, which, mode, "wrong"] + 0, sums[test, which, mode, "failed"] + 0)
	if ((test, which, mode) in notes)
		printf "%20s%s: %s\n", "", mode, notes[test, which, mode]
}

function ratio_of(test, which, name)
{
	return show(ratio(median(test, which, "weft", name), median(test, which, "plain", name)),
		"%.2f", "x")
}

function load_row(test, which,    i, count, list)
{
	load_line(test, which, "plain", test, which)
	load_line(test, which, "weft", "", "")
	print_load_line("", "", "weft/plain", ratio_of(test, which, "rps"),
		ratio_of(test, which, "p50_us"), ratio_of(test, which, "p99_us"),
		ratio_of(test, which, "cpu_us"), ratio_of(test, which, "kb"), "", "", "")
	count = split("rps p50_us p99_us max_us cpu_us kb threads", list, " ")
	for (i = 1; i <= count; i++)
		record(test, which, list[i], median(test, which, "plain", list[i]),
			median(test, which, "weft", list[i]))
	record(test, which, "wrong", sums[test, which, "plain", "wrong"] + 0,
		sums[test, which, "weft", "wrong"] + 0)
	record(test, which, "failed", sums[test, which, "plain", "failed"] + 0,
		sums[test, which, "weft", "failed"] + 0)
}

function micro_line(label, plain, weft, format)
{
	printf "%-38s %10s %10s %11s %11s\n", label, show(plain, format, ""),
		show(weft, format, ""), show(ratio(weft, plain), "%.3f", "x"),
		show(ratio(plain, weft), "%.2f", "x")
}

function micro_row(which,    name, plain, weft, mode, count, list, i)
{
	if (which == "start") {
		plain = median("micro", which, "both", "a_us")
		weft = median("micro", which, "both", "b_us")
		micro_line("start /bin/true and wait, us", plain, weft, "%.0f")
		if (weft != dashes)
			printf "%-38s %10s %10s\n", "  weft adds, ms", "",
				sprintf("%.2f", (weft - plain) / 1e3)
		record("micro", "start", "us", plain, weft)
	} else {
		name = names[which]
		plain = median("micro", which, "plain", name)
		weft = median("micro", which, "weft", name)
		micro_line(labels[which], plain, weft,
			which == "most" ? "%d" : which ~ /^park/ ? "%.1f" : "%.0f")
		record("micro", which, name, plain, weft)
	}
	count = split("plain weft both", list, " ")
	for (i = 1; i <= count; i++) {
		mode = list[i]
		if (("micro", which, mode) in notes)
			printf "%20s%s: %s\n", "", mode, notes["micro", which, mode]
	}
}

# A column for each of echo and http, plain and under weft: first requests/s, then CPU time.
function plot_line(connections,    names_left, tests, modes, i, j, k, value)
{
	split("rps cpu_us", names_left, " ")
	split("echo http", tests, " ")
	split("plain weft", modes, " ")
	printf "%s", connections >plot
	for (i = 1; i <= 2; i++)
		for (j = 1; j <= 2; j++)
			for (k = 1; k <= 2; k++) {
				value = median(tests[j], connections, modes[k], names_left[i])
				printf " %s", value == dashes ? "?" : value >plot
			}
	printf "\n" >plot
}

END {
	print "test,case,measure,plain,weft,weft_by_plain" >csv
	printf "" >plot
	print_load_line("test", "connections", "mode", "requests/s", "p50 us", "p99 us",
		"CPU us", "KB", "kernel", "wrong", "failed")
	print_load_line("", "", "", "", "", "", "/request", "/conn.", "threads", "", "")
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (part[1] == "micro")
			continue
		load_row(part[1], part[2])
		if (!(part[2] in plotted))
			plot_line(part[2])
		plotted[part[2]] = 1
	}
	print "\nwrong: bytes for echo, answers for http. KB: RSS, page tables and kernel stacks"
	print "over the idle server's; what comes once per process weighs on few connections.\n"
	printf "%-38s %10s %10s %11s %11s\n", "one by one", "plain", "weft", "weft/plain",
		"plain/weft"
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (part[1] == "micro")
			micro_row(part[2])
	}
	print ""
	exit bad
}
