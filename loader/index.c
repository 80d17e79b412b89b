/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Are the files that libkmod will search what depmod writes?  libkmod trusts them: an offset out of the file, a
 * node that is its own child or a text without an end would make it read beyond, or for ever.
 *
 * An index, modules.dep.bin say, maps texts to lists of texts.  Numbers have 32 bits, the highest byte
 * first:
 *
 *     magic, version, reference to the root
 *     nodes: [prefix NUL] [first, last, references to last - first + 1 nodes] [count, values]
 *     a value: priority, text NUL
 *
 * Bits of the reference to a node tell which of the three parts it has.  Nodes make up a tree: one for each
 * character by which texts differ.  depmod writes children before their parents.
 *
 * The texts (modprobe.d(5), modules.softdep) are looked through for lines that libkmod would complain
 * of on standard error, and then pass over.
 */
#include "tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_MAGIC 0xB007F457U
#define INDEX_MAJOR 2U /* the upper half of the version */
#define HEADER 12U

#define HAS_PREFIX 0x80000000U
#define HAS_VALUES 0x40000000U
#define HAS_CHILDREN 0x20000000U
#define OFFSET 0x0fffffffU

#define MOST_CHARACTER 127U /* as a signed one libkmod reads it */
#define MOST_LEVELS 1024U   /* libkmod's search calls itself for each */

/* A node that is to be looked at. */
struct node {
	uint32_t reference;
	unsigned int level;
};

struct index {
	const unsigned char *data;
	size_t size;
	size_t at;	     /* where it is read next */
	bool broken;	     /* it ended too early */
	unsigned char *seen; /* a bit for each offset at which a node began */
	struct node *nodes;
	size_t num_nodes;
};

static uint32_t read_number(struct index *index, unsigned int bytes)
{
	uint32_t number = 0;

	if (index->size - index->at < bytes) {
		index->broken = true;
		return 0;
	}
	while (bytes--)
		number = number << 8 | index->data[index->at++];
	return number;
}

static void pass_text(struct index *index)
{
	size_t left = index->size - index->at;
	size_t length = strnlen((const char *)index->data + index->at, left);

	index->broken |= length == left;
	index->at += length < left ? length + 1 : left;
}

/* What is wrong with a reference, or NULL; -ENOMEM is told by *no_memory. */
static const char *add_node(struct index *index, uint32_t reference, size_t parent,
			    unsigned int level, bool *no_memory)
{
	size_t offset = reference & OFFSET;
	struct node *node;

	/* There is none for this character. */
	if (!offset)
		return NULL;
	if (offset < HEADER || offset >= parent)
		return "a node lies where none can be";
	if (index->seen[offset / 8] & (1U << offset % 8))
		return "two nodes have the same child";
	if (level > MOST_LEVELS)
		return "its nodes nest too deeply";
	index->seen[offset / 8] |= (unsigned char)(1U << offset % 8);
	node = grow(&index->nodes, &index->num_nodes, sizeof(*node));
	if (!node) {
		*no_memory = true;
		return NULL;
	}
	*node = (struct node){ reference, level };
	return NULL;
}

static const char *check_children(struct index *index, struct node node, bool *no_memory)
{
	uint32_t first = read_number(index, 1), last = read_number(index, 1);
	const char *wrong = NULL;

	if (first > last || last > MOST_CHARACTER)
		return "a node has no proper range of characters";
	for (uint32_t i = first; i <= last && !index->broken && !wrong && !*no_memory; i++)
		wrong = add_node(index, read_number(index, 4), node.reference & OFFSET,
				 node.level + 1, no_memory);
	return wrong;
}

static const char *check_node(struct index *index, struct node node, bool *no_memory)
{
	const char *wrong = NULL;

	index->at = node.reference & OFFSET;
	if (node.reference & HAS_PREFIX)
		pass_text(index);
	if (node.reference & HAS_CHILDREN)
		wrong = check_children(index, node, no_memory);
	if (wrong || !(node.reference & HAS_VALUES))
		return wrong;
	for (uint32_t count = read_number(index, 4); count && !index->broken; count--) {
		read_number(index, 4);
		pass_text(index);
	}
	return NULL;
}

static const char *check_nodes(struct index *index, bool *no_memory)
{
	const char *wrong;

	if (read_number(index, 4) != INDEX_MAGIC)
		return "it does not begin as an index of depmod(8) does";
	if (read_number(index, 4) >> 16 != INDEX_MAJOR)
		return "its version is another";
	/* That of an empty index has no parts, and is at the end. */
	wrong = add_node(index, read_number(index, 4), index->size + 1, 0, no_memory);
	while (index->num_nodes && !wrong && !index->broken && !*no_memory)
		wrong = check_node(index, index->nodes[--index->num_nodes], no_memory);
	return index->broken ? "it ends too early" : wrong;
}

int check_index(struct permod *pm, const char *path, const void *data, size_t size)
{
	struct index index = { .data = data, .size = size, .seen = calloc(size / 8 + 1, 1) };
	bool no_memory = !index.seen;
	const char *wrong = no_memory ? NULL : check_nodes(&index, &no_memory);

	free(index.seen);
	free(index.nodes);
	if (no_memory)
		return fail_memory(pm);
	if (wrong)
		return fail(pm, -EINVAL, "%s: damaged: %s; run depmod again", path, wrong);
	return 0;
}

/* Past what a node has before its children; false if the key does not go on with its prefix. */
static bool match_prefix(struct index *index, uint32_t reference, const char **key)
{
	const char *prefix;
	size_t length;

	index->at = reference & OFFSET;
	if (!(reference & HAS_PREFIX))
		return true;
	prefix = (const char *)index->data + index->at;
	length = strlen(prefix);
	if (strncmp(prefix, *key, length) != 0)
		return false;
	*key += length;
	pass_text(index);
	return true;
}

/* The child for a character, 0 if there is none; what stands behind the children is next. */
static uint32_t read_child(struct index *index, unsigned char character)
{
	uint32_t first = read_number(index, 1), last = read_number(index, 1), child = 0;

	for (uint32_t i = first; i <= last; i++) {
		uint32_t reference = read_number(index, 4);

		if (i == character && reference & OFFSET)
			child = reference;
	}
	return child;
}

const char *find_in_index(const void *data, size_t size, const char *key)
{
	struct index index = { .data = data, .size = size, .at = 8 };
	uint32_t node = read_number(&index, 4);

	while (node & OFFSET) {
		uint32_t child = 0;

		if (!match_prefix(&index, node, &key))
			return NULL;
		if (node & HAS_CHILDREN)
			child = read_child(&index, (unsigned char)*key);
		if (!*key) {
			if (!(node & HAS_VALUES) || !read_number(&index, 4))
				return NULL;
			return (const char *)index.data + index.at + 4;
		}
		key++;
		node = child;
	}
	return NULL;
}

/* ---- Settings ------------------------------------------------------------------------------- */

/* The commands of modprobe.d(5), and how many words each needs. */
static const struct setting {
	const char *command;
	unsigned int words;
} settings[] = {
	{ "alias", 3 },	  { "blacklist", 2 }, { "install", 3 },
	{ "options", 3 }, { "remove", 3 },    { "softdep", 3 },
};

#define BLANKS " \t\n"

static const struct setting *find_setting(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (strlen(settings[i].command) == length &&
		    strncmp(settings[i].command, word, length) == 0)
			return &settings[i];
	}
	return NULL;
}

/* Brackets of a pattern are closed, and in pairs. */
static bool has_pairs(const char *word, size_t length)
{
	bool open = false;

	for (size_t i = 0; i < length; i++) {
		if (word[i] == ']' && !open)
			return false;
		if (word[i] == '[' || word[i] == ']')
			open = word[i] == '[';
	}
	return !open;
}

/* A line without its end. */
static int check_setting(struct permod *pm, const char *path, unsigned int number, const char *line)
{
	const char *word = line + strspn(line, BLANKS);
	size_t length = strcspn(word, BLANKS);
	const struct setting *setting = find_setting(word, length);
	const char *name = word + length + strspn(word + length, BLANKS);
	size_t name_length = strcspn(name, BLANKS);
	const char *rest = name + name_length + strspn(name + name_length, BLANKS);

	if (!length || *line == '#')
		return 0;
	if (!setting)
		return fail(pm, -EINVAL,
			    "%s: line %u: '%.*s' is no command of modprobe.d; known are alias, "
			    "blacklist, install, options, remove, softdep",
			    path, number, length < 40 ? (int)length : 40, word);
	if (!*name || (setting->words > 2 && !*rest))
		return fail(pm, -EINVAL, "%s: line %u: '%s' needs %s behind it", path, number,
			    setting->command, *name ? "more" : "a module's name");
	if (!has_pairs(name, name_length))
		return fail(pm, -EINVAL, "%s: line %u: a bracket in '%.*s' has no partner", path,
			    number, name_length < 80 ? (int)name_length : 80, name);
	return 0;
}

/* The end of a line, which goes on behind a backslash; that and the newline become blanks. */
static char *end_of_line(char *line, unsigned int *lines)
{
	for (;;) {
		char *end = line + strcspn(line, "\n");

		++*lines;
		if (!*end || end == line || end[-1] != '\\')
			return end;
		end[-1] = ' ';
		*end = ' ';
		line = end + 1;
	}
}

int check_settings(struct permod *pm, const char *path, char *text)
{
	unsigned int number = 1;
	int error = 0;

	while (*text && !error) {
		unsigned int lines = 0;
		char *end = end_of_line(text, &lines);
		bool last = !*end;

		*end = '\0';
		error = check_setting(pm, path, number, text);
		number += lines;
		text = last ? end : end + 1;
	}
	return error;
}
