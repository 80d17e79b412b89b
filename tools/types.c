/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of symbols as text, from DWARF.
 *
 * Two files agree on a type if this text is the same.  So it has what binary compatibility depends on
 * (sizes, offsets, kinds, values) and the names by which people know it (of structures, members,
 * enumerators), but nothing of compilers, files or order:
 *
 *     struct packet 24            name and size; members: name, offset, type
 *      len 0 u32
 *      urgent 4.3 u32:1           byte 4, bit 3; one bit
 *      next 8 *struct packet
 *     enum colour 4
 *      RED 0
 *
 * Integers are i8..i128, u8..u128 whatever they are called, and bool8; typedefs are what they stand
 * for.  *T is a pointer, [N]T an array, fn(T,T)R a function.  A structure without a name is written out,
 * {SIZE,NAME OFFSET T;...}; one that is a member has its members among those of the outer one, as
 * "outer.inner".  What follows "#" tells structures of one name in one program from each other.  A
 * structure that is only declared has no definition.
 *
 * A checksum is a CRC-32 of a symbol's type, and of the definitions that it refers to in the order in
 * which they are met.
 *
 * Debug information is no more to be trusted than any file: depth, size and work have bounds, and named
 * structures, where cycles go through, are done one after another from a list.
 */
#define _GNU_SOURCE
#include "types.h"

#include "tool.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <search.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEEPEST 200		       /* types in types, without a named structure between */
#define LONGEST ((size_t)1 << 20)      /* bytes of one definition's text */
#define MOST_TEXT ((size_t)1 << 28)    /* bytes of all */
#define MOST_DEFINITIONS 1000000U      /* structures, enumerations */
#define MOST_VISITS (1UL << 26)	       /* damaged trees have one child any number of times */
#define IMPORT_PREFIX "__permod_type_" /* see IMPORT_SYMBOL() */

/* A text that grows. */
struct text {
	char *bytes; /* ends with a NUL, if not NULL */
	size_t size, room;
};

/* A structure, union or enumeration with a name. */
struct definition {
	char *tag;   /* "struct packet" */
	char *plain; /* text without the tag, in which structures of one name are not told apart */
	char *text;  /* the same with "#"; NULL until it is its turn */
	unsigned int variant; /* among those of the same tag, from 1 */
	struct definition *next_variant;
	Dwarf_Die die;
	unsigned long seen; /* number of the last checksum that it was part of */
};

/* Of DIEs that were met: which definition one is. */
struct known_die {
	void *address; /* of the DIE: its identity */
	struct definition *definition;
};

struct types {
	struct typed_symbol *symbols;
	size_t count;
	struct definition **definitions; /* in the order in which they were met: a list of work */
	size_t num_definitions, room;
	void *by_tag, *by_die; /* trees */
	const char *trouble;   /* what is wrong with the debug information, or NULL */
	size_t text;	       /* bytes that are kept */
	unsigned long visits;  /* of children, and comparisons */
	unsigned long checksums;
};

/* How to write a type. */
struct writer {
	struct types *types;
	struct text *out;
	bool plain; /* do not look at structures that are referred to */
};

static void write_type(struct writer *writer, Dwarf_Die *type, unsigned int depth);

/* ---- Text ----------------------------------------------------------------------------------- */

static void put(struct text *text, const char *bytes, size_t size)
{
	if (text->size > LONGEST)
		return;
	if (text->size + size + 1 > text->room) {
		text->room = (text->size + size + 1) * 2;
		text->bytes = reallocate(text->bytes, text->room, 1);
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

static void puts_to(struct text *text, const char *string)
{
	put(text, string, strlen(string));
}

static void print_to(struct text *text, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void print_to(struct text *text, const char *format, ...)
{
	char buffer[128];
	va_list args;

	va_start(args, format);
	vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	puts_to(text, buffer);
}

/* Names of C++ can have anything in them: what has a meaning here is replaced, blanks left out. */
static void put_name(struct text *text, const char *name)
{
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;

		if (byte == ' ')
			continue;
		if (byte < ' ' || byte == 0x7f || strchr("(){}[],;#", byte))
			byte = '~';
		put(text, (const char *)&byte, 1);
	}
}

/* A text that is kept. */
static void count_text(struct types *types, const struct text *text)
{
	types->text += text->size;
	if (text->size > LONGEST || types->text > MOST_TEXT)
		types->trouble = "types that are too large";
}

/* Whether there is something to do, and all is well so far. */
static bool goes_on(struct types *types, bool more)
{
	if (++types->visits > MOST_VISITS)
		types->trouble = "types without an end";
	return more && !types->trouble;
}

/* ---- Attributes ----------------------------------------------------------------------------- */

static bool get_number(Dwarf_Die *die, unsigned int name, uint64_t *value)
{
	Dwarf_Attribute attribute;
	Dwarf_Word word;

	if (!dwarf_attr_integrate(die, name, &attribute) || dwarf_formudata(&attribute, &word))
		return false;
	*value = word;
	return true;
}

static bool has_flag(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;
	bool flag;

	return dwarf_attr(die, name, &attribute) && !dwarf_formflag(&attribute, &flag) && flag;
}

static const char *get_string(Dwarf_Die *die, unsigned int name)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, name, &attribute) ? dwarf_formstring(&attribute) : NULL;
}

/* Whether something was referred to that is not there. */
static bool lost;

static bool follow(Dwarf_Attribute *attribute, Dwarf_Die *die)
{
	bool found = dwarf_formref_die(attribute, die) != NULL;

	lost |= !found;
	return found;
}

/* What DW_AT_type names; false for void. */
static bool get_type(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	return dwarf_attr_integrate(die, DW_AT_type, &attribute) && follow(&attribute, type);
}

/* Another unit can have it (-fdebug-types-section). */
static void follow_signature(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Die other;

	if (dwarf_attr(die, DW_AT_signature, &attribute) && follow(&attribute, &other))
		*die = other;
}

static bool is_cxx(Dwarf_Die *die)
{
	Dwarf_Die unit;

	if (!dwarf_diecu(die, &unit, NULL, NULL))
		return false;
	switch (dwarf_srclang(&unit)) {
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
	case 0x2b: /* C++17, C++20: newer than the header */
	case 0x2c:
		return true;
	default:
		return false;
	}
}

/* Through typedefs and qualifiers; gathers the latter as bits. */
#define IS_CONST 1U
#define IS_VOLATILE 2U
#define IS_ATOMIC 4U

static bool peel(Dwarf_Die *type, unsigned int *qualifiers)
{
	for (unsigned int depth = 0; depth < DEEPEST; depth++) {
		switch (dwarf_tag(type)) {
		case DW_TAG_const_type:
			*qualifiers |= IS_CONST;
			break;
		case DW_TAG_volatile_type:
			*qualifiers |= IS_VOLATILE;
			break;
		case DW_TAG_atomic_type:
			*qualifiers |= IS_ATOMIC;
			break;
		case DW_TAG_typedef:
		case DW_TAG_restrict_type:
			break;
		default:
			follow_signature(type);
			return true;
		}
		if (!get_type(type, type))
			return false;
	}
	return false;
}

/* ---- Structures: who is who ----------------------------------------------------------------- */

static const char *kind_of(unsigned int tag)
{
	switch (tag) {
	case DW_TAG_union_type:
		return "union";
	case DW_TAG_enumeration_type:
		return "enum";
	default:
		return "struct";
	}
}

/* What a structure is in.  In a unit of its own only its declaration is in it. */
static int get_scopes(Dwarf_Die *die, Dwarf_Die **scopes)
{
	Dwarf_Attribute attribute;
	Dwarf_Die declaration = *die;

	if (dwarf_attr(die, DW_AT_specification, &attribute))
		follow(&attribute, &declaration);
	return dwarf_getscopes_die(&declaration, scopes);
}

/* "struct name", in C++ "struct space::name". */
static char *make_tag(Dwarf_Die *die)
{
	struct text text = { NULL, 0, 0 };
	Dwarf_Die *scopes = NULL;
	int count = is_cxx(die) ? get_scopes(die, &scopes) : 0;

	puts_to(&text, kind_of((unsigned int)dwarf_tag(die)));
	puts_to(&text, " ");
	for (int i = count - 1; i > 0; i--) {
		const char *name = dwarf_diename(&scopes[i]);
		int tag = dwarf_tag(&scopes[i]);

		if (!name || tag == DW_TAG_compile_unit || tag == DW_TAG_type_unit)
			continue;
		put_name(&text, name);
		puts_to(&text, "::");
	}
	free(scopes);
	put_name(&text, dwarf_diename(die));
	return text.bytes;
}

static int compare_tags(const void *a, const void *b)
{
	const struct definition *first = a, *second = b;

	return strcmp(first->tag, second->tag);
}

static int compare_dies(const void *a, const void *b)
{
	const struct known_die *first = a, *second = b;

	return first->address < second->address ? -1 : first->address > second->address;
}

static void write_body(struct writer *writer, Dwarf_Die *die);

static char *plain_body(struct types *types, Dwarf_Die *die)
{
	struct text text = { NULL, 0, 0 };
	struct writer writer = { types, &text, true };

	write_body(&writer, die);
	count_text(types, &text);
	return text.bytes;
}

static void add_definition(struct types *types, struct definition *definition)
{
	if (types->num_definitions == types->room) {
		types->room = types->room ? types->room * 2 : 64;
		types->definitions =
			reallocate(types->definitions, types->room, sizeof(struct definition *));
	}
	types->definitions[types->num_definitions++] = definition;
	if (types->num_definitions > MOST_DEFINITIONS)
		types->trouble = "too many types";
}

/* The definition that a DIE is: one that says the same is the same. */
static struct definition *find_definition(struct types *types, Dwarf_Die *die, char *tag)
{
	struct definition *made = allocate(1, sizeof(*made)), **found, *last = NULL;

	*made = (struct definition){ .tag = tag, .variant = 1, .die = *die };
	made->plain = plain_body(types, die);
	found = tsearch(made, &types->by_tag, compare_tags);
	if (!found)
		exit(STATUS_FAILED);
	for (struct definition *other = *found; goes_on(types, other != made && other);
	     other = other->next_variant) {
		if (strcmp(other->plain, made->plain) == 0) {
			types->text -= strlen(made->plain);
			free(made->tag);
			free(made->plain);
			free(made);
			return other;
		}
		last = other;
	}
	if (last) {
		last->next_variant = made;
		made->variant = last->variant + 1;
	}
	add_definition(types, made);
	return made;
}

static struct definition *definition_of(struct types *types, Dwarf_Die *die)
{
	struct known_die *known = allocate(1, sizeof(*known)), **found;

	known->address = die->addr;
	found = tsearch(known, &types->by_die, compare_dies);
	if (!found)
		exit(STATUS_FAILED);
	if (*found != known) {
		free(known);
		return (*found)->definition;
	}
	known->definition = find_definition(types, die, make_tag(die));
	return known->definition;
}

static void write_reference(struct writer *writer, Dwarf_Die *die)
{
	struct definition *definition;
	char *tag;

	if (!writer->plain && !has_flag(die, DW_AT_declaration)) {
		definition = definition_of(writer->types, die);
		puts_to(writer->out, definition->tag);
		if (definition->variant > 1)
			print_to(writer->out, "#%u", definition->variant);
		return;
	}
	tag = make_tag(die);
	puts_to(writer->out, tag);
	free(tag);
}

/* ---- Members -------------------------------------------------------------------------------- */

static bool get_size(Dwarf_Die *type, uint64_t *size)
{
	Dwarf_Word word;

	if (dwarf_aggregate_size(type, &word))
		return false;
	*size = word;
	return true;
}

/* Old forms of debug information have an expression for it; that of a virtual base is another one. */
static uint64_t byte_offset(Dwarf_Die *member)
{
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	uint64_t offset = 0;
	size_t count;

	if (get_number(member, DW_AT_data_member_location, &offset) ||
	    !dwarf_attr(member, DW_AT_data_member_location, &attribute) ||
	    dwarf_getlocation(&attribute, &ops, &count) || count != 1)
		return offset;
	return ops[0].atom == DW_OP_plus_uconst ? ops[0].number : 0;
}

/* Bits from the begin of the structure; of a bit-field its first. */
static uint64_t bit_offset(Dwarf_Die *member, Dwarf_Die *type, uint64_t bits)
{
	uint64_t offset = 0, first, storage;

	if (get_number(member, DW_AT_data_bit_offset, &offset))
		return offset;
	offset = byte_offset(member) * 8;
	/* Before DWARF 5 it counts from the storage's highest bit. */
	if (!bits || !get_number(member, DW_AT_bit_offset, &first))
		return offset;
	if (!get_number(member, DW_AT_byte_size, &storage) && !get_size(type, &storage))
		storage = 0;
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? offset + first
						      : offset + storage * 8 - first - bits;
}

static void put_offset(struct text *out, uint64_t bits, bool is_bits)
{
	print_to(out, is_bits ? " %" PRIu64 ".%" PRIu64 " " : " %" PRIu64 " ", bits / 8, bits % 8);
}

static bool is_aggregate(Dwarf_Die *type)
{
	int tag = dwarf_tag(type);

	return tag == DW_TAG_structure_type || tag == DW_TAG_union_type || tag == DW_TAG_class_type;
}

/* What stands around the members that are being written. */
struct place {
	const char *begin; /* of a member: " " in a definition, "" where it is written out */
	const char *end;
	const char *prefix; /* "outer." */
	uint64_t bits;	    /* offset of what they are in */
	unsigned int depth;
};

static void write_members(struct writer *writer, Dwarf_Die *die, const struct place *place);

static void begin_member(struct writer *writer, const struct place *place, const char *name)
{
	puts_to(writer->out, place->begin);
	puts_to(writer->out, place->prefix);
	put_name(writer->out, name);
}

/* Of a member that is a structure without a name: it, and what is in it. */
static void write_inner(struct writer *writer, Dwarf_Die *type, const char *name, uint64_t bits,
			const struct place *place)
{
	struct text prefix = { NULL, 0, 0 };
	struct place inner = *place;
	uint64_t size = 0;

	get_size(type, &size);
	puts_to(&prefix, place->prefix);
	if (name) {
		put_name(&prefix, name);
		puts_to(&prefix, ".");
	}
	begin_member(writer, place, name ? name : "~");
	put_offset(writer->out, bits, false);
	print_to(writer->out, "%s:%" PRIu64 "%s", kind_of((unsigned int)dwarf_tag(type)), size,
		 place->end);
	inner.prefix = prefix.bytes;
	inner.bits = bits;
	inner.depth++;
	write_members(writer, type, &inner);
	free(prefix.bytes);
}

static void write_member(struct writer *writer, Dwarf_Die *member, const char *name,
			 const struct place *place)
{
	uint64_t bits = 0, offset;
	unsigned int qualifiers = 0;
	Dwarf_Die type, peeled;

	if (!get_type(member, &type))
		return;
	peeled = type;
	get_number(member, DW_AT_bit_size, &bits);
	offset = place->bits + bit_offset(member, &type, bits);
	/* The table of virtual functions has another name and type with each compiler. */
	if (name && strncmp(name, "_vptr", 5) == 0 && has_flag(member, DW_AT_artificial)) {
		begin_member(writer, place, "_vptr");
		put_offset(writer->out, offset, false);
		print_to(writer->out, "*vtable%s", place->end);
		return;
	}
	if (peel(&peeled, &qualifiers) && is_aggregate(&peeled) && !dwarf_diename(&peeled)) {
		write_inner(writer, &peeled, name, offset, place);
		return;
	}
	begin_member(writer, place, name ? name : "~");
	put_offset(writer->out, offset, bits != 0);
	write_type(writer, &type, place->depth + 1);
	if (bits)
		print_to(writer->out, ":%" PRIu64, bits);
	puts_to(writer->out, place->end);
}

/* A base class is a member that is called after it. */
static void write_base(struct writer *writer, Dwarf_Die *inheritance, const struct place *place)
{
	uint64_t is_virtual = 0;
	unsigned int qualifiers = 0;
	Dwarf_Die type;

	get_number(inheritance, DW_AT_virtuality, &is_virtual);
	if (get_type(inheritance, &type) && peel(&type, &qualifiers) && dwarf_diename(&type))
		write_member(writer, inheritance,
			     is_virtual ? "virtual~base" : dwarf_diename(&type), place);
}

/* Data, in the order of its declaration. */
static void write_data(struct writer *writer, Dwarf_Die *die, const struct place *place)
{
	Dwarf_Die child;

	for (int left = dwarf_child(die, &child); goes_on(writer->types, left == 0);
	     left = dwarf_siblingof(&child, &child)) {
		switch (dwarf_tag(&child)) {
		case DW_TAG_member:
			/* A static one is a variable. */
			if (!has_flag(&child, DW_AT_external) &&
			    !has_flag(&child, DW_AT_declaration))
				write_member(writer, &child, dwarf_diename(&child), place);
			break;
		case DW_TAG_inheritance:
			write_base(writer, &child, place);
			break;
		default:
			break;
		}
	}
}

/* A virtual function, and where it is in the table. */
struct slot {
	uint64_t number;
	const char *name;
};

static int compare_slots(const void *a, const void *b)
{
	const struct slot *first = a, *second = b;

	if (first->number != second->number)
		return first->number < second->number ? -1 : 1;
	return strcmp(first->name, second->name);
}

/* Those that the compiler makes itself not every one tells of. */
static bool is_virtual(Dwarf_Die *function, struct slot *slot)
{
	uint64_t is_virtual = 0;
	Dwarf_Attribute attribute;
	Dwarf_Op *ops;
	size_t count;

	*slot = (struct slot){ 0, dwarf_diename(function) };
	if (!get_number(function, DW_AT_virtuality, &is_virtual) || !is_virtual || !slot->name ||
	    has_flag(function, DW_AT_artificial))
		return false;
	if (dwarf_attr(function, DW_AT_vtable_elem_location, &attribute) &&
	    !dwarf_getlocation(&attribute, &ops, &count) && count)
		slot->number = ops[0].atom == DW_OP_constu ? ops[0].number
							   : (uint64_t)ops[0].atom - DW_OP_lit0;
	return true;
}

/* By their places, as compilers tell them in any order. */
static void write_virtual(struct writer *writer, Dwarf_Die *die, const struct place *place)
{
	struct slot *slots = NULL, slot;
	size_t count = 0;
	Dwarf_Die child;

	for (int left = dwarf_child(die, &child); goes_on(writer->types, left == 0);
	     left = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_subprogram || !is_virtual(&child, &slot))
			continue;
		if ((count & (count - 1)) == 0)
			slots = reallocate(slots, count ? count * 2 : 1, sizeof(*slots));
		slots[count++] = slot;
	}
	if (count)
		qsort(slots, count, sizeof(*slots), compare_slots);
	for (size_t i = 0; i < count; i++) {
		begin_member(writer, place, slots[i].name);
		print_to(writer->out, " virtual %" PRIu64 "%s", slots[i].number, place->end);
	}
	free(slots);
}

static void write_members(struct writer *writer, Dwarf_Die *die, const struct place *place)
{
	if (place->depth > DEEPEST || writer->out->size > LONGEST) {
		writer->types->trouble = "types nested too deep, or too large";
		return;
	}
	write_data(writer, die, place);
	write_virtual(writer, die, place);
}

/* The form tells whether it has a sign. */
static int64_t value_of_enumerator(Dwarf_Die *die)
{
	Dwarf_Attribute attribute;
	Dwarf_Sword with_sign = 0;
	Dwarf_Word without = 0;

	if (!dwarf_attr(die, DW_AT_const_value, &attribute))
		return 0;
	switch (dwarf_whatform(&attribute)) {
	case DW_FORM_sdata:
	case DW_FORM_implicit_const:
		dwarf_formsdata(&attribute, &with_sign);
		return with_sign;
	default:
		dwarf_formudata(&attribute, &without);
		return (int64_t)without;
	}
}

static void write_enumerators(struct writer *writer, Dwarf_Die *die, const struct place *place)
{
	Dwarf_Die child;

	for (int left = dwarf_child(die, &child);
	     goes_on(writer->types, left == 0 && writer->out->size <= LONGEST);
	     left = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_enumerator || !dwarf_diename(&child))
			continue;
		begin_member(writer, place, dwarf_diename(&child));
		print_to(writer->out, " %" PRId64 "%s", value_of_enumerator(&child), place->end);
	}
}

static void write_contents(struct writer *writer, Dwarf_Die *die, const struct place *place)
{
	if (dwarf_tag(die) == DW_TAG_enumeration_type)
		write_enumerators(writer, die, place);
	else
		write_members(writer, die, place);
}

/* Size and members, a line each. */
static void write_body(struct writer *writer, Dwarf_Die *die)
{
	static const struct place place = { " ", "\n", "", 0, 0 };
	uint64_t size = 0;

	get_size(die, &size);
	print_to(writer->out, " %" PRIu64 "\n", size);
	write_contents(writer, die, &place);
}

/* ---- Types ---------------------------------------------------------------------------------- */

static void write_base_type(struct writer *writer, Dwarf_Die *type)
{
	const char *name = dwarf_diename(type), *kind = "u";
	uint64_t encoding = 0, size = 0;

	get_number(type, DW_AT_encoding, &encoding);
	get_number(type, DW_AT_byte_size, &size);
	switch (encoding) {
	case DW_ATE_boolean:
		kind = "bool";
		break;
	case DW_ATE_signed:
	case DW_ATE_signed_char:
		kind = "i";
		break;
	case DW_ATE_unsigned:
	case DW_ATE_unsigned_char:
	case DW_ATE_UTF:
		break;
	case DW_ATE_float:
		/* Two of 16 bytes, and two of 2, differ by name alone. */
		kind = name && (strstr(name, "128") || strstr(name, "bf16")) ? "other~float" : "f";
		break;
	case DW_ATE_complex_float:
		kind = "complex";
		break;
	case DW_ATE_decimal_float:
		kind = "decimal";
		break;
	default:
		print_to(writer->out, "kind%" PRIu64 "~", encoding);
		break;
	}
	print_to(writer->out, "%s%" PRIu64, kind, size * 8);
}

/* Qualifiers of an array are those of its elements: compilers put them here or there. */
static void write_qualifiers(struct writer *writer, unsigned int qualifiers)
{
	if (qualifiers & IS_ATOMIC)
		puts_to(writer->out, "atomic ");
	if (qualifiers & IS_CONST)
		puts_to(writer->out, "const ");
	if (qualifiers & IS_VOLATILE)
		puts_to(writer->out, "volatile ");
}

static void write_qualified(struct writer *writer, Dwarf_Die *type, unsigned int qualifiers,
			    unsigned int depth);

static void write_array(struct writer *writer, Dwarf_Die *array, unsigned int qualifiers,
			unsigned int depth)
{
	Dwarf_Die child, element;
	uint64_t number;

	if (has_flag(array, DW_AT_GNU_vector))
		puts_to(writer->out, "vector");
	for (int left = dwarf_child(array, &child); goes_on(writer->types, left == 0);
	     left = dwarf_siblingof(&child, &child)) {
		if (dwarf_tag(&child) != DW_TAG_subrange_type)
			continue;
		if (get_number(&child, DW_AT_count, &number) && number)
			print_to(writer->out, "[%" PRIu64 "]", number);
		else if (get_number(&child, DW_AT_upper_bound, &number) && number + 1)
			print_to(writer->out, "[%" PRIu64 "]", number + 1);
		else
			puts_to(writer->out, "[]");
	}
	if (get_type(array, &element))
		write_qualified(writer, &element, qualifiers, depth + 1);
}

/* Qualifiers of a parameter or result concern nobody but the function. */
static void write_unqualified(struct writer *writer, Dwarf_Die *die, unsigned int depth)
{
	unsigned int qualifiers = 0;
	Dwarf_Die type;

	if (!get_type(die, &type) || !peel(&type, &qualifiers))
		puts_to(writer->out, "void");
	else
		write_qualified(writer, &type, 0, depth);
}

static void write_function(struct writer *writer, Dwarf_Die *function, unsigned int depth)
{
	const char *separator = "";
	Dwarf_Die child;

	puts_to(writer->out, "fn(");
	for (int left = dwarf_child(function, &child); goes_on(writer->types, left == 0);
	     left = dwarf_siblingof(&child, &child)) {
		int tag = dwarf_tag(&child);

		if (tag != DW_TAG_formal_parameter && tag != DW_TAG_unspecified_parameters)
			continue;
		puts_to(writer->out, separator);
		separator = ",";
		if (tag == DW_TAG_unspecified_parameters)
			puts_to(writer->out, "...");
		else
			write_unqualified(writer, &child, depth + 1);
	}
	/* `int f();` of C says nothing of parameters. */
	if (!*separator && !is_cxx(function) && !has_flag(function, DW_AT_prototyped))
		puts_to(writer->out, "?");
	puts_to(writer->out, ")");
	write_unqualified(writer, function, depth + 1);
}

static void write_nameless(struct writer *writer, Dwarf_Die *type, unsigned int depth)
{
	struct place place = { "", ";", "", 0, depth };
	uint64_t size = 0;

	get_size(type, &size);
	print_to(writer->out, "%s{%" PRIu64 ",", kind_of((unsigned int)dwarf_tag(type)), size);
	write_contents(writer, type, &place);
	puts_to(writer->out, "}");
}

static void write_pointer(struct writer *writer, Dwarf_Die *pointer, const char *sign,
			  unsigned int depth)
{
	Dwarf_Die target;

	puts_to(writer->out, sign);
	if (get_type(pointer, &target))
		write_type(writer, &target, depth + 1);
	else
		puts_to(writer->out, "void");
}

static void write_peeled(struct writer *writer, Dwarf_Die *type, unsigned int depth)
{
	int tag = dwarf_tag(type);

	switch (tag) {
	case DW_TAG_base_type:
		write_base_type(writer, type);
		break;
	case DW_TAG_pointer_type:
		write_pointer(writer, type, "*", depth);
		break;
	case DW_TAG_reference_type:
		write_pointer(writer, type, "&", depth);
		break;
	case DW_TAG_rvalue_reference_type:
		write_pointer(writer, type, "&&", depth);
		break;
	case DW_TAG_ptr_to_member_type:
		write_pointer(writer, type, "member*", depth);
		break;
	case DW_TAG_subroutine_type:
		write_function(writer, type, depth);
		break;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		if (dwarf_diename(type))
			write_reference(writer, type);
		else
			write_nameless(writer, type, depth);
		break;
	default:
		/* nullptr_t, say. */
		put_name(writer->out, dwarf_diename(type) ? dwarf_diename(type) : "");
		break;
	}
}

static void write_qualified(struct writer *writer, Dwarf_Die *type, unsigned int qualifiers,
			    unsigned int depth)
{
	Dwarf_Die peeled = *type;

	if (depth > DEEPEST || writer->out->size > LONGEST) {
		writer->types->trouble = "types nested too deep, or too large";
		return;
	}
	if (!peel(&peeled, &qualifiers)) {
		write_qualifiers(writer, qualifiers);
		puts_to(writer->out, "void");
		return;
	}
	if (dwarf_tag(&peeled) == DW_TAG_array_type) {
		write_array(writer, &peeled, qualifiers, depth);
		return;
	}
	write_qualifiers(writer, qualifiers);
	write_peeled(writer, &peeled, depth);
}

static void write_type(struct writer *writer, Dwarf_Die *type, unsigned int depth)
{
	write_qualified(writer, type, 0, depth);
}

/* ---- Symbols -------------------------------------------------------------------------------- */

static int compare_symbol(const void *key, const void *entry)
{
	const struct typed_symbol *symbol = entry;

	return strcmp(key, symbol->name);
}

static struct typed_symbol *find_symbol(struct types *types, const char *name)
{
	return name && types->count ? bsearch(name, types->symbols, types->count,
					      sizeof(*types->symbols), compare_symbol)
				    : NULL;
}

/* A definition knows best; then the first declaration. */
static void keep_type(struct types *types, struct typed_symbol *symbol, Dwarf_Die *die,
		      bool is_function, bool defined)
{
	struct text text = { NULL, 0, 0 };
	struct writer writer = { types, &text, false };
	Dwarf_Die type;

	if (symbol->type && (symbol->defined || !defined))
		return;
	if (is_function)
		write_function(&writer, die, 0);
	else if (get_type(die, &type))
		write_type(&writer, &type, 0);
	if (!text.bytes)
		return;
	count_text(types, &text);
	free(symbol->type);
	symbol->type = text.bytes;
	symbol->defined = defined;
}

static void visit_symbol(struct types *types, Dwarf_Die *die)
{
	const char *linked = get_string(die, DW_AT_linkage_name), *name = dwarf_diename(die);
	struct typed_symbol *symbol;
	Dwarf_Attribute external;
	unsigned int qualifiers = 0;
	Dwarf_Die type;

	if (name && strncmp(name, IMPORT_PREFIX, strlen(IMPORT_PREFIX)) == 0) {
		symbol = find_symbol(types, name + strlen(IMPORT_PREFIX));
		/* A pointer to it. */
		if (symbol && get_type(die, &type) && peel(&type, &qualifiers))
			keep_type(types, symbol, &type, false, false);
		return;
	}
	symbol = find_symbol(types, linked ? linked : name);
	if (symbol && dwarf_attr_integrate(die, DW_AT_external, &external))
		keep_type(types, symbol, die, dwarf_tag(die) == DW_TAG_subprogram,
			  !has_flag(die, DW_AT_declaration));
}

static void visit_scope(struct types *types, Dwarf_Die *scope, unsigned int depth)
{
	Dwarf_Die child;

	for (int left = dwarf_child(scope, &child); goes_on(types, left == 0);
	     left = dwarf_siblingof(&child, &child)) {
		switch (dwarf_tag(&child)) {
		case DW_TAG_subprogram:
		case DW_TAG_variable:
			visit_symbol(types, &child);
			break;
		case DW_TAG_namespace:
			if (depth < DEEPEST)
				visit_scope(types, &child, depth + 1);
			break;
		default:
			break;
		}
	}
}

static bool visit_units(struct types *types, Dwarf *dwarf)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Die die, split;
	uint8_t kind;
	bool any = false;

	while (dwarf_get_units(dwarf, unit, &unit, NULL, &kind, &die, &split) == 0) {
		if (kind == DW_UT_type || kind == DW_UT_split_type)
			continue;
		any = true;
		visit_scope(types, kind == DW_UT_skeleton && split.addr ? &split : &die, 0);
	}
	return any;
}

/* ---- Definitions and checksums -------------------------------------------------------------- */

/* Those that others refer to are added while the list is worked through. */
static void write_definitions(struct types *types)
{
	for (size_t i = 0; i < types->num_definitions && !types->trouble; i++) {
		struct definition *definition = types->definitions[i];
		struct text text = { NULL, 0, 0 };
		struct writer writer = { types, &text, false };

		write_body(&writer, &definition->die);
		definition->text = text.bytes;
		count_text(types, &text);
	}
}

static uint32_t add_to_crc(uint32_t crc, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		crc ^= (unsigned char)bytes[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320U : 0);
	}
	return crc;
}

/* The definition that a reference in a text names, "struct name" or "struct name#2"; or NULL. */
static struct definition *named_definition(struct types *types, const char *name, size_t length)
{
	const char *sign = memchr(name, '#', length);
	unsigned long variant = sign ? strtoul(sign + 1, NULL, 10) : 1;
	struct definition key = {
		.tag = format_text("%.*s", (int)(sign ? (size_t)(sign - name) : length), name)
	};
	struct definition **found = tfind(&key, &types->by_tag, compare_tags), *definition;

	free(key.tag);
	for (definition = found ? *found : NULL; definition && definition->variant != variant;)
		definition = definition->next_variant;
	return definition;
}

/* The next reference in a text; its length, or 0. */
static size_t next_reference(const char **text)
{
	static const char *const kinds[] = { "struct ", "union ", "enum " };

	for (const char *p = *text; *p; p++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			size_t length = strlen(kinds[i]);

			/* Members may have names that end so. */
			if (strncmp(p, kinds[i], length) != 0 ||
			    (p > *text && (isalnum((unsigned char)p[-1]) || strchr("_$~", p[-1]))))
				continue;
			*text = p;
			return length + strcspn(p + length, "(){}[],;: \n");
		}
	}
	return 0;
}

/* Names in C++ have "::" in them. */
static size_t reference_length(const char *text, size_t length)
{
	while (text[length] == ':' && text[length + 1] == ':')
		length += 2 + strcspn(text + length + 2, "(){}[],;: \n");
	return length;
}

/* In the order in which they are met, each once; names without "#". */
static uint32_t checksum(struct types *types, const char *type)
{
	struct definition **queue = NULL;
	size_t done = 0, count = 0;
	uint32_t crc = UINT32_MAX;

	types->checksums++;
	for (const char *text = type;;) {
		const char *at = text, *from = text, *sign;
		size_t length;

		while ((length = next_reference(&at))) {
			struct definition *definition;

			length = reference_length(at, length);
			definition = named_definition(types, at, length);
			sign = memchr(at, '#', length);
			crc = add_to_crc(crc, from, (size_t)((sign ? sign : at + length) - from));
			at += length;
			from = at;
			if (!definition || definition->seen == types->checksums)
				continue;
			definition->seen = types->checksums;
			if (count == 0 || (count & (count - 1)) == 0)
				queue = reallocate(queue, count ? count * 2 : 1, sizeof(*queue));
			queue[count++] = definition;
		}
		crc = add_to_crc(crc, from, strlen(from));
		if (done == count)
			break;
		crc = add_to_crc(crc, "\n", 1);
		text = queue[done]->text;
		crc = add_to_crc(crc, queue[done]->tag, strlen(queue[done]->tag));
		done++;
	}
	free(queue);
	return ~crc;
}

static char *all_definitions(const struct types *types)
{
	char *text = NULL;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	for (size_t i = 0; stream && i < types->num_definitions; i++) {
		const struct definition *definition = types->definitions[i];

		fputs(definition->tag, stream);
		if (definition->variant > 1)
			fprintf(stream, "#%u", definition->variant);
		fputs(definition->text, stream);
	}
	if (stream && fclose(stream) == 0)
		return text;
	complain("out of memory");
	exit(STATUS_FAILED);
}

static void keep_node(void *node)
{
	(void)node;
}

static void free_types(struct types *types)
{
	for (size_t i = 0; i < types->num_definitions; i++) {
		free(types->definitions[i]->tag);
		free(types->definitions[i]->plain);
		free(types->definitions[i]->text);
		free(types->definitions[i]);
	}
	free(types->definitions);
	tdestroy(types->by_tag, keep_node);
	tdestroy(types->by_die, free);
}

/* ---- A file --------------------------------------------------------------------------------- */

static bool read_types(const char *path, struct types *types, Dwarf *dwarf, char **definitions)
{
	if (!visit_units(types, dwarf))
		types->trouble = "no debug information that can be read";
	write_definitions(types);
	if (!types->trouble && lost)
		types->trouble = "debug information that refers to what is not there, as that of "
				 "objects with -fdebug-types-section and -gz or -gsplit-dwarf does";
	if (types->trouble) {
		complain("%s: %s; compile with -g", path, types->trouble);
		return false;
	}
	for (size_t i = 0; i < types->count; i++) {
		if (types->symbols[i].type)
			types->symbols[i].crc = checksum(types, types->symbols[i].type);
	}
	*definitions = all_definitions(types);
	return true;
}

bool find_types(const char *path, int fd, struct typed_symbol *symbols, size_t count,
		char **definitions)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	struct types types = { .symbols = symbols, .count = count };
	Dwfl *dwfl;
	Dwfl_Module *module;
	Dwarf_Addr bias;
	Dwarf *dwarf = NULL;
	bool good;

	lost = false;
	/* Nothing is to be fetched from elsewhere. */
	unsetenv("DEBUGINFOD_URLS");
	dwfl = dwfl_begin(&callbacks);
	module = dwfl ? dwfl_report_offline(dwfl, "", path, fd) : NULL;
	if (!module && fd >= 0)
		close(fd);
	if (module && dwfl_report_end(dwfl, NULL, NULL) == 0)
		dwarf = dwfl_module_getdwarf(module, &bias);
	good = dwarf && read_types(path, &types, dwarf, definitions);
	if (!dwarf)
		complain("%s: no debug information (%s); compile with -g", path, dwfl_errmsg(-1));
	free_types(&types);
	dwfl_end(dwfl);
	return good;
}
