/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * riscv of 64 bits: relocations, stubs, and alignment.
 *
 * An address is made of 20 bits and a low part of twelve with a sign.  The low part of a distance names
 * not the thing but the instruction that has the high part, since that is the place from which both
 * count.  Differences of labels are two relocations of one field: add this, take that.
 *
 * Assemblers leave to linkers what becomes of alignment in code: there are as many bytes of nops as
 * might be wanted, and those that are not are taken out (R_RISCV_ALIGN).  That depends on nothing but
 * the section's own alignment, so it is done at once, and all that is behind moves up: symbols and
 * relocations.  Nothing else is made shorter (R_RISCV_RELAX is a permission).
 *
 * ("RISC-V ABIs Specification", ELF.)
 */
#include "elf/internal.h"

#define ENTRY(number, ...) [R_RISCV_##number] = { "R_RISCV_" #number, __VA_ARGS__ }
#define REFUSED(number, why) ENTRY(number, .reason = (why))
#define IGNORED(number) ENTRY(number, .kind = LINK_IGNORED)
#define DATA(number, kind, bytes, fit) ENTRY(number, kind, bytes, fit, .reason = NULL)
/* The high 20 bits. */
#define HIGH(number, kind, origin)                                                                 \
	ENTRY(number, kind, 4, LINK_FIT_SIGNED, .bits = 20, .shift = 12, .low = 12, .carry = 11,   \
	      .from = (origin))
#define LOW(number, kind, how)                                                                     \
	ENTRY(number, kind, 4, LINK_FIT_ALL, .bits = 12, .form = (how), .from = LINK_FROM_ZERO,    \
	      .wants = LINK_WANTS_ADDRESS)
/* A branch, in halfwords. */
#define FORMED(number, kind, bytes, count, how)                                                    \
	ENTRY(number, kind, bytes, LINK_FIT_SIGNED, .bits = (count), .shift = 1, .exact = true,    \
	      .form = (how))
/* auipc and jalr. */
#define CALL_OF(number)                                                                            \
	ENTRY(number, LINK_BRANCH, 8, LINK_FIT_SIGNED, .bits = 32, .carry = 11, .form = FORM_CALL)

#define DYNAMIC "only in linked files"
#define OF_LINKER "linkers make it of others"

/* Those that older <elf.h> does not have. */
#define R_RISCV_PLT32 59
#define R_RISCV_SET_ULEB128 60
#define R_RISCV_SUB_ULEB128 61
#define R_RISCV_TLSDESC_HI20 62
#define R_RISCV_TLSDESC_LOAD_LO12 63
#define R_RISCV_TLSDESC_ADD_LO12 64
#define R_RISCV_TLSDESC_CALL 65

enum form {
	FORM_PLAIN,
	FORM_I,
	FORM_S,
	FORM_B,
	FORM_J,
	FORM_CB,
	FORM_CJ,
	FORM_CALL,
};

static const struct link_relocation_type types[] = {
	IGNORED(NONE),
	DATA(32, LINK_ABSOLUTE, 4, LINK_FIT_EITHER),
	DATA(64, LINK_ABSOLUTE, 8, LINK_FIT_ALL),
	REFUSED(RELATIVE, DYNAMIC),
	REFUSED(COPY, DYNAMIC),
	REFUSED(JUMP_SLOT, DYNAMIC),
	REFUSED(TLS_DTPMOD32, DYNAMIC),
	REFUSED(TLS_DTPMOD64, DYNAMIC),
	DATA(TLS_DTPREL32, LINK_TLS_OFFSET, 4, LINK_FIT_ALL),
	DATA(TLS_DTPREL64, LINK_TLS_OFFSET, 8, LINK_FIT_ALL),
	REFUSED(TLS_TPREL32, DYNAMIC),
	REFUSED(TLS_TPREL64, DYNAMIC),
	FORMED(BRANCH, LINK_RELATIVE, 4, 12, FORM_B),
	FORMED(JAL, LINK_BRANCH, 4, 20, FORM_J),
	CALL_OF(CALL),
	CALL_OF(CALL_PLT),
	HIGH(GOT_HI20, LINK_GOT_RELATIVE, LINK_FROM_PLACE),
	HIGH(TLS_GOT_HI20, LINK_TLS_INITIAL, LINK_FROM_PLACE),
	HIGH(TLS_GD_HI20, LINK_TLS_GENERAL, LINK_FROM_PLACE),
	HIGH(PCREL_HI20, LINK_RELATIVE, LINK_FROM_PLACE),
	LOW(PCREL_LO12_I, LINK_SPECIAL, FORM_I),
	LOW(PCREL_LO12_S, LINK_SPECIAL, FORM_S),
	HIGH(HI20, LINK_ABSOLUTE, LINK_FROM_ZERO),
	LOW(LO12_I, LINK_ABSOLUTE, FORM_I),
	LOW(LO12_S, LINK_ABSOLUTE, FORM_S),
	HIGH(TPREL_HI20, LINK_TLS_DISTANCE, LINK_FROM_ZERO),
	LOW(TPREL_LO12_I, LINK_TLS_DISTANCE, FORM_I),
	LOW(TPREL_LO12_S, LINK_TLS_DISTANCE, FORM_S),
	IGNORED(TPREL_ADD),
	DATA(ADD8, LINK_SUM, 1, LINK_FIT_ALL),
	DATA(ADD16, LINK_SUM, 2, LINK_FIT_ALL),
	DATA(ADD32, LINK_SUM, 4, LINK_FIT_ALL),
	DATA(ADD64, LINK_SUM, 8, LINK_FIT_ALL),
	DATA(SUB8, LINK_DIFFERENCE, 1, LINK_FIT_ALL),
	DATA(SUB16, LINK_DIFFERENCE, 2, LINK_FIT_ALL),
	DATA(SUB32, LINK_DIFFERENCE, 4, LINK_FIT_ALL),
	DATA(SUB64, LINK_DIFFERENCE, 8, LINK_FIT_ALL),
	IGNORED(GNU_VTINHERIT),
	IGNORED(GNU_VTENTRY),
	IGNORED(ALIGN), /* what is to be done is done by prepare() */
	FORMED(RVC_BRANCH, LINK_RELATIVE, 2, 8, FORM_CB),
	FORMED(RVC_JUMP, LINK_BRANCH, 2, 11, FORM_CJ),
	REFUSED(RVC_LUI, OF_LINKER),
	REFUSED(GPREL_I, OF_LINKER),
	REFUSED(GPREL_S, OF_LINKER),
	REFUSED(TPREL_I, OF_LINKER),
	REFUSED(TPREL_S, OF_LINKER),
	IGNORED(RELAX),
	ENTRY(SUB6, LINK_DIFFERENCE, 1, LINK_FIT_ALL, .bits = 6),
	ENTRY(SET6, LINK_ABSOLUTE, 1, LINK_FIT_ALL, .bits = 6),
	DATA(SET8, LINK_ABSOLUTE, 1, LINK_FIT_ALL),
	DATA(SET16, LINK_ABSOLUTE, 2, LINK_FIT_ALL),
	DATA(SET32, LINK_ABSOLUTE, 4, LINK_FIT_ALL),
	DATA(32_PCREL, LINK_RELATIVE, 4, LINK_FIT_SIGNED),
	REFUSED(IRELATIVE, DYNAMIC),
	DATA(PLT32, LINK_BRANCH, 4, LINK_FIT_SIGNED),
	ENTRY(SET_ULEB128, LINK_SPECIAL, 1, LINK_FIT_ALL, .wants = LINK_WANTS_ADDRESS),
	ENTRY(SUB_ULEB128, LINK_SPECIAL, 1, LINK_FIT_ALL, .wants = LINK_WANTS_ADDRESS),
	REFUSED(TLSDESC_HI20, "compile with -mtls-dialect=trad"),
	REFUSED(TLSDESC_LOAD_LO12, "compile with -mtls-dialect=trad"),
	REFUSED(TLSDESC_ADD_LO12, "compile with -mtls-dialect=trad"),
	REFUSED(TLSDESC_CALL, "compile with -mtls-dialect=trad"),
};

static const struct link_relocation_type *find_relocation(uint32_t type)
{
	return type < sizeof(types) / sizeof(types[0]) && types[type].name ? &types[type] : NULL;
}

/* ---- Fields --------------------------------------------------------------------------------- */

/* Where runs of a value's bits lie in an instruction. */
struct piece {
	uint8_t from, count, to; /* bits */
};

#define MOST_PIECES 8

static const struct piece pieces[][MOST_PIECES] = {
	[FORM_I] = { { 0, 12, 20 } },
	[FORM_S] = { { 0, 5, 7 }, { 5, 7, 25 } },
	[FORM_B] = { { 0, 4, 8 }, { 4, 6, 25 }, { 10, 1, 7 }, { 11, 1, 31 } },
	[FORM_J] = { { 0, 10, 21 }, { 10, 1, 20 }, { 11, 8, 12 }, { 19, 1, 31 } },
	[FORM_CB] = { { 0, 2, 3 }, { 2, 2, 10 }, { 4, 1, 2 }, { 5, 2, 5 }, { 7, 1, 12 } },
	[FORM_CJ] = { { 0, 3, 3 },
		      { 3, 1, 11 },
		      { 4, 1, 2 },
		      { 5, 1, 7 },
		      { 6, 1, 6 },
		      { 7, 2, 9 },
		      { 9, 1, 8 },
		      { 10, 1, 12 } },
};

static void insert(const struct link_relocation_type *type, unsigned char *field, uint64_t bits)
{
	const struct link_arch *arch = &link_arch_riscv;
	uint64_t code;

	if (type->form == FORM_CALL) {
		/* The carry is in them. */
		link_put(arch, field, 4, (link_get(arch, field, 4) & 0xfff) | (bits & 0xfffff000));
		link_put(arch, field + 4, 4,
			 (link_get(arch, field + 4, 4) & 0xfffff) | ((bits ^ 0x800) & 0xfff) << 20);
		return;
	}
	code = link_get(arch, field, type->bytes);
	for (size_t i = 0; i < MOST_PIECES && pieces[type->form][i].count; i++) {
		const struct piece *piece = &pieces[type->form][i];
		uint64_t mask = (1U << piece->count) - 1;

		code = (code & ~(mask << piece->to)) | (bits >> piece->from & mask) << piece->to;
	}
	link_put(arch, field, type->bytes, code);
}

static uint64_t extract(const struct link_relocation_type *type, const unsigned char *field)
{
	const struct link_arch *arch = &link_arch_riscv;
	uint64_t bits = 0, code;

	if (type->form == FORM_CALL)
		return (link_get(arch, field, 4) & 0xfffff000) |
		       ((link_get(arch, field + 4, 4) >> 20 ^ 0x800) & 0xfff);
	code = link_get(arch, field, type->bytes);
	for (size_t i = 0; i < MOST_PIECES && pieces[type->form][i].count; i++) {
		const struct piece *piece = &pieces[type->form][i];

		bits |= (code >> piece->to & ((1U << piece->count) - 1)) << piece->from;
	}
	return bits;
}

/* ---- Low parts of distances ------------------------------------------------------------------ */

static bool is_high(uint32_t type)
{
	return type == R_RISCV_PCREL_HI20 || type == R_RISCV_GOT_HI20 ||
	       type == R_RISCV_TLS_GOT_HI20 || type == R_RISCV_TLS_GD_HI20;
}

/* The relocation of the high part, at an offset; tables are in order, as assemblers make them. */
static bool find_high(const struct link_section *section, uint64_t offset, Elf64_Rela *found)
{
	const struct link_table *table = link_table_of(section);
	size_t low = 0, high = table ? table->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		link_get_entry(table, middle, found);
		if (found->r_offset < offset)
			low = middle + 1;
		else
			high = middle;
	}
	for (; table && low < table->count; low++) {
		link_get_entry(table, low, found);
		if (found->r_offset != offset)
			return false;
		if (is_high((uint32_t)ELF64_R_TYPE(found->r_info)))
			return true;
	}
	return false;
}

static int apply_low(struct link *link, const struct link_relocation *relocation,
		     unsigned char *field)
{
	const struct link_symbol *label = relocation->symbol;
	struct link_object *object = relocation->object;
	struct link_relocation high;
	Elf64_Rela entry;
	int64_t value;

	if (!label->section || label->section->object != object ||
	    !find_high(label->section, label->value, &entry))
		return link_fail_relocation(link, -ENOEXEC, relocation,
					    "names no instruction that has the high part");
	high = (struct link_relocation){
		.number = (uint32_t)ELF64_R_TYPE(entry.r_info),
		.object = object,
		.section = label->section,
		.symbol = object->symbols[ELF64_R_SYM(entry.r_info)],
		.offset = entry.r_offset,
		.addend = entry.r_addend,
	};
	high.type = find_relocation(high.number);
	value = link_value(link, &high, NULL,
			   link_section_address(link, high.section) + high.offset);
	link_put_field(link->arch, relocation->type, field,
		       (int64_t)((uint64_t)value + (uint64_t)relocation->addend));
	return 0;
}

/* A number of as many groups of seven bits as there are. */
static int apply_uleb(struct link *link, const struct link_relocation *relocation,
		      unsigned char *field)
{
	uint64_t left = relocation->section->size - relocation->offset, old = 0, value;
	unsigned int count = 0;

	do {
		if (count == left || count == 9)
			return link_fail_relocation(link, -ENOEXEC, relocation,
						    "is in a number that does not end");
		old |= (uint64_t)(field[count] & 0x7f) << 7 * count;
	} while (field[count++] & 0x80);
	value = link_symbol_address(link, relocation->symbol) + (uint64_t)relocation->addend;
	if (relocation->number == R_RISCV_SUB_ULEB128)
		value = old - value;
	for (unsigned int i = 0; i < count; i++)
		field[i] = (unsigned char)((field[i] & 0x80) | (value >> 7 * i & 0x7f));
	return 0;
}

static int apply(struct link *link, const struct link_relocation *relocation, unsigned char *field,
		 uint64_t at)
{
	(void)at;
	if (relocation->number == R_RISCV_SET_ULEB128 || relocation->number == R_RISCV_SUB_ULEB128)
		return apply_uleb(link, relocation, field);
	return apply_low(link, relocation, field);
}

/* ---- Alignment ------------------------------------------------------------------------------ */

/* What was taken out of a section: from each `offset` on, `removed` bytes in all; before it are the
 * `nops` bytes that stay. */
struct cut {
	uint64_t offset, removed, nops;
};

struct cuts {
	struct cut *cut;
	size_t count;
};

static uint64_t moved(const struct cuts *cuts, uint64_t offset)
{
	size_t low = 0, high = cuts->count;
	const struct cut *cut;
	uint64_t before;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cuts->cut[middle].offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return offset;
	before = low > 1 ? cuts->cut[low - 2].removed : 0;
	cut = &cuts->cut[low - 1];
	/* In what was taken out: where that was. */
	if (offset - cut->offset < cut->removed - before)
		return cut->offset - before;
	return offset - cut->removed;
}

static int fail_align(const struct link_table *table, uint64_t offset, const char *why)
{
	const struct link_object *object = table->section->object;

	return link_fail(object->link, -ENOEXEC,
			 "%s: section %s+0x%llx: relocation R_RISCV_ALIGN %s", object->name,
			 table->section->name, (unsigned long long)offset, why);
}

/* Which bytes go: of `addend` bytes of nops before what is to be aligned, those that are too many. */
static int find_cuts(const struct link_table *table, struct cuts *cuts)
{
	uint64_t removed = 0, behind = 0;

	for (size_t i = 0; i < table->count; i++) {
		uint64_t align = 1, have, want;
		Elf64_Rela entry;

		link_get_entry(table, i, &entry);
		if (ELF64_R_TYPE(entry.r_info) != R_RISCV_ALIGN)
			continue;
		have = (uint64_t)entry.r_addend;
		if (entry.r_offset < behind || entry.r_offset > table->section->size ||
		    have > table->section->size - entry.r_offset)
			return fail_align(table, entry.r_offset, "is not in order, or outside");
		behind = entry.r_offset + have;
		while (align <= have)
			align *= 2;
		if (align > table->section->align)
			return fail_align(table, entry.r_offset, "wants more than the section");
		want = link_align(entry.r_offset - removed, align) - (entry.r_offset - removed);
		if (want > have)
			return fail_align(table, entry.r_offset, "has too few bytes of nops");
		removed += have - want;
		cuts->cut[cuts->count++] = (struct cut){ .offset = entry.r_offset + want,
							 .removed = removed,
							 .nops = want };
	}
	return 0;
}

/* What is left of those that were there may end in the middle of one. */
static void write_nops(unsigned char *bytes, uint64_t size)
{
	for (; size >= 4; size -= 4, bytes += 4)
		link_put(&link_arch_riscv, bytes, 4, 0x13);
	if (size >= 2)
		link_put(&link_arch_riscv, bytes, 2, 1);
}

static int copy_without(struct link *link, struct link_section *section, const struct cuts *cuts)
{
	uint64_t from = 0, to = 0, removed = 0;
	unsigned char *copy = link_allocate(link, (size_t)section->size);

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < cuts->count; i++) {
		uint64_t gone = cuts->cut[i].removed - removed;

		memcpy(copy + to, section->data + from, (size_t)(cuts->cut[i].offset - from));
		to += cuts->cut[i].offset - from;
		if (gone)
			write_nops(copy + to - cuts->cut[i].nops, cuts->cut[i].nops);
		from = cuts->cut[i].offset + gone;
		removed = cuts->cut[i].removed;
	}
	memcpy(copy + to, section->data + from, (size_t)(section->size - from));
	section->data = copy;
	section->size -= removed;
	return 0;
}

static int move_relocations(struct link *link, struct link_table *table, const struct cuts *cuts)
{
	Elf64_Rela *copy = link_allocate_array(link, table->count, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < table->count; i++) {
		link_get_entry(table, i, &copy[i]);
		if (copy[i].r_offset <= table->section->size)
			copy[i].r_offset = moved(cuts, copy[i].r_offset);
	}
	table->bytes = (const unsigned char *)copy;
	return 0;
}

static void move_symbols(const struct link_section *section, const struct cuts *cuts)
{
	const struct link_object *object = section->object;

	for (size_t i = 1; i < object->symbol_count; i++) {
		struct link_symbol *symbol = object->symbols[i];
		uint64_t end;

		if (symbol->section != section)
			continue;
		end = moved(cuts, symbol->value + symbol->size);
		symbol->value = moved(cuts, symbol->value);
		symbol->size = end - symbol->value;
	}
}

static bool has_alignment(const struct link_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		Elf64_Rela entry;

		link_get_entry(table, i, &entry);
		if (ELF64_R_TYPE(entry.r_info) == R_RISCV_ALIGN)
			return true;
	}
	return false;
}

static int align_section(struct link *link, struct link_table *table)
{
	struct cuts cuts = { .cut = link_allocate_array(link, table->count, sizeof(struct cut)) };
	int error;

	if (!cuts.cut)
		return -ENOMEM;
	error = find_cuts(table, &cuts);
	if (error)
		return error;
	move_symbols(table->section, &cuts);
	error = move_relocations(link, table, &cuts);
	return error ? error : copy_without(link, table->section, &cuts);
}

static int prepare(struct link *link)
{
	int error = 0;

	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 0; i < object->table_count && !error; i++) {
			if (has_alignment(&object->tables[i]))
				error = align_section(link, &object->tables[i]);
		}
	}
	return error;
}

/* ---- Stubs ---------------------------------------------------------------------------------- */

#define STUB_BYTES 16

/* auipc t3, slot; ld t3, slot(t3); jr t3; nop */
static bool write_stub(unsigned char *buffer, uint64_t at, uint64_t slot, bool marked)
{
	int64_t distance = (int64_t)(slot - at);
	uint64_t bits = (uint64_t)distance + 0x800;

	(void)marked;
	if (distance + 0x800 != (int32_t)(distance + 0x800))
		return false;
	link_put(&link_arch_riscv, buffer, 4, 0xe17 | (bits & 0xfffff000));
	link_put(&link_arch_riscv, buffer + 4, 4, 0xe3e03 | ((uint64_t)distance & 0xfff) << 20);
	link_put(&link_arch_riscv, buffer + 8, 4, 0xe0067);
	link_put(&link_arch_riscv, buffer + 12, 4, 0x13);
	return true;
}

/* ---- Objects that fit together ---------------------------------------------------------------- */

static int check_flags(struct link_object *object, uint32_t flags)
{
	static const char *const abis[] = { "lp64", "lp64f", "lp64d", "lp64q" };
	uint32_t abi = flags >> 1 & 3;

	if (flags & EF_RISCV_RVE)
		return link_fail(object->link, -ENOEXEC,
				 "%s: compiled for half of the registers (RV64E); compile with "
				 "-mabi=lp64d",
				 object->name);
	if (abi == 2)
		return 0;
	return link_fail(object->link, -ENOEXEC,
			 "%s: compiled for another ABI (found %s, need lp64d); compile with "
			 "-mabi=lp64d",
			 object->name, abis[abi]);
}

const struct link_arch link_arch_riscv = {
	.machine = EM_RISCV,
	.class = ELFCLASS64,
	.encoding = ELFDATA2LSB,
	.name = "riscv64",
	.page_size = 4096,
	.got_bytes = 8,
	.stub_bytes = STUB_BYTES,
	.stub_align = 16,
	.marked_stub_bytes = STUB_BYTES,
	.tls_bias = 0x800,
	.mapping_symbols = "xd",
	.relocation = find_relocation,
	.write_stub = write_stub,
	.check_flags = check_flags,
	.insert = insert,
	.extract = extract,
	.apply = apply,
	.prepare = prepare,
};
