/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A linker's map for plans: who refers to what, the slots and stubs that this takes, the place and
 * what sets its bounds, sizes in all.
 *
 * All relocations are visited, after everything is written: what each has in its field tells how it
 * reaches its symbol.  Per symbol the first reference of each kind is kept, and how many there are.
 */
#include "internal.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* References of one kind to a symbol. */
struct uses {
	struct link_use first;
	size_t count;
};

/* link_symbol.note is the number of its entry + 1. */
struct reached {
	struct uses all, by_way[LINK_WAYS];
};

struct survey {
	struct permod_plan *plan;
	struct reached *reached;
	size_t count;
	struct uses own_tls;
	size_t discarded;
};

static void count_use(struct uses *uses, const struct link_use *use)
{
	if (!uses->count++)
		uses->first = *use;
}

static void visit(void *arg, const struct link_use *use)
{
	struct survey *survey = arg;
	struct link_symbol *symbol = use->symbol;
	struct reached *reached;

	survey->discarded += symbol->section && symbol->section->discarded;
	if (use->way == LINK_WAY_TLS_OWN_MODULE)
		count_use(&survey->own_tls, use);
	if (!symbol->note) {
		if (!grow(&survey->reached, &survey->count, sizeof(*reached))) {
			survey->plan->incomplete = true;
			return;
		}
		symbol->note = (uint32_t)survey->count;
	}
	reached = &survey->reached[symbol->note - 1];
	count_use(&reached->all, use);
	count_use(&reached->by_way[use->way], use);
}

static void begin_survey(struct survey *survey, struct permod_plan *plan, const struct load *load)
{
	*survey = (struct survey){ .plan = plan };
	link_each_use(load->link, visit, survey);
}

/* Symbols forget their entries. */
static void end_survey(struct survey *survey)
{
	for (size_t i = 0; i < survey->count; i++)
		survey->reached[i].all.first.symbol->note = 0;
	free(survey->reached);
}

/* ---- Symbols that nobody has ---------------------------------------------------------------- */

static void note_undefined_symbol(struct survey *survey, const struct load *load,
				  const struct link_symbol *symbol)
{
	const struct link_use *use = &survey->reached[symbol->note - 1].all.first;
	const char *who = load->pm->flags & PERMOD_NO_LIBDL
				  ? "export it from the host or from a module"
				  : "no module, no export of the host and no library that the host "
				    "has loaded defines it";
	char nearest[NEAREST_TEXT];
	bool known = find_nearest(load->pm, symbol->name, nearest);

	if (symbol->visibility != STV_DEFAULT)
		who = "it is hidden, so another object of the module has to define it";
	fail(load->pm, -ENOENT, "%s: section %s+0x%llx: undefined symbol %s%s%s%s; %s",
	     link_object_name(use->section->object), use->section->name,
	     (unsigned long long)use->offset, symbol->name, known ? " (did you mean " : "",
	     known ? nearest : "", known ? "?)" : "", who);
	note_problem(survey->plan, load->pm, -ENOENT);
}

void note_undefined(struct permod_plan *plan, const struct load *load)
{
	struct survey survey;

	begin_survey(&survey, plan, load);
	for (size_t i = 0; i < load->num_externals; i++) {
		const struct link_symbol *symbol = load->externals[i];

		if (!symbol->defined && (symbol->bind != STB_WEAK || symbol->tls) && symbol->note)
			note_undefined_symbol(&survey, load, symbol);
	}
	end_survey(&survey);
}

/* ---- Symbols, slots and stubs --------------------------------------------------------------- */

static struct permod_plan_site site_of(struct permod_plan *plan, const struct uses *uses)
{
	const struct link_use *use = &uses->first;

	if (!uses->count)
		return (struct permod_plan_site){ NULL, NULL, 0, NULL };
	return (struct permod_plan_site){
		.object = copy_text(plan, link_object_name(use->section->object)),
		.section = copy_text(plan, use->section->name),
		.offset = use->offset,
		.type = use->type,
	};
}

/* The entries of plan_symbol() are in the order of the load's list. */
static void map_symbols(struct survey *survey, const struct load *load)
{
	struct permod_plan *plan = survey->plan;

	for (size_t i = 0; i < load->num_externals && i < plan->num_symbols; i++) {
		uint32_t note = load->externals[i]->note;

		if (!note)
			continue;
		plan->symbols[i].references = survey->reached[note - 1].all.count;
		plan->symbols[i].first = site_of(plan, &survey->reached[note - 1].all);
	}
}

static void map_slot(struct survey *survey, const char *kind, const struct link_symbol *symbol,
		     uint64_t address, uint64_t target, const struct uses *uses)
{
	struct permod_plan *plan = survey->plan;
	struct permod_plan_slot *slot = grow(&plan->slots, &plan->num_slots, sizeof(*slot));

	plan->incomplete |= !slot;
	if (!slot)
		return;
	slot->kind = kind;
	slot->symbol = copy_text(plan, symbol ? symbol->name : "");
	slot->address = address;
	slot->target = target;
	slot->references = uses->count;
	slot->first = site_of(plan, uses);
}

static void map_slots(struct survey *survey, const struct link *link)
{
	for (size_t i = 0; i < survey->count; i++) {
		const struct reached *reached = &survey->reached[i];
		const struct link_symbol *symbol = reached->all.first.symbol;
		uint64_t target = link_symbol_address(link, symbol);

		if (symbol->got_used)
			map_slot(survey, "got", symbol, link_got_address(link, symbol), target,
				 &reached->by_way[LINK_WAY_SLOT]);
		if (symbol->stub_used)
			map_slot(survey, "stub", symbol, link_stub_address(link, symbol), target,
				 &reached->by_way[LINK_WAY_STUB]);
	}
}

static void map_tls_slots(struct survey *survey, const struct link *link)
{
	for (const struct link_tls *tls = link->tls; tls; tls = tls->next) {
		const struct {
			const char *kind;
			uint32_t slot;
			enum link_way way;
		} slots[] = {
			{ "tls-module", tls->module_slot, LINK_WAY_TLS_MODULE },
			{ "tls-offset", tls->offset_slot, LINK_WAY_TLS_OFFSET },
			{ "tls-descriptor", tls->descriptor_slot, LINK_WAY_TLS_DESCRIPTOR },
		};

		if (tls->symbol && !tls->symbol->note)
			continue;
		for (size_t i = 0; i < sizeof(slots) / sizeof(slots[0]); i++) {
			const struct uses *uses = &survey->own_tls;

			if (tls->symbol)
				uses = &survey->reached[tls->symbol->note - 1].by_way[slots[i].way];
			if (slots[i].slot)
				map_slot(survey, slots[i].kind, tls->symbol,
					 link_slot_address(link, slots[i].slot - 1), 0, uses);
		}
	}
}

/* ---- The place ------------------------------------------------------------------------------ */

static struct permod_plan_bound bound_of(struct permod_plan *plan, const struct link_bound *bound)
{
	if (!bound->symbol)
		return (struct permod_plan_bound){ .symbol = NULL };
	return (struct permod_plan_bound){
		.symbol = copy_text(plan, bound_name(bound)),
		.site = {
			.object = copy_text(plan, link_object_name(bound->section->object)),
			.section = copy_text(plan, bound->section->name),
			.offset = bound->offset,
			.type = bound->type,
		},
	};
}

static const char *reason_of(const struct load *load)
{
	uintptr_t base = load->module->base, begin = arena()->begin;

	if (!base)
		return NULL;
	if (base - begin < arena()->size)
		return "in the arena, near cookies and the C library";
	if (load->interval.high.base < begin)
		return "below the arena: what sets the upper bound would be out of reach there";
	if (load->interval.low.base >= begin + arena()->size)
		return "above the arena: what sets the lower bound would be out of reach there";
	return "outside the arena, which has no room left within the bounds";
}

static void map_place(struct permod_plan *plan, const struct load *load)
{
	const struct link *link = load->link;
	struct permod_plan_place *place = &plan->place;
	struct pcpu_map map;

	pcpu_get_map(&map);
	place->base = load->module->base;
	place->reason = reason_of(load);
	place->size = link->block_size;
	place->init_size = link->block_size - link->init_offset;
	place->low = bound_of(plan, &load->interval.low);
	place->high = bound_of(plan, &load->interval.high);
	place->percpu_size = link->part[LINK_PERCPU].size;
	place->percpu_align = link->part[LINK_PERCPU].align;
	/* The plan has its own by now. */
	place->percpu_used = map.reserved_used - load->module->percpu_size;
	place->percpu_reserved = map.reserved_size;
	place->tls_size = link->part[LINK_TLS].size;
	place->tls_align = link->part[LINK_TLS].align;
	place->features = link->features;
}

void map_plan(struct permod_plan *plan, const struct load *load)
{
	struct survey survey;

	begin_survey(&survey, plan, load);
	map_symbols(&survey, load);
	if (load->module->base) {
		map_slots(&survey, load->link);
		map_tls_slots(&survey, load->link);
	}
	map_place(plan, load);
	plan->place.discarded = survey.discarded;
	end_survey(&survey);
}
