/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What relocations need, before anybody knows an address.
 *
 * Every relocation of a loaded section is checked once, here, so that the later passes take
 * them as they are: its type is supported, its field lies in its section, its symbol is one that
 * code may refer to.  At the same time symbols learn whether they are needed at all, and get a GOT
 * slot or a stub if one might be wanted: what is in reach is known only when everything has its
 * place, so this counts generously.
 */
#include "elf/internal.h"

/* Tables whose entries for discarded sections stay, with zero for the address: unwinders know, and of
 * descriptors those of the copy that was kept are used. */
static bool tolerates_discarded(const struct link_section *section)
{
	return !strcmp(section->name, ".eh_frame") || !strcmp(section->name, ".opd") ||
	       !strcmp(section->name, ".sframe") ||
	       !strncmp(section->name, ".gcc_except_table", strlen(".gcc_except_table"));
}

static int fail_entry(const struct link_table *table, const Elf64_Rela *entry, const char *what,
		      uint64_t found, uint64_t bound)
{
	const struct link_object *object = table->section->object;

	return link_fail(object->link, -ENOEXEC,
			 "%s: section %s+0x%llx: relocation %s (found %llu, at most %llu)",
			 object->name, table->section->name, (unsigned long long)entry->r_offset,
			 what, (unsigned long long)found, (unsigned long long)bound);
}

/* ---- Slots and stubs ------------------------------------------------------------------------ */

static void want_slot(struct link *link, struct link_symbol *symbol)
{
	if (!symbol->got)
		symbol->got = ++link->private->got_count;
}

/* A stub jumps to what a slot holds. */
static void want_stub(struct link *link, struct link_symbol *symbol)
{
	want_slot(link, symbol);
	if (!symbol->stub)
		symbol->stub = ++link->private->stub_count;
}

int link_want_function(struct link *link, struct link_object *object, const char *name)
{
	struct link_symbol said = { .name = name, .object = object, .bind = STB_GLOBAL }, *symbol;
	int error = link_enter_name(link, &said, &symbol);

	if (error)
		return error;
	symbol->needed = true;
	if (!symbol->section)
		want_stub(link, symbol);
	return 0;
}

bool link_enters_by_address(const struct link_relocation *relocation)
{
	const struct link_section *section = relocation->symbol->section;

	return section && section->object && section->object->wants_address &&
	       section->object != relocation->object;
}

static void mark_special(struct link *link, const struct link_relocation *relocation)
{
	struct link_symbol *symbol = relocation->symbol;
	unsigned int wants = relocation->type->wants;

	if (wants & LINK_WANTS_PAGE && (symbol->bind == STB_LOCAL || !(wants & LINK_WANTS_SLOT))) {
		if (symbol->section)
			link->private->paged = true;
		else /* it may be anywhere */
			link->private->value_count++;
		wants &= ~LINK_WANTS_SLOT;
	}
	if (relocation->addend && wants & LINK_WANTS_VALUE) {
		link->private->value_count++;
		wants &= ~LINK_WANTS_SLOT;
	}
	symbol->direct |= !!(wants & LINK_WANTS_ADDRESS);
	link->private->got_based |= !!(wants & LINK_WANTS_GOT);
	link->spanned |= !!(wants & LINK_WANTS_SPAN);
	if (wants & LINK_WANTS_SLOT)
		want_slot(link, symbol);
	if (wants & LINK_WANTS_STUB &&
	    (symbol->section ? link_enters_by_address(relocation) : *symbol->name != '\0'))
		want_stub(link, symbol);
	if (wants & LINK_WANTS_POINTER && symbol->section && link->hosted)
		want_stub(link, symbol);
}

/* The GOT and data are in different parts, which otherwise may be anywhere within 2 GiB. */
static bool reaches_far(const struct link_relocation_type *type)
{
	return type->fit == LINK_FIT_ALL || !type->bits || type->bits + type->shift >= 32;
}

/* A branch to code in the link that has to be entered in another way than the branch can. */
static bool needs_stub(const struct link *link, const struct link_relocation *relocation)
{
	const unsigned char *data = relocation->section->data;
	const struct link_symbol *symbol = relocation->symbol;
	unsigned char field[sizeof(uint64_t)] = { 0 };
	uint64_t target = symbol->value;

	if (!link->arch->enter || !symbol->section || !data)
		return false;
	memcpy(field, data + relocation->offset, relocation->type->bytes);
	return !link->arch->enter(relocation, field, 0, link_is_indirect(symbol), &target);
}

static void mark(struct link *link, const struct link_relocation *relocation)
{
	struct link_symbol *symbol = relocation->symbol;

	symbol->needed = true;
	link->private->got_based |= symbol->section == &link->private->got;
	switch (relocation->type->kind) {
	case LINK_ABSOLUTE:
	case LINK_RELATIVE:
		symbol->direct = true;
		symbol->narrow |= relocation->type->kind == LINK_ABSOLUTE &&
				  relocation->type->fit != LINK_FIT_ALL;
		/* If it turns out to be a function, its stub will do. */
		if (!symbol->defined && relocation->type->fit != LINK_FIT_ALL &&
		    link_is_whole(relocation->type))
			want_stub(link, symbol);
		break;
	case LINK_BRANCH:
		if ((!symbol->section && *symbol->name) || needs_stub(link, relocation))
			want_stub(link, symbol);
		break;
	case LINK_GOT_RELATIVE:
	case LINK_GOT_RELAXABLE:
		want_slot(link, symbol);
		break;
	case LINK_GOT_SLOT:
		link->private->got_based = true;
		want_slot(link, symbol);
		break;
	case LINK_SUM:
	case LINK_DIFFERENCE:
		symbol->direct = true;
		break;
	case LINK_GOT_OFFSET:
		symbol->direct = true;
		link->private->got_based = true;
		link->close |= !reaches_far(relocation->type);
		break;
	case LINK_GOT_BASE:
		link->private->got_based = true;
		break;
	case LINK_SPECIAL:
		mark_special(link, relocation);
		break;
	default:
		break;
	}
}

/* ---- Checks --------------------------------------------------------------------------------- */

static int check_section_of_symbol(struct link *link, const struct link_relocation *relocation)
{
	const struct link_section *section = relocation->symbol->section;

	if (section->discarded) {
		if (tolerates_discarded(relocation->section))
			return 0;
		return link_fail_relocation(
			link, -ENOEXEC, relocation,
			"refers to section %s, of which another object brought a "
			"copy first; the objects do not fit together",
			section->name);
	}
	if (section->region == LINK_NONE)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "refers to section %s, which is not loaded",
					    section->name);
	if (section->region == LINK_PERCPU && relocation->type->kind == LINK_BRANCH)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is a branch to a per-CPU variable");
	return 0;
}

static int check_symbol(struct link *link, const struct link_relocation *relocation)
{
	const struct link_symbol *symbol = relocation->symbol;
	int error = link_check_tls(link, relocation);

	if (error)
		return error;
	return symbol->section ? check_section_of_symbol(link, relocation) : 0;
}

static int check_type(struct link *link, const struct link_relocation *relocation)
{
	const struct link_relocation_type *type = relocation->type;
	bool strays = link->hosted && relocation->object->sets_no_pointer;

	if (!type)
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "is of an unknown type (found %u); compile for %s",
					    relocation->number, link->arch->name);
	if (type->kind != LINK_REFUSED && !(type->reason && strays))
		return 0;
	if (!type->reason)
		return link_fail_relocation(link, -ENOEXEC, relocation, "is not supported");
	return link_fail_relocation(link, -ENOEXEC, relocation, "is not supported (%s)",
				    type->reason);
}

/* What is known of an object's symbol in a scan: it is in the block and nothing about it is special, and
 * it was marked. */
#define PLAIN_NEEDED 1U
#define PLAIN_DIRECT 2U

/* A relocation's type, looked up once for a run of them. */
struct quick {
	const struct link_relocation_type *type;
	uint32_t number;
	uint8_t wanted; /* of the symbol: PLAIN_*; 0: such need a closer look */
	bool bound;	/* they may depend on where the block is */
};

static void look_up(const struct link *link, uint32_t number, struct quick *quick)
{
	const struct link_relocation_type *type = link->arch->relocation(number);

	*quick = (struct quick){ .type = type, .number = number };
	if (!type)
		return;
	if (type->kind == LINK_BRANCH && !link->arch->enter)
		quick->wanted = PLAIN_NEEDED;
	else if (type->kind == LINK_ABSOLUTE || type->kind == LINK_RELATIVE)
		quick->wanted = PLAIN_NEEDED | PLAIN_DIRECT;
	quick->bound = type->kind == LINK_ABSOLUTE && type->fit != LINK_FIT_ALL;
}

/* What most relocations are: a field of its section, and a symbol that is in the block too.  true:
 * that's all there is to it. */
static bool scan_fast(const struct link *link, const struct link_table *table,
		      const Elf64_Rela *entry, const struct quick *quick, uint8_t *known)
{
	uint64_t index = ELF64_R_SYM(entry->r_info), size = table->section->size;
	const struct link_object *object = table->section->object;
	struct link_symbol *symbol;

	if (!quick->wanted || index >= object->symbol_count || entry->r_offset > size ||
	    size - entry->r_offset < quick->type->bytes)
		return false;
	if ((known[index] & quick->wanted) == quick->wanted)
		return true;
	symbol = object->symbols[index];
	if (!link_is_plain(symbol) || symbol->section == &link->private->got)
		return false;
	symbol->needed = true;
	symbol->direct |= !!(quick->wanted & PLAIN_DIRECT);
	known[index] |= quick->wanted;
	return true;
}

/* Slots are always in reach, and so are the stubs of what isn't there yet. */
static bool may_be_bound(const struct link_relocation *relocation)
{
	const struct link_symbol *symbol = relocation->symbol;

	switch (relocation->type->kind) {
	case LINK_ABSOLUTE:
		return relocation->type->fit != LINK_FIT_ALL;
	case LINK_RELATIVE:
		return true;
	case LINK_BRANCH:
		return symbol->defined || !link_may_use_stub(relocation);
	default:
		return false;
	}
}

static int scan_entry(struct link *link, struct link_table *table, const Elf64_Rela *entry,
		      const struct link_relocation_type *type)
{
	struct link_object *object = table->section->object;
	struct link_relocation relocation;
	uint32_t index = (uint32_t)ELF64_R_SYM(entry->r_info);
	uint64_t size = table->section->size;
	int error;

	if (index >= object->symbol_count)
		return fail_entry(table, entry, "against a symbol that is not there", index,
				  object->symbol_count - 1);
	relocation = (struct link_relocation){
		.number = (uint32_t)ELF64_R_TYPE(entry->r_info),
		.object = object,
		.section = table->section,
		.symbol = object->symbols[index],
		.offset = entry->r_offset,
		.addend = entry->r_addend,
	};
	relocation.type = type;
	error = check_type(link, &relocation);
	if (error || relocation.type->kind == LINK_IGNORED)
		return error;
	if (entry->r_offset > size || size - entry->r_offset < relocation.type->bytes)
		return fail_entry(table, entry, "outside its section", entry->r_offset, size);
	error = check_symbol(link, &relocation);
	if (!error && link_is_indirect(relocation.symbol))
		error = link_want_indirect(link, relocation.symbol);
	if (error)
		return error;
	mark(link, &relocation);
	table->bound |= may_be_bound(&relocation);
	return link_is_tls_kind(relocation.type->kind) ? link_want_tls(link, &relocation) : 0;
}

static int scan_table(struct link *link, struct link_table *table, uint8_t *known)
{
	bool in_block = table->section->region <= LINK_INIT_DATA;
	struct quick quick;

	look_up(link, 0, &quick);
	for (size_t i = 0; i < table->count; i++) {
		Elf64_Rela entry;
		int error;

		link_get_entry(table, i, &entry);
		if (quick.number != (uint32_t)ELF64_R_TYPE(entry.r_info))
			look_up(link, (uint32_t)ELF64_R_TYPE(entry.r_info), &quick);
		if (in_block && scan_fast(link, table, &entry, &quick, known)) {
			table->bound |= quick.bound;
			continue;
		}
		error = link_pass(link, scan_entry(link, table, &entry, quick.type));
		if (error)
			return error;
	}
	return 0;
}

static void define_got_symbol(struct link *link, const char *name, uint64_t value)
{
	struct link_symbol *symbol = link_find(link, name);

	if (!symbol || symbol->defined)
		return;
	symbol->section = &link->private->got;
	symbol->section->object = link->objects;
	symbol->value = value;
	symbol->visibility = STV_HIDDEN;
	symbol->defined = true;
}

/* The GOT, for code that counts from there; assemblers name it far more often. */
static void define_got(struct link *link)
{
	const struct link_arch *arch = link->arch;

	define_got_symbol(link, "_GLOBAL_OFFSET_TABLE_", 0);
	for (size_t i = 0; i < sizeof(arch->got_symbols) / sizeof(arch->got_symbols[0]); i++) {
		if (arch->got_symbols[i])
			define_got_symbol(link, arch->got_symbols[i], arch->got_bias);
	}
}

/* Who looks up a function by its name gets a pointer. */
static void want_pointers(struct link *link)
{
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_defined(link, symbol))) {
		const struct link_section *section = symbol->section;

		if (symbol->type == STT_FUNC && section && section->region <= LINK_INIT_TEXT &&
		    section->flags & SHF_EXECINSTR && !section->discarded)
			want_stub(link, symbol);
	}
}

int link_scan(struct link *link)
{
	int failed = link_scan_indirects(link);
	uint8_t *known;

	if (failed)
		return failed;
	define_got(link);
	if (link->hosted && link->arch->pointer_offset)
		want_pointers(link);
	if (link->arch->prepare)
		failed = link->arch->prepare(link);
	if (failed)
		return failed;
	known = link_allocate(link, link_most_symbols(link));
	if (!known)
		return -ENOMEM;
	for (struct link_object *object = link->objects; object; object = object->next) {
		memset(known, 0, object->symbol_count);
		for (size_t i = 0; i < object->table_count; i++) {
			int error = scan_table(link, &object->tables[i], known);

			if (error)
				return error;
		}
	}
	return 0;
}
