/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From which bases is everything in reach?
 *
 * A relocation's value is a constant, plus the base, or minus the base:
 *
 *                             place in the block      place is a per-CPU variable
 *     S + A     S in block          + base                    + base
 *               S elsewhere        constant                  constant
 *     S + A - P S in block         constant                   + base
 *               S elsewhere         - base                   constant
 *
 * What fits in the field turns into a range of bases, and the intersection of all ranges is the
 * answer.  Constants can't be helped by a base; link_relocate() looks at them.  A function that is
 * elsewhere can be reached through its stub, which is in the block.  Thread-local variables have
 * distances that no base changes, and those with initial values refer to other things by whole
 * addresses.
 */
#include "elf/internal.h"

/* Constants are cut here: beyond, no base helps, and sums below can't overflow. */
#define FAR_AWAY ((int64_t)1 << 61)
/* More than any address of a program. */
static uint64_t highest(const struct link *link)
{
	return link->arch->class == ELFCLASS64 ? (uint64_t)1 << 60 : UINT32_MAX;
}

/* A sum in which the base has a factor of -1, 0 or 1. */
struct sum {
	int64_t constant;
	int factor;
};

static struct sum address_in(const struct link *link, const struct link_section *section,
			     uint64_t offset)
{
	struct sum sum;

	if (section->region == LINK_PERCPU) {
		sum.factor = 0;
		sum.constant = (int64_t)(link->percpu_address + section->offset + offset);
	} else if (section->region == LINK_RSEQ && link->rseq_address) {
		sum.factor = 0;
		sum.constant = (int64_t)(link->rseq_address + section->offset + offset);
	} else {
		sum.factor = 1;
		sum.constant =
			(int64_t)(link->part[section->region].offset + section->offset + offset);
	}
	return sum;
}

static struct sum stub_of(const struct link *link, const struct link_symbol *symbol)
{
	return (struct sum){
		.constant = (int64_t)(link_stub_address(link, symbol) - link->base),
		.factor = 1,
	};
}

static struct sum address_of(const struct link *link, const struct link_symbol *symbol)
{
	if (symbol->resolved)
		return stub_of(link, symbol);
	if (symbol->section)
		return address_in(link, symbol->section, symbol->value);
	return (struct sum){ .constant = (int64_t)(symbol->defined ? symbol->value : 0) };
}

/* target + A, or target + A - P; wraps around as addresses do. */
static struct sum value_of(const struct link *link, const struct link_relocation *relocation,
			   struct sum target)
{
	struct sum place = address_in(link, relocation->section, relocation->offset);
	uint64_t constant = (uint64_t)target.constant + (uint64_t)relocation->addend;

	if (link_counts_from(relocation->type) != LINK_FROM_ZERO) {
		constant -= (uint64_t)place.constant;
		target.factor -= place.factor;
	}
	target.constant = (int64_t)constant;
	return target;
}

static void set_bound(struct link_bound *bound, uint64_t base,
		      const struct link_relocation *relocation)
{
	*bound = (struct link_bound){
		.base = base,
		.symbol = relocation->symbol,
		.section = relocation->section,
		.offset = relocation->offset,
		/* Distances count from the end of the field, as a rule. */
		.target = (uint64_t)relocation->addend +
			  (relocation->type->kind == LINK_RELATIVE ? relocation->type->bytes : 0),
		.type = relocation->type->name,
	};
}

/* Narrow the interval to what makes least <= value <= greatest. */
static void narrow(const struct link *link, struct link_interval *interval, struct sum value,
		   int64_t least, int64_t greatest, const struct link_relocation *relocation)
{
	uint64_t page = link_page_size(link), high_base;
	int64_t constant = value.constant, low, high;

	if (constant > FAR_AWAY)
		constant = FAR_AWAY;
	if (constant < -FAR_AWAY)
		constant = -FAR_AWAY;
	low = value.factor > 0 ? least - constant : constant - greatest;
	high = value.factor > 0 ? greatest - constant : constant - least;
	/* Bases are whole pages. */
	if (low > 0 && link_align((uint64_t)low, page) > interval->low.base)
		set_bound(&interval->low, link_align((uint64_t)low, page), relocation);
	high_base = high > 0 ? (uint64_t)high & ~(page - 1) : 0;
	if (high_base < interval->high.base)
		set_bound(&interval->high, high_base, relocation);
}

/* Slots are always in reach, and so are stubs. */
static bool depends_on_base(const struct link_relocation *relocation)
{
	switch (relocation->type->kind) {
	case LINK_ABSOLUTE:
	case LINK_RELATIVE:
		return true;
	case LINK_BRANCH:
		return !link_may_use_stub(relocation);
	default:
		return false;
	}
}

static int visit(struct link *link, const struct link_relocation *relocation, void *arg)
{
	const struct link_symbol *symbol = relocation->symbol;
	int64_t least, greatest;
	struct sum value;

	if (!depends_on_base(relocation))
		return 0;
	if (!link_fit_range(relocation->type, &least, &greatest))
		return 0;
	/* How far a page is from another differs from the distance of what is in them. */
	if (link_counts_from(relocation->type) == LINK_FROM_PAGE) {
		least += LINK_PAGE_MASK;
		greatest -= LINK_PAGE_MASK;
	}
	if (symbol->section && symbol->section->discarded)
		return 0;
	value = value_of(link, relocation, address_of(link, symbol));
	if (link_may_use_stub(relocation)) {
		if (value.factor || (value.constant >= least && value.constant <= greatest))
			return 0;
		value = value_of(link, relocation, stub_of(link, symbol));
	}
	if (value.factor)
		narrow(link, arg, value, least, greatest, relocation);
	return 0;
}

int link_interval(struct link *link, struct link_interval *interval)
{
	uint64_t page = link_page_size(link);

	if (link->flaw)
		return link->flaw;
	*interval = (struct link_interval){
		.low.base = page,
		.high.base = (highest(link) - link->block_size) & ~(page - 1),
	};
	for (struct link_object *object = link->objects; object; object = object->next) {
		for (size_t i = 0; i < object->table_count; i++) {
			if (object->tables[i].bound)
				link_each_of_table(object, &object->tables[i], visit, interval);
		}
	}
	return 0;
}
