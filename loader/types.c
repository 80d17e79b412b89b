/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Types of symbols: is what a module was compiled against what is there?
 *
 * `permod stamp` leaves texts in files, section .permod.types; tools/types.c says what is in them.
 * An object has a line for each symbol that it needs, with the type that its headers gave it; a module,
 * a program or a library has one for each that it provides.  Equal checksums are equal types.  Where they
 * differ the texts tell the first difference, or that there is none that matters: a structure that one
 * side knows by its name alone, an array without bounds, a function without a prototype fit any.
 *
 * Of objects that have only what the kernel's have (checksums: __versions of what they need, symbols
 * __crc_NAME of what they export) those are compared.  What either side has nothing of is not checked.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <link.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TYPES_SECTION ".permod.types"
#define VERSIONS_SECTION "__versions"
#define CHECKSUM_PREFIX "__crc_"
#define FIRST_LINE "permod-types 1"
#define LARGEST ((size_t)1 << 28)   /* bytes of a text */
#define MOST_WORK ((size_t)1 << 28) /* bytes that a load compares: about a second's */

/* "export NAME CHECKSUM TYPE"; the type is "" if it is not known */
struct type_of_symbol {
	const char *name, *type;
	uint32_t crc;
	bool exported;
};

/* "struct NAME SIZE", and its members, each a line that begins with a blank. */
struct type_definition {
	const char *tag, *size;
	const char **members; /* without the blank */
	size_t num_members;
};

struct types {
	struct types *next; /* of another object */
	char *text;	    /* its lines are strings */
	const char **lines;
	struct type_of_symbol *symbols; /* by name, exported ones first */
	size_t num_symbols;
	struct type_definition *definitions; /* by tag */
	size_t num_definitions;
};

/* Types of a program or library in the process. */
struct image_types {
	struct image_types *next;
	uintptr_t base;
	struct types *types; /* NULL: none are known */
};

/* ---- Texts ---------------------------------------------------------------------------------- */

void free_types(struct types *types)
{
	while (types) {
		struct types *next = types->next;

		free(types->text);
		free(types->lines);
		free(types->symbols);
		free(types->definitions);
		free(types);
		types = next;
	}
}

/* Cut a word off; what is behind it, "" at the end. */
static char *cut(char *text)
{
	char *blank = strchr(text, ' ');

	if (!blank)
		return text + strlen(text);
	*blank = '\0';
	return blank + 1;
}

static int compare_symbols(const void *a, const void *b)
{
	const struct type_of_symbol *first = a, *second = b;

	if (first->exported != second->exported)
		return second->exported - first->exported;
	return strcmp(first->name, second->name);
}

static int compare_definitions(const void *a, const void *b)
{
	const struct type_definition *first = a, *second = b;

	return strcmp(first->tag, second->tag);
}

static bool add_symbol(struct types *types, char *line, bool exported)
{
	char *name = cut(line), *crc = cut(name), *type = cut(crc);
	struct type_of_symbol *symbol = grow(&types->symbols, &types->num_symbols, sizeof(*symbol));

	if (symbol)
		*symbol = (struct type_of_symbol){ name, type, (uint32_t)strtoul(crc, NULL, 16),
						   exported };
	return symbol != NULL;
}

/* "struct name 24": the tag is two words. */
static bool add_definition(struct types *types, char *line, const char **members)
{
	char *size = strrchr(line, ' ');
	struct type_definition *definition =
		grow(&types->definitions, &types->num_definitions, sizeof(*definition));

	if (!definition)
		return false;
	if (size)
		*size++ = '\0';
	*definition = (struct type_definition){ .tag = line,
						.size = size ? size : "",
						.members = members };
	return true;
}

/* Of the definition right before it: what a symbol's line parts from it is nobody's. */
static void add_member(struct types *types, const char *member, size_t number)
{
	struct type_definition *last;

	if (!types->num_definitions)
		return;
	last = &types->definitions[types->num_definitions - 1];
	if (last->members + last->num_members != types->lines + number)
		return;
	types->lines[number] = member;
	last->num_members++;
}

static bool add_line(struct types *types, char *line, size_t number)
{
	if (*line == ' ') {
		add_member(types, line + 1, number);
		return true;
	}
	if (strncmp(line, "export ", 7) == 0 || strncmp(line, "import ", 7) == 0)
		return add_symbol(types, line, *line == 'e');
	return add_definition(types, line, types->lines + number + 1);
}

/* One text, without its first line; NULL without memory. */
static struct types *parse_one(const char *text, size_t size)
{
	struct types *types = calloc(1, sizeof(*types));
	size_t count = 1, number = 0;
	bool good;

	if (!types)
		return NULL;
	for (size_t i = 0; i < size; i++)
		count += text[i] == '\n';
	types->text = strndup(text, size);
	types->lines = calloc(count + 1, sizeof(*types->lines));
	good = types->text && types->lines;
	for (char *line = types->text, *next; good && line && *line; line = next, number++) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		good = add_line(types, line, number);
	}
	if (!good) {
		free_types(types);
		return NULL;
	}
	if (types->num_symbols)
		qsort(types->symbols, types->num_symbols, sizeof(*types->symbols), compare_symbols);
	if (types->num_definitions)
		qsort(types->definitions, types->num_definitions, sizeof(*types->definitions),
		      compare_definitions);
	return types;
}

/* Add what is in a section to a list: several texts if `ld -r` put sections together.  -ENOMEM, or 0 also
 * for what is none. */
static int parse_section(struct types **list, const char *bytes, size_t size)
{
	const char *end = bytes + size;

	while (bytes < end && size <= LARGEST) {
		const char *text = memmem(bytes, (size_t)(end - bytes), FIRST_LINE "\n",
					  sizeof(FIRST_LINE)),
			   *next;
		struct types *types;

		if (!text)
			break;
		text += sizeof(FIRST_LINE);
		next = memmem(text, (size_t)(end - text), FIRST_LINE "\n", sizeof(FIRST_LINE));
		types = parse_one(text, (size_t)((next ? next : end) - text));
		if (!types)
			return -ENOMEM;
		types->next = *list;
		*list = types;
		bytes = next ? next : end;
	}
	return 0;
}

/* The line of a symbol, and the text that it is in; NULL if there is none. */
static const struct type_of_symbol *find_symbol(struct load *load, struct types **list,
						const char *name)
{
	const struct type_of_symbol key = { .name = name, .exported = true }, *found;

	for (; *list; *list = (*list)->next) {
		load->compared++;
		found = (*list)->num_symbols ? bsearch(&key, (*list)->symbols, (*list)->num_symbols,
						       sizeof(key), compare_symbols)
					     : NULL;
		if (found)
			return found;
	}
	return NULL;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

/* Names of structures in a text; not terminated. */
struct reference {
	const char *name; /* "struct packet" */
	size_t length;
};

struct pair {
	struct reference was, is;
};

/* Two structures that are alike, unless the load is refused: each such pair is compared once in it.  It is
 * the pair that counts, as there are several structures of one name in some programs. */
struct alike {
	const struct type_definition *was, *is;
};

/* Two texts that are compared, and structures yet to be. */
struct comparison {
	struct load *load;
	struct types *was, *is;
	struct pair *pairs;
	size_t num_pairs;
	bool no_memory;
	char *difference; /* or NULL */
};

/* How long a reference at this place is; 0 if there is none. */
static size_t reference_length(const char *text, bool in_name)
{
	static const char *const kinds[] = { "struct ", "union ", "enum " };

	for (size_t i = 0; !in_name && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t length = strlen(kinds[i]);

		if (strncmp(text, kinds[i], length) != 0)
			continue;
		for (;;) {
			length += strcspn(text + length, "(){}[],;: ");
			if (text[length] != ':' || text[length + 1] != ':')
				return length;
			length += 2;
		}
	}
	return 0;
}

/* Without what tells structures of one name in one program apart. */
static size_t plain_length(struct reference reference)
{
	const char *sign = memchr(reference.name, '#', reference.length);

	return sign ? (size_t)(sign - reference.name) : reference.length;
}

static bool add_pair(struct comparison *comparison, struct reference was, struct reference is)
{
	struct pair *pair;

	if (plain_length(was) != plain_length(is) ||
	    memcmp(was.name, is.name, plain_length(was)) != 0)
		return false;
	pair = grow(&comparison->pairs, &comparison->num_pairs, sizeof(*pair));
	if (pair)
		*pair = (struct pair){ was, is };
	else
		comparison->no_memory = true;
	return true;
}

/* Behind the parenthesis or bracket that closes the one here. */
static const char *skip_group(struct comparison *comparison, const char *text)
{
	unsigned int depth = 0;

	for (; *text; text++) {
		comparison->load->compared++;
		if (strchr("([{", *text))
			depth++;
		else if (strchr(")]}", *text) && --depth == 0)
			return text + 1;
	}
	return text;
}

/* What stands for anything: an array's unknown bound, unknown parameters. */
static bool is_open(const char *was, const char *is)
{
	return (*was == '[' && *is == '[' && (was[1] == ']' || is[1] == ']')) ||
	       (*was == '(' && *is == '(' && (was[1] == '?' || is[1] == '?'));
}

/* Whether two types are written alike; what they refer to is to be compared then. */
static bool match(struct comparison *comparison, const char *was, const char *is)
{
	bool in_name = false;

	while (*was && *is && comparison->load->compared++ < MOST_WORK) {
		struct reference first = { was, reference_length(was, in_name) };
		struct reference second = { is, reference_length(is, in_name) };

		if (first.length && second.length) {
			if (!add_pair(comparison, first, second))
				return false;
			was += first.length;
			is += second.length;
			continue;
		}
		if (is_open(was, is)) {
			was = skip_group(comparison, was);
			is = skip_group(comparison, is);
			continue;
		}
		if (*was != *is)
			return false;
		in_name = isalnum((unsigned char)*was) || strchr("_$~", *was);
		was++;
		is++;
	}
	return *was == *is;
}

static struct type_definition *find_definition(const struct types *types,
					       struct reference reference)
{
	struct type_definition key = { .tag = strndup(reference.name, reference.length) };
	struct type_definition *found = NULL;

	if (key.tag && types->num_definitions)
		found = bsearch(&key, types->definitions, types->num_definitions, sizeof(key),
				compare_definitions);
	free((char *)key.tag);
	return found;
}

static __attribute__((format(printf, 2, 3))) void differ(struct comparison *comparison,
							 const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (vasprintf(&comparison->difference, format, args) < 0) {
		comparison->difference = NULL;
		comparison->no_memory = true;
	}
	va_end(args);
}

static bool has_member(const struct type_definition *definition, const char *member)
{
	size_t length = strcspn(member, " ");

	for (size_t i = 0; i < definition->num_members; i++) {
		if (strncmp(definition->members[i], member, length) == 0 &&
		    definition->members[i][length] == ' ')
			return true;
	}
	return false;
}

/* "u32 at 8" of "len 8 u32"; of an enumerator its value. */
static char *describe(const char *member, char *buffer, size_t size)
{
	const char *offset = member + strcspn(member, " "), *type;

	offset += *offset == ' ';
	type = strchr(offset, ' ');
	if (!type)
		snprintf(buffer, size, "%s", offset);
	else if (strncmp(offset, "virtual ", 8) == 0)
		snprintf(buffer, size, "virtual function %s", type + 1);
	else
		snprintf(buffer, size, "%s at %.*s", type + 1, (int)(type - offset), offset);
	return buffer;
}

#define MEMBER_TEXT 256

static void differ_members(struct comparison *comparison, const struct type_definition *was,
			   const struct type_definition *is, size_t i)
{
	const char *old = i < was->num_members ? was->members[i] : NULL;
	const char *new = i < is->num_members ? is->members[i] : NULL;
	const char *word = strncmp(is->tag, "enum ", 5) == 0 ? "value" : "member";
	char one[MEMBER_TEXT], other[MEMBER_TEXT];

	if (old && !has_member(is, old))
		differ(comparison, "%s: %s %.*s (%s) is gone", is->tag, word,
		       (int)strcspn(old, " "), old, describe(old, one, sizeof(one)));
	else if (new && !has_member(was, new))
		differ(comparison, "%s: %s %.*s (%s) is new", is->tag, word, (int)strcspn(new, " "),
		       new, describe(new, one, sizeof(one)));
	else if (old && new &&strcspn(old, " ") == strcspn(new, " ") &&
		 strncmp(old, new, strcspn(old, " ")) == 0)
		differ(comparison, "%s: %s %.*s was %s, is %s", is->tag, word,
		       (int)strcspn(old, " "), old, describe(old, one, sizeof(one)),
		       describe(new, other, sizeof(other)));
	else
		differ(comparison, "%s: its %ss are in another order", is->tag, word);
}

/* Name and offset as they are, and the type. */
static bool match_member(struct comparison *comparison, const char *was, const char *is)
{
	size_t place = strcspn(was, " ");

	if (was[place])
		place += 1 + strcspn(was + place + 1, " ");
	if (strncmp(was, is, place) != 0 || (is[place] != ' ' && is[place]))
		return false;
	return match(comparison, was + place, is + place);
}

static int compare_alike(const void *a, const void *b)
{
	const struct alike *first = a, *second = b;

	if (first->was != second->was)
		return first->was < second->was ? -1 : 1;
	return first->is < second->is ? -1 : first->is > second->is;
}

/* Whether the two are to be compared now. */
static bool is_new_pair(struct comparison *comparison, const struct type_definition *was,
			const struct type_definition *is)
{
	struct alike *alike = malloc(sizeof(*alike)), **found = NULL;

	if (alike) {
		*alike = (struct alike){ was, is };
		found = tsearch(alike, &comparison->load->alike, compare_alike);
	}
	if (!found || *found != alike)
		free(alike);
	comparison->no_memory |= !found;
	return found && *found == alike;
}

void forget_alike(struct load *load)
{
	tdestroy(load->alike, free);
	load->alike = NULL;
}

static void compare_pair(struct comparison *comparison, const struct pair *pair)
{
	struct type_definition *was = find_definition(comparison->was, pair->was);
	struct type_definition *is = find_definition(comparison->is, pair->is);
	size_t count;

	/* Of what is only declared nobody knows more. */
	comparison->load->compared += pair->was.length + pair->is.length;
	if (!was || !is || !is_new_pair(comparison, was, is))
		return;
	count = was->num_members > is->num_members ? was->num_members : is->num_members;
	for (size_t i = 0; i < count && !comparison->difference; i++) {
		if (i >= was->num_members || i >= is->num_members ||
		    !match_member(comparison, was->members[i], is->members[i]))
			differ_members(comparison, was, is, i);
	}
	if (!comparison->difference && strcmp(was->size, is->size) != 0)
		differ(comparison, "%s was %s bytes, is %s", is->tag, was->size, is->size);
}

/* What is different, to be freed; NULL if nothing is, or without memory. */
static char *compare_types(struct load *load, struct types *was_types,
			   const struct type_of_symbol *was, struct types *is_types,
			   const struct type_of_symbol *is, bool *no_memory)
{
	struct comparison comparison = { .load = load, .was = was_types, .is = is_types };

	if (!match(&comparison, was->type, is->type))
		differ(&comparison, "it was %s, is %s", was->type, is->type);
	for (size_t i = 0; i < comparison.num_pairs && !comparison.difference &&
			   !comparison.no_memory && load->compared < MOST_WORK;
	     i++)
		compare_pair(&comparison,
			     &(struct pair){ comparison.pairs[i].was, comparison.pairs[i].is });
	free(comparison.pairs);
	*no_memory = comparison.no_memory;
	return comparison.difference;
}

/* ---- Images: the program and its libraries --------------------------------------------------- */

struct image_search {
	uintptr_t address, base; /* of what is mapped first; 0: not found */
	bool program;
};

static int look_into_image(struct dl_phdr_info *image, size_t size, void *arg)
{
	struct image_search *search = arg;
	uintptr_t base = 0;
	bool found = false;

	(void)size;
	for (unsigned int i = 0; i < image->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &image->dlpi_phdr[i];
		uintptr_t begin = image->dlpi_addr + segment->p_vaddr;

		if (segment->p_type != PT_LOAD)
			continue;
		base = base ? base : begin;
		found |= search->address - begin < segment->p_memsz;
	}
	/* The program is first; its per-CPU variables are not in it, but have cookies. */
	if (found || !search->base) {
		search->base = base;
		search->program = !*image->dlpi_name;
	}
	return found;
}

/* The number of the file that is mapped at an address, and its name; false if none is. */
static bool mapped_file(uintptr_t address, uint64_t *inode, char *path, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	while (maps && !found && getline(&line, &room, maps) > 0) {
		uintptr_t begin, end;
		int name = 0;

		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %" SCNu64 " %n", &begin,
			   &end, inode, &name) < 3 ||
		    address - begin >= end - begin)
			continue;
		line[strcspn(line, "\n")] = '\0';
		found = *inode && name && snprintf(path, size, "%s", line + name) < (int)size;
	}
	free(line);
	if (maps)
		fclose(maps);
	return found;
}

static int parse_file(struct types **types, int fd)
{
	Elf *elf = elf_version(EV_CURRENT) ? elf_begin(fd, ELF_C_READ, NULL) : NULL;
	int error = elf ? read_shared_types(elf, types) : 0;

	elf_end(elf);
	return error;
}

int read_shared_types(struct Elf *elf, struct types **types)
{
	Elf_Scn *section = NULL;
	size_t names;
	int error = 0;

	while (!elf_getshdrstrndx(elf, &names) && !error && (section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_PROGBITS)
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (!name || strcmp(name, TYPES_SECTION) != 0)
			continue;
		data = elf_rawdata(section, NULL);
		if (data && data->d_buf)
			error = parse_section(types, data->d_buf, data->d_size);
	}
	return error;
}

/* Only of the very file that is mapped: a newer one may have taken its place. */
static int read_image_types(const struct image_search *search, struct types **types)
{
	char path[4096];
	uint64_t inode;
	int error = 0;

	if (!mapped_file(search->base, &inode, path, sizeof(path)))
		return 0;
	for (unsigned int i = search->program ? 0 : 1; i < 2; i++) {
		int fd = open(i ? path : "/proc/self/exe", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		struct stat about;

		if (fd < 0)
			continue;
		if (!fstat(fd, &about) && about.st_ino == inode) {
			error = parse_file(types, fd);
			i = 2;
		}
		close(fd);
	}
	return error;
}

void forget_image_types(struct permod *pm)
{
	while (pm->images) {
		struct image_types *next = pm->images->next;

		free_types(pm->images->types);
		free(pm->images);
		pm->images = next;
	}
}

static int image_types(struct load *load, uintptr_t address, struct types **types)
{
	struct image_search search = { .address = address };
	struct permod *pm = load->pm;
	struct image_types *image;

	if (pm->images_changes != image_changes()) {
		forget_image_types(pm);
		forget_alike(load);
		pm->images_changes = image_changes();
	}
	each_image(look_into_image, &search);
	for (image = pm->images; image && image->base != search.base;)
		image = image->next;
	if (!image) {
		image = calloc(1, sizeof(*image));
		if (!image)
			return -ENOMEM;
		image->base = search.base;
		if (read_image_types(&search, &image->types)) {
			free_types(image->types);
			free(image);
			return -ENOMEM;
		}
		image->next = pm->images;
		pm->images = image;
	}
	*types = image->types;
	return 0;
}

/* ---- A load --------------------------------------------------------------------------------- */

/* Who has a symbol, and what is said of it there. */
struct provider {
	const char *name;
	struct types *types;
	const struct type_of_symbol *symbol; /* or NULL */
};

/* What takes no end is nothing that `permod stamp` writes. */
static int check_work(struct load *load, const char *symbol)
{
	if (load->compared < MOST_WORK)
		return 0;
	return fail(
		load->pm, -ENOEXEC,
		"%s: %s: its type takes too long to be compared; section %s is damaged, here or "
		"where that symbol is from",
		load->path, symbol, TYPES_SECTION);
}

static int find_in_image(struct load *load, const char *name, uintptr_t address,
			 struct provider *provider)
{
	*provider = (struct provider){ .name = "the host" };
	if (image_types(load, address, &provider->types))
		return fail_memory(load->pm);
	provider->symbol = find_symbol(load, &provider->types, name);
	return check_work(load, name);
}

static int find_provided(struct load *load, const char *name, struct provider *provider)
{
	const struct link_symbol *symbol = link_find(load->link, name);
	const struct permod_module *owner = symbol && symbol->external ? symbol->owner : NULL;

	*provider = (struct provider){ NULL, NULL, NULL };
	if (owner == &provider_host || owner == &provider_libdl)
		return find_in_image(load, name, symbol->value, provider);
	if (is_module(owner)) {
		*provider = (struct provider){ owner->name, owner->types, NULL };
		provider->symbol = find_symbol(load, &provider->types, name);
	}
	return check_work(load, name);
}

static int refuse_types(struct load *load, const char *symbol, const char *difference,
			const struct provider *provider)
{
	fail(load->pm, -ENOEXEC,
	     "%s: %s: %s (it was built against another version of %s than is here); rebuild it",
	     load->path, symbol, difference, provider->name);
	return refuse_misfit(load, -ENOEXEC);
}

static int compare_checksum(struct load *load, const char *symbol, unsigned long was,
			    const struct provider *provider)
{
	char difference[128];

	if (!provider->symbol || provider->symbol->crc == was)
		return 0;
	snprintf(difference, sizeof(difference),
		 "the checksum of its type was 0x%08lx, is 0x%08" PRIx32, was,
		 provider->symbol->crc);
	return refuse_types(load, symbol, difference, provider);
}

static int compare_import(struct load *load, struct types *own, const struct type_of_symbol *import,
			  const struct provider *provider)
{
	bool no_memory = false;
	char *difference;
	int error = 0;

	if (!provider->symbol || provider->symbol->crc == import->crc)
		return 0;
	if (!*provider->symbol->type)
		return compare_checksum(load, import->name, import->crc, provider);
	difference =
		compare_types(load, own, import, provider->types, provider->symbol, &no_memory);
	error = no_memory ? fail_memory(load->pm) : check_work(load, import->name);
	if (!error && difference)
		error = refuse_types(load, import->name, difference, provider);
	free(difference);
	return error;
}

static int check_import(struct load *load, struct types *own, const struct type_of_symbol *import)
{
	struct provider provider;
	int error = find_provided(load, import->name, &provider);

	return error ? error : compare_import(load, own, import, &provider);
}

/* An entry of __versions. */
struct version {
	unsigned long crc;
	char name[64 - sizeof(unsigned long)];
};

static int check_version(struct load *load, const struct version *version)
{
	struct provider provider;
	int error;

	if (strnlen(version->name, sizeof(version->name)) == sizeof(version->name))
		return fail(load->pm, -ENOEXEC, "%s: section %s: a name does not end", load->path,
			    VERSIONS_SECTION);
	error = find_provided(load, version->name, &provider);
	return error ? error : compare_checksum(load, version->name, version->crc, &provider);
}

static bool has_types(struct link *link, const struct link_object *object)
{
	struct link_section *section = NULL;

	while ((section = link_next_section(link, TYPES_SECTION, section))) {
		if (section->object == object && section->data)
			return true;
	}
	return false;
}

/* Of objects that have nothing better. */
static int check_version_tables(struct load *load)
{
	struct link_section *section = NULL;
	struct version version;
	int error = 0;

	while (!error && (section = link_next_section(load->link, VERSIONS_SECTION, section))) {
		if (!section->data || has_types(load->link, section->object))
			continue;
		if (section->size % sizeof(version))
			return fail(load->pm, -ENOEXEC,
				    "%s: section %s: %llu bytes are no multiple of an entry's %zu",
				    load->path, VERSIONS_SECTION, (unsigned long long)section->size,
				    sizeof(version));
		for (size_t at = 0; at < section->size && !error; at += sizeof(version)) {
			memcpy(&version, section->data + at, sizeof(version));
			error = check_version(load, &version);
		}
	}
	return error;
}

int read_types(struct link *link, struct types **types)
{
	struct link_section *section = NULL;
	int error = 0;

	while (!error && (section = link_next_section(link, TYPES_SECTION, section))) {
		if (section->data)
			error = parse_section(types, (const char *)section->data, section->size);
	}
	return error;
}

/* The checksum that a symbol tells: its value, or what is where it points to. */
static bool read_checksum(const struct link_symbol *symbol, uint32_t *crc)
{
	const struct link_section *section = symbol->section;

	*crc = (uint32_t)symbol->value;
	if (!section)
		return !symbol->external;
	if (!section->data || section->size < sizeof(*crc) ||
	    symbol->value > section->size - sizeof(*crc))
		return false;
	memcpy(crc, section->data + symbol->value, sizeof(*crc));
	return true;
}

static void print_checksums(FILE *stream, struct link *link)
{
	const size_t length = strlen(CHECKSUM_PREFIX);
	struct link_symbol *symbol = NULL;
	uint32_t crc;

	while ((symbol = link_next_defined(link, symbol))) {
		if (strncmp(symbol->name, CHECKSUM_PREFIX, length) == 0 &&
		    !strpbrk(symbol->name, " \n") && read_checksum(symbol, &crc))
			fprintf(stream, "export %s %08" PRIx32 "\n", symbol->name + length, crc);
	}
}

/* What objects tell of their exports that have none of our texts, as such a text. */
static int read_checksums(struct link *link, struct types **types)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream;
	struct types *read = NULL;
	bool failed;

	if (*types)
		return 0;
	stream = open_memstream(&text, &size);
	if (!stream)
		return -ENOMEM;
	print_checksums(stream, link);
	failed = fclose(stream) != 0 || (size && !(read = parse_one(text, size)));
	free(text);
	*types = read;
	return failed ? -ENOMEM : 0;
}

int get_type(const struct types *types, unsigned int index, struct permod_type *type)
{
	for (; types; types = types->next) {
		const struct type_of_symbol *symbol;

		if (index >= types->num_symbols) {
			index -= (unsigned int)types->num_symbols;
			continue;
		}
		symbol = &types->symbols[index];
		*type = (struct permod_type){ symbol->name, symbol->type, symbol->crc,
					      symbol->exported };
		return 0;
	}
	return -ENOENT;
}

/* Only what it exports is of use to others. */
static void keep_exports(struct permod_module *module)
{
	struct types **types = &module->types;

	while (*types) {
		struct types *next = (*types)->next;

		if ((*types)->num_symbols && (*types)->symbols[0].exported) {
			types = &(*types)->next;
			continue;
		}
		(*types)->next = NULL;
		free_types(*types);
		*types = next;
	}
}

int check_types(struct load *load)
{
	struct permod_module *module = load->module;
	int error = 0;

	if (read_types(load->link, &module->types) || read_checksums(load->link, &module->types))
		error = fail_memory(load->pm);
	for (struct types *types = module->types; types && !error; types = types->next) {
		for (size_t i = 0; i < types->num_symbols && !error; i++) {
			if (!types->symbols[i].exported)
				error = check_import(load, types, &types->symbols[i]);
		}
	}
	if (!error)
		error = check_version_tables(load);
	keep_exports(module);
	return error;
}

/* The dynamic linker finds in the process what is there before it looks elsewhere. */
static int check_shared_import(struct load *load, struct types *own,
			       const struct type_of_symbol *import, void *handle)
{
	struct provider provider;
	void *address;
	int error;

	if (!ask_libdl(RTLD_DEFAULT, import->name, &address) &&
	    !(handle && ask_libdl(handle, import->name, &address)))
		return 0;
	error = find_in_image(load, import->name, (uintptr_t)address, &provider);
	return error ? error : compare_import(load, own, import, &provider);
}

int check_shared_types(struct load *load, void *handle)
{
	struct permod_module *module = load->module;
	int error = 0;

	for (struct types *types = module->types; types && !error; types = types->next) {
		for (size_t i = 0; i < types->num_symbols && !error; i++) {
			if (!types->symbols[i].exported)
				error = check_shared_import(load, types, &types->symbols[i],
							    handle);
		}
	}
	return error;
}
