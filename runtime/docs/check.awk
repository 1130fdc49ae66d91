# What is wrong with the contracts, one line each; nothing means that all is well.
#   awk -f contract.awk -f check.awk HEADER...
# The first header is weft.h: those it does not include are not part of the API.

END {
	check_families()
	for (i = 1; i <= items; i++)
		at_name[item_name[i]] = i
	for (i = 1; i <= items; i++) {
		if (item_kind[i] == "function")
			check_function(i)
		check_names(i, item_doc[i], item_at[i])
	}
	for (f = 1; f <= families; f++)
		check_names(0, family_intro[f], family_file[f])
	if (state != "")
		print family_file[families] ": the last " state " has no end"
	if (!functions)
		print "no function found"
}

function wrong(i, what)
{
	print item_at[i] ": " item_name[i] ": " what
}

function check_families(    f, i)
{
	for (f = 1; f <= families; f++)
		if (family_intro[f] == "")
			print family_file[f] ": no comment at its head introduces the family"
	for (f = 1; f <= families; f++)
		for (i = 1; i <= items; i++)
			if (item_family[i] != f && item_kind[i] != "macro" && item_name[i] == page_of(f))
				wrong(i, "has the name of the page of " family_file[f])
}

function check_function(i)
{
	functions++
	if (item_name[i] !~ /^weft_[a-z0-9]/)
		wrong(i, "is no public name")
	if (at_name[item_name[i]] != i)
		wrong(i, "is declared twice")
	if (item_doc[i] == "") {
		wrong(i, "has no contract")
		return
	}
	take_contract(item_doc[i])
	check_told(i)
	if (!has["Switches"] || property["Switches"] !~ /^(no|yes|only|when|as)([ ,;:]|$)/)
		wrong(i, "does not say whether it switches: Switches yes or no")
	if (!has["Context"] || property["Context"] == "")
		wrong(i, "does not say in what context it is called")
	if (has["Ownership"] && property["Ownership"] == "")
		wrong(i, "says nothing of ownership")
	check_params(i)
	check_return(i)
}

# One sentence first, on its own.
function check_told(i,    first)
{
	first = told
	sub(/\n\n(.|\n)*$/, "", first)
	if (first !~ /^[A-Z]/ || first !~ /[.:]$/)
		wrong(i, "its contract does not begin with a sentence")
}

function check_params(i,    k, code)
{
	code = item_code[i]
	sub(/^[^(]*weft_[a-z0-9_]*\(/, "(", code)
	for (k = 1; k <= params; k++) {
		if (code !~ ("[^a-z0-9_]" param_name[k] "[^a-z0-9_]"))
			wrong(i, "has no parameter " param_name[k])
		if (param_text[k] == "")
			wrong(i, "says nothing of its parameter " param_name[k])
	}
}

# A list of errors has to be there when what is returned may be one: the list is closed.
function check_return(i,    k, errors, parts, last, n)
{
	if (item_code[i] ~ /^void [^*]/) {
		if (has["Returns"])
			wrong(i, "returns nothing, but says what")
		return
	}
	if (!has["Returns"] || property["Returns"] == "") {
		wrong(i, "does not say what it returns")
		return
	}
	split("", listed)
	for (k = 1; k <= values; k++) {
		last = split(value_name[k], parts, /, */)
		for (n = 1; n <= last; n++)
			errors += check_error(i, parts[n], value_text[k])
		if (value_text[k] == "")
			wrong(i, "says nothing of " value_name[k])
	}
	if (item_code[i] ~ /^(int|ssize_t|long) / && errors == 0 &&
	    property["Returns"] !~ /never fails|weft_[a-z0-9_]+\(\)/)
		wrong(i, "lists no error, nor says of what it returns that it never fails")
	if (property["Returns"] ~ /-E[A-Z]/)
		wrong(i, "names an error outside of its list")
	if (property["Returns"] ~ /(^| )or:?$/ && values == 0)
		wrong(i, "has no list after \"or\"")
}

# Whether it is an error. Their names are those of the system, given as errnos; "and others" is a
# closed list only where a manual page has it.
function check_error(i, name, when)
{
	if (name !~ /^-E/)
		return 0
	if (sub(/ and others$/, "", name) && when !~ /[a-z]\([1-8]\)/)
		wrong(i, "does not say which errors the others are")
	if (listed[name]++)
		wrong(i, "lists " name " twice")
	if (errnos != "" && index(" " errnos " ", " " substr(name, 2) " ") == 0)
		wrong(i, "lists " name ", which is no error")
	return 1
}

# Functions and macros that a comment names are there.
function check_names(i, text, where,    name)
{
	while (match(text, /weft_[a-z0-9_]+\(\)/)) {
		name = substr(text, RSTART, RLENGTH - 2)
		text = substr(text, RSTART + RLENGTH)
		if (!(name in at_name))
			print where ": " (i ? item_name[i] ": " : "") "names " name "(), which no header declares"
	}
}
