# One line of name=value words, as demo/load prints it, from what sysbench --histogram says after
# its last checkpoint, so many seconds ago. Transactions that lost a deadlock are tried again, and are
# no failures. With usage.awk.

/^Latency histogram/ {
	last = 1
	next
}

!last { next }

$2 ~ /^\|/ {
	rows++
	ms[rows] = $1
	counts[rows] = $NF
	total += $NF
}

$1 == "transactions:" { requests = $2 }
$1 == "max:" { max_us = $2 * 1e3 }
$1 == "ignored" { retried = $3 }

function percentile_us(share,    left, i)
{
	left = share * total
	for (i = 1; i < rows && counts[i] <= left; i++)
		left -= counts[i]
	return ms[i] * 1e3
}

END {
	if (requests == 0)
		exit 1
	printf "requests=%d rps=%.0f p50_us=%.1f p99_us=%.1f max_us=%.1f %s retried=%d wrong=0 failed=0\n",
		requests, requests / seconds, percentile_us(0.5), percentile_us(0.99), max_us,
		usage_words(requests), retried
}
