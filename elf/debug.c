/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Debug information: sections that are never loaded, but tell of those that are.
 *
 * As a linker does, all sections of one name are put behind each other and form one, a part; what
 * refers to such a section is relocated by its place in the part, everything else by its target
 * address.  Sections may be compressed.
 *
 * Nothing here is worth refusing an object for: what can't be understood is -ENOEXEC without a line,
 * and then the link has no debug information.
 *
 * Code that is not there (copies of COMDAT groups, what init alone needed) gets the address 0, which
 * debuggers know.  In two tables a pair of zeros ends a list, so there it is 1, as GNU ld does.
 */
#include "elf/internal.h"

#include <gelf.h>
#include <libelf.h>

#define PREFIX ".debug_"
#define OP_CONST8U 0x0e /* DW_OP_const8u */
/* No compressed section is larger than its bytes times this: zlib's limit, rounded up. */
#define MOST_COMPRESSED 1100
/* Compilers have some 25 names for such sections. */
#define MOST_PARTS 64

/* A section in its part. */
struct link_debug_piece {
	struct link_debug_piece *next;
	const struct link_section *section;
	const unsigned char *data;
	uint64_t size; /* bytes; both as they are without compression */
	const unsigned char *entries;
	size_t count; /* of relocations */
};

/* ---- Reading -------------------------------------------------------------------------------- */

/* Also copies of COMDAT groups (types, macros): what refers to them would have to go to the copy that
 * is kept, and debuggers do not mind two. */
static bool is_debug(const struct link_section *section)
{
	return section->region == LINK_NONE && section->type == SHT_PROGBITS &&
	       !(section->flags & (SHF_ALLOC | SHF_EXCLUDE)) && section->size &&
	       !strncmp(section->name, PREFIX, strlen(PREFIX));
}

/* The section as the only one of a file of its own, in `file`, `size` bytes. */
static void make_small_file(const struct link_section *section, unsigned char *file, size_t size)
{
	Elf64_Shdr header = {
		.sh_type = SHT_PROGBITS,
		.sh_flags = SHF_COMPRESSED,
		.sh_offset = sizeof(Elf64_Ehdr),
		.sh_size = section->size,
		.sh_addralign = 1,
	};
	Elf64_Ehdr start;

	/* What it says of machine and class. */
	memcpy(&start, section->object->data, sizeof(start));
	start.e_shoff = size - 2 * sizeof(header);
	start.e_shnum = 2;
	start.e_shstrndx = SHN_UNDEF;
	memcpy(file, &start, sizeof(start));
	memcpy(file + sizeof(start), section->data, (size_t)section->size);
	memcpy(file + size - sizeof(header), &header, sizeof(header));
}

static int copy_decompressed(struct link *link, Elf_Scn *scn, uint64_t compressed,
			     struct link_debug_piece *piece, uint64_t *align)
{
	unsigned char *bytes;
	GElf_Chdr header;
	Elf_Data *data;

	if (!scn || !gelf_getchdr(scn, &header) || header.ch_size / MOST_COMPRESSED > compressed ||
	    header.ch_size >= LINK_MOST || (header.ch_addralign & (header.ch_addralign - 1)) ||
	    elf_compress(scn, 0, 0) < 0)
		return -ENOEXEC;
	data = elf_getdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size != header.ch_size)
		return -ENOEXEC;
	bytes = link_allocate(link, data->d_size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, data->d_buf, data->d_size);
	piece->data = bytes;
	piece->size = data->d_size;
	*align = header.ch_addralign ? header.ch_addralign : 1;
	return 0;
}

/* libelf can do it, but changes headers in the file's memory, which is the caller's. */
static int decompress(struct link *link, const struct link_section *section,
		      struct link_debug_piece *piece, uint64_t *align)
{
	size_t size =
		sizeof(Elf64_Ehdr) + (size_t)link_align(section->size, 8) + 2 * sizeof(Elf64_Shdr);
	unsigned char *file = link_allocate(link, size);
	int error = -ENOEXEC;
	Elf *elf;

	if (!file)
		return -ENOMEM;
	make_small_file(section, file, size);
	elf = elf_memory((char *)file, size);
	if (elf)
		error = copy_decompressed(link, elf_getscn(elf, 1), section->size, piece, align);
	elf_end(elf);
	return error;
}

/* The part of a name; *part is NULL without memory. */
static int find_part(struct link *link, const char *name, struct link_debug **part)
{
	struct link_debug **end = &link->private->debug;
	unsigned int count = 0;

	for (; *end; end = &(*end)->next) {
		*part = *end;
		if (!strcmp((*end)->name, name))
			return 0;
		if (++count == MOST_PARTS)
			return -ENOEXEC;
	}
	*part = *end = link_allocate(link, sizeof(**end));
	if (!*part)
		return -ENOMEM;
	(*part)->name = name;
	(*part)->align = 1;
	(*part)->last = &(*part)->first;
	return 0;
}

static int add_piece(struct link *link, struct link_section *section,
		     struct link_debug_piece **result)
{
	struct link_debug_piece *piece = link_allocate(link, sizeof(*piece));
	uint64_t align = section->align;
	struct link_debug *part;
	int error = find_part(link, section->name, &part);

	if (!error && !piece)
		error = -ENOMEM;
	if (error)
		return error;
	piece->section = section;
	piece->data = section->data;
	piece->size = section->size;
	if (section->flags & SHF_COMPRESSED)
		error = decompress(link, section, piece, &align);
	if (error)
		return error;
	if (align > link_page_size(link) || piece->size >= LINK_MOST || part->size >= LINK_MOST)
		return -ENOEXEC;
	section->offset = link_align(part->size, align);
	part->size = section->offset + piece->size;
	if (part->align < align)
		part->align = align;
	*part->last = piece;
	part->last = &piece->next;
	*result = piece;
	return 0;
}

/* Relocations of a piece, if the section at `index` has some; `pieces` are the object's. */
static int read_entries(struct link_object *object, size_t index, struct link_debug_piece **pieces)
{
	struct link_debug_piece *piece;
	Elf64_Shdr header;

	if (object->sections[index].type != SHT_RELA && object->sections[index].type != SHT_REL)
		return 0;
	if (link_read_section_header(object, index, &header) ||
	    header.sh_info >= object->section_count)
		return -ENOEXEC;
	piece = pieces[header.sh_info];
	if (!piece)
		return 0;
	if (header.sh_link != object->symbol_section)
		return -ENOEXEC;
	piece->entries =
		link_read_relocations(object, index, piece->section, piece->data, &piece->count);
	return piece->entries ? 0 : -ENOEXEC;
}

static int read_object(struct link_object *object)
{
	struct link_debug_piece **pieces = NULL;
	int error = 0;

	for (size_t i = 1; i < object->section_count && !error; i++) {
		if (!is_debug(&object->sections[i]))
			continue;
		if (!pieces)
			pieces = link_allocate_array(object->link, object->section_count,
						     sizeof(struct link_debug_piece *));
		if (!pieces)
			return -ENOMEM;
		error = add_piece(object->link, &object->sections[i], &pieces[i]);
	}
	for (size_t i = 1; pieces && i < object->section_count && !error; i++)
		error = read_entries(object, i, pieces);
	return error;
}

int link_read_debug(struct link *link)
{
	void (*report)(void *, const char *, va_list) = link->report;
	int error = 0;

	link->report = NULL;
	for (struct link_object *object = link->objects; object && !error; object = object->next)
		error = read_object(object);
	link->report = report;
	if (error)
		link->private->debug = NULL;
	return error;
}

const struct link_debug *link_next_debug(const struct link *link, const struct link_debug *previous)
{
	return previous ? previous->next : link->private->debug;
}

/* ---- Relocating ----------------------------------------------------------------------------- */

static bool ends_lists_with_zeros(const struct link_debug *part)
{
	return !strcmp(part->name, ".debug_ranges") || !strcmp(part->name, ".debug_loc");
}

/* What a symbol is worth to a debugger. */
static uint64_t value_of(const struct link *link, const struct link_debug *part,
			 const struct link_symbol *symbol, int64_t addend, bool init_gone)
{
	const struct link_section *section = symbol->section;

	/* Another part. */
	if (section && section->region == LINK_NONE)
		return section->offset + symbol->value + (uint64_t)addend;
	if (section && (section->discarded || (init_gone && section->region >= LINK_INIT_TEXT &&
					       section->region <= LINK_INIT_DATA)))
		return ends_lists_with_zeros(part);
	return link_symbol_address(link, symbol) + (uint64_t)addend;
}

/*
 * How many bytes an offset of a thread-local variable has, 0 if too few for what is put in its place.
 * gcc makes eight of a relocation of four, and four that are zero.
 */
static size_t offset_width(const struct link_debug *part, const struct link_debug_piece *piece,
			   const Elf64_Rela *entry)
{
	bool is_operand = entry->r_offset && piece->data[entry->r_offset - 1] == OP_CONST8U;

	if (piece->size - entry->r_offset < sizeof(uint64_t) ||
	    !(is_operand || !strcmp(part->name, ".debug_addr")))
		return 0;
	return sizeof(uint64_t);
}

static int relocate_piece(const struct link *link, const struct link_debug *part,
			  const struct link_debug_piece *piece, unsigned char *bytes,
			  bool init_gone)
{
	const struct link_object *object = piece->section->object;

	for (size_t i = 0; i < piece->count; i++) {
		const struct link_relocation_type *type;
		const struct link_symbol *symbol;
		Elf64_Rela entry;
		uint64_t value;
		size_t width;

		memcpy(&entry, piece->entries + i * sizeof(entry), sizeof(entry));
		type = link->arch->relocation((uint32_t)ELF64_R_TYPE(entry.r_info));
		if (!type || ELF64_R_SYM(entry.r_info) >= object->symbol_count ||
		    entry.r_offset > piece->size || piece->size - entry.r_offset < type->bytes)
			return -ENOEXEC;
		/* Absolute ones, sums, and offsets of thread-local variables: a debugger's table
		 * has no others. */
		symbol = object->symbols[ELF64_R_SYM(entry.r_info)];
		value = value_of(link, part, symbol, entry.r_addend, init_gone);
		if (type->kind == LINK_IGNORED)
			continue;
		width = type->bytes;
		if (type->bits || type->kind == LINK_SUM || type->kind == LINK_DIFFERENCE) {
			value = link_combine(link->arch, type, bytes + entry.r_offset, value);
			link_put_field(link->arch, type, bytes + entry.r_offset, (int64_t)value);
			continue;
		}
		if (type->kind == LINK_TLS_OFFSET) {
			value += link->tls_debug_base - link->arch->tls_bias;
			width = offset_width(part, piece, &entry);
		}
		if (!width)
			return -ENOEXEC;
		for (size_t byte = 0; byte < width; byte++) {
			size_t place =
				link->arch->encoding == ELFDATA2MSB ? width - 1 - byte : byte;

			bytes[entry.r_offset + place] = (unsigned char)(value >> 8 * byte);
		}
	}
	return 0;
}

int link_relocate_debug(const struct link *link, const struct link_debug *part,
			unsigned char *buffer, bool init_gone)
{
	uint64_t done = 0;
	int error = 0;

	for (const struct link_debug_piece *piece = part->first; piece && !error;
	     piece = piece->next) {
		uint64_t offset = piece->section->offset;

		memset(buffer + done, 0, (size_t)(offset - done));
		memcpy(buffer + offset, piece->data, (size_t)piece->size);
		error = relocate_piece(link, part, piece, buffer + offset, init_gone);
		done = offset + piece->size;
	}
	return error;
}
