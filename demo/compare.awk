# The tables of compare.sh, with runs.awk.
#
# servers, machine         files to read: a line for each server, what describes the machine
# csv, table, plot, rivals    files to write: CSV, Markdown, and what compare.gp draws
#
# Ends with 1 if anything was wrong, failed or broken.

BEGIN {
	while ((getline line < servers) > 0) {
		split(line, part, "\t")
		titles[part[1]] = part[2]
		units[part[1]] = part[3]
		versions[part[1]] = part[4]
	}
	while ((getline line < machine) > 0)
		about[++about_lines] = line
	all_loads = split("1 64 1000", loads, " ")
	programs = split("plain weft epoll libuv go", program_modes, " ")
	program_names["plain"] = "threads"
	program_names["weft"] = "weft"
	program_names["epoll"] = "epoll"
	program_names["libuv"] = "libuv"
	program_names["go"] = "Go"
}

function ms(value)
{
	return value == dashes ? value : value / 1e3
}

# How much of its CPU the server took: with much less than all, it was not what set the pace.
function busy(test, which, mode)
{
	if (!measured(test, which, mode))
		return dashes
	return median(test, which, mode, "rps") * median(test, which, mode, "cpu_us") / 1e4
}

function value_of(test, which, mode, name)
{
	if (name == "busy")
		return busy(test, which, mode)
	return name ~ /^p/ ? ms(median(test, which, mode, name)) : median(test, which, mode, name)
}

function ratio_of(test, which, name)
{
	return show(ratio(median(test, which, "weft", name), median(test, which, "plain", name)),
		"%.2f", "x")
}

# Three digits at least: what is small has decimals, unless it is a count.
function short(value)
{
	if (value == dashes || value == int(value))
		return value
	return sprintf(value >= 100 || value <= -100 ? "%.0f" : value >= 10 ? "%.1f" : "%.2f", value)
}

function grouped(value,    text, i)
{
	if (value == dashes || value < 1000)
		return short(value)
	text = sprintf("%.0f", value)
	for (i = length(text) - 3; i > 0; i -= 3)
		text = substr(text, 1, i) "," substr(text, i + 1)
	return text
}

# --- Lines for people -----------------------------------------------------------------------------

function pair(test, which, name, with_ratio,    text)
{
	text = sprintf(" %7s %7s", short(value_of(test, which, "plain", name)),
		short(value_of(test, which, "weft", name)))
	return with_ratio ? text sprintf(" %6s", ratio_of(test, which, name)) : text
}

function heading(    text)
{
	text = sprintf("%-31s %5s | %7s %7s %6s | %7s %7s %6s", "", "", "rate", "", "", "CPU us", "",
		"")
	text = text sprintf(" | %7s %7s | %7s %7s | %7s %7s | %7s %7s | %7s %7s", "p50 ms", "", "p99 ms",
		"", "KB/conn", "", "threads", "", "busy %", "")
	print text
	text = sprintf("%-31s %5s | %7s %7s %6s | %7s %7s %6s", "server", "conn.", "plain", "weft", "",
		"plain", "weft", "")
	for (i = 0; i < 5; i++)
		text = text sprintf(" | %7s %7s", "plain", "weft")
	print text
}

# What made a measurement come to nothing, or makes it doubtful.
function trouble(test, which, mode,    text)
{
	if ((test, which, mode) in notes && (broken(test, which, mode) || !measured(test, which, mode)))
		text = notes[test, which, mode]
	if (sums[test, which, mode, "wrong"] > 0)
		text = text " wrong: " sums[test, which, mode, "wrong"]
	if (sums[test, which, mode, "failed"] > 0)
		text = text " failed: " sums[test, which, mode, "failed"]
	sub(/^ /, "", text)
	return text
}

function broken(test, which, mode)
{
	return runs[test, which, mode, "broken"] > 0
}

function measured(test, which, mode)
{
	return runs[test, which, mode, "rps"] > 0
}

function server_line(test, which,    m)
{
	printf "%-31s %5s |%s |%s |%s |%s |%s |%s |%s\n", titles[test], which,
		pair(test, which, "rps", 1), pair(test, which, "cpu_us", 1),
		pair(test, which, "p50_us"), pair(test, which, "p99_us"), pair(test, which, "kb"),
		pair(test, which, "threads"), pair(test, which, "busy")
	for (m = 1; m <= programs; m++)
		if (trouble(test, which, program_modes[m]) != "")
			printf "%37s  %s: %s\n", "", program_modes[m],
				trouble(test, which, program_modes[m])
}

function rival_line(which, mode)
{
	printf "%-31s %5s   %7s %7s %7s %7s %7s %7s %7s\n", program_names[mode], which,
		short(value_of("echo", which, mode, "rps")),
		short(value_of("echo", which, mode, "cpu_us")),
		short(value_of("echo", which, mode, "p50_us")),
		short(value_of("echo", which, mode, "p99_us")),
		short(value_of("echo", which, mode, "kb")),
		short(value_of("echo", which, mode, "threads")),
		short(value_of("echo", which, mode, "busy"))
}

function print_rivals(    i, m)
{
	printf "\n%-31s %5s   %7s %7s %7s %7s %7s %7s %7s\n", "echo servers", "conn.", "rate", "CPU us",
		"p50 ms", "p99 ms", "KB/conn", "threads", "busy %"
	for (i = 1; i <= all_loads; i++)
		for (m = 1; m <= programs; m++)
			if (measured("echo", loads[i], program_modes[m]))
				rival_line(loads[i], program_modes[m])
}

# --- Files ----------------------------------------------------------------------------------------

function csv_value(test, which, mode, name)
{
	return "," (measured(test, which, mode) ? median(test, which, mode, name) : "")
}

function write_csv(test, which,    m, n, mode, line, count, list)
{
	count = split("rps p50_us p99_us cpu_us kb mb threads", list, " ")
	for (m = 1; m <= programs; m++) {
		mode = program_modes[m]
		if (!measured(test, which, mode) && !((test, which, mode) in notes))
			continue
		line = test "," versions[test] "," units[test] "," which "," mode
		for (n = 1; n <= count; n++)
			line = line csv_value(test, which, mode, list[n])
		printf "%s,%d,%d,%d,\"%s\"\n", line, runs[test, which, mode, "rps"],
			sums[test, which, mode, "wrong"], sums[test, which, mode, "failed"],
			trouble(test, which, mode) >csv
	}
}

function markdown_pair(test, which, name)
{
	return sprintf(" %s, %s |", grouped(value_of(test, which, "plain", name)),
		grouped(value_of(test, which, "weft", name)))
}

function most_load(test,    i)
{
	for (i = all_loads; i > 1; i--)
		if (measured(test, loads[i], "plain") || measured(test, loads[i], "weft"))
			break
	return loads[i]
}

function write_table_row(test,    i, most)
{
	printf "| %s |", titles[test] >table
	for (i = 1; i <= all_loads; i++)
		printf " %s |", ratio_of(test, loads[i], "rps") >table
	for (i = 1; i <= all_loads; i++)
		printf " %s |", ratio_of(test, loads[i], "cpu_us") >table
	most = most_load(test)
	printf " %s |%s%s%s%s\n", units[test] (most == loads[all_loads] ? "" : ", with " most),
		markdown_pair(test, most, "rps"),
		markdown_pair(test, most, "cpu_us"), markdown_pair(test, most, "p99_us"),
		markdown_pair(test, most, "kb") >table
}

function write_troubles(    n, m, part, text)
{
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		for (m = 1; m <= programs; m++) {
			text = trouble(part[1], part[2], program_modes[m])
			if (text != "")
				printf "- %s, %s connections, %s: %s\n", titles[part[1]], part[2],
					program_modes[m], text >table
		}
	}
}

function write_rival_rows(    i, m, mode, which)
{
	print "| Echo server | connections | requests/s | CPU a request | p99 | memory a connection" \
		" | kernel threads |" >table
	print "| --- | ---: | ---: | ---: | ---: | ---: | ---: |" >table
	for (i = 1; i <= all_loads; i++)
		for (m = 1; m <= programs; m++) {
			mode = program_modes[m]
			which = loads[i]
			if (!measured("echo", which, mode))
				continue
			printf "| %s | %s | %s | %s us | %s ms | %s KB | %s |\n",
				program_names[mode], which,
				grouped(value_of("echo", which, mode, "rps")),
				short(value_of("echo", which, mode, "cpu_us")),
				short(value_of("echo", which, mode, "p99_us")),
				short(value_of("echo", which, mode, "kb")),
				grouped(value_of("echo", which, mode, "threads")) >table
		}
}

function write_table(    n, i, part, done)
{
	printf "`sh demo/compare.sh`:" >table
	for (i = 1; i <= about_lines; i++)
		printf "%s %s", (i > 1 ? ";" : ""), clean(about[i]) >table
	print ".\n" >table
	printf "| | throughput, weft by plain | | | CPU, weft by plain | | | at 1000 connections:" >table
	print " | throughput: plain, weft | CPU us: plain, weft | p99 ms: plain, weft |" \
		" KB a connection: plain, weft |" >table
	print "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |" >table
	print "| connections | 1 | 64 | 1000 | 1 | 64 | 1000 | | | | | |" >table
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (!(part[1] in done))
			write_table_row(part[1])
		done[part[1]] = 1
	}
	print "" >table
	write_troubles()
	print "" >table
	write_rival_rows()
	print "" >table
	printf "Versions:" >table
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (versions[part[1]] != "" && !(versions[part[1]] in done))
			printf " %s;", versions[part[1]] >table
		done[versions[part[1]]] = 1
	}
	print "" >table
}

function clean(text)
{
	gsub(/ +/, " ", text)
	return text
}

function plot_value(value)
{
	return value == dashes ? "?" : value
}

# A line for each server: ratios of throughput at each load, then of processor time.
function write_plot(    n, i, part, done)
{
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		if (part[1] in done)
			continue
		done[part[1]] = 1
		printf "\"%s\"", titles[part[1]] >plot
		for (i = 1; i <= 2 * all_loads; i++)
			printf " %s", plot_value(plot_ratio(part[1], i)) >plot
		print "" >plot
	}
}

function plot_ratio(test, i,    name, which)
{
	name = i <= all_loads ? "rps" : "cpu_us"
	which = loads[(i - 1) % all_loads + 1]
	return ratio(median(test, which, "weft", name), median(test, which, "plain", name))
}

# A line for each echo server, if they were measured: requests a second at each load, then processor
# time.
function write_rivals(    m, i)
{
	printf "" >rivals
	for (m = 1; m <= programs && "echo" in titles; m++) {
		printf "\"%s\"", program_names[program_modes[m]] >rivals
		for (i = 1; i <= all_loads; i++)
			printf " %g", median("echo", loads[i], program_modes[m], "rps") >rivals
		for (i = 1; i <= all_loads; i++)
			printf " %g", median("echo", loads[i], program_modes[m], "cpu_us") >rivals
		print "" >rivals
	}
}

function print_legend()
{
	print "\nrate: requests, queries, transactions or MB a second. CPU: of all the server's processes,"
	print "for one of these. p50, p99: of an answer, with connecting for tinyproxy; of a transaction for"
	print "mariadb's read-write. KB/conn: RSS, page tables and kernel stacks over the idle server's; what comes once"
	print "per process weighs on few connections. busy: the share of its CPU that the server took; where"
	print "it is much below 100, the load set the pace.\n"
}

END {
	for (n = 1; n <= about_lines; n++)
		print "# " about[n] >csv
	print "server,version,unit,connections,mode,rate,p50_us,p99_us,cpu_us,kb_per_connection,mb," \
		"threads,runs,wrong,failed,note" >csv
	heading()
	for (n = 1; n <= rows; n++) {
		split(order[n], part, SUBSEP)
		server_line(part[1], part[2])
		write_csv(part[1], part[2])
	}
	if ("echo" in titles)
		print_rivals()
	print_legend()
	write_table()
	write_plot()
	write_rivals()
	exit bad
}
