# One line of name=value words, as demo/load prints it, from the output of wrk --latency. With
# usage.awk.

# "1.23ms" in microseconds.
function microseconds(text)
{
	if (text ~ /us$/)
		return text + 0
	if (text ~ /ms$/)
		return text * 1e3
	if (text ~ /m$/)
		return text * 60e6
	return text * 1e6
}

$1 == "50%" { p50_us = microseconds($2) }
$1 == "99%" { p99_us = microseconds($2) }
$1 == "Latency" && $2 != "Distribution" { max_us = microseconds($4) }
$2 == "requests" && $3 == "in" { requests = $1 }
$1 == "Requests/sec:" { rps = $2 }
$1 == "Socket" { failed = $4 + $6 + $8 + $10 }
$1 == "Non-2xx" { wrong = $NF }

END {
	if (requests == 0)
		exit 1
	printf "requests=%d rps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f %s wrong=%d failed=%d\n",
		requests, rps, p50_us, p99_us, max_us, usage_words(requests), wrong, failed
}
