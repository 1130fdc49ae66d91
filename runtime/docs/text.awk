# The text of comments, in blocks and words, for man.awk and html.awk, which define how these look:
# out_paragraph, out_code, out_entry, out_lists_end, plain and marked.
#
# Lines at the margin are a paragraph. "- text" and "1. text" are entries of a list, "  word  text" is
# one with a word to be explained, as are "    word  text" and more of the kind; their further lines
# stand deeper. What else is indented, by four columns or a tab, is an example. Marked are `this`, function(), manual(3), -ERRNO and WEFT_NAMES.

function out_text(text,    lines, last, i, line)
{
	block = ""
	block_kind = block_key = ""
	blank = 0
	last = split(text, lines, "\n")
	for (i = 1; i <= last; i++) {
		line = spaced(lines[i])
		if (line == "") {
			blank = 1
			if (block_kind != "code")
				end_block()
		} else if (line ~ /^    / && (block_kind != "entry")) {
			continue_code(line)
		} else if (line ~ /^ *(-|[0-9]+\.) /) {
			begin_entry(line, index(line, "- ") > 0 && line ~ /^ *- / ? "-" : "1.")
		} else if (line ~ /^  ? ?[^ ]/ && line ~ /^ +[^ ].*[^ .:]  +[^ ]/) {
			begin_entry(line, "")
		} else if (line ~ /^ / && block_kind == "") {
			continue_code(line)
		} else {
			continue_block(line)
		}
		if (line != "")
			blank = 0
	}
	end_block()
	out_lists_end()
}

# A line with its tabs as spaces.
function spaced(line,    at)
{
	while ((at = index(line, "\t")) > 0)
		line = substr(line, 1, at - 1) substr("        ", 1 + (at - 1) % 8) substr(line, at + 1)
	return line
}

function continue_code(line)
{
	if (block_kind != "code")
		end_block()
	block = block (block_kind == "code" ? "\n" : "") (blank && block_kind == "code" ? "\n" : "") line
	block_kind = "code"
}

function begin_entry(line, kind,    at)
{
	end_block()
	sub(/^ +/, "", line)
	at = match(line, kind == "" ? "  +" : " +")
	block_key = substr(line, 1, at - 1)
	block = substr(line, at + RLENGTH)
	block_kind = "entry"
}

function continue_block(line)
{
	if (block_kind == "code" || (block_kind == "entry" && line !~ /^ /))
		end_block()
	sub(/^ +/, "", line)
	block = block (block == "" ? "" : " ") line
	if (block_kind == "")
		block_kind = "paragraph"
}

function end_block(    kind)
{
	kind = block_kind
	if (kind == "code") {
		block = without_margin(block)
		if (is_list(block))
			kind = "list"
	}
	if (kind == "code" || kind == "paragraph")
		out_lists_end()
	if (kind == "code")
		out_code(block)
	else if (kind == "list")
		out_list(block)
	else if (kind == "entry")
		out_entry(block_key, block)
	else if (kind == "paragraph")
		out_paragraph(block)
	block = block_kind = block_key = ""
}

# Whether each line of a block is a word and what it means, or goes on with that.
function is_list(text,    lines, last, i, entries)
{
	last = split(text, lines, "\n")
	for (i = 1; i <= last; i++) {
		if (lines[i] ~ /^[A-Za-z0-9_()`*.-]+  +[^ ]/)
			entries++
		else if (entries == 0 || lines[i] !~ /^    /)
			return 0
	}
	return entries > 1
}

function out_list(text,    lines, last, i, key, rest)
{
	last = split(text, lines, "\n")
	for (i = 1; i <= last; i++) {
		if (lines[i] ~ /^[^ ]/) {
			if (i > 1)
				out_entry(key, rest)
			match(lines[i], /  +/)
			key = substr(lines[i], 1, RSTART - 1)
			rest = substr(lines[i], RSTART + RLENGTH)
		} else {
			sub(/^ +/, "", lines[i])
			rest = rest " " lines[i]
		}
	}
	out_entry(key, rest)
}

function without_margin(text,    lines, last, i, margin)
{
	margin = 80
	last = split(text, lines, "\n")
	for (i = 1; i <= last; i++)
		if (match(lines[i], /[^ ]/) && RSTART - 1 < margin)
			margin = RSTART - 1
	text = substr(lines[1], margin + 1)
	for (i = 2; i <= last; i++)
		text = text "\n" substr(lines[i], margin + 1)
	return text
}

# A text with plain() and marked() applied to its words: marked(kind, word), the kind being code,
# function, manual, name.
function words(text,    done, word, kind)
{
	while (match(text, /`[^`]+`|weft_[a-z0-9_]+\(\)|[a-z_][a-z0-9_.]*\([1-8]\)|-E[A-Z0-9]+|WEFT_[A-Z0-9_]+/)) {
		word = substr(text, RSTART, RLENGTH)
		done = done plain(substr(text, 1, RSTART - 1))
		text = substr(text, RSTART + RLENGTH)
		kind = word ~ /^`/ ? "code" : word ~ /\(\)$/ ? "function" : word ~ /\)$/ ? "manual" : "name"
		if (kind == "code")
			word = substr(word, 2, length(word) - 2)
		done = done marked(kind, word)
	}
	return done plain(text)
}

# What a family is in one line: the first sentence of its opening comment, without the stop.
function one_line(family,    text)
{
	text = family_intro[family]
	sub(/\n\n(.|\n)*$/, "", text)
	gsub(/\n */, " ", text)
	if (match(text, /\. /))
		text = substr(text, 1, RSTART)
	sub(/^(weft|weft\/[a-z_]*\.h|[a-z_]*\.h|<weft\/[a-z_]*\.h>):? +(- +)?/, "", text)
	sub(/[.:]$/, "", text)
	return text
}

# A prototype on lines of at most so many columns, broken between parameters.
function folded(code, columns,    text, at, margin)
{
	gsub(/[ \t]*\n[ \t]*/, " ", code)
	while (length(margin code) > columns && (at = break_of(code, columns - length(margin), margin == "")) > 0) {
		text = text margin substr(code, 1, at) "\n"
		code = substr(code, at + 2)
		margin = "    "
	}
	return text margin code
}

# Where the last comma is in so many columns that is in no more than the outer parentheses.
function break_of(code, columns, is_first,    i, depth_, sign, found)
{
	depth_ = is_first ? 0 : 1
	for (i = 1; i <= columns; i++) {
		sign = substr(code, i, 1)
		depth_ += sign == "(" ? 1 : sign == ")" ? -1 : 0
		if (sign == "," && depth_ == 1)
			found = i
	}
	return found
}

# How code is shown: prototypes folded, all else as written.
function shown(item, columns)
{
	return item_kind[item] == "function" ? folded(item_code[item], columns) : spaced_lines(item_code[item])
}

function spaced_lines(code,    lines, last, i)
{
	last = split(code, lines, "\n")
	code = spaced(lines[1])
	for (i = 2; i <= last; i++)
		code = code "\n" spaced(lines[i])
	return code
}

function sort(list, count,    i, k, one)
{
	for (i = 2; i <= count; i++) {
		one = list[i]
		for (k = i - 1; k >= 1 && list[k] > one; k--)
			list[k + 1] = list[k]
		list[k + 1] = one
	}
}
