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
 *     image.c    a module's memory                 pack.c    pages that modules share
 *     module.c   looking at a module               plan.c    permod_plan(), permod_file_open()
 *     context.c  contexts, errors                  runtime.c what modules get from the loader
 *     map.c      what a plan tells of linking      handlers.c for exit and forks, or own_handlers.c
 *     frames.c   unwind information                unwind.c  the unwinders that read it
 *     library.c  libraries that modules need       thread_exit.c thread-local destructors
 *     indirect.c IFUNCs: calling their resolvers   common.c  what C++ has once in a process
 *     known.c    what the dynamic linker said      dynamic.c symbols of libraries
 *     dl.c       opening and closing libraries     copies.c  constants of libraries
 *     symfile.c  sections and symbols by address   address.c modules by address
 *     gdb.c      modules as debuggers see them     backtrace.c backtraces, crashes
 *     perf.c     modules in profiles               inputs.c  the files that a module is made of
 *     shared.c   shared objects as modules         buffer.c  memory that is written at once
 *     shared_file.c  what their files say          types.c   were they built for these types?
 *     fit.c      interface, licence, namespaces    taint.c   what spoils modules, contexts
 *     shadow.c   shadow stacks                     valgrind.c modules in valgrind's reports
 *     tls.c      thread-local variables            find.c    modules by name; see tree.h
 *     rseq.c     foreign restartable sequences     walk.c    stacks, if libc has no backtrace()
 *     hook.c     hooks of programs                 callers.c which functions threads are in
 *     readers.c  readers of lists of hooks         key.c     code that is changed
 *     exidx.c    arm's unwind information
 *     states.c   notifiers; waiting for a module   compress.c compressed files
 *     signature.c signatures of files, policy      pkcs7.c   the same by OpenSSL; pkcs7_none.c: without
 *
 * Locks, in this order: a context's lock, which is recursive as operations of parameters may call back,
 * guards all its modules and exports; it is not held while constructors, init, exit, destructors and
 * notifiers run.  One is held while a carrier of thread-local variables is opened or closed.
 * A pack's lock (pack.c) is held over system calls too, and so there are several packs.  The shared lock
 * is for what all contexts have in common: the arena, the program's exports, modules by address, texts
 * of parameters.  It is taken last, and for a moment only: what is added is made before, and what is taken
 * out freed behind it, and pages of the arena are mapped without it.  All but the first are held over a fork.
 */
#ifndef LOADER_INTERNAL_H
#define LOADER_INTERNAL_H

#define PCPU_NO_IMAGE
#define PERMOD_NO_VERMAGIC
#define PERMOD_NO_PATCHING
#include <permod/hook.h>
#include <permod/permod.h>

#include "elf/link.h"
#include "loader/pack.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/types.h>

#if SIZE_MAX < UINT64_MAX
/* A link counts in 64 bits for any machine; for this one it has no sizes and no addresses of more than
 * 32 (LINK_MOST, and what its class allows), and so it is no loss to keep them in those. */
#pragma GCC diagnostic ignored "-Wconversion"
#endif

struct Elf;
struct dl_phdr_info;
struct kernel_param;
struct notifier;
struct own_symbol;
struct rseq_slots;
struct shared_object;
struct unwound;
struct thread_exit;
struct tls_carrier;
struct tls_index;
struct types;
struct image_types;

/* ---- Types ---------------------------------------------------------------------------------- */

/* A symbol that modules can use.  Nodes of modules are part of the module, those of the host the
 * context's. */
struct export
{
	const char *name;  /* the owner's memory */
	const char *space; /* its namespace, in the same memory; or NULL */
	uintptr_t address; /* of a per-CPU variable the cookie */
	/* of a module's thread-local one its offset in the block */
	unsigned long flags;	     /* PERMOD_EXPORT_* */
	struct permod_module *owner; /* NULL: the host */
	uint32_t hash;
	struct export *next; /* of the same bucket */
};

struct export_table {
	struct export **bucket; /* `size` of them, a power of two; NULL while empty */
	size_t size, count;
};

/* Modules by name. */
struct module_table {
	struct permod_module **bucket; /* `size` of them, a power of two; NULL while empty */
	size_t size, count;
};

/* A symbol that the dynamic linker found. */
struct known {
	struct known *next; /* of the same bucket */
	uint32_t hash;
	signed char function; /* -1: nobody asked */
	uintptr_t address;
	char name[];
};

struct known_table {
	struct known **bucket; /* `size` of them, a power of two; NULL while empty */
	size_t size, count;
	unsigned long long changes; /* of libraries, loaded and unloaded, when it was right */
};

/* What permod_export() was given at once. */
struct host_exports {
	struct host_exports *next;
	size_t count;
	struct export export[];
};

/* What is to be known of a module, or of all that a context has had; see taint.c. */
#define TAINT_KINDS 5
struct taint {
	unsigned int flags;	   /* PERMOD_TAINT_* */
	char *reason[TAINT_KINDS]; /* of each flag, the first one's; or NULL */
};

/* What the host trusts; of OpenSSL. */
struct certificates {
	void **list;
	size_t count;
};

struct permod {
	pthread_mutex_t lock;
	unsigned int depth;	/* how often its thread has the lock */
	pthread_cond_t changed; /* a module became live, or is gone */
	unsigned long changes;	/* how often that was so */
	unsigned int flags;
	bool whole_pages;  /* modules share none: PERMOD_PACK=0, and see permod_new() */
	struct pack *pack; /* where they share them */
	char *error;	   /* NULL: none yet; or no_memory_text */
	struct export_table exports;
	struct host_exports *host_exports;
	struct permod_module *first, *last; /* in the order in which they became live */
	struct module_table modules;
	struct known_table known;
	char *module_dir;    /* or NULL */
	char **config_paths; /* NULL behind the last; or NULL */
	int (*request)(struct permod *pm, const char *symbol, void *arg); /* or NULL */
	void *request_arg;
	unsigned long arrivals; /* modules that came so far */
	struct taint taint;
	unsigned int signatures; /* PERMOD_SIGNATURES_* */
	struct certificates certificates;
	uint64_t max_file_size, max_expanded_size; /* bytes */
	char *demand;				   /* what modules must be for; or NULL */
	char **licences;			   /* compatible ones; NULL: the usual */
	struct image_types *images;	   /* of the program and libraries that were asked for */
	unsigned long long images_changes; /* of the list of libraries when they were right */
	struct permod_hook notifiers;
	struct notifier *notifier; /* all of them */
};

/* A global symbol of a module, or a per-CPU variable. */
struct module_symbol {
	const char *name;  /* behind the tables, or in the symfile */
	uintptr_t address; /* of a per-CPU variable the cookie */
	size_t size;
};

/* What sections of one region make up. */
struct module_part {
	uintptr_t address;
	size_t size;		/* bytes, not rounded; 0: there is none */
	struct pack_page *page; /* that it shares with others, or NULL: it is in the block */
};

/* An array of functions to be run at load or unload. */
struct call_array {
	void (*const *function)(int, char **, char **);
	size_t count;
	unsigned int priority; /* lower runs first at load */
	bool backward;	       /* .ctors, .dtors: from the end to the beginning */
};

struct permod_module {
	struct percpu_ref references; /* dead once it is going; first: permod_get() is inline */
	struct permod *pm;
	char *name;
	uint32_t name_hash;
	struct permod_module *next_named; /* of the same hash */
	struct permod_module *previous, *next;
	enum permod_state state;
	_Alignas(4) int drained; /* atomic: the last reference is gone; a futex's alignment */
	pthread_t thread;	 /* that runs init or exit */
	bool announced;		 /* as coming: notifiers will hear that it goes */
	bool listed, registered;
	bool started;	      /* constructors ran */
	bool parameters_open; /* operations of parameters may run */

	/* memory */
	uintptr_t base; /* of the block: parts in whole pages of its own */
	size_t size;	/* of the block, bytes; without the init regions once these are freed */
	struct module_part part[LINK_REGIONS];
	void *percpu;			/* cookie of the per-CPU variables, or NULL */
	size_t percpu_size;		/* bytes */
	struct rseq_slots *descriptors; /* of foreign restartable sequences, or NULL */
	struct tls_carrier *tls;	/* what libc has of its thread-local variables, or NULL */
	uintptr_t frames[2]; /* unwind information of its code and of init's, or 0; see frames.c */
	struct unwound *unwound;  /* what unwinders were told of */
	uintptr_t unwind_index;	  /* on arm: its functions, in order, or 0; see exidx.c */
	size_t unwind_index_size; /* bytes */
	uintptr_t window;   /* where code without -fPIE sees the variables, or 0; see load.c */
	size_t window_size; /* bytes, whole pages */
	uintptr_t copies;   /* of constants that are out of reach, or 0; see copies.c */
	size_t copies_size; /* bytes, whole pages */

	/* tables */
	struct module_symbol *symbols; /* their memory has variables and names too */
	size_t num_symbols;
	uint32_t *symbol_index;		 /* by name, when somebody asked for one; atomic */
	struct module_symbol *variables; /* by name */
	size_t num_variables;
	struct module_symbol *thread_symbols; /* thread-local ones, by name; offsets in the block */
	size_t num_thread_symbols;
	struct export *exports;
	size_t num_exports;
	size_t num_published;		    /* the first so many are in the context's table */
	const struct kernel_param **params; /* entries of __param, which were checked */
	size_t num_params;
	struct permod_module **uses; /* modules whose exports it uses */
	size_t num_uses, num_users;
	unsigned long arrival; /* the how many-th of its context it was */
	unsigned long chain;   /* of loads within each other that it came in */
	bool on_demand;	       /* it came for another one's sake */
	char *wished_before,
		*wished_after; /* names of its soft dependencies, or NULL; see find.c */
	void **libraries;      /* that it named; of dlopen() */
	size_t num_libraries;
	struct call_array *constructors, *destructors;
	size_t num_constructors, num_destructors;

	int (*init)(void);
	void (*exit)(void);
	struct shared_object *shared;	  /* what it is for the dynamic linker, or NULL */
	void *dso_handle;		  /* what its atexit handlers are registered with */
	bool handlers;			  /* it may have registered some */
	struct thread_exit *thread_exits; /* the last first; under the shared lock */
	bool had_thread_exits;		  /* atomic: there may be some in the list */
	struct symfile *symfile;	  /* sections and symbols by address */
	struct address_range *ranges;	  /* while it is registered; see address.c */
	struct taint taint;
	struct types *types; /* of the symbols that it exports and needs, or NULL */
};

/* Whether an address is in some memory of a module. */
typedef bool has_function(const struct permod_module *module, uintptr_t address);

/* What a module is made of; see inputs.c. */
struct inputs {
	struct permod *pm;
	const char *const *paths; /* of files; the first is the one that messages name */
	size_t num_paths;
	const void *data; /* if not NULL, instead of the one file's */
	size_t size;
	const char *root;   /* or NULL */
	unsigned int flags; /* PERMOD_LOAD_* */
	struct input *read; /* files in memory */
	void *lent;	    /* to the link, or NULL; a buffer */
	size_t lent_size;
	struct permod_module *const
		*needs; /* modules to be kept, whether it uses their symbols or not */
	size_t num_needs;
	bool hold; /* take a reference to the module, for the caller to give back */
	/* of the file read first */
	const unsigned char *signature; /* a PKCS#7 message, or NULL */
	size_t signature_size;
	bool expanded; /* it was compressed */
	const char *
		distrusted; /* why one of them is not to be trusted, if that is no error; or NULL */
};

/* What of a file is loaded: what it holds, without its signature; see signature.c. */
struct content {
	const void *data;
	size_t size;
	void *expanded;			/* of a compressed file, or NULL */
	const unsigned char *signature; /* a PKCS#7 message, or NULL */
	size_t signature_size;
	char *distrusted; /* why it is not to be trusted, if that is no error; or NULL */
};

/* One load on its way. */
struct load {
	struct permod *pm;
	const char *path;   /* for messages */
	const char *params; /* or NULL */
	unsigned int flags; /* PERMOD_LOAD_* */
	struct inputs inputs;
	const void *shared_data; /* a shared object's file, of the inputs' */
	size_t shared_size;
	struct link *link;
	struct link_symbol **externals; /* that were undefined; freed with the load */
	size_t num_externals;
	struct own_symbol *owns; /* that others have too; freed with the load */
	size_t num_owns;
	bool libcxx; /* they are of LLVM's C++ library, not of GCC's */
	struct link_interval interval;
	unsigned char *percpu_image; /* initial values; freed with the load */
	unsigned char *buffers;	     /* of parts that are written at once; freed with the load */
	unsigned char *descriptors;  /* those of the sequences; freed with the load */
	bool whole_pages;	     /* share none */
	bool again;		     /* failed, and would not with whole pages */
	bool early;		     /* failed, as another thread is loading what it needs */
	unsigned long changes;	     /* of the context, when that was seen */
	unsigned char *tls_image;    /* the same of thread-local variables */
	char *refused;		     /* what was said of a symbol that was asked for; or NULL */
	void *alike;		     /* a tree of types that were compared; see types.c */
	size_t compared;	     /* how much of their texts */
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
	const char *distrusted; /* or NULL */
	uintptr_t low, high;
	char **texts; /* to be freed with it */
	size_t num_texts;
	int error;	 /* the first problem's */
	bool incomplete; /* for lack of memory */
};

/* To a multiple of `align`, a power of two. */
static inline size_t round_up(size_t size, size_t align)
{
	return (size + align - 1) & ~(align - 1);
}

/* ---- context.c ------------------------------------------------------------------------------ */

/* Keep a line as the context's last error; returns `error`. */
__attribute__((format(printf, 3, 4))) int fail(struct permod *pm, int error, const char *format,
					       ...);
int fail_memory(struct permod *pm);
/* Put back a line that was taken out. */
void keep_error(struct permod *pm, char *text);
/* For struct link; `arg` is the context. */
__attribute__((format(printf, 2, 0))) void report_error(void *arg, const char *format,
							va_list args);

void lock_context(struct permod *pm);
void unlock_context(struct permod *pm);
/* Around what is not ours to know: let go of the lock, however often it was taken, and take it so often
 * again. */
unsigned int begin_callback(struct permod *pm);
void end_callback(struct permod *pm, unsigned int depth);
/* Whether the calling thread runs a module's init or exit, or a notifier. */
bool in_callback(void);
/* Have what is held over forks held. */
void watch_forks(void);
/* Make room for one more entry of a list, and zero it; NULL without memory.  `list` is the address of
 * the pointer to its entries. */
void *grow(void *list, size_t *count, size_t size);

/* What all contexts share. */
void lock_shared(void);
void unlock_shared(void);

/* ---- file.c --------------------------------------------------------------------------------- */

/* A whole file in memory of ours, to be freed by give_buffer(). */
int read_file(struct permod *pm, const char *path, void **data, size_t *size);
/* -EFBIG if a file is larger than the context reads. */
int check_file_size(struct permod *pm, const char *path, off_t size);
/* A file in memory, for code; its descriptor, or -1 and errno.  Flags are MFD_*. */
int make_memory_file(const char *name, unsigned int flags);
/* A name for the dynamic linker to open a descriptor by, which no other object has or had. */
#define MEMORY_PATH_BYTES 192
int name_memory_file(const struct load *load, int descriptor, char path[MEMORY_PATH_BYTES]);
/* Whether files, those in memory too, may become so large: to write beyond is a deadly signal. */
bool may_write(size_t size);
/* The module name that a path stands for, to be freed; NULL without memory. */
char *name_of_path(const char *path);

/* A string "tag=value" of .modinfo after another; zero it to begin.  NULL behind the last. */
struct info_cursor {
	struct link_section *section;
	size_t offset;
};
const char *next_info(struct link *link, struct info_cursor *cursor);

/* ---- inputs.c ------------------------------------------------------------------------------- */

/* Give them to a link, and choose what of them is taken.  They must live as long as the link. */
int add_inputs(struct inputs *inputs, struct link *link);
void free_inputs(struct inputs *inputs);
/* A file, expanded and with its signature checked, or as it is; it lives as long as the inputs. */
int read_input(struct inputs *inputs, const char *path, const void **data, size_t *size);
int read_raw(struct inputs *inputs, const char *path, const void **data, size_t *size);

/* ---- compress.c ----------------------------------------------------------------------------- */

bool is_compressed(const void *data, size_t size);
/* What such a file holds, to be freed by free(). */
int expand(struct permod *pm, const char *path, const void *data, size_t size, void **expanded,
	   size_t *expanded_size);

/* ---- signature.c ---------------------------------------------------------------------------- */

/* Find what is to be loaded of a file that nobody else can write to, by the context's policy. */
int open_content(struct permod *pm, const char *path, const void *data, size_t size,
		 struct content *content);
void close_content(struct content *content);
/* A step of loading. */
int taint_by_signature(struct load *load);
/* Let *why be a text, to be freed; returns `error`, or -ENOMEM. */
__attribute__((format(printf, 3, 4))) int distrust(char **why, int error, const char *format, ...);

/* ---- pkcs7.c, or pkcs7_none.c --------------------------------------------------------------- */

/* Whether there are signatures at all. */
extern const bool can_verify;
/* Add all certificates of a file, PEM or DER. */
int read_certificates(struct certificates *certificates, const void *data, size_t size, char **why);
void free_certificates(struct certificates *certificates);
/* Whether the signature is one of this content by one of the certificates. */
int verify_pkcs7(const struct certificates *certificates, const struct content *content,
		 char **why);
/* Tell of a message without checking anything; *value is to be freed. */
int describe_pkcs7(const unsigned char *data, size_t size, struct permod_signature *signature,
		   unsigned char **value);

/* ---- exports.c ------------------------------------------------------------------------------ */

uint32_t hash_name(const char *name);
/* The namespace that it is in, or NULL. */
const char *export_space(const struct permod_export *export);
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
bool is_module(const struct permod_module *provider);

/* Find all undefined symbols.  -ENOENT, -EPERM or -EBUSY, with one line for all. */
int resolve_symbols(struct load *load);
/* Hold a module as long as the user is there; 0 or -ENOMEM. */
int use_module(struct permod_module *user, struct permod_module *used);
/* Ask the dynamic linker for "name" or "name@VERSION" in a library, of dlopen() or RTLD_*. */
bool ask_libdl(void *library, const char *name, void **address);
/* Use libc's own stdin, stdout, stderr instead of the program's copies of them, or these again; true
 * if there was anything to change. */
bool use_originals(struct load *load, bool originals);

/* ---- library.c ------------------------------------------------------------------------------ */

/* Open the libraries that the module names. */
int open_libraries(struct load *load);
void close_libraries(struct permod_module *module);
/* Whether one of them has the symbol, or one that belongs to a compiler. */
bool find_in_libraries(const struct load *load, const struct link_symbol *symbol, void **address);
/* The compiler's library in which a symbol of this name should be, or NULL. */
const char *runtime_library(const struct load *load, const char *name);

/* ---- common.c ------------------------------------------------------------------------------- */

/* Use what the process has already of what C++ has once in a process. */
int find_common_symbols(struct load *load);
/* Use the module's own instead, for good; false if it did before. */
bool use_own_symbols(struct load *load);

/* ---- copies.c ------------------------------------------------------------------------------- */

/* Whether the code has too few bits for the address of a constant that can be copied. */
bool needs_copies(const struct load *load);
/* Let the module have copies of all that can be, below 1 GiB; once.  false: it goes on without. */
bool use_copies(struct load *load);

/* ---- known.c -------------------------------------------------------------------------------- */

/* dl_iterate_phdr(), as it can be called here. */
void each_image(int (*visit)(struct dl_phdr_info *image, size_t size, void *arg), void *arg);
/* How often libraries were loaded and unloaded. */
unsigned long long image_changes(void);
/* Forget what may have changed; before a load looks up its symbols. */
void check_known(struct known_table *table);
struct known *find_known(const struct known_table *table, const char *name);
/* NULL without memory. */
struct known *remember(struct known_table *table, const char *name, uintptr_t address);
void forget_known(struct known_table *table);

/* ---- dl.c ----------------------------------------------------------------------------------- */

/* What is held while shared objects are opened or closed, and over a fork.  False: it took too long, or
 * the thread has it already; go on without. */
bool lock_dl(void);
bool lock_dl_for_fork(void);
void unlock_dl(bool locked);
/* In the child of a fork: those that opened or closed some aren't there. */
void forget_dl_threads(void);
/* dlopen() and dlclose() under that lock; dlerror() tells why NULL. */
void *dl_open(const char *name, int flags);
void dl_close(void *object);

/* ---- dynamic.c ------------------------------------------------------------------------------ */

/* Of an image's dynamic section: its symbols, and a table of hashes or their count at least. */
struct image_tables {
	const ElfW(Sym) * symbols;
	const char *strings;
	const uint32_t *hashes;	      /* DT_GNU_HASH, or NULL */
	const Elf_Symndx *old_hashes; /* DT_HASH, whose words some machines have longer; or NULL */
	uint32_t count;		      /* of symbols, where the section has it; or 0 */
};

/* False if there are none, as in static programs. */
bool find_image_tables(const struct dl_phdr_info *image, struct image_tables *tables);
/* Those that the table of hashes leads to, and all before. */
uint32_t count_image_symbols(const struct image_tables *tables);
/* What an image has at an address, by this name if that is there; NULL if it has nothing. */
const ElfW(Sym) * find_image_symbol(const char *name, uintptr_t address);
/* Whether what the dynamic linker found by this name, with a version or not, is a function. */
bool names_function(const char *name, uintptr_t address);

/* ---- shared_file.c -------------------------------------------------------------------------- */

/* Who is told what is in a shared object's file: 0, or an error that ends it.  Any may be NULL; what
 * they are told lives as long as the file. */
struct shared_reader {
	void *arg;
	int (*section)(void *arg, const char *name); /* of each that is loaded */
	int (*info)(void *arg, const char *info);    /* of .modinfo */
	int (*exported)(void *arg, const char *name, bool gpl);
	int (*needed)(void *arg, const char *name);
};
int read_shared_file(struct Elf *elf, const struct shared_reader *reader);
/* The file in memory, to be given to elf_end(); NULL after a message. */
struct Elf *open_shared_file(struct permod *pm, const char *path, const void *data, size_t size);
/* ---- walk.c --------------------------------------------------------------------------------- */

/* backtrace(), where the C library has none. */
int walk_stack(void **frames, int most);

/* ---- shared.c ------------------------------------------------------------------------------- */

/* 1 or 0, or an error: the file may be another by now. */
int is_shared_object(struct permod *pm, const char *path);
/* All steps of a load, for a shared object. */
int load_shared(struct load *load);
void close_shared(struct permod_module *module);

/* ---- shadow.c ------------------------------------------------------------------------------- */

/* A step of loading: whether the code can run where there are shadow stacks; -ENOEXEC if not. */
int check_shadow_stack(struct load *load);

/* ---- nearest.c ------------------------------------------------------------------------------ */

/* The known name that is most like this one, in `buffer`; false if none is. */
#define NEAREST_TEXT 128
bool find_nearest(struct permod *pm, const char *name, char *buffer);

/* ---- arena.c -------------------------------------------------------------------------------- */

/* Where it lies; it never moves. */
struct arena {
	uintptr_t begin;
	size_t size; /* bytes */
};
const struct arena *arena(void);
/* Whether code anywhere in it can jump to anywhere in it by the machine's jumps. */
bool arena_is_in_one_span(void);
/* Address space of the arena that is the caller's to map; 0, -ERANGE or -ENOMEM. */
int reserve_range(uintptr_t low, uintptr_t high, size_t size, uintptr_t *base);
void release_range(uintptr_t base, size_t size);

/* Map `size` bytes (whole pages) read-write at an address of low..high that is a multiple of `align`, a
 * page or more; 0, -ENOMEM or -ERANGE.  `jumps`: if possible, not across a border of the machine's jumps. */
int take_block(uintptr_t low, uintptr_t high, size_t size, size_t align, bool jumps,
	       uintptr_t *base);
/* Give back whole pages of what was taken, in pieces if wanted. */
void give_block(uintptr_t address, size_t size);

/* ---- buffer.c ------------------------------------------------------------------------------- */

#define LARGE_PAGE ((size_t)2 << 20) /* bytes */
/* Memory that is about to be written as a whole, not zeroed; NULL if there is none. */
void *take_buffer(size_t size);
/* The same for whole large pages, zeroed, that are touched when they are needed. */
void *take_large(size_t size);
void give_buffer(void *buffer, size_t size);
/* How many of `size` bytes from a multiple of a large page on are worth large pages. */
size_t in_large_pages(size_t size);
/* Have `size` bytes of new memory, of which `mapped` are there, ready to be written. */
void populate(uintptr_t address, size_t size, size_t mapped);

/* ---- image.c -------------------------------------------------------------------------------- */

/* Take memory for the module's parts, within the load's interval: 0, -ENOMEM or -ERANGE. */
int place_image(struct load *load);
/* Let the link have a buffer for each part. */
int open_buffers(struct load *load);
/* Write the parts whose buffers are not where they lie; they can't be written any more. */
int write_parts(struct load *load);
/* Give back what init alone needed, or everything. */
void give_init_image(struct permod_module *module);
void give_image(struct permod_module *module);

/* ---- load.c --------------------------------------------------------------------------------- */

/* Let a link have the symbols that the loader makes for each module alone; `all` also takes copies
 * of what is libpercpu's. */
int add_cells(struct link *link, bool all);

/* -EINVAL for flags that nobody knows, and for a module of no files. */
int check_request(struct permod *pm, const struct inputs *inputs);
/* The steps of a load that permod_plan() takes too. */
int check_name(struct load *load, const char *name);
/* The load fails as another module is not live; it can be tried again when that changes. */
void note_early(struct load *load, const struct permod_module *other);
int read_and_link(struct load *load);
int place_module(struct load *load);
int relocate_module(struct load *load);
int check_export(struct load *load, const struct export *export);
/* Let others find the module's exports, and the module by its name. */
int publish_names(struct load *load);
/* Change what may be done with a region of the module; PROT_*. */
int protect_region(struct load *load, size_t region, int protection);
/* What sets an end of the interval: a variable rather than the section that it is in. */
const char *bound_name(const struct link_bound *bound);
/* Load a module; without a name it is called after the first file. */
int load_inputs(const struct inputs *inputs, const char *name, const char *params,
		struct permod_module **m);
/* Free what a load has beside the module. */
void free_load(struct load *load);

/* ---- find.c --------------------------------------------------------------------------------- */

/* A load on its way, or a request for a symbol; of the thread that is in it. */
struct operation {
	struct operation *outer;
	struct permod *pm;
	const char *symbol;  /* that was requested, or NULL */
	unsigned long chain; /* a number that all within each other have */
	unsigned long first; /* the number of the last module that came before */
	bool on_demand;	     /* what is loaded now is so for another one's sake */
};

/* All under the context's lock. */
void begin_operation(struct operation *operation, struct permod *pm);
/* A module is live. */
void note_arrival(struct permod_module *module);
/* After an error also unload what came on demand meanwhile; the error line stays. */
void end_operation(struct operation *operation, int error);
/* Ask the host for a symbol; true if it has done something about it. */
bool request_symbol(struct load *load, const char *symbol);
int unload_with_dependencies(struct permod_module *module, unsigned int flags);

/* ---- frames.c ------------------------------------------------------------------------------- */

/* Check the relocated unwind information and make tables of it, module->frames. */
int arrange_frames(struct load *load);

/* ---- exidx.c -------------------------------------------------------------------------------- */

/* Check arm's relocated index, module->unwind_index; unwinders find it when the module is registered. */
int arrange_index(struct load *load);

/* ---- unwind.c ------------------------------------------------------------------------------- */

/* Exceptions can go through the module's functions from here on. */
int tell_unwinders(struct load *load);
void forget_init_frames(struct permod_module *module);
void forget_frames(struct permod_module *module);

/* ---- thread_exit.c -------------------------------------------------------------------------- */

/* What modules call as __cxa_thread_atexit(): run the destructor when the calling thread ends. */
int module_thread_atexit(void (*destructor)(void *), void *object, void *dso_handle);
/* How many are to be run yet, and by how many threads. */
unsigned int count_thread_exits(const struct permod_module *module, unsigned int *threads);
/* Run those of the calling thread and forget those of others, for a module that must go. */
void drop_thread_exits(struct permod_module *module);
/* In the child of a fork: the threads that would run the others aren't there. */
void forget_exits_of_others(void);

/* ---- indirect.c ----------------------------------------------------------------------------- */

/* Call the resolvers of the module's IFUNCs, and keep what they return; its code can run, and its
 * read-only data can still be written. */
int resolve_indirect(struct load *load);

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
/* Free the module itself, unless somebody forgot to put a reference. */
void free_module(struct permod_module *module);
/* Whether it has an init and no exit. */
bool is_permanent(const struct permod_module *module);
/* Whether threads have destructors of its thread-local variables to run. */
bool has_thread_exits(const struct permod_module *module);
/* Run exit and destructors, then discard; whoever calls has made sure that it may go. */
void remove_module(struct permod_module *module);
int find_calls(struct load *load);
int start_module(struct load *load);

/* ---- rseq.c --------------------------------------------------------------------------------- */

/* Find a place for a module's descriptors of foreign restartable sequences, in or near an interval. */
int place_descriptors(struct load *load);
/* Let the link have a buffer for them. */
int open_descriptors(struct load *load);
/* A step of loading, when the code is in place: let the kernel see them. */
int publish_descriptors(struct load *load);
/* Those whose sequences are in memory that goes mean nothing from here on. */
void bury_descriptors(struct permod_module *module, has_function *goes);
void give_descriptors(struct permod_module *module);

/* ---- states.c ------------------------------------------------------------------------------- */

/* Tell the notifiers: 0, or what one said against a module that is coming; then it is told to those
 * before that one that the module goes. */
int announce(struct permod_module *module, enum permod_state state);
/* The same as a step of a load. */
int announce_coming(struct load *load);
/* And that it goes, if it was announced; the context's last error stays. */
void announce_going(struct permod_module *module);
void forget_notifiers(struct permod *pm);
/* Others may go on that wait for a module. */
void tell_change(struct permod *pm);
/* Wait until there were more changes than the caller saw; false: it must not wait, as others may be
 * waiting for it. */
bool wait_for_change(struct permod *pm, unsigned long seen);

/* ---- hook.c --------------------------------------------------------------------------------- */

/* Take functions out of all hooks that are in memory of a module, of which `has` tells, and wait until
 * nobody is in one; returns how many.  Not under the context's lock. */
unsigned int drop_from_hooks(const struct permod_module *module, has_function *has);
/* Take an entry out whatever its state, and wait for all who are in it. */
void finish_entry(struct permod_hook_entry *entry);
/* Held over a fork; in the child: the threads that were in functions of hooks are not there. */
void lock_hooks(void);
void unlock_hooks(void);
void forget_calls_of_others(void);

/* ---- module.c ------------------------------------------------------------------------------- */

/* Add what is in a section, "__param" or one of "__ksymtab*", to the module's tables. */
int describe_array(struct load *load, const char *name, const void *entries, size_t size);
/* Fill in the tables of symbols, variables, exports and parameters; memory must be relocated. */
int describe_module(struct load *load);
struct permod_module *find_module(struct permod *pm, const char *name);
/* Room for one more in the table of names, or -ENOMEM; after that name_module() can't fail. */
int reserve_module_name(struct permod *pm);
void name_module(struct permod_module *module);
void unname_module(struct permod_module *module);
/* Whether an address is in the module's code. */
bool has_code(const struct permod_module *module, uintptr_t address);
/* The function that a pointer leads to, if it is one of the module's; other addresses are as they are. */
uintptr_t code_of(const struct permod_module *module, uintptr_t address);
/* Whether an address is in memory of the module that it keeps, or that is freed after init. */
bool outlives_init(const struct permod_module *module, uintptr_t address);
bool goes_with_init(const struct permod_module *module, uintptr_t address);
/* Either. */
bool has_address(const struct permod_module *module, uintptr_t address);
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

/* ---- tls.c ---------------------------------------------------------------------------------- */

/* Let libc make room for a module's thread-local variables, and tell where those are that its code
 * refers to: a step between placing and relocating. */
int open_tls(struct load *load);
void close_tls(struct tls_carrier *carrier);
/* The number by which __tls_get_addr() knows the variables, 0 if there are none. */
uint64_t tls_module(const struct tls_carrier *carrier);
/* __tls_get_addr(), or NULL. */
typedef void *tls_getter_function(struct tls_index *index);
tls_getter_function *tls_getter(void);
/* The calling thread's variable. */
void *tls_address(const struct tls_carrier *carrier, size_t offset);

/* ---- handlers.c, or own_handlers.c if the C library takes none back -------------------------------- */

struct fork_handlers {
	void (*prepare)(void), (*parent)(void), (*child)(void);
};

/* To be called when the process ends, or before by finish_handlers(); else as __cxa_atexit(). */
int add_exit_handler(void (*function)(void *), void *arg, void *handle);
/* 0, or a positive errno, as pthread_atfork(). */
int add_fork_handlers(const struct fork_handlers *handlers, void *handle);
/* Call what was registered for the end with a handle, the last first, and forget the rest. */
void finish_handlers(void *handle);

/* ---- runtime.c ------------------------------------------------------------------------------ */

/* What modules get from the loader and from libpercpu, whatever dlsym() finds. */
struct builtin {
	const char *name;
	const void *address;
	bool function;
};
const struct builtin *find_builtin(const char *name);
/* Whether linkers put it into each image, so that code may call it as hidden. */
bool is_in_each_image(const char *name);
/* The one behind another, the first for NULL; NULL behind the last. */
const struct builtin *next_builtin(const struct builtin *builtin);

/* ---- symfile.c ------------------------------------------------------------------------------ */

/* What debuggers read of a list of such: the layout is theirs. */
struct jit_code_entry {
	struct jit_code_entry *next, *previous;
	const unsigned char *symfile_addr; /* NULL while it is not in the list */
	uint64_t symfile_size;
};

/* A module's sections and symbols, an ELF file in memory. */
struct symfile {
	struct jit_code_entry entry;
	size_t size;	  /* of `bytes` */
	size_t num_debug; /* sections of debug information */
	ElfW(Shdr) * sections;
	ElfW(Sym) * symbols;
	char *names; /* of both */
	/* Those of a region are first[region] .. first[region + 1] - 1; debug information follows. */
	uint32_t first_section[LINK_REGIONS + 1], first_symbol[LINK_REGIONS + 1];
	_Alignas(uint64_t) unsigned char bytes[];
};

/* A step of loading, when everything is relocated.  Symbols that are in it have as `note` where in
 * `names` theirs is. */
int make_symfile(struct load *load);
void free_symfile(struct symfile *file);
/* Forget what init alone needed. */
void drop_init_symbols(struct load *load);
/* What an address in a region is in; NULL if nothing.  Signal-safe. */
const ElfW(Shdr) *
	find_section_at(const struct symfile *file, enum link_region region, uintptr_t address);
const ElfW(Sym) *
	find_symbol_at(const struct symfile *file, enum link_region region, uintptr_t address);

/* ---- address.c ------------------------------------------------------------------------------ */

/* Let a module be found by address, and seen by debuggers; 0 or -ENOMEM. */
int register_module(struct permod_module *module);
/* When this has returned, nobody looks at the module's tables any more. */
void unregister_module(struct permod_module *module);
/* The same for what init alone needed. */
void unregister_init(struct load *load);
/* The module that has an address, or NULL; under the shared lock. */
struct permod_module *module_at(uintptr_t address);
/* The index that an address in a module's code is in, or 0.  Signal-safe. */
uintptr_t find_unwind_index(uintptr_t address, size_t *size);
/* The one that has this __dso_handle, or NULL. */
struct permod_module *module_of_handle(const void *dso_handle);
/* For the child of a fork: the threads that were looking are not there. */
void forget_readers(void);

/* ---- gdb.c ---------------------------------------------------------------------------------- */

/* Under the shared lock; to hide what was not shown is nothing. */
void show_to_debugger(struct permod_module *module);
void hide_from_debugger(struct permod_module *module);

/* ---- fit.c ---------------------------------------------------------------------------------- */

/* A step of loading: was the module built for this loader and this host? */
int check_fit(struct load *load);
/* The same for strings that come one by one: each of .modinfo, then the end. */
struct fit {
	const char *host;    /* that the module says that it is for, the last; or NULL */
	bool for_host;	     /* it is for this one */
	bool described;	     /* there is more than what <permod/module.h> leaves by itself */
	const char *licence; /* the first that is not compatible, or the last; or NULL */
	bool incompatible;
	bool test; /* it says that it is a test */
};
/* Keep what a string says. */
void note_info(const struct permod *pm, struct fit *fit, const char *info);
int check_info(struct load *load, struct fit *fit, const char *info);
int check_host(struct load *load, const struct fit *fit);
/* The context's last error says that something does not fit: returns it, or 0 if loading is forced. */
int refuse_misfit(struct load *load, int error);
/* -EINVAL unless the module imports the namespace that a symbol is in. */
int check_namespace(struct load *load, const char *symbol, const char *name);
bool is_compatible_licence(const struct permod *pm, const char *licence);
/* Whether what the objects declare lets them use EXPORT_SYMBOL_GPL(); *licence is what they say, or
 * NULL. */
bool has_compatible_licence(struct load *load, const char **licence);

/* ---- types.c -------------------------------------------------------------------------------- */

/* A step of loading, when all symbols are resolved: do they have the types that the module was
 * compiled with? */
int check_types(struct load *load);
/* The same for a shared object, whose types were read: by what is in the process, and what it came with
 * (of dlopen(); NULL while it is not loaded). */
int check_shared_types(struct load *load, void *handle);
void forget_alike(struct load *load);
/* What `permod stamp` left in the objects; 0 or -ENOMEM, and then what was read so far. */
int read_types(struct link *link, struct types **types);
int read_shared_types(struct Elf *elf, struct types **types);
int get_type(const struct types *types, unsigned int index, struct permod_type *type);
void free_types(struct types *types);
void forget_image_types(struct permod *pm);

/* ---- taint.c -------------------------------------------------------------------------------- */

/* Set one of PERMOD_TAINT_*, for the context and a module (or NULL), and say why if it is the first
 * time: "FILE or module: reason". */
__attribute__((format(printf, 4, 5))) void taint(struct permod *pm, struct permod_module *module,
						 unsigned int flag, const char *format, ...);
void forget_taint(struct taint *taint);
/* A step of loading: for what .modinfo says. */
int taint_by_info(struct load *load);
void taint_by_fit(struct load *load, const struct fit *fit);

/* ---- perf.c --------------------------------------------------------------------------------- */

/* Whether PERMOD_PERF is not set, or to something that is known. */
bool knows_profile(void);
/* Whether PERMOD_PERF is set; and do what it asks for, under the shared lock. */
bool wants_profile(void);
void show_to_profiler(const struct permod_module *module);

/* ---- valgrind.c ----------------------------------------------------------------------------- */

bool runs_on_valgrind(void);
/* If it does: let it have names and lines of the module's code, which is in place. */
void show_to_valgrind(const struct permod_module *module);

/* What a module's `__this_module` is. */
struct module {
	struct permod_module *module;
};

#endif
