/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loader's own header: read it first.
 *
 * elf/ links objects for a place in memory, percpu/ has the memory of per-CPU variables; this
 * folder makes a live module of the two.  A load is a list of steps (load.c), each of which leaves
 * what it took in the module, so that whatever fails, discard_module() gives everything back:
 *
 *     read -> link -> resolve -> place -> relocate -> describe -> protect -> publish
 *          -> parameters -> start (constructors, init)
 *
 *     load.c     the steps, and permod_load()      life.c    constructors, init, exit, unloading
 *     file.c     reading files, .modinfo           param.c   parameters: parsing, types
 *     resolve.c  who has a symbol                  exports.c the table of exported symbols
 *     nearest.c  what a misspelt name meant        arena.c   address space for modules
 *     module.c   looking at a module               plan.c    permod_plan(), permod_file_open()
 *     context.c  contexts, errors                  runtime.c what modules get from the loader
 *     map.c      what a plan tells of linking
 *
 * Locks: a context's lock, which is recursive as init and exit may call back, guards all its modules
 * and exports.  One lock is for what all contexts share: the arena, the program's exports, modules by
 * address, texts of parameters.  It is taken last, and held over a fork.
 */
#ifndef LOADER_INTERNAL_H
#define LOADER_INTERNAL_H

#define PCPU_NO_IMAGE
#include <permod/permod.h>

#include "elf/link.h"

#include <pthread.h>
#include <stdarg.h>

struct kernel_param;

/* ---- Types ---------------------------------------------------------------------------------- */

/* A symbol that modules can use.  Nodes of modules are part of the module, those of the host the
 * context's. */
struct export
{
	const char *name;	     /* the owner's memory */
	uintptr_t address;	     /* of a per-CPU variable the cookie */
	unsigned long flags;	     /* PERMOD_EXPORT_* */
	struct permod_module *owner; /* NULL: the host */
	uint32_t hash;
	struct export *next; /* of the same bucket */
};

struct export_table {
	struct export **bucket; /* `size` of them, a power of two; NULL while empty */
	size_t size, count;
};

/* What permod_export() was given at once. */
struct host_exports {
	struct host_exports *next;
	size_t count;
	struct export export[];
};

struct permod {
	pthread_mutex_t lock;
	unsigned int flags;
	char *error; /* NULL: none yet; or no_memory_text */
	struct export_table exports;
	struct host_exports *host_exports;
	struct permod_module *first, *last; /* in the order in which they became live */
};

enum module_state {
	MODULE_COMING, /* its init has not returned */
	MODULE_LIVE,
	MODULE_GOING, /* its exit runs */
};

/* A global symbol of a module, or a per-CPU variable. */
struct module_symbol {
	const char *name;  /* behind the tables */
	uintptr_t address; /* of a per-CPU variable the cookie */
	size_t size;
};

/* A range of a module's block. */
struct module_part {
	uintptr_t address;
	size_t size; /* bytes, not rounded; 0: there is none */
};

/* An array of functions to be run at load or unload. */
struct call_array {
	void (*const *function)(int, char **, char **);
	size_t count;
	unsigned int priority; /* lower runs first at load */
	bool backward;	       /* .ctors, .dtors: from the end to the beginning */
};

struct permod_module {
	struct permod *pm;
	char *name;
	struct permod_module *previous, *next;
	enum module_state state;
	int references; /* atomic; -1 once it is going */
	bool listed, registered;
	bool started;	      /* constructors ran */
	bool parameters_open; /* operations of parameters may run */

	/* memory */
	uintptr_t base;
	size_t size; /* of the block, bytes; without the init regions once these are freed */
	struct module_part part[LINK_REGIONS];
	void *percpu;	    /* cookie of the per-CPU variables, or NULL */
	size_t percpu_size; /* bytes */
	uintptr_t window;   /* where code without -fPIE sees the variables, or 0; see load.c */
	size_t window_size; /* bytes, whole pages */

	/* tables */
	struct module_symbol *symbols; /* by name; their memory has variables and names too */
	size_t num_symbols;
	struct module_symbol *variables; /* by name */
	size_t num_variables;
	struct export *exports;
	size_t num_exports;
	size_t num_published;		    /* the first so many are in the context's table */
	const struct kernel_param **params; /* entries of __param, which were checked */
	size_t num_params;
	struct permod_module **uses; /* modules whose exports it uses */
	size_t num_uses;
	struct call_array *constructors, *destructors;
	size_t num_constructors, num_destructors;

	int (*init)(void);
	void (*exit)(void);
	void *dso_handle; /* what its atexit handlers are registered with */
	bool handlers;	  /* it may have registered some */
	struct permod_module *next_registered;
};

/* One load on its way. */
struct load {
	struct permod *pm;
	const char *path;   /* for messages */
	const char *root;   /* or NULL */
	const char *params; /* or NULL */
	unsigned int flags; /* PERMOD_LOAD_* */
	const void *data;
	size_t size;
	struct link *link;
	struct link_symbol **externals; /* that were undefined; freed with the load */
	size_t num_externals;
	struct link_interval interval;
	unsigned char *percpu_image; /* initial values; freed with the load */
	struct permod_module *module;
	struct permod_plan *plan; /* notes problems and goes on; NULL for a real load */
};

/* All texts are the plan's own. */
struct permod_plan {
	struct permod_plan_section *sections;
	size_t num_sections;
	struct permod_plan_symbol *symbols;
	size_t num_symbols;
	struct permod_plan_slot *slots;
	size_t num_slots;
	struct permod_plan_place place;
	const char **problems;
	size_t num_problems;
	uintptr_t low, high;
	char **texts; /* to be freed with it */
	size_t num_texts;
	int error;	 /* the first problem's */
	bool incomplete; /* for lack of memory */
};

/* ---- context.c ------------------------------------------------------------------------------ */

/* Keep a line as the context's last error; returns `error`. */
__attribute__((format(printf, 3, 4))) int fail(struct permod *pm, int error, const char *format,
					       ...);
int fail_memory(struct permod *pm);
/* For struct link; `arg` is the context. */
__attribute__((format(printf, 2, 0))) void report_error(void *arg, const char *format,
							va_list args);

void lock_context(struct permod *pm);
void unlock_context(struct permod *pm);
/* Make room for one more entry of a list, and zero it; NULL without memory.  `list` is the address of
 * the pointer to its entries. */
void *grow(void *list, size_t *count, size_t size);

/* What all contexts share. */
void lock_shared(void);
void unlock_shared(void);

/* ---- file.c --------------------------------------------------------------------------------- */

/* A whole file in memory of ours, to be freed by free(). */
int read_file(struct permod *pm, const char *path, void **data, size_t *size);
/* The module name that a path stands for, to be freed; NULL without memory. */
char *name_of_path(const char *path);

/* A string "tag=value" of .modinfo after another; zero it to begin.  NULL behind the last. */
struct info_cursor {
	struct link_section *section;
	size_t offset;
};
const char *next_info(struct link *link, struct info_cursor *cursor);
/* Whether the licence that the objects declare lets them use EXPORT_SYMBOL_GPL(); *licence is what
 * they say, or NULL. */
bool is_gpl_compatible(struct link *link, const char **licence);

/* ---- exports.c ------------------------------------------------------------------------------ */

uint32_t hash_name(const char *name);
struct export *find_export(const struct export_table *table, const char *name);
/* Room for `count` more, or -ENOMEM; after that add_export() can't fail. */
int reserve_exports(struct export_table *table, size_t count);
void add_export(struct export_table *table, struct export *export);
void remove_export(struct export_table *table, struct export *export);
/* An EXPORT_SYMBOL() of the program; false if there is none. */
bool find_program_export(const char *name, struct permod_export *found);
/* Call back for each of them, under their lock. */
void each_program_export(void (*call)(void *arg, const char *name), void *arg);

/* ---- resolve.c ------------------------------------------------------------------------------ */

/* Who has a symbol, as link_symbol.owner says it: a module, or one of these. */
extern struct permod_module provider_host, provider_permod, provider_libdl;

/* Find all undefined symbols.  -ENOENT, -EPERM or -EBUSY, with one line for all. */
int resolve_symbols(struct load *load);
/* Use libc's own stdin, stdout, stderr instead of the program's copies of them, or these again; true
 * if there was anything to change. */
bool use_originals(struct load *load, bool originals);

/* ---- nearest.c ------------------------------------------------------------------------------ */

/* The known name that is most like this one, in `buffer`; false if none is. */
#define NEAREST_TEXT 128
bool find_nearest(struct permod *pm, const char *name, char *buffer);

/* ---- arena.c -------------------------------------------------------------------------------- */

/* Map `size` bytes (whole pages) read-write at an address of low..high; 0, -ENOMEM or -ERANGE. */
int take_block(uintptr_t low, uintptr_t high, size_t size, uintptr_t *base);
/* Give back whole pages of what was taken, in pieces if wanted. */
void give_block(uintptr_t address, size_t size);

/* ---- load.c --------------------------------------------------------------------------------- */

/* Let a link have the symbols that the loader makes for each module alone; `all` also takes copies
 * of what is libpercpu's. */
int add_cells(struct link *link, bool all);

/* The steps of a load that permod_plan() takes too. */
int check_name(struct load *load, const char *name);
int read_and_link(struct load *load);
int place_module(struct load *load);
int relocate_module(struct load *load);
int check_export(struct load *load, const struct export *export);
/* Change what may be done with a region of the module; PROT_*. */
int protect_region(struct load *load, size_t region, int protection);
/* What sets an end of the interval: a variable rather than the section that it is in. */
const char *bound_name(const struct link_bound *bound);
/* Free what a load has beside the module. */
void free_load(struct load *load);

/* ---- plan.c --------------------------------------------------------------------------------- */

/* The context's last error stands against loading.  0 for `error`: which one will follow. */
void note_problem(struct permod_plan *plan, struct permod *pm, int error);
/* For struct link; `arg` is the load, which has a plan. */
__attribute__((format(printf, 2, 0))) void report_problem(void *arg, const char *format,
							  va_list args);
/* A copy that lives as long as the plan; NULL without memory, which is noted. */
const char *copy_text(struct permod_plan *plan, const char *text);

/* ---- map.c ---------------------------------------------------------------------------------- */

/* Note symbols that nobody has, each with who needs it; nothing is defined in their place yet. */
void note_undefined(struct permod_plan *plan, const struct load *load);
/* Tell how everything is reached, and where it lies; last of the steps. */
void map_plan(struct permod_plan *plan, const struct load *load);

/* ---- life.c --------------------------------------------------------------------------------- */

struct permod_module *new_module(struct permod *pm, const char *name);
/* Undo what was done, in reverse; frees the module. */
void discard_module(struct permod_module *module);
void list_module(struct permod_module *module);
bool uses_module(const struct permod_module *user, const struct permod_module *used);
/* Whether it has an init and no exit. */
bool is_permanent(const struct permod_module *module);
/* Run exit and destructors, then discard; whoever calls has made sure that it may go. */
void remove_module(struct permod_module *module);
int find_calls(struct load *load);
int start_module(struct load *load);

/* ---- module.c ------------------------------------------------------------------------------- */

/* Fill in the tables of symbols, variables, exports and parameters; memory must be relocated. */
int describe_module(struct load *load);
struct permod_module *find_module(struct permod *pm, const char *name);
/* Whether an address is in memory of the module that it keeps, or that is freed after init. */
bool outlives_init(const struct permod_module *module, uintptr_t address);
bool goes_with_init(const struct permod_module *module, uintptr_t address);
/* An address in the window as a cookie; others as they are. */
uintptr_t cookie_of(const struct permod_module *module, uintptr_t address);
/* What users see of regions. */
extern const char *const region_names[LINK_REGIONS];
extern const char region_access[LINK_PERCPU][4];

/* ---- param.c -------------------------------------------------------------------------------- */

int set_parameters(struct load *load);
/* Forget those that can't be used without what init alone needed. */
void drop_init_parameters(struct permod_module *module);
void free_parameters(struct permod_module *module);

/* ---- runtime.c ------------------------------------------------------------------------------ */

/* What modules get from the loader and from libpercpu, whatever dlsym() finds. */
struct builtin {
	const char *name;
	const void *address;
	bool function;
};
const struct builtin *find_builtin(const char *name);
/* The one behind another, the first for NULL; NULL behind the last. */
const struct builtin *next_builtin(const struct builtin *builtin);

/* Modules by address, for handlers that know only a function. */
void register_module(struct permod_module *module);
void unregister_module(struct permod_module *module);

/* What a module's `__this_module` is. */
struct module {
	struct permod_module *module;
};

#endif
