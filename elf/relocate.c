/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Relocating: sections are copied to the caller's buffers, and the values of all relocations are
 * computed for the target addresses, checked in one place, and written.
 *
 * A value that does not fit may be had in another way: a branch, or a reference to a function that
 * is elsewhere, goes to the symbol's stub; a load of a GOT slot becomes, where the instruction
 * allows it and the symbol is in reach, a direct use of the symbol.  Slots and stubs are written
 * when something uses them; that is done again for each use, since it costs less than asking.
 */
#include "elf/internal.h"

#include <inttypes.h>
#include <stdio.h>

#define DETAIL_BYTES 512 /* of a message */
/* Relative to the end of an instruction, and no farther: the first byte of what is referred to. */
#define LEAST_ADDEND (-8)

/* ---- Visiting relocations, and telling of them ---------------------------------------------- */

int link_each_of_table(struct link_object *object, const struct link_table *table,
		       link_visitor *visit, void *arg)
{
	struct link *link = object->link;
	const struct link_relocation_type *(*relocation_type)(uint32_t) = link->arch->relocation;
	struct link_relocation relocation = { .object = object, .section = table->section };

	for (size_t i = 0; i < table->count; i++) {
		Elf64_Rela entry;
		int error;

		link_get_entry(table, i, &entry);
		relocation.number = (uint32_t)ELF64_R_TYPE(entry.r_info);
		relocation.type = relocation_type(relocation.number);
		relocation.symbol = object->symbols[ELF64_R_SYM(entry.r_info)];
		relocation.offset = entry.r_offset;
		relocation.addend = entry.r_addend;
		if (relocation.type->kind == LINK_IGNORED)
			continue;
		error = visit(link, &relocation, arg);
		if (error)
			return error;
	}
	return 0;
}

int link_fail_relocation(struct link *link, int error, const struct link_relocation *relocation,
			 const char *format, ...)
{
	struct link_symbol *symbol = relocation->symbol;
	/* 0 says that nothing was told; the greatest number is none that machines have. */
	uint32_t told = relocation->number == UINT32_MAX ? UINT32_MAX : relocation->number + 1;
	char detail[DETAIL_BYTES], unknown[32];
	const char *type = unknown;
	va_list args;

	/* One of many that are alike is enough. */
	if (!link_is_heard(link) || (link->keep_going && symbol->told == told))
		return error;
	symbol->told = told;
	va_start(args, format);
	vsnprintf(detail, sizeof(detail), format, args);
	va_end(args);
	snprintf(unknown, sizeof(unknown), "number %" PRIu32, relocation->number);
	if (relocation->type)
		type = relocation->type->name;
	if (!*symbol->name)
		return link_fail(link, error, "%s: section %s+0x%" PRIx64 ": relocation %s %s",
				 relocation->object->name, relocation->section->name,
				 relocation->offset, type, detail);
	return link_fail(link, error,
			 "%s: section %s+0x%" PRIx64 ": relocation %s against %s %s %s",
			 relocation->object->name, relocation->section->name, relocation->offset,
			 type, link_symbol_word(symbol), symbol->name, detail);
}

/* ---- Fields --------------------------------------------------------------------------------- */

static unsigned int field_bits(const struct link_relocation_type *type)
{
	return type->bits ? type->bits : 8U * type->bytes;
}

static int64_t rounding(const struct link_relocation_type *type)
{
	return type->carry ? (int64_t)1 << type->carry : 0;
}

bool link_fit_range(const struct link_relocation_type *type, int64_t *least, int64_t *greatest)
{
	unsigned int bits = field_bits(type);

	if (type->fit == LINK_FIT_ALL || bits + type->shift >= 64)
		return false;
	*least = type->fit == LINK_FIT_UNSIGNED ? 0 : -((int64_t)1 << (bits - 1));
	*greatest = type->fit == LINK_FIT_SIGNED ? ((int64_t)1 << (bits - 1)) - 1
						 : ((int64_t)1 << bits) - 1;
	*least = *least * ((int64_t)1 << type->shift) - rounding(type);
	*greatest = ((*greatest + 1) << type->shift) - 1 - rounding(type);
	return true;
}

/* Addresses of 32 bits wrap around, and so do their differences. */
static int64_t reduce(const struct link_arch *arch, const struct link_relocation_type *type,
		      int64_t value)
{
	if (arch->class == ELFCLASS64)
		return value;
	return type->fit == LINK_FIT_UNSIGNED ? (int64_t)(uint32_t)value : (int32_t)value;
}

static bool fits(const struct link_arch *arch, const struct link_relocation_type *type,
		 int64_t value)
{
	int64_t least, greatest;

	value = reduce(arch, type, value);
	return !link_fit_range(type, &least, &greatest) || (value >= least && value <= greatest);
}

uint64_t link_get(const struct link_arch *arch, const unsigned char *field, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++) {
		size_t place = arch->encoding == ELFDATA2MSB ? i : bytes - 1 - i;

		value = value << 8 | field[place];
	}
	return value;
}

void link_put(const struct link_arch *arch, unsigned char *field, size_t bytes, uint64_t value)
{
	for (size_t i = 0; i < bytes; i++) {
		size_t place = arch->encoding == ELFDATA2MSB ? bytes - 1 - i : i;

		field[place] = (unsigned char)(value >> 8 * i);
	}
}

static uint64_t field_mask(const struct link_relocation_type *type)
{
	return type->bits >= 64 ? UINT64_MAX : ((uint64_t)1 << type->bits) - 1;
}

uint64_t link_get_field(const struct link_arch *arch, const struct link_relocation_type *type,
			const unsigned char *field)
{
	uint64_t bytes;

	if (type->form)
		return arch->extract(type, field);
	bytes = link_get(arch, field, type->bytes);
	return type->bits ? bytes >> type->low & field_mask(type) : bytes;
}

uint64_t link_shift(const struct link_relocation_type *type, int64_t value)
{
	int64_t rounded = (int64_t)((uint64_t)value + (uint64_t)rounding(type));
	uint64_t shifted = (uint64_t)(rounded >> type->shift);

	return type->bits ? shifted & field_mask(type) : shifted;
}

void link_put_field(const struct link_arch *arch, const struct link_relocation_type *type,
		    unsigned char *field, int64_t value)
{
	uint64_t bits = link_shift(type, value), others;

	if (type->form) {
		arch->insert(type, field, bits);
		return;
	}
	if (type->bits) {
		others = link_get(arch, field, type->bytes) & ~(field_mask(type) << type->low);
		bits = others | bits << type->low;
	}
	link_put(arch, field, type->bytes, bits);
}

/* What a slot's distance is too large for: there are too many of them. */
static bool counts_slots(const struct link_relocation_type *type)
{
	switch (type->kind) {
	case LINK_GOT_SLOT:
	case LINK_TLS_GENERAL:
	case LINK_TLS_LOCAL:
	case LINK_TLS_INITIAL:
		return true;
	case LINK_SPECIAL:
		return type->wants & LINK_WANTS_SLOT;
	default:
		return false;
	}
}

static int fail_range(struct link *link, const struct link_relocation *relocation, int64_t value)
{
	const char *option = "-fPIC";
	int64_t least = 0, greatest = 0;

	if (relocation->type->kind == LINK_BRANCH && link->arch->far_calls)
		option = link->arch->far_calls;
	if (relocation->type->kind == LINK_GOT_OFFSET && link->arch->far_data)
		option = link->arch->far_data;

	link_fit_range(relocation->type, &least, &greatest);
	if (link->arch->far_slots && counts_slots(relocation->type))
		return link_fail_relocation(link, -ERANGE, relocation,
					    "has a GOT slot that is out of reach (found %" PRId64
					    ", at least %" PRId64 " and at most %" PRId64
					    "; there are %" PRIu32 " slots); %s",
					    value, least, greatest,
					    link->private->got_count + link->private->values_used,
					    link->arch->far_slots);
	return link_fail_relocation(link, -ERANGE, relocation,
				    "is out of reach (found %" PRId64 ", at least %" PRId64
				    " and at most %" PRId64 "); compile with %s",
				    value, least, greatest, option);
}

/* ---- Slots and stubs ------------------------------------------------------------------------ */

bool link_is_whole(const struct link_relocation_type *type)
{
	return !type->shift || (type->exact && type->fit == LINK_FIT_SIGNED);
}

/* It stands for the first instruction of a function; other addresses in one are data. */
bool link_may_use_stub(const struct link_relocation *relocation)
{
	const struct link_symbol *symbol = relocation->symbol;
	const struct link_relocation_type *type = relocation->type;
	int64_t greatest = type->shift ? relocation->object->link->arch->code_addend : 0;

	/* A part of an address would be that of another address than the other part. */
	if (!symbol->stub || symbol->resolved || relocation->addend > greatest ||
	    (type->kind != LINK_BRANCH && !link_is_whole(type)))
		return false;
	if (type->kind == LINK_ABSOLUTE)
		return symbol->function && !relocation->addend;
	return relocation->addend >= LEAST_ADDEND &&
	       (type->kind == LINK_BRANCH || symbol->function);
}

uint64_t link_slot_address(const struct link *link, uint32_t number)
{
	return link->base + link->part[LINK_RODATA].offset + link->private->got_offset +
	       (uint64_t)number * link->arch->got_bytes;
}

uint64_t link_got_pointer(const struct link *link)
{
	return link_slot_address(link, 0) + link->arch->got_bias;
}

/* What code counts from that a register tells of. */
static uint64_t link_origin(const struct link *link, const struct link_object *object)
{
	return object->data_based ? link->data_pointer : link_got_pointer(link);
}

uint64_t link_got_address(const struct link *link, const struct link_symbol *symbol)
{
	return link_slot_address(link, symbol->got - 1);
}

uint64_t link_stub_address(const struct link *link, const struct link_symbol *symbol)
{
	return link->base + link->part[LINK_TEXT].offset + link->private->stub_offset +
	       (uint64_t)(symbol->stub - 1) * link_stub_size(link);
}

void link_write_slot(struct link *link, uint32_t number, uint64_t value)
{
	uint64_t offset = link->private->got_offset + (uint64_t)number * link->arch->got_bytes;

	link_put(link->arch, link->part[LINK_RODATA].buffer + offset, link->arch->got_bytes, value);
}

/* ---- Pointers ------------------------------------------------------------------------------- */

/* Of a machine where pointers lead to more than code: whether it has what they lead to. */
static bool has_pointer(const struct link *link, const struct link_symbol *symbol)
{
	return link->hosted && link->arch->pointer_offset && symbol->stub && symbol->section &&
	       !symbol->resolved;
}

uint64_t link_pointer(const struct link *link, const struct link_symbol *symbol)
{
	return has_pointer(link, symbol)
		       ? link_stub_address(link, symbol) + link->arch->pointer_offset
		       : link_symbol_address(link, symbol);
}

uint64_t link_use_pointer(struct link *link, const struct link_symbol *symbol)
{
	if (has_pointer(link, symbol))
		link->arch->write_pointer(link, symbol);
	return link_pointer(link, symbol);
}

bool link_find_code(const struct link *link, const struct link_symbol *symbol,
		    const struct link_section **section, uint64_t *offset)
{
	return link->arch->find_code && link->arch->find_code(symbol, section, offset);
}

uint64_t link_code_address(const struct link *link, const struct link_symbol *symbol)
{
	const struct link_section *section;
	uint64_t offset;

	if (link_find_code(link, symbol, &section, &offset))
		return link_section_address(link, section) + offset;
	return link_symbol_address(link, symbol);
}

static void write_pointers(struct link *link)
{
	struct link_symbol *symbol = NULL;

	while ((symbol = link_next_defined(link, symbol)))
		link_use_pointer(link, symbol);
}

/* ---- Slots and stubs, in use ---------------------------------------------------------------- */

uint64_t link_use_slot(struct link *link, struct link_symbol *symbol)
{
	symbol->got_used = true;
	link_write_slot(link, symbol->got - 1, link_use_pointer(link, symbol));
	return link_got_address(link, symbol);
}

/* A slot that has the value; NULL if it has none and all are taken. */
static const struct link_value *find_value(struct link_private *private, uint64_t value)
{
	uint32_t mask = private->value_slots - 1, at = (uint32_t)(value >> 16 ^ value) & mask;

	if (!private->value_most)
		return NULL;
	/* There are twice as many places as there can be values. */
	while (private->values[at].used && private->values[at].value != value)
		at = (at + 1) & mask;
	if (private->values[at].used)
		return &private->values[at];
	if (private->values_used >= private->value_most)
		return NULL;
	private->values[at] = (struct link_value){
		.value = value,
		.number = private->got_count + private->values_used++,
		.used = true,
	};
	return &private->values[at];
}

/* Only an addend that leads out of its section can want more slots than were counted. */
static int use_value(struct link *link, const struct link_relocation *relocation, uint64_t value,
		     uint64_t *slot)
{
	const struct link_value *held = find_value(link->private, value);

	if (!held)
		return link_fail_relocation(
			link, -ENOEXEC, relocation,
			"needs a GOT slot for 0x%" PRIx64 ", and all %" PRIu32
			" for such values are taken; its addend leads out of its section",
			value, link->private->value_most);
	link_write_slot(link, held->number, value);
	*slot = link_slot_address(link, held->number);
	return 0;
}

int link_use_stub(struct link *link, const struct link_relocation *relocation, uint64_t *address)
{
	struct link_symbol *symbol = relocation->symbol;
	uint64_t slot = link_use_slot(link, symbol);
	uint64_t offset =
		link->private->stub_offset + (uint64_t)(symbol->stub - 1) * link_stub_size(link);

	*address = link_stub_address(link, symbol);
	symbol->stub_used = true;
	if (!link->arch->write_stub(link->part[LINK_TEXT].buffer + offset, *address, slot,
				    link->features & LINK_IBT))
		return link_fail_relocation(link, -ERANGE, relocation,
					    "needs a stub that does not reach its slot");
	return 0;
}

/* ---- Values --------------------------------------------------------------------------------- */

int link_write_value(struct link *link, const struct link_relocation *relocation,
		     unsigned char *field, int64_t value)
{
	const struct link_relocation_type *type = relocation->type;

	if (!fits(link->arch, type, value))
		return fail_range(link, relocation, reduce(link->arch, type, value));
	if (type->exact && value & (((int64_t)1 << type->shift) - 1))
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "leads to what is not aligned (found 0x%" PRIx64
					    ", need a multiple of %u)",
					    (uint64_t)value, 1U << type->shift);
	link_put_field(link->arch, type, field, value);
	return 0;
}

int link_write_distance(struct link *link, const struct link_relocation *relocation,
			unsigned char *field, const uint64_t *value)
{
	uint64_t slot = 0;
	int error = 0;

	if (value)
		error = use_value(link, relocation, *value, &slot);
	else
		slot = link_use_slot(link, relocation->symbol);
	if (error)
		return error;
	return link_write_value(link, relocation, field, (int64_t)(slot - link_got_pointer(link)));
}

/* Where a relocation is: in the buffer, and in the target. */
struct place {
	unsigned char *field;
	uint64_t address;
};

enum link_from link_counts_from(const struct link_relocation_type *type)
{
	if (type->from != LINK_FROM_KIND)
		return type->from;
	switch (type->kind) {
	case LINK_ABSOLUTE:
	case LINK_SUM:
	case LINK_DIFFERENCE:
	case LINK_SIZE:
	case LINK_TLS_OFFSET:
	case LINK_TLS_DISTANCE:
	case LINK_TLS_MODULE:
		return LINK_FROM_ZERO;
	case LINK_GOT_SLOT:
	case LINK_GOT_OFFSET:
		return LINK_FROM_GOT;
	default:
		return LINK_FROM_PLACE;
	}
}

uint64_t link_combine(const struct link_arch *arch, const struct link_relocation_type *type,
		      const unsigned char *field, uint64_t value)
{
	switch (type->kind) {
	case LINK_SUM:
		return link_get_field(arch, type, field) + value;
	case LINK_DIFFERENCE:
		return link_get_field(arch, type, field) - value;
	default:
		return value;
	}
}

static int64_t value_from(const struct link *link, const struct link_relocation *relocation,
			  uint64_t value, const struct place *place)
{
	switch (link_counts_from(relocation->type)) {
	case LINK_FROM_ZERO:
		return (int64_t)link_combine(link->arch, relocation->type, place->field, value);
	case LINK_FROM_GOT:
		return (int64_t)(value - link_origin(link, relocation->object));
	case LINK_FROM_PAGE:
		return (int64_t)((value & ~LINK_PAGE_MASK) - (place->address & ~LINK_PAGE_MASK));
	default:
		return (int64_t)(value - place->address);
	}
}

static int64_t value_for(const struct link *link, const struct link_relocation *relocation,
			 uint64_t target, const struct place *place)
{
	if (link->arch->select)
		return link->arch->select(relocation,
					  (uint64_t)value_from(link, relocation, target, place));
	return value_from(link, relocation, target + (uint64_t)relocation->addend, place);
}

/* What a relocation refers to: the symbol, or something that is made for it. */
static uint64_t target_of(struct link *link, const struct link_relocation *relocation)
{
	struct link_symbol *symbol = relocation->symbol;

	if (link_is_tls_kind(relocation->type->kind))
		return link_tls_target(link, relocation);
	switch (relocation->type->kind) {
	case LINK_SIZE:
		return symbol->size;
	case LINK_GOT_RELATIVE:
	case LINK_GOT_RELAXABLE:
	case LINK_GOT_SLOT:
		return link_use_slot(link, symbol);
	case LINK_GOT_BASE:
		return link_got_pointer(link);
	default:
		return link_symbol_address(link, symbol);
	}
}

/* Branches that have something of their own; false: they don't get there themselves. */
static bool enter(const struct link *link, const struct link_relocation *relocation,
		  const struct place *place, bool stub, uint64_t *target)
{
	return relocation->type->kind != LINK_BRANCH || !link->arch->enter ||
	       link->arch->enter(relocation, place->field, place->address, stub, target);
}

static int fail_state(struct link *link, const struct link_relocation *relocation)
{
	return link_fail_relocation(link, -ENOEXEC, relocation,
				    "is a branch that can't change the instruction set as its "
				    "target needs it; call it instead");
}

static int apply(struct link *link, const struct link_relocation *relocation,
		 const struct place *place)
{
	const struct link_relocation_type *type = relocation->type;
	struct link_symbol *symbol = relocation->symbol;
	uint64_t target;
	int64_t value;
	bool direct;
	int error;

	if (type->kind == LINK_SPECIAL)
		return link->arch->apply(link, relocation, place->field, place->address);
	if (type->kind == LINK_BRANCH && !symbol->defined && link->arch->skip) {
		link->arch->skip(relocation, place->field);
		return 0;
	}
	if (type->kind == LINK_GOT_RELAXABLE &&
	    link->arch->relax(relocation->number, place->field, relocation->offset, place->address,
			      link_symbol_address(link, symbol), relocation->addend))
		return 0;
	target = target_of(link, relocation);
	direct = enter(link, relocation, place, symbol->resolved, &target);
	value = value_for(link, relocation, target, place);
	if ((!direct || !fits(link->arch, type, value)) && link_may_use_stub(relocation)) {
		error = link_use_stub(link, relocation, &target);
		if (error)
			return error;
		direct = enter(link, relocation, place, true, &target);
		value = value_for(link, relocation, target, place);
	}
	if (!direct)
		return fail_state(link, relocation);
	return link_write_value(link, relocation, place->field, value);
}

int64_t link_value(struct link *link, const struct link_relocation *relocation,
		   unsigned char *field, uint64_t at)
{
	struct place place = { .field = field, .address = at };

	return value_for(link, relocation, target_of(link, relocation), &place);
}

int link_apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
	       uint64_t at)
{
	struct place place = { .field = field, .address = at };

	return apply(link, relocation, &place);
}

static int visit(struct link *link, const struct link_relocation *relocation, void *arg)
{
	const struct link_symbol *symbol = relocation->symbol;
	struct place place = {
		.field = link_section_buffer(link, relocation->section) + relocation->offset,
		.address = link_section_address(link, relocation->section) + relocation->offset,
	};

	(void)arg;
	if (symbol->section && symbol->section->discarded) {
		link_put_field(link->arch, relocation->type, place.field, 0);
		return 0;
	}
	if (!symbol->defined && symbol->bind != STB_WEAK)
		return link_fail_relocation(link, -ENOEXEC, relocation, "that nobody defines");
	return link_pass(link, apply(link, relocation, &place));
}

/* ---- What most relocations are -------------------------------------------------------------- */

/* A symbol without an address of this kind; if one has just this, it is left to visit(). */
#define UNKNOWN UINT64_MAX

/* What is the same for all relocations of an object, of a table, and of a run of one type. */
struct fast {
	uint64_t base[LINK_REGIONS]; /* address of the beginning of each region */
	bool little;		     /* this machine's order of bytes is the target's */

	uint64_t *targets; /* by symbol: its address, or UNKNOWN */

	unsigned char *buffer; /* where the table's relocations write */
	uint64_t address;

	const struct link_relocation_type *type;
	uint32_t number; /* of the type */
	uint8_t bytes;	 /* of the field; 0: such are left to visit() */
	uint64_t place;	 /* the place counts: all bits, or none */
};

static uint64_t find_target(const struct fast *fast, const struct link_symbol *symbol)
{
	if (link_is_plain(symbol))
		return fast->base[symbol->section->region] + symbol->section->offset +
		       symbol->value;
	if (symbol->external && !symbol->section && symbol->type <= STT_FUNC && !symbol->resolved)
		return symbol->value;
	return UNKNOWN;
}

/* Those whose value is an address or a distance in 4 or 8 bytes. */
static void look_up(const struct link *link, uint32_t number, struct fast *fast)
{
	const struct link_relocation_type *type = link->arch->relocation(number);
	bool plain = !type->bits && !type->form && type->from == LINK_FROM_KIND;
	bool whole = plain && type->bytes == sizeof(uint64_t) && type->fit == LINK_FIT_ALL;
	bool half = plain && type->bytes == sizeof(uint32_t) &&
		    (type->fit == LINK_FIT_SIGNED || type->fit == LINK_FIT_UNSIGNED);

	fast->type = type;
	fast->number = number;
	fast->bytes = 0;
	fast->place = type->kind == LINK_ABSOLUTE ? 0 : UINT64_MAX;
	if (fast->little && (whole || half) &&
	    (type->kind == LINK_ABSOLUTE || type->kind == LINK_RELATIVE ||
	     type->kind == LINK_BRANCH))
		fast->bytes = type->bytes;
}

/* Do it if nothing about it is special, and the value fits.  Nobody checked where others lie. */
static bool apply_fast(const struct fast *fast, const Elf64_Rela *entry)
{
	uint64_t value = fast->targets[ELF64_R_SYM(entry->r_info)];
	unsigned char *field;
	uint32_t half;

	if (!fast->bytes || value == UNKNOWN)
		return false;
	field = fast->buffer + entry->r_offset;
	value += (uint64_t)entry->r_addend - ((fast->address + entry->r_offset) & fast->place);
	if (fast->bytes == sizeof(value)) {
		memcpy(field, &value, sizeof(value));
		return true;
	}
	half = (uint32_t)value;
	if (value != (fast->type->fit == LINK_FIT_SIGNED ? (uint64_t)(int32_t)half : half))
		return false;
	memcpy(field, &half, sizeof(half));
	return true;
}

static int relocate_table(struct link *link, struct link_object *object,
			  const struct link_table *table, struct fast *fast)
{
	fast->buffer = link_section_buffer(link, table->section);
	fast->address = link_section_address(link, table->section);
	for (size_t i = 0; i < table->count; i++) {
		Elf64_Rela entry;
		int error;

		link_get_entry(table, i, &entry);
		if (!fast->type || fast->number != (uint32_t)ELF64_R_TYPE(entry.r_info))
			look_up(link, (uint32_t)ELF64_R_TYPE(entry.r_info), fast);
		if (apply_fast(fast, &entry) || fast->type->kind == LINK_IGNORED)
			continue;
		error = visit(link,
			      &(struct link_relocation){
				      .type = fast->type,
				      .number = fast->number,
				      .object = object,
				      .section = table->section,
				      .symbol = object->symbols[ELF64_R_SYM(entry.r_info)],
				      .offset = entry.r_offset,
				      .addend = entry.r_addend,
			      },
			      NULL);
		if (error)
			return error;
	}
	return 0;
}

static int relocate_object(struct link *link, struct link_object *object, struct fast *fast)
{
	int error = 0;

	for (size_t i = 0; object->table_count && i < object->symbol_count; i++)
		fast->targets[i] = find_target(fast, object->symbols[i]);
	for (size_t i = 0; i < object->table_count && !error; i++)
		error = relocate_table(link, object, &object->tables[i], fast);
	return error;
}

static int relocate_all(struct link *link)
{
	struct fast fast = {
		.little = link->arch->encoding == ELFDATA2LSB &&
			  __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
		.targets = link_allocate_array(link, link_most_symbols(link), sizeof(uint64_t)),
	};
	int error = 0;

	if (!fast.targets)
		return -ENOMEM;
	for (size_t i = 0; i <= LINK_INIT_DATA; i++)
		fast.base[i] = link->base + link->part[i].offset;
	for (struct link_object *object = link->objects; object && !error; object = object->next)
		error = relocate_object(link, object, &fast);
	return error;
}

/* ---- Copying -------------------------------------------------------------------------------- */

/* Zero a part from `*done` to before `offset`. */
static void fill_gap(struct link_part *part, uint64_t *done, uint64_t offset)
{
	if (offset > *done && !part->zeroed)
		memset(part->buffer + *done, 0, (size_t)(offset - *done));
	*done = offset;
}

/* All of the parts is written but the cells, which are the caller's and come last. */
static void copy_sections(struct link *link, enum link_region first)
{
	struct link_private *private = link->private;
	size_t next = 0;

	while (next < private->placed_count && private->placed[next]->region < first)
		next++;
	for (size_t region = first; region < LINK_REGIONS; region++) {
		struct link_part *part = &link->part[region];
		uint64_t done = 0, end = region == LINK_TLS ? link->tls_initial_size : part->size;

		for (; next < private->placed_count; next++) {
			const struct link_section *section = private->placed[next];

			if (section->region != region)
				break;
			if (!section->data || !section->size)
				continue;
			fill_gap(part, &done, section->offset);
			memcpy(part->buffer + done, section->data, (size_t)section->size);
			done += section->size;
		}
		if (region == LINK_RODATA && private->cell.size)
			end = private->cell.offset;
		fill_gap(part, &done, end);
	}
}

int link_relocate_tls(struct link *link)
{
	copy_sections(link, LINK_TLS);
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 0; i < object->table_count; i++) {
			const struct link_table *table = &object->tables[i];
			int error = 0;

			if (table->section->region == LINK_TLS)
				error = link_each_of_table(object, table, visit, NULL);
			if (error)
				return error;
		}
	}
	return 0;
}

int link_relocate(struct link *link)
{
	int error;

	if (link->private->values_used && link->private->values_base != link->base) {
		memset(link->private->values, 0,
		       link->private->value_slots * sizeof(*link->private->values));
		link->private->values_used = 0;
	}
	link->private->values_base = link->base;

	if (link->flaw)
		return link->flaw;
	copy_sections(link, LINK_TEXT);
	link_write_index(link);
	if (link->hosted && link->arch->pointer_offset)
		write_pointers(link);
	error = link_write_indirects(link);
	if (!error)
		error = relocate_all(link);
	if (!error)
		error = link->flaw;
	link->private->relocated = !error;
	return error;
}
