# The picture of compare.sh: gnuplot -e "out='FOLDER'" compare.gp
servers = out . "/plot.dat"
echoes = out . "/rivals.dat"
set datafile missing "?"
count = int(system("wc -l <" . servers))
height = 485.0 + 34 * count
set terminal svg size 1100, height noenhanced font "sans,12" background rgb "white"
set output out . "/compare.svg"
set multiplot
array colours[3] = ["#a6cee3", "#5ea3d0", "#1f4e79"]
array loads[3] = ["1 connection", "64 connections", "1000 connections"]

# --- Servers: bars to the left and right of 1 ---
set tmargin at screen 1 - 115 / height
set bmargin at screen 350 / height
set yrange [-4 * count + 2 : 2]
set logscale x 2
set xrange [0.25:4]
set xtics ("1/4" 0.25, "1/2" 0.5, "3/4" 0.75, "1x" 1, "1.5x" 1.5, "2x" 2, "3x" 3, "4x" 4)
set xtics nomirror scale 0.5
set grid xtics
set ytics scale 0 nomirror
set arrow 1 from 1, graph 0 to 1, graph 1 nohead linewidth 2 linecolor rgb "#404040" front
set style fill solid 1.0 noborder
low(x) = x < 1 ? x : 1
high(x) = x < 1 ? 1 : x
row(i) = -4 * i

set key at screen 0.98, screen 1 - 12 / height right
set label 1 "Unmodified servers under weft, compared with plain threads, on one CPU" \
	at screen 0.02, screen 1 - 20 / height font ",16"
set lmargin at screen 0.21
set rmargin at screen 0.585
set title "Throughput (right: weft does more)"
plot for [i = 1:3] servers using (column(i + 1)):(row($0) + 2 - i):(low(column(i + 1))): \
	(high(column(i + 1))):(row($0) + 1.5 - i):(row($0) + 2.5 - i) \
	with boxxyerror linecolor rgb colours[i] title loads[i], \
	servers using (0.01):(row($0)):ytic(1) with points notitle

unset label 1
unset key
set lmargin at screen 0.615
set rmargin at screen 0.98
set format y ""
set title "CPU time for the same work (left: weft needs less)"
plot for [i = 1:3] servers using (column(i + 4)):(row($0) + 2 - i):(low(column(i + 4))): \
	(high(column(i + 4))):(row($0) + 1.5 - i):(row($0) + 2.5 - i) \
	with boxxyerror linecolor rgb colours[i]

# --- Echo servers ---
if (int(system("wc -l <" . echoes)) == 0) exit
unset arrow 1
unset logscale
unset grid
set grid ytics
set tmargin at screen 280 / height
set bmargin at screen 60 / height
set format y "%.0f"
set autoscale y
set yrange [0:*]
set xrange [*:*]
set xtics autofreq
set ytics autofreq
set style data histograms
set style histogram clustered gap 1
set boxwidth 0.9
set lmargin at screen 0.09
set rmargin at screen 0.48
set title "Echo servers: thousand requests a second"
plot for [i = 1:3] echoes using (column(i + 1) / 1000):xtic(1) linecolor rgb colours[i]
set lmargin at screen 0.59
set rmargin at screen 0.98
set title "CPU microseconds a request"
plot for [i = 1:3] echoes using (column(i + 4)):xtic(1) linecolor rgb colours[i]
unset multiplot
