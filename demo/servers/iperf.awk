# One line of name=value words, as demo/load prints it without latencies, from the lines of
# iperf --reportstyle C: date, addresses and ports, connection, interval, bytes, bits a second. A
# request is a megabyte. With usage.awk.

BEGIN { FS = "," }

# Connection -1 is the sum, which is not there for one.
$6 > 0 {
	megabytes += $8 / 1e6
	per_second += $9 / 8e6
	reported++
}

END {
	if (megabytes == 0)
		exit 1
	printf "requests=%d rps=%.0f %s wrong=0 failed=%d\n", megabytes, per_second,
		usage_words(megabytes), connections - reported
}
