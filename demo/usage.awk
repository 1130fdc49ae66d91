# What a server used under a load, from lines of "micro usage" for it:
#
# idle             before the first connection
# before, after    at both ends of what was measured
# during           under load
# connections      how many there were

function usage_field(line, name,    words, count, i)
{
	count = split(line, words, /[ =]/)
	for (i = 1; i < count; i += 2)
		if (words[i] == name)
			return words[i + 1]
	return 0
}

# As demo/load prints it.
function usage_words(requests)
{
	return sprintf("cpu_us=%.3f kb=%.2f mb=%.1f threads=%d",
		(usage_field(after, "cpu_us") - usage_field(before, "cpu_us")) / requests,
		(usage_field(during, "kb") - usage_field(idle, "kb")) / connections,
		usage_field(during, "kb") / 1024, usage_field(during, "threads"))
}
