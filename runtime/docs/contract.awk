# The headers of the API as arrays: families, what each declares, and the contracts above. Read first,
# before what prints them (man.awk, html.awk) or judges them (check.awk): awk -f contract.awk -f ...
#
# A family is a header. Its opening comment, the first that is no contract, introduces it. An item is a
# function, a macro or a type, with the comment /** ... */ above it; macros that follow one without
# a blank line belong to it. Macros without a comment are nobody's business; a function without one
# is an item with an empty comment, for check.awk to find.
#
# For any POSIX awk, mawk's of 2020 too: no intervals in expressions, no length of arrays.

# families: family_name, family_file, family_intro, and how many
# items, in the order of the files: item_family, item_kind (function, macro, type), item_name,
#   item_code (as written, without WEFT_API), item_doc, item_at (FILE:LINE), and how many
# also: the item of every other name, of macros that belong to one and of enum's values

FNR == 1 { begin_family(FILENAME) }
{ take_line($0) }

function begin_family(file,    name)
{
	name = file
	sub(/^.*\//, "", name)
	sub(/\.h$/, "", name)
	families++
	family_file[families] = file
	family_name[families] = name
	family_intro[families] = ""
	state = ""
	forget_doc()
}

# The name of a family's manual page.
function page_of(family)
{
	return family_name[family] == "weft" ? "weft" : "weft_" family_name[family]
}

function forget_doc()
{
	doc = ""
	has_doc = 0
	joins = 0 # whether a macro may join the last item
}

function take_line(line)
{
	if (state == "intro" || state == "doc" || state == "comment")
		take_comment(line)
	else if (state == "macro")
		take_macro(line)
	else if (state == "declaration")
		take_declaration(line)
	else if (state == "body")
		take_body(line)
	else
		begin_something(line)
}

function begin_something(line)
{
	if (line ~ /^\/\*/) {
		begin_comment(line)
	} else if (line ~ /^[ \t]*#[ \t]*define[ \t]/) {
		begin_macro(line)
	} else if (line ~ /^[ \t]*#/ || line ~ /^extern "C"/ || line ~ /^}/) {
		forget_doc()
	} else if (line ~ /^[A-Za-z_]/) {
		begin_declaration(line)
	} else if (line !~ /[^ \t]/) {
		forget_doc()
	}
}

function begin_comment(line)
{
	forget_doc()
	comment = ""
	if (line ~ /^\/\*\*/)
		state = "doc"
	else if (family_intro[families] == "" && (items == 0 || item_family[items] != families))
		state = "intro"
	else
		state = "comment"
	sub(/^\/\*+/, "", line)
	take_comment(line)
}

function take_comment(line,    ends)
{
	ends = index(line, "*/")
	if (ends > 0)
		line = substr(line, 1, ends - 1)
	sub(/^[ \t]*\*/, "", line)
	sub(/^ /, "", line)
	sub(/[ \t]+$/, "", line)
	if (comment != "" || line != "")
		comment = comment (comment == "" ? "" : "\n") line
	if (!ends)
		return
	sub(/\n+$/, "", comment)
	if (state == "doc") {
		doc = comment
		has_doc = 1
	} else if (state == "intro") {
		family_intro[families] = comment
	}
	state = ""
}

function add_item(kind, name, code)
{
	items++
	item_family[items] = families
	item_kind[items] = kind
	item_name[items] = name
	item_code[items] = code
	item_doc[items] = doc
	item_at[items] = FILENAME ":" FNR
	forget_doc()
}

function begin_macro(line,    name)
{
	name = line
	sub(/^[ \t]*#[ \t]*define[ \t]+/, "", name)
	sub(/[^A-Za-z0-9_].*$/, "", name)
	kept = has_doc || joins
	if (kept && joins && !has_doc) {
		item_code[items] = item_code[items] "\n" line
		also[name] = items
	} else if (kept)
		add_item("macro", name, line)
	joins = kept
	state = line ~ /\\$/ ? "macro" : ""
}

function take_macro(line)
{
	if (kept)
		item_code[items] = item_code[items] "\n" line
	if (line !~ /\\$/)
		state = ""
}

function begin_declaration(line)
{
	code = ""
	depth = 0
	code_at = FNR
	is_inline = line ~ /^(WEFT_API )?(static )?inline /
	is_public = line ~ /^WEFT_API/ || is_inline
	sub(/^WEFT_API[ \t]*/, "", line)
	sub(/^static inline /, "", line)
	state = "declaration"
	if (line != "")
		take_declaration(line)
}

# How many more of one sign than of another there are in a line, outside of comments.
function balance(line, one, other)
{
	while (match(line, /\/\*.*\*\//))
		line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
	return gsub(one, "", line) - gsub(other, "", line)
}

function take_declaration(line,    brace)
{
	if (is_inline && (brace = index(line, "{")) > 0) {
		depth = balance(line, "[{]", "[}]")
		line = substr(line, 1, brace - 1)
		if (line ~ /[^ \t]/)
			code = code (code == "" ? "" : "\n") line
		sub(/[ \t]+$/, "", code)
		code = code ";"
		end_declaration()
		state = depth > 0 ? "body" : ""
		return
	}
	code = code (code == "" ? "" : "\n") line
	depth += balance(line, "[{]", "[}]")
	if (depth == 0 && line ~ /;/) {
		end_declaration()
		state = ""
	}
}

function take_body(line)
{
	depth += balance(line, "[{]", "[}]")
	if (depth <= 0)
		state = ""
}

function end_declaration(    name)
{
	name = name_of(code)
	if (is_public && code !~ /^(typedef|struct|enum|union)[^(]*;$/)
		add_item("function", name, code)
	else if (code ~ /^(typedef|struct|enum|union)/ && (has_doc || code !~ /^struct [a-z_0-9]*;/))
		add_item("type", name, code)
	else
		forget_doc()
	if (items == 0 || item_family[items] != families || item_code[items] != code)
		return
	item_at[items] = FILENAME ":" code_at
	if (code ~ /^(typedef )?enum[^;]*[{]/)
		note_values(code)
}

# An enum's values: what comes first on a line, or after a comma.
function note_values(code,    parts, last, i)
{
	sub(/^[^{]*[{]/, "", code)
	while (match(code, /\/\*[^*]*\*\//))
		code = substr(code, 1, RSTART - 1) substr(code, RSTART + RLENGTH)
	last = split(code, parts, ",")
	for (i = 1; i <= last; i++)
		if (match(parts[i], /^[ \t\n]*[A-Z][A-Z0-9_]*/)) {
			gsub(/^[ \t\n]+|[^A-Z0-9_ \t\n](.|\n)*$/, "", parts[i])
			sub(/[ \t\n].*$/, "", parts[i])
			also[parts[i]] = items
		}
}

# What a declaration declares.
function name_of(declaration,    name)
{
	if (declaration ~ /^typedef/ && match(declaration, /\(\*[a-z][a-z0-9_]*\)/))
		return substr(declaration, RSTART + 2, RLENGTH - 3)
	if (declaration !~ /[{]/ && match(declaration, /[a-z][a-z0-9_]*\(/))
		return substr(declaration, RSTART, RLENGTH - 1)
	if (declaration !~ /^typedef/ && match(declaration, /^[a-z]+ [a-z][a-z0-9_]*/)) {
		name = substr(declaration, RSTART, RLENGTH)
		sub(/^[a-z]+ /, "", name)
		return name
	}
	name = declaration
	sub(/;[^;]*$/, "", name)
	sub(/^(.|\n)*[^A-Za-z0-9_]/, "", name)
	return name
}

# Take a contract apart, into:
#   told      what the function does, lines
#   params, param_name, param_text
#   has[], property[]: Switches, Context, Ownership, Returns
#   values, value_name, value_text: the list of what it returns; a name is "" where a text says all
function take_contract(text,    lines, i, line, last)
{
	told = ""
	params = values = 0
	split("", has)
	split("", property)
	part = "told"
	last = split(text, lines, "\n")
	for (i = 1; i <= last; i++) {
		line = lines[i]
		if (line ~ /^@param[ \t]/)
			begin_param(line)
		else if (line ~ /^@returns?([ \t]|$)/)
			begin_property("Returns", line)
		else if (line ~ /^(Switches|Context|Ownership)([ \t]|$)/)
			begin_property("", line)
		else if (line == "")
			end_part()
		else
			continue_part(line)
	}
	sub(/\n+$/, "", told)
}

function end_part()
{
	if (part == "told" || part == "after")
		told = told (told == "" ? "" : "\n")
	else
		part = "after" # of a list: text again, unless another part begins
}

function begin_param(line)
{
	sub(/^@param[ \t]+/, "", line)
	params++
	match(line, /^[^ \t]+/)
	param_name[params] = substr(line, 1, RLENGTH)
	line = substr(line, RLENGTH + 1)
	sub(/^[ \t]+/, "", line)
	param_text[params] = line
	part = "param"
}

function begin_property(name, line,    word)
{
	match(line, /^[^ \t]+/)
	word = substr(line, 1, RLENGTH)
	line = substr(line, RLENGTH + 1)
	sub(/^[ \t]+/, "", line)
	part = name == "" ? word : name
	has[part] = 1
	property[part] = line
}

function join_words(text, line)
{
	sub(/^[ \t]+/, "", line)
	return text (text == "" || line == "" ? "" : " ") line
}

function continue_part(line)
{
	if (part == "told" || part == "after") {
		told = told (told == "" ? "" : "\n") line
		part = "told"
	} else if (part == "param") {
		param_text[params] = join_words(param_text[params], line)
	} else if (part == "Returns" || part == "value") {
		continue_return(line)
	} else {
		property[part] = join_words(property[part], line)
	}
}

# "  NAME  text" begins a value; deeper lines go on with it; one as deep is a value without a name; a
# line at the margin is of the whole.
function continue_return(line,    depth_)
{
	match(line, /^ */)
	depth_ = RLENGTH
	if (depth_ == 0) {
		part = "Returns"
		property["Returns"] = join_words(property["Returns"], line)
		return
	}
	sub(/^ +/, "", line)
	if (part == "value" && depth_ > value_depth) {
		value_text[values] = join_words(value_text[values], line)
		return
	}
	part = "value"
	value_depth = depth_
	values++
	value_name[values] = ""
	value_text[values] = line
	if (match(line, /[^ ,]  +[^ ]/)) {
		value_name[values] = substr(line, 1, RSTART)
		value_text[values] = substr(line, RSTART + RLENGTH - 1)
	} else if (line ~ /^-E/) {
		value_name[values] = line
		value_text[values] = ""
	}
}
