# Manual pages, man(7): one a family, and a page that includes it for every function and type.
#   awk -v out=FOLDER -v version=V -v date=YYYY-MM-DD -v overview=FILE
#       -f contract.awk -f text.awk -f man.awk HEADER...

END {
	for (f = 1; f <= families; f++)
		write_page(f)
	for (i = 1; i <= items; i++)
		if (item_kind[i] != "macro")
			write_alias(item_name[i], page_of(item_family[i]))
}

function put(line)
{
	print line >page
}

function write_page(f)
{
	page = out "/man3/" page_of(f) ".3"
	find_manuals(f)
	put(".\\\" Made from " base_name(family_file[f]) ".")
	put(".TH " page_of(f) " 3 " date " \"weft " version "\" \"weft manual\"")
	put(".nh")
	put(".ad l")
	write_name(f)
	write_synopsis(f)
	heading("DESCRIPTION")
	out_text(family_intro[f])
	if (page_of(f) == "weft")
		write_overview()
	write_types(f)
	write_functions(f)
	write_errors(f)
	write_see_also(f)
	close(page)
}

function base_name(path)
{
	sub(/^.*\//, "", path)
	return path
}

function heading(text)
{
	put(".SH " text)
	fresh = 1
}

function subheading(text)
{
	put(".SS " text)
	fresh = 1
}

# A paragraph's break, unless a heading has just made one.
function separate()
{
	if (!fresh)
		put(".PP")
	fresh = 0
}

function write_name(f,    i, names)
{
	heading("NAME")
	names = page_of(f)
	for (i = 1; i <= items; i++)
		if (item_family[i] == f && item_kind[i] == "function" && item_name[i] != page_of(f))
			names = names ",\n" item_name[i]
	put(names " \\- " plain(one_line(f)))
}

function write_synopsis(f,    i)
{
	heading("SYNOPSIS")
	put(".nf")
	put(bold_code("#include <weft.h>"))
	for (i = 1; i <= items; i++)
		if (item_family[i] == f && item_kind[i] != "function" && item_code[i] !~ /[{]/)
			put_grouped("type", i)
	for (i = 1; i <= items; i++)
		if (item_family[i] == f && item_kind[i] == "function")
			put_grouped("function", i)
	put(".fi")
	group = ""
	fresh = 0
	separate()
	put("Link with " words("`pkg-config --libs weft`") " (" words("`-lweft`") ").")
}

# One line is left before the types and one before the functions.
function put_grouped(kind, i)
{
	if (group != kind)
		put("")
	group = kind
	put_lines(shown(i, 72), kind == "function")
}

# Lines of code, each on its own.
function put_lines(code, prototype,    lines, last, i)
{
	last = split(code, lines, "\n")
	for (i = 1; i <= last; i++)
		put(prototype ? bold_prototype(lines[i]) : bold_code(lines[i]))
}

function bold_code(line)
{
	return line == "" ? "" : "\\fB" code_escaped(line) "\\fR"
}

# With the names of parameters, which stand before a comma or a parenthesis, in italics.
function bold_prototype(line,    done, at, width)
{
	while (match(line, /[ *][a-z_][a-z0-9_]*(\[\])?[,)]/)) {
		at = RSTART
		width = RLENGTH
		done = done code_escaped(substr(line, 1, at))
		done = done "\\fI" substr(line, at + 1, width - 2) "\\fB"
		line = substr(line, at + width - 1)
	}
	return "\\fB" done code_escaped(line) "\\fR"
}

function write_types(f,    i, any)
{
	for (i = 1; i <= items; i++) {
		if (item_family[i] != f || item_kind[i] == "function" || item_doc[i] == "")
			continue
		if (!any++)
			heading("TYPES AND CONSTANTS")
		separate()
		put(".nf")
		put_lines(shown(i, 72), 0)
		put(".fi")
		put(".RS 4")
		fresh = 1
		write_contract(item_doc[i])
		put(".RE")
	}
}

function write_functions(f,    i, any)
{
	for (i = 1; i <= items; i++) {
		if (item_family[i] != f || item_kind[i] != "function")
			continue
		if (!any++)
			heading("FUNCTIONS")
		write_function(i)
	}
}

function write_function(i)
{
	subheading(item_name[i] "()")
	put(".nf")
	put_lines(shown(i, 72), 1)
	put(".fi")
	fresh = 0
	write_contract(item_doc[i])
}

# What is said of one declaration; the list at its end without blank lines.
function write_contract(text,    k)
{
	take_contract(text)
	out_text(told)
	begin_aligned = 1
	for (k = 1; k <= params; k++)
		out_aligned("\\fI" plain(param_name[k]) "\\fR", param_text[k])
	write_property("Switches")
	write_property("Context")
	write_property("Ownership")
	write_property("Returns")
	if (values > 0) {
		put(".RS 12")
		for (k = 1; k <= values; k++)
			write_value(value_name[k], value_text[k])
		put(".RE")
	}
	if (!begin_aligned)
		put(".PD")
}

function write_value(name, text)
{
	if (name != "") {
		out_tagged(words(name), text, " 14")
	} else {
		put(".PP")
		put(guarded(words(text)))
	}
}

function write_property(name)
{
	if (has[name])
		out_aligned("\\fB" name "\\fR", property[name])
}

function out_aligned(tag, text)
{
	out_tagged(tag, text, " 12")
	if (begin_aligned)
		put(".PD 0")
	begin_aligned = 0
}

function out_tagged(tag, text, width)
{
	put(".TP" width)
	put(guarded(tag))
	put(text == "" ? "\\&" : guarded(words(text)))
	fresh = 0
}

# Each error, and who returns it when.
function write_errors(f,    i, k, n, order, count, who, parts, last, functions)
{
	for (i = 1; i <= items; i++) {
		if (item_family[i] != f || item_kind[i] != "function")
			continue
		functions++
		take_contract(item_doc[i])
		for (k = 1; k <= values; k++) {
			last = split(value_name[k], parts, /, */)
			for (n = 1; n <= last; n++)
				if (match(parts[n], /^-E[A-Z0-9]+/))
					count = note_error(substr(parts[n], 1, RLENGTH), item_name[i] "()", value_text[k], count, order, who)
		}
	}
	if (!functions)
		return
	heading("RETURN VALUE")
	put("What a function returns stands with it. Errors are negative values of")
	put(words("errno(3)") "; the variable itself is left alone.")
	if (count == 0)
		return
	heading("ERRORS")
	sort(order, count)
	for (k = 1; k <= count; k++)
		out_tagged(words(order[k]), who[order[k]])
}

function note_error(name, function_, when, count, order, who)
{
	if (!(name in who))
		order[++count] = name
	else
		who[name] = who[name] "; "
	who[name] = who[name] function_ ": " when
	return count
}

# The pages of the system that a family's comments name.
function find_manuals(f,    i, text)
{
	manuals = 0
	split("", manual)
	text = family_intro[f]
	for (i = 1; i <= items; i++)
		if (item_family[i] == f)
			text = text "\n" item_doc[i]
	split("", seen)
	while (match(text, /[a-z_][a-z0-9_.]*\([1-8]\)/)) {
		if (!seen[substr(text, RSTART, RLENGTH)]++)
			manual[++manuals] = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
	}
	sort(manual, manuals)
}

function write_see_also(f,    i, list)
{
	heading("SEE ALSO")
	list = page_of(f) == "weft" ? "weft(1)" : "weft(1), weft(3)"
	for (i = 1; i <= families; i++)
		if (i != f && page_of(i) != "weft")
			list = list ", " page_of(i) "(3)"
	for (i = 1; i <= manuals; i++)
		if (index(list ",", manual[i] ",") == 0)
			list = list ", " manual[i]
	gsub(/, /, ",\n", list)
	put(words(list))
}

# weft.3 alone: the families, and the overview, whose lines "== Title" are headings.
function write_overview(    f, line, text)
{
	if (families > 1)
		heading("FAMILIES")
	for (f = 1; f <= families; f++)
		if (page_of(f) != "weft")
			out_tagged(words(page_of(f) "(3)"), one_line(f))
	while ((getline line <overview) > 0) {
		if (line !~ /^==/) {
			text = text line "\n"
			continue
		}
		out_text(text)
		text = ""
		sub(/^== */, "", line)
		heading(toupper(line))
	}
	out_text(text)
	close(overview)
}

# A page that is another's, unless a family's own page has the name.
function write_alias(name, target,    i)
{
	for (i = 1; i <= families; i++)
		if (page_of(i) == name)
			return
	page = out "/man3/" name ".3"
	put(".so man3/" target ".3")
	close(page)
}

# --- what text.awk asks for ---

function out_paragraph(text)
{
	separate()
	put(guarded(words(text)))
}

function out_code(code)
{
	separate()
	put(".RS 4")
	put(".nf")
	put_code(code)
	put(".fi")
	put(".RE")
}

function put_code(code,    lines, last, i)
{
	last = split(code, lines, "\n")
	for (i = 1; i <= last; i++)
		put(guarded(code_escaped(lines[i])))
}

function out_entry(key, text)
{
	if (key == "-")
		put(".IP \\(bu 3")
	else if (key ~ /^[0-9]+\.$/)
		put(".IP " key " 4")
	else {
		out_tagged(words(key), text)
		return
	}
	put(guarded(words(text)))
	fresh = 0
}

function out_lists_end()
{
}

function plain(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/ -/, " \\-", text)
	sub(/^-/, "\\-", text)
	return text
}

function marked(kind, word,    open)
{
	if (kind == "code" || kind == "name")
		return "\\fB" code_escaped(word) "\\fR"
	open = index(word, "(")
	return "\\fB" substr(word, 1, open - 1) "\\fR" substr(word, open)
}

function code_escaped(text)
{
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	return text
}

# No line of text is taken for a request.
function guarded(line)
{
	return (line ~ /^[.']/ ? "\\&" : "") line
}
