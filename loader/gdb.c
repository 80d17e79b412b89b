/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface by which gdb and lldb learn of code that is made at run time (the GDB manual, "JIT
 * Compilation Interface"): a list of symbol files in memory, and a function in which a debugger that
 * is there has a breakpoint.  One that comes later reads the list.
 *
 * A debugger looks for these two in every image of the process, so an image that brings them (another
 * compiler at run time) and this library do not meet.  Should both be linked into one program
 * statically, they share the list: so the symbols are weak, and entries of others are left alone.
 */
#define _GNU_SOURCE
#include "internal.h"

enum {
	JIT_NOACTION,
	JIT_REGISTER,
	JIT_UNREGISTER,
};

struct jit_descriptor {
	uint32_t version;
	uint32_t action_flag;
	struct jit_code_entry *relevant_entry;
	struct jit_code_entry *first_entry;
};

/* Protected: they are found by name, but no other image's are taken for them. */
#define FOR_DEBUGGERS __attribute__((weak, visibility("protected")))

void __jit_debug_register_code(void);
extern struct jit_descriptor __jit_debug_descriptor;

FOR_DEBUGGERS struct jit_descriptor __jit_debug_descriptor = { .version = 1 };

FOR_DEBUGGERS __attribute__((noinline)) void __jit_debug_register_code(void)
{
	/* The stores before a call of this must have happened. */
	__asm__ volatile("" : : : "memory");
}

static void tell(struct jit_code_entry *entry, uint32_t action)
{
	__jit_debug_descriptor.relevant_entry = entry;
	__jit_debug_descriptor.action_flag = action;
	__jit_debug_register_code();
	__jit_debug_descriptor.action_flag = JIT_NOACTION;
	__jit_debug_descriptor.relevant_entry = NULL;
}

void show_to_debugger(struct permod_module *module)
{
	struct jit_code_entry *entry = &module->symfile->entry;

	if (module->pm->flags & PERMOD_NO_DEBUGGER)
		return;
	entry->symfile_addr = module->symfile->bytes;
	entry->symfile_size = module->symfile->size;
	entry->previous = NULL;
	entry->next = __jit_debug_descriptor.first_entry;
	if (entry->next)
		entry->next->previous = entry;
	__jit_debug_descriptor.first_entry = entry;
	tell(entry, JIT_REGISTER);
}

void hide_from_debugger(struct permod_module *module)
{
	struct jit_code_entry *entry = &module->symfile->entry;

	if (!entry->symfile_addr)
		return;
	if (entry->previous)
		entry->previous->next = entry->next;
	else
		__jit_debug_descriptor.first_entry = entry->next;
	if (entry->next)
		entry->next->previous = entry->previous;
	tell(entry, JIT_UNREGISTER);
	entry->symfile_addr = NULL;
}
