# The manual page of `weft`: weft.1.in with what `weft --help` says in it, so that the two agree.
#   weft --help | awk -v version=V -v date=YYYY-MM-DD -v template=weft.1.in -f manual.awk
#
# In the template, a line @SYNOPSIS@, @COMMANDS@, @OPTIONS@ or @ENVIRONMENT@ stands for the part of that
# name; the lines between "@more NAME" and "@end" are added to what the help says of the option or
# the command, which has to be one.

/^usage: / { sub(/^usage: /, "       ") }
/^       weft / { synopsis = synopsis synopsis_line($0) }
/^  -/ { take_option($0); next }
/^  [a-z]+  / { take_command($0); next }
/^              / && command != "" { command_text[command] = command_text[command] " " substr($0, 15); next }
{ command = "" }

END {
	if (options == 0 || commands == 0 || synopsis == "")
		fail("the help has no options or commands")
	read_more()
	while ((getline line <template) > 0)
		put(line)
	for (name in more)
		if (!used[name])
			fail("@more " name ": there is no such option or command")
	exit failed
}

function fail(why)
{
	print "weft.1: " why >"/dev/stderr"
	failed = 1
}

function take_option(line,    parts, count)
{
	sub(/^ +/, "", line)
	count = split(line, parts, /  +/)
	options++
	option_name[options] = parts[1]
	option_twin[options] = count == 3 ? parts[2] : ""
	option_text[options] = parts[count]
}

function take_command(line)
{
	sub(/^ +/, "", line)
	command = line
	sub(/ .*$/, "", command)
	sub(/^[^ ]+ +/, "", line)
	commands++
	command_name[commands] = command
	command_text[command] = line
}

function synopsis_line(line,    parts, count, i, done)
{
	count = split(line, parts, " ")
	for (i = 1; i <= count; i++)
		done = done (i > 1 ? " " : "") (parts[i] ~ /^\[?(options|program|arguments)\]?$/ ? "\\fI" : "\\fB") \
			escaped(parts[i]) "\\fR"
	return (synopsis == "" ? "" : ".br\n") done "\n"
}

function escaped(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text
}

# First the lines that are to be added, which may stand anywhere.
function read_more(    line, name)
{
	while ((getline line <template) > 0) {
		if (line ~ /^@more /)
			name = substr(line, 7)
		else if (line == "@end")
			name = ""
		else if (name != "")
			more[name] = more[name] line "\n"
	}
	close(template)
}

function put(line)
{
	if (line ~ /^@more /)
		inside = 1
	if (line == "@SYNOPSIS@")
		printf "%s", synopsis
	else if (line == "@COMMANDS@")
		put_commands()
	else if (line == "@OPTIONS@")
		put_options()
	else if (line == "@ENVIRONMENT@")
		put_environment()
	else if (!inside) {
		gsub(/@VERSION@/, version, line)
		gsub(/@DATE@/, date, line)
		print line
	}
	if (line == "@end")
		inside = 0
}

# A sentence of the help, which has neither capital nor stop.
function sentence(text)
{
	text = toupper(substr(text, 1, 1)) substr(text, 2)
	gsub(/--/, "\\-\\-", text)
	return text (text ~ /\.$/ ? "" : ".")
}

function put_more(name)
{
	used[name] = 1
	printf "%s", more[name]
}

function put_commands(    i)
{
	for (i = 1; i <= commands; i++) {
		print ".TP\n.B " command_name[i] "\n" sentence(command_text[command_name[i]])
		put_more(command_name[i])
	}
}

function put_options(    i, value)
{
	for (i = 1; i <= options; i++) {
		value = option_name[i] ~ /=$/ ? "\\fIvalue\\fR" : ""
		print ".TP\n\\fB" escaped(option_name[i]) "\\fR" value "\n" sentence(option_text[i])
		put_more(option_name[i])
	}
}

function put_environment(    i)
{
	for (i = 1; i <= options; i++)
		if (option_twin[i] != "" && option_name[i] ~ /^--/)
			print ".TP\n.B " option_twin[i] "\nAs\n\\fB" escaped(option_name[i]) "\\fR" \
				(option_name[i] ~ /=$/ ? "\\fIvalue\\fR, with the value." : ", when it is 1.")
}
