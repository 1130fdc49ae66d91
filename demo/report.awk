# The tables, the CSV file and the plot data from the lines of runs.txt, each
#
#     TEST CASE MODE name=value ...
#
# csv, plot, growth    the files to write
#
# Ends with 1 if anything was wrong, failed or broken. With runs.awk.

BEGIN {
	one_by_one("micro", "create", "create_join_ns", "pthread_create + join, ns", "%.0f")
	one_by_one("micro", "handoff", "handoff_ns", "condition hand-off, ns", "%.0f")
	one_by_one("micro", "yield", "yield_ns", "sched_yield, ns", "%.0f")
	one_by_one("micro", "park_64k", "kb_per_thread", "parked thread, 64 KB stack, KB", "%.1f")
	one_by_one("micro", "park_default", "kb_per_thread", "parked thread, default stack, KB",
		"%.1f")
	one_by_one("micro", "most", "threads", "threads at once, of 100000", "%d")
	lateness("idle", "alone")
	lateness("busy", "by 1000 busy")
	lateness("hogs", "by 1000 hogs")
	one_by_one("slow", "100", "rps", "requests/s beside a slow client", "%.0f")
}

# One value of a row that stands by itself, and how its line begins.
function one_by_one(test, which, name, label, format)
{
	lines[test, which]++
	line_names[test, which, lines[test, which]] = name
	line_labels[test, which, lines[test, which]] = label
	line_formats[test, which, lines[test, which]] = format
}

function lateness(which, beside)
{
	one_by_one("ticker", which, "p99_us", "tick of 1 ms " beside ", p99, us", "%.0f")
	one_by_one("ticker", which, "p99.9_us", "tick of 1 ms " beside ", p99.9, us", "%.0f")
}

# weft1 is there where one kernel thread was measured beside the several of weft.
function record(test, which, name, plain, weft, weft1)
{
	printf "%s,%s,%s,%s,%s,%s,%s\n", test, which, name, plain, weft,
		show(ratio(weft, plain), "%.4g", ""), weft1 >csv
}

function print_load_line(test, which, label, rps, p50, p99, cpu, kb, threads, wrong, failed)
{
	printf "%-5s %11s  %-12s %10s %9s %9s %8s %8s %8s %6s %6s\n",
		test, which, label, rps, p50, p99, cpu, kb, threads, wrong, failed
}

function print_note(test, which, mode)
{
	if ((test, which, mode) in notes)
		printf "%20s%s: %s\n", "", mode, notes[test, which, mode]
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
	print_note(test, which, mode)
}

function ratio_of(test, which, above, below, name)
{
	return show(ratio(median(test, which, above, name), median(test, which, below, name)),
		"%.2f", "x")
}

function ratio_line(test, which, above, below)
{
	print_load_line("", "", above "/" below, ratio_of(test, which, above, below, "rps"),
		ratio_of(test, which, above, below, "p50_us"),
		ratio_of(test, which, above, below, "p99_us"),
		ratio_of(test, which, above, below, "cpu_us"),
		ratio_of(test, which, above, below, "kb"), "", "", "")
}

# Of one mode, for the CSV file: counts of what went wrong are sums.
function value_of(test, which, mode, name)
{
	if (name == "wrong" || name == "failed")
		return sums[test, which, mode, name] + 0
	return median(test, which, mode, name)
}

# The modes are plain and weft, or, of what has two CPUs, plain2, weft1 and weft2; or, of servers of
# one thread, split instead of weft, which threads are compared with.
function load_row(test, which,    cores, plain, weft, i, count, list)
{
	cores = test ~ /^(cores|pairs)$/
	plain = cores ? "plain2" : test == "iterative" ? "weft" : "plain"
	weft = cores ? "weft2" : test == "iterative" ? "split" : "weft"
	load_line(test, which, plain, test, which)
	if (cores)
		load_line(test, which, "weft1", "", "")
	load_line(test, which, weft, "", "")
	ratio_line(test, which, weft, plain)
	if (cores)
		ratio_line(test, which, weft, "weft1")
	count = split("rps p50_us p99_us max_us cpu_us kb threads wrong failed", list, " ")
	for (i = 1; i <= count; i++)
		record(test, which, list[i], value_of(test, which, plain, list[i]),
			value_of(test, which, weft, list[i]),
			cores ? value_of(test, which, "weft1", list[i]) : "")
}

function one_line(label, plain, weft, format)
{
	printf "%-38s %10s %10s %11s %11s\n", label, show(plain, format, ""),
		show(weft, format, ""), show(ratio(weft, plain), "%.3f", "x"),
		show(ratio(plain, weft), "%.2f", "x")
}

function start_row(    plain, weft)
{
	plain = median("micro", "start", "both", "a_us")
	weft = median("micro", "start", "both", "b_us")
	one_line("start /bin/true and wait, us", plain, weft, "%.0f")
	if (weft != dashes)
		printf "%-38s %10s %10s\n", "  weft adds, ms", "",
			sprintf("%.2f", (weft - plain) / 1e3)
	record("micro", "start", "us", plain, weft)
	print_note("micro", "start", "both")
}

function one_row(test, which,    i, name, plain, weft, mode)
{
	mode = test == "slow" ? "split" : "weft"
	for (i = 1; i <= lines[test, which]; i++) {
		name = line_names[test, which, i]
		plain = median(test, which, "plain", name)
		weft = median(test, which, mode, name)
		one_line(line_labels[test, which, i], plain, weft, line_formats[test, which, i])
		record(test, which, name, plain, weft)
	}
	print_note(test, which, "plain")
	print_note(test, which, mode)
}

function for_plot(value)
{
	return value == dashes ? "?" : value
}

function growth_us(which, mode)
{
	return median("growth", which, mode, "cpu_us")
}

function growth_values(which, mode)
{
	return sprintf("%9s %8s %7s", show(median("growth", which, mode, "threads"), "%d", ""),
		show(growth_us(which, mode), "%.2f", ""),
		show(median("growth", which, mode, "kb_per_thread"), "%.1f", ""))
}

# What one costs where there are so many; plain and weft may not have come to the same number.
function growth_row(which,    mode, i, list, line)
{
	split("plain weft", list, " ")
	printf "%9s  %s  %s %7s %7s\n", which, growth_values(which, "plain"),
		growth_values(which, "weft"),
		show(ratio(growth_us(which, "weft"), growth_us(which, "plain")), "%.3f", "x"),
		show(ratio(median("growth", which, "weft", "kb_per_thread"),
			median("growth", which, "plain", "kb_per_thread")), "%.3f", "x")
	for (i = 1; i <= 2; i++) {
		mode = list[i]
		print_note("growth", which, mode)
		line = line " " for_plot(median("growth", which, mode, "threads")) \
			" " for_plot(growth_us(which, mode)) \
			" " for_plot(median("growth", which, mode, "kb_per_thread"))
	}
	record("growth", which, "threads", median("growth", which, "plain", "threads"),
		median("growth", which, "weft", "threads"))
	record("growth", which, "us_per_thread", growth_us(which, "plain"),
		growth_us(which, "weft"))
	record("growth", which, "kb_per_thread", median("growth", which, "plain", "kb_per_thread"),
		median("growth", which, "weft", "kb_per_thread"))
	print substr(line, 2) >growth
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
				printf " %s", for_plot(value) >plot
			}
	printf "\n" >plot
}

function load_table(    n, part)
{
	print_load_line("test", "connections", "mode", "requests/s", "p50 us", "p99 us",
		"CPU us", "KB", "kernel", "wrong", "failed")
	print_load_line("", "", "", "", "", "", "/request", "/conn.", "threads", "", "")
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (part[1] ~ /^(micro|ticker|growth|slow)$/)
			continue
		load_row(part[1], part[2])
		if (part[1] ~ /^(echo|http)$/ && !(part[2] in plotted)) {
			plot_line(part[2])
			plotted[part[2]] = 1
		}
	}
	print "\nwrong: bytes for echo, answers for http. KB: RSS, page tables and kernel stacks"
	print "over the idle server's; what comes once per process weighs on few connections."
	print "All others are echo. churn: a connection for each request, so many at once. idle:"
	print "64 active, and so many silent. many: all active. hogs: 100, and so many threads that"
	print "compute. cores: server and load share two CPUs, weft1 is one kernel thread on them,"
	print "weft2 two; pairs: so many pairs of threads there, that talk among themselves."
	print "iterative: weft is a thread per connection, split a server of one thread under"
	print "--iterative; slow, below: 100 quick clients of one beside one of a byte a second.\n"
}

function growth_table(    n, part, of_many)
{
	printf "%9s  %26s  %26s %15s\n", "threads", "plain: made, us, KB each",
		"weft: made, us, KB each", "weft/plain"
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (part[1] == "growth")
			growth_row(part[2])
	}
	print "us: to create, park, wake and join one of so many."
	of_many = ratio(growth_us(1000000, "weft"), growth_us(10000, "weft"))
	if (of_many != dashes)
		printf "weft, one of 1000000 by one of 10000: %.2fx the time\n", of_many
	print ""
}

function one_by_one_table(    n, part)
{
	printf "%-38s %10s %10s %11s %11s\n", "one by one", "plain", "weft", "weft/plain",
		"plain/weft"
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (part[1] == "micro" && part[2] == "start")
			start_row()
		else if (part[1] ~ /^(micro|ticker|slow)$/)
			one_row(part[1], part[2])
	}
	print ""
}

END {
	print "test,case,measure,plain,weft,weft_by_plain,weft_on_one" >csv
	printf "" >plot
	printf "" >growth
	load_table()
	one_by_one_table()
	growth_table()
	exit bad
}
