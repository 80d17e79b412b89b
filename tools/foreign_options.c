/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The options of permod check --for, and which numbers a machine has.
 */
#define _GNU_SOURCE
#include "foreign.h"

#include "elf/arch.h"
#include "elf/machines.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_PAGE 16
#define MOST_PAGE ((uint64_t)1 << 30)

static bool parse_number(const char *text, uint64_t *number)
{
	char *stop;

	errno = 0;
	*number = strtoull(text, &stop, 0);
	return *text >= '0' && *text <= '9' && !*stop && !errno;
}

static void take_number(struct foreign *foreign, const char *value, uint64_t *number, bool *given)
{
	*given = true;
	if (!parse_number(value, number))
		foreign->wrong = value;
}

static void take_definition(struct foreign *foreign, const char *value)
{
	struct foreign_symbols *symbols = &foreign->symbols;
	const char *equals = strchr(value, '=');
	uint64_t address;

	if (!equals || equals == value || !parse_number(equals + 1, &address)) {
		foreign->wrong = value;
		return;
	}
	symbols->list = reallocate(symbols->list, symbols->count + 1, sizeof(*symbols->list));
	symbols->list[symbols->count++] = (struct foreign_symbol){
		.name = format_text("%.*s", (int)(equals - value), value),
		.address = address,
		.provider = "--define",
	};
}

static void take_image(struct foreign *foreign, const char *path)
{
	foreign->images =
		reallocate(foreign->images, foreign->num_images + 1, sizeof(*foreign->images));
	foreign->images[foreign->num_images++] = path;
}

bool take_foreign_option(struct foreign *foreign, int code, const char *value)
{
	switch (code) {
	case FOREIGN_FOR:
		foreign->machine = value;
		return true;
	case FOREIGN_BASE:
		take_number(foreign, value, &foreign->base, &foreign->has_base);
		return true;
	case FOREIGN_PERCPU:
		take_number(foreign, value, &foreign->percpu, &foreign->has_percpu);
		return true;
	case FOREIGN_PAGE:
		take_number(foreign, value, &foreign->page, &foreign->has_page);
		return true;
	case FOREIGN_DEFINE:
		take_definition(foreign, value);
		return true;
	case FOREIGN_SYMBOLS:
		take_image(foreign, value);
		return true;
	case FOREIGN_COMPLETE:
		foreign->complete = true;
		return true;
	case FOREIGN_OUTPUT:
		foreign->output = value;
		return true;
	default:
		return false;
	}
}

static enum status unknown_machine(const struct command *command, const char *name)
{
	char *names = NULL;

	for (unsigned int i = 0; link_machine_name(i); i++)
		append_text(&names, " %s", link_machine_name(i));
	usage_error(command, "unknown machine '%s' (known:%s)", name, names);
	free(names);
	return STATUS_USAGE;
}

static bool is_address(const struct link_arch *arch, uint64_t number)
{
	return arch->class == ELFCLASS64 || number <= UINT32_MAX;
}

static enum status too_large(const struct command *command, const struct link_arch *arch,
			     const char *option, uint64_t number)
{
	return usage_error(command,
			   "%s: no address of %s (found 0x%" PRIx64 ", at most 0xffffffff)", option,
			   arch->name, number);
}

static enum status check_numbers(const struct command *command, const struct link_arch *arch,
				 const struct foreign *foreign)
{
	uint64_t page = foreign->has_page ? foreign->page : arch->page_size;

	if (page < LEAST_PAGE || page > MOST_PAGE || page & (page - 1))
		return usage_error(command,
				   "--page: no power of two from %d to 0x%" PRIx64
				   " (found 0x%" PRIx64 ")",
				   LEAST_PAGE, MOST_PAGE, page);
	if (!is_address(arch, foreign->base))
		return too_large(command, arch, "--base", foreign->base);
	if (!is_address(arch, foreign->percpu))
		return too_large(command, arch, "--percpu", foreign->percpu);
	if (foreign->base & (page - 1))
		return usage_error(command,
				   "--base: 0x%" PRIx64 " is no multiple of a page (0x%" PRIx64
				   "); give another --base or a smaller --page",
				   foreign->base, page);
	if (foreign->percpu & (page - 1))
		return usage_error(command,
				   "--percpu: 0x%" PRIx64 " is no multiple of a page (0x%" PRIx64
				   "); give another --percpu or a smaller --page",
				   foreign->percpu, page);
	for (size_t i = 0; i < foreign->symbols.count; i++) {
		if (!is_address(arch, foreign->symbols.list[i].address))
			return too_large(command, arch, foreign->symbols.list[i].name,
					 foreign->symbols.list[i].address);
	}
	return STATUS_GO_ON;
}

enum status check_foreign_options(const struct command *command, const struct foreign *foreign)
{
	const struct link_arch *arch;

	if (foreign->wrong)
		return usage_error(command, "no number, or NAME=ADDRESS: '%s'", foreign->wrong);
	if (!foreign->machine) {
		if (foreign->has_base || foreign->has_percpu || foreign->has_page ||
		    foreign->symbols.count || foreign->num_images || foreign->complete ||
		    foreign->output)
			return usage_error(command, "--base, --percpu, --page, --define, "
						    "--just-symbols, --no-undefined and --output "
						    "need --for");
		return STATUS_GO_ON;
	}
	arch = link_find_machine(foreign->machine);
	return arch ? check_numbers(command, arch, foreign)
		    : unknown_machine(command, foreign->machine);
}

void free_foreign(struct foreign *foreign)
{
	for (size_t i = 0; i < foreign->symbols.count; i++)
		free(foreign->symbols.list[i].name);
	free(foreign->symbols.list);
	free(foreign->images);
}
