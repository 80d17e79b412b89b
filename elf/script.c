/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Linker scripts that stand in for a library: a text that names files.  Debian's libm.a is one.
 *
 *     [comments] OUTPUT_FORMAT(...) GROUP(FILE ...) INPUT(FILE ...)
 *
 * Files count from the script's folder on.  Names in AS_NEEDED(...), which are shared objects, are
 * left out, and what else a script can say is refused.
 */
#define _GNU_SOURCE
#include "elf/internal.h"

#define MOST_DEEP 8 /* scripts that name scripts */

struct script {
	struct link *link;
	const char *name;
	const char *at, *end;
};

struct word {
	const char *text;
	size_t size; /* 0: the script ends here */
};

/* Scripts begin with a comment or with one of their commands. */
bool link_is_script(const unsigned char *data, size_t size)
{
	static const char *const beginnings[] = { "/* GNU ld script", "OUTPUT_FORMAT", "GROUP",
						  "INPUT" };

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
		size_t length = strlen(beginnings[i]);

		if (size >= length && !memcmp(data, beginnings[i], length))
			return true;
	}
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',' || c == ';';
}

static void skip_blanks(struct script *script)
{
	while (script->at < script->end) {
		size_t left = (size_t)(script->end - script->at);
		const char *comment;

		if (is_blank(*script->at)) {
			script->at++;
			continue;
		}
		if (left < 2 || memcmp(script->at, "/*", 2) != 0)
			return;
		comment = memmem(script->at + 2, left - 2, "*/", 2);
		script->at = comment ? comment + 2 : script->end;
	}
}

/* A bracket, or a name: up to a blank or a bracket. */
static struct word next_word(struct script *script)
{
	struct word word;

	skip_blanks(script);
	word.text = script->at;
	if (script->at < script->end && (*script->at == '(' || *script->at == ')'))
		script->at++;
	else
		while (script->at < script->end && !is_blank(*script->at) && *script->at != '(' &&
		       *script->at != ')')
			script->at++;
	word.size = (size_t)(script->at - word.text);
	return word;
}

static bool is(const struct word *word, const char *text)
{
	return word->size == strlen(text) && !memcmp(word->text, text, word->size);
}

static int fail_script(const struct script *script, const struct word *word)
{
	if (!word->size)
		return link_fail(script->link, -ENOEXEC,
				 "%s: this linker script ends in the middle of a command",
				 script->name);
	return link_fail(
		script->link, -ENOEXEC,
		"%s: a linker script with %.*s; only GROUP and INPUT with names of files are "
		"understood: give the files themselves",
		script->name, (int)(word->size < 64 ? word->size : 64), word->text);
}

static int add_named(const struct script *script, const struct word *word)
{
	struct link_symbol *file;
	int error;

	if (word->text[0] == '-' || word->text[0] == '"')
		return fail_script(script, word);
	error = link_read_named(script->link, script->name, word->text, word->size, &file);
	if (error || file->needed)
		return error;
	file->needed = true; /* once is enough */
	return link_add_input(script->link, file->name, file->owner, (size_t)file->size);
}

/* Behind a command: its words in brackets. */
static int take_names(struct script *script, bool use)
{
	struct word word = next_word(script);
	int error = 0;

	if (!is(&word, "("))
		return fail_script(script, &word);
	while (!error) {
		word = next_word(script);
		if (is(&word, ")"))
			return 0;
		if (!word.size || is(&word, "("))
			return fail_script(script, &word);
		if (is(&word, "AS_NEEDED"))
			error = use ? take_names(script, false) : fail_script(script, &word);
		else if (use)
			error = add_named(script, &word);
	}
	return error;
}

int link_add_script(struct link *link, const char *name, const unsigned char *data, size_t size)
{
	struct script script = { .link = link,
				 .name = name,
				 .at = (const char *)data,
				 .end = (const char *)data + size };
	int error = 0;

	if (!link->read_file || link->private->script_depth == MOST_DEEP)
		return link_fail(link, -ENOEXEC,
				 "%s: a linker script, which only names files%s; give the files "
				 "themselves",
				 name, link->read_file ? " (and they name others, and so on)" : "");
	link->private->script_depth++;
	while (!error) {
		struct word word = next_word(&script);

		if (!word.size)
			break;
		if (is(&word, "GROUP") || is(&word, "INPUT"))
			error = take_names(&script, true);
		else if (is(&word, "OUTPUT_FORMAT"))
			error = take_names(&script, false);
		else
			error = fail_script(&script, &word);
	}
	link->private->script_depth--;
	return error;
}
