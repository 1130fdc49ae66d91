# Reads runs.txt, lines of
#
#     TEST CASE MODE name=value ...
#
# and keeps: order[1..rows], TEST SUBSEP CASE in order of appearance; what median() gives, for
# several lines of the same TEST CASE MODE give their medians; sums, of all values of a name;
# notes, in words, by TEST, CASE and MODE; bad, whether anything was wrong, failed or broken.

BEGIN {
	dashes = "-"
}

{
	row = $1 SUBSEP $2
	if (!(row in seen)) {
		seen[row] = 1
		order[++rows] = row
	}
	for (i = 4; i <= NF; i++) {
		split($i, word, "=")
		take($1, $2, $3, word[1], word[2])
	}
}

function take(test, which, mode, name, value)
{
	if (name == "note")
		gsub("_", " ", value)
	if (name == "note" || name == "broken")
		notes[test, which, mode] = name == "note" ? value : "broke off, see the logs"
	if (name == "broken" || ((name == "wrong" || name == "failed") && value > 0))
		bad = 1
	runs[test, which, mode, name]++
	values[test, which, mode, name, runs[test, which, mode, name]] = value
	sums[test, which, mode, name] += value
}

# The median, or "-" if there is nothing.
function median(test, which, mode, name,    count, i, j, kept, sorted)
{
	count = runs[test, which, mode, name]
	if (count == 0)
		return dashes
	for (i = 1; i <= count; i++) {
		kept = values[test, which, mode, name, i] + 0
		for (j = i - 1; j >= 1 && sorted[j] > kept; j--)
			sorted[j + 1] = sorted[j]
		sorted[j + 1] = kept
	}
	return (sorted[int((count + 1) / 2)] + sorted[int((count + 2) / 2)]) / 2
}

function ratio(above, below)
{
	return above == dashes || below == dashes || below <= 0 ? dashes : above / below
}

function show(value, format, suffix)
{
	return value == dashes ? value : sprintf(format, value) suffix
}
