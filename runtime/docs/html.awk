# The API in one page of HTML, to stdout. A function's anchor is its name.
#   awk -v version=V -v date=YYYY-MM-DD -v overview=FILE -f contract.awk -f text.awk -f html.awk HEADER...

END {
	for (i = 1; i <= items; i++)
		if (item_doc[i] != "" || item_kind[i] == "function")
			anchored[item_name[i]]++
	for (name in also)
		anchored[name] = 1
	write_head()
	write_index()
	for (f = 1; f <= families; f++)
		write_family(f)
	print "<footer>weft " version ", " date "</footer>\n</body>\n</html>"
}

function write_head()
{
	print "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>"
	print "<meta name=\"viewport\" content=\"width=device-width\"/>"
	print "<title>weft: the API</title>\n<style>"
	print ":root { color-scheme: light dark }"
	print "body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em }"
	print "pre, code { font: 14px/1.4 monospace }"
	print "pre { padding: .6em 1em; overflow-x: auto; background: #8882; border-radius: 4px }"
	print "section > h2 { margin-top: 3em; border-bottom: 2px solid }"
	print "h3 { margin-top: 2.5em; font-family: monospace } h3 a { color: inherit; text-decoration: none }"
	print "dt { font-weight: bold; float: left; clear: left; min-width: 7em; padding-right: 1em }"
	print "dd { margin: 0 0 .3em 7em } dl::after { content: ''; display: block; clear: both }"
	print "table { border-collapse: collapse } td, th { text-align: left; padding: .1em 1em .1em 0; vertical-align: top }"
	print "</style>\n</head>\n<body>\n<h1>weft: the API</h1>"
}

function write_index(    f, i, line, text)
{
	print "<nav>\n<table>"
	for (f = 1; f <= families; f++) {
		printf "<tr><th><a href=\"#%s\">%s</a></th><td>%s<br/>", section_of(f), family_name[f], plain(one_line(f))
		for (i = 1; i <= items; i++)
			if (item_family[i] == f && item_kind[i] == "function")
				printf "<a href=\"#%s\"><code>%s</code></a> ", item_name[i], item_name[i]
		print "</td></tr>"
	}
	print "</table>\n</nav>"
}

function section_of(f)
{
	return "family_" family_name[f]
}

function write_family(f,    i)
{
	print "<section id=\"" section_of(f) "\">\n<h2>" family_name[f] "</h2>"
	out_text(family_intro[f])
	if (page_of(f) == "weft")
		write_overview()
	for (i = 1; i <= items; i++)
		if (item_family[i] == f && item_kind[i] != "function" && item_doc[i] != "")
			write_type(i)
	for (i = 1; i <= items; i++)
		if (item_family[i] == f && item_kind[i] == "function")
			write_function(i)
	print "</section>"
}

function write_overview(    line, text)
{
	while ((getline line <overview) > 0) {
		if (line !~ /^==/) {
			text = text line "\n"
			continue
		}
		out_text(text)
		text = ""
		sub(/^== */, "", line)
		print "<h3>" plain(line) "</h3>"
	}
	out_text(text)
	close(overview)
}

# A type and a macro may have the same name: the first has the anchor of that name.
function write_heading(i, text,    id)
{
	id = item_name[i]
	if (placed[id]++)
		id = id "." item_kind[i]
	printf "<h3 id=\"%s\"><a href=\"#%s\">%s</a></h3>\n", id, id, text
}

function write_type(i)
{
	write_heading(i, item_name[i])
	print "<pre>" linked(shown(i, 80), i) "</pre>"
	write_contract(item_doc[i])
}

function write_function(i)
{
	write_heading(i, item_name[i] "()")
	print "<pre>" linked(shown(i, 80), i) "</pre>"
	write_contract(item_doc[i])
}

function write_contract(text,    k)
{
	take_contract(text)
	out_text(told)
	for (k in has)
		break
	if (params == 0 && k == "")
		return
	print "<dl>"
	for (k = 1; k <= params; k++)
		write_entry("<code>" plain(param_name[k]) "</code>", words(param_text[k]))
	write_property("Switches")
	write_property("Context")
	write_property("Ownership")
	write_property("Returns")
	print "</dl>"
	if (values == 0)
		return
	print "<table class=\"values\">"
	for (k = 1; k <= values; k++)
		print "<tr>" (value_name[k] == "" ? "<td colspan=\"2\">" : "<td>" words(value_name[k]) "</td><td>") \
			words(value_text[k]) "</td></tr>"
	print "</table>"
}

function write_property(name)
{
	if (has[name])
		write_entry(name, words(property[name]))
}

function write_entry(name, text)
{
	print "<dt>" name "</dt><dd>" text "</dd>"
}

# Code, of an item or 0, with links to what is declared elsewhere on the page and anchors for what
# else the item declares.
function linked(code, item,    done, name)
{
	while (match(code, /[A-Za-z_][A-Za-z0-9_]*/)) {
		name = substr(code, RSTART, RLENGTH)
		done = done plain(substr(code, 1, RSTART - 1))
		code = substr(code, RSTART + RLENGTH)
		if (item && (name in also) && also[name] == item && !placed[name]++)
			done = done "<span id=\"" name "\">" name "</span>"
		else if ((name in anchored) && !(item && name == item_name[item]))
			done = done "<a href=\"#" name "\">" name "</a>"
		else
			done = done name
	}
	return done plain(code)
}

# --- what text.awk asks for ---

function out_paragraph(text)
{
	print "<p>" words(text) "</p>"
}

function out_code(code)
{
	print "<pre>" linked(code, 0) "</pre>"
}

function out_entry(key, text,    kind)
{
	kind = key == "-" ? "ul" : key ~ /^[0-9]+\.$/ ? "ol" : "dl"
	if (list != kind) {
		out_lists_end()
		print "<" kind ">"
	}
	list = kind
	if (kind == "dl")
		write_entry(words(key), words(text))
	else
		print "<li>" words(text) "</li>"
}

function out_lists_end()
{
	if (list != "")
		print "</" list ">"
	list = ""
}

function plain(text)
{
	gsub(/&/, "\\&amp;", text)
	gsub(/</, "\\&lt;", text)
	gsub(/>/, "\\&gt;", text)
	return text
}

function marked(kind, word,    name)
{
	name = word
	sub(/\(\)$/, "", name)
	word = plain(word)
	if (kind == "manual")
		return word
	if (name in anchored)
		return "<a href=\"#" name "\"><code>" word "</code></a>"
	return "<code>" word "</code>"
}
