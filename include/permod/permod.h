/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * <permod/permod.h> - for host programs: load, use and unload modules.
 *
 *     struct permod *pm;
 *     struct permod_module *m;
 *
 *     permod_new(&pm, NULL);
 *     if (permod_load(pm, "counter.ko", "step=4", 0, &m) < 0)
 *             fputs(permod_error(pm), stderr);
 *     void (*tick)(void) = permod_symbol(m, "tick");
 *     tick();
 *     permod_unload(m, 0);
 *     permod_free(pm);
 *
 * Functions return 0 or a negative errno, and then permod_error() has one readable line (but for those
 * that get nothing but a module, or an opened file, to look at).  All may be called from several threads;
 * none is async-signal-safe unless it says so.  Calls on one context wait for each other, but not while
 * constructors, init, exit, destructors or notifiers run: these may call back, and others may load and
 * unload meanwhile.  A load that needs a module whose init another thread runs, or one of the same name,
 * waits for that; inside a callback it is refused with -EBUSY.
 */
#ifndef PERMOD_PERMOD_H
#define PERMOD_PERMOD_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <permod/export.h>
#include <permod/percpu_ref.h>

#ifdef __cplusplus
/* Functions here have the names of structures, as is usual in C. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
extern "C" {
#endif

/** struct permod - a set of modules that see each other's exports.  A program may have several. */
struct permod;

/** struct permod_module - a loaded module; valid until it is unloaded. */
struct permod_module;

/**
 * struct permod_options - settings of a context; zero means the default.
 * @size:	sizeof(struct permod_options), so that later versions can add fields
 * @flags:	PERMOD_*
 * @licences:	NULL, or a list with a NULL behind the last: licences of modules that may use
 *		EXPORT_SYMBOL_GPL(), compared with MODULE_LICENSE() as a whole; copied.  Others taint.  The
 *		default is the kernel's: "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual
 *		MIT/GPL", "Dual MPL/GPL"
 * @host:	NULL, or the name of the host's interface and its version, "nginx-1.24-abi3": modules
 *		must say by MODULE_HOST() that they are for it, best in a header of the host's; copied
 * @module_dir:	where permod_load_by_name() finds modules: what `depmod -b DIR VERSION` made, given as DIR
 *		if there is one VERSION, or as the folder with modules.dep; copied.  NULL: nowhere, and
 *		never in the system's /lib/modules
 * @config_paths: folders with *.conf files as in modprobe.d(5), or such files, with a NULL behind the
 *		last; copied.  NULL: none, and never the system's /etc/modprobe.d
 * @request:	asked for a symbol that a module needs and nobody has; it may load another one, and
 *		if it returns 0 the symbol is looked for once more.  It is called in the thread that
 *		loads, may call everything but permod_free(), and is not asked again for a symbol that it
 *		is being asked for, nor after 50 requests within each other.  See permod_request_symbol()
 * @request_arg: for @request
 * @signatures:	PERMOD_SIGNATURES_*
 * @max_file_size: bytes of a file that is read, at most; 0: PERMOD_MAX_FILE_SIZE
 * @max_expanded_size: bytes that a compressed file expands to, at most; 0: PERMOD_MAX_EXPANDED_SIZE
 */
struct permod_options {
	size_t size;
	unsigned int flags;
	const char *const *licences;
	const char *host;
	const char *module_dir;
	const char *const *config_paths;
	int (*request)(struct permod *pm, const char *symbol, void *arg);
	void *request_arg;
	unsigned int signatures;
	uint64_t max_file_size;
	uint64_t max_expanded_size;
};

#define PERMOD_MAX_FILE_SIZE (UINT64_C(4) << 30)
#define PERMOD_MAX_EXPANDED_SIZE (UINT64_C(512) << 20)

/** PERMOD_SIGNATURES_OFF - signatures are not looked at; what a context does if nothing is said. */
#define PERMOD_SIGNATURES_OFF 0U

/**
 * PERMOD_SIGNATURES_WARN - everything is loaded; what has no good signature taints
 * (PERMOD_TAINT_UNSIGNED), and the reason says what is wrong with it.
 */
#define PERMOD_SIGNATURES_WARN 1U

/**
 * PERMOD_SIGNATURES_ENFORCE - only what has a good signature is loaded: see permod_trust().
 *
 * Errors of loading, and of looking at files, are then also: -EKEYREJECTED (not signed, or changed since,
 * or by a certificate that is not valid yet or not for this), -EKEYEXPIRED, -ENOKEY (the signer is not
 * trusted), -EBADMSG (the signature is damaged, or not the last in the file), -ENOPKG (a kind of signature,
 * or a digest, that is not accepted), -EFBIG (2 GiB and more can't be checked).  The line tells which.
 * With this or PERMOD_SIGNATURES_WARN no modules share pages, as those are a file's, to which other
 * processes of the same user can write by /proc.
 */
#define PERMOD_SIGNATURES_ENFORCE 2U

/** PERMOD_NO_LIBDL - modules see what is exported to them, not what dlsym(3) finds in the program. */
#define PERMOD_NO_LIBDL 1U

/**
 * PERMOD_NO_DEBUGGER - debuggers do not learn of the modules, which saves the memory of their debug
 * information.  The same for all contexts of a program: PERMOD_NO_DEBUGGER=1 in its environment.
 */
#define PERMOD_NO_DEBUGGER 2U

/**
 * PERMOD_HUGE_TEXT - a module with at least 1 MiB of code has it in pages of 2 MiB, which saves entries of
 * the processor's TLB; its text takes whole such pages.  They are the system's transparent huge pages:
 * where it has none at hand, or /sys/kernel/mm/transparent_hugepage/enabled says "never", the code
 * is in pages of the usual size, and only its place is another.
 */
#define PERMOD_HUGE_TEXT 4U

/**
 * permod_new() - make a context.
 * @pm:		receives it; freed by permod_free()
 * @options:	NULL for the defaults
 *
 * Errors: -ENOMEM, -EINVAL (unknown flags), -ENOSYS (signatures are to be checked, and permod was built
 * without OpenSSL).
 */
int permod_new(struct permod **pm, const struct permod_options *options);

/**
 * permod_free() - unload all modules, users before what they use, references or not, and free the
 * context.  NULL is nothing.  Modules that can't be unloaded (an init without an exit, destructors that
 * threads have yet to run) stay in memory with what they use, without anybody to name them.  Not to be
 * called by a module's init or exit, nor while another thread is in a call on the context: whoever
 * started threads that load waits for them first.
 */
void permod_free(struct permod *pm);

/**
 * permod_error() - the last error of this context, one line without a newline; "" if there was
 * none.  Valid until the calling thread calls this again, for any context: it is a copy.  What other
 * threads do with the context may have left another error meanwhile.  With NULL: why permod_new() failed.
 */
const char *permod_error(const struct permod *pm);

/**
 * permod_export() - let the modules of this context use symbols of the host.
 * @exports:	copied; the names must stay valid
 *
 * Errors: -EEXIST (one of these names is exported already: none is added), -ENOMEM, -EINVAL.
 */
int permod_export(struct permod *pm, const struct permod_export *exports, size_t count);

/**
 * permod_trust() - trust whoever signs with the key of a certificate.
 * @path:	a file of certificates: one as DER, or any number as PEM
 *
 * What they sign is what comes before the signature at a file's end, as the kernel's sign-file and
 * kmodsign append it: a PKCS#7 message without content and certificates, of one signer, with RSA or
 * ECDSA and SHA-256, SHA-384 or SHA-512.  It must be one of these certificates that signed: those that
 * it issued are not trusted for that.  Other than in the kernel, a certificate must be valid at the time
 * of loading; and if it says what it is for, signatures and signing code must be in it.
 *
 * Every file of a module has a signature of its own: objects, archives (for all their members), files that
 * thin archives and linker scripts name, shared objects, and what is loaded from memory.  Of a
 * compressed file the content is signed.  Checked are the very bytes that are then loaded, from a copy
 * in memory; a shared object goes to the dynamic linker from a file in memory that is sealed.  Libraries
 * that the dynamic linker finds, for shared objects and by the names in a module, are the system's and not
 * checked.
 *
 * Errors: what open(2) gives, -EBADMSG (no certificate), -ENOPKG (its key is neither RSA nor ECDSA),
 * -EKEYREJECTED (the key is weaker than RSA with 2048 bits), -ENOSYS (built without OpenSSL), -ENOMEM.
 * Then none of the file's is trusted.
 */
int permod_trust(struct permod *pm, const char *path);

/** permod_trust_memory() - the same with certificates in memory, which may be freed afterwards. */
int permod_trust_memory(struct permod *pm, const char *name, const void *data, size_t size);

/**
 * permod_load() - load a module and run its init.
 * @path:	a relocatable object, or an archive of such: members of it become one module, see
 *		permod_load_files(); or a shared object, which the dynamic linker loads.  Any of them may
 *		be compressed by xz, zstd or gzip, which is known by how the file begins
 * @params:	"name=value ..." as insmod takes them; values may be in double quotes; NULL for none
 * @flags:	PERMOD_LOAD_*
 * @m:		receives the module; may be NULL
 *
 * The module's name is the file's without folder and ending, with '-' turned into '_'; ".xz", ".zst" or
 * ".gz" behind the ending goes too.  On an
 * error nothing is left behind.  Errors: -ENOENT and what open(2) gives, -ENOEXEC (not an object
 * that can be loaded, or damaged), -ENOENT (undefined symbols; the line tells which), -ERANGE (no
 * place from which all symbols are in reach), -EEXIST (name or export taken, or a symbol that two
 * members define), -EINVAL (bad parameter), -ENOMEM, -ENOSPC (reserved region full), -EPERM
 * (licence), -EBUSY (a symbol of a module whose init or exit is running), -EFBIG (the file is larger than
 * max_file_size, or expands to more than max_expanded_size), -EOPNOTSUPP (compressed, and permod was built
 * without the library for it), or what init returned.
 *
 * A shared object is opened by dlopen(3), RTLD_NOW | RTLD_LOCAL: its constructors run before its
 * parameters are set, and it can use what the dynamic linker finds, not what modules export.  If its
 * sources use <permod/module.h> they are compiled with -DPERMOD_SHARED.  No flags can be given for
 * it (-EINVAL), it is not loaded from memory, and not where there is PERMOD_NO_LIBDL (-EPERM).
 */
int permod_load(struct permod *pm, const char *path, const char *params, unsigned int flags,
		struct permod_module **m);

/**
 * permod_load_memory() - the same from memory, which may be freed afterwards.
 * @name:	the module's name, also for messages
 *
 * A thin archive is refused with -ENOEXEC: what it has is names of files.
 */
int permod_load_memory(struct permod *pm, const char *name, const void *data, size_t size,
		       const char *params, unsigned int flags, struct permod_module **m);

/**
 * PERMOD_LOAD_NO_INIT - do everything but run constructors, init, and resolvers of IFUNCs; for tools.  If
 * no parameters are given, nothing of the module is run, neither now nor when it is unloaded, and it may be
 * a file that nobody trusts.  Functions that resolvers choose must not be called: they lead nowhere.
 */
#define PERMOD_LOAD_NO_INIT 1U

/**
 * PERMOD_LOAD_FORCE - load a module though it was built for another permod, for another host, or against
 * other types than those of the symbols that it uses.  That it works is the caller's responsibility; it
 * taints (PERMOD_TAINT_FORCED_LOAD).
 */
#define PERMOD_LOAD_FORCE 0x100U

/** PERMOD_LOAD_WHOLE_ARCHIVE - take all members of all archives. */
#define PERMOD_LOAD_WHOLE_ARCHIVE 0x10U

/**
 * PERMOD_LOAD_GC_SECTIONS - leave out sections that nothing needs, as `ld --gc-sections` does.
 *
 * Needed are: init and exit, constructors and destructors, parameters, exports, .modinfo, the root,
 * what its source retains (SHF_GNU_RETAIN), and all that these refer to, directly or not.  If there is
 * no root, no init, exit or export, all global symbols are needed that others may see.  Code has to
 * be compiled with -ffunction-sections -fdata-sections for this to be worth much.
 */
#define PERMOD_LOAD_GC_SECTIONS 0x20U

/**
 * permod_load_files() - load several objects and archives as one module.
 * @name:	the module's name; NULL: after the first file, as permod_load() makes it
 * @paths:	of @count files, at least one; errors that concern all of them name the first
 * @root:	a symbol, or NULL
 * @params, @flags, @m: as for permod_load()
 *
 * Objects are taken as they are.  Members of archives are pulled in as ld(1) does it with a group of
 * archives: those that define what is undefined so far, unless it is weak, and so on; where several
 * define it the first one counts.  What the files have themselves is found before anything outside.
 *
 * This begins with @root, and with the objects.  If the first file is an archive and @root is
 * NULL, it begins with those members that have an init or exit, module information (.modinfo),
 * parameters, or exports; if there is no such member the first archive is taken as a whole.
 *
 * Files that a thin archive names are read from where it says, from the archive's folder on.
 *
 * Errors: as permod_load(), and -ENOENT (nothing defines @root), -EINVAL (@count is 0, @name is "").
 */
int permod_load_files(struct permod *pm, const char *name, const char *const *paths, size_t count,
		      const char *root, const char *params, unsigned int flags,
		      struct permod_module **m);

/** permod_load_root() - permod_load_files() with one file. */
int permod_load_root(struct permod *pm, const char *path, const char *root, const char *params,
		     unsigned int flags, struct permod_module **m);

/**
 * permod_load_by_name() - load a module from the module tree, and before it what it needs.
 * @name:	a module's name, with '-' and '_' alike, or an alias: of a module, as MODULE_ALIAS() or
 *		the configuration gives it, or "symbol:NAME" for the module that exports NAME
 * @params:	as for permod_load(); they come behind the options of the configuration.  Only for
 *		modules that @name means; NULL for none
 * @flags:	PERMOD_LOAD_*.  Those for archives and sections are not for what is loaded before it
 * @m:		receives the module, the first if an alias means several; may be NULL
 *
 * The order is modprobe(8)'s: what modules.dep lists, then soft dependencies "pre", the module, soft
 * dependencies "post".  What a module needs is kept by it, whether it uses its symbols or not.  A
 * module that is there already will do; it is not loaded again, and given no parameters.  If
 * loading fails, all that was loaded for it is unloaded again, but for what is permanent.  A soft
 * dependency may fail, and may be missing; permod_error() may tell of it though this returns 0.
 *
 * A module that is blacklisted is not loaded by an alias.  Commands that modprobe would have a shell
 * run (install) are not run: the module is refused.  Those for unloading (remove) count for nothing.
 *
 * The tree is read anew by each call.  depmod(8) replaces its files; they must not be written to while
 * a call reads them.
 *
 * Errors: those of permod_load(), and -ENOSYS (permod was built without libkmod), -ENOENT (no tree, or
 * nothing so called in it, or a file of it is not there), -EINVAL (the tree or the configuration is
 * damaged; the line has the file), -ELOOP (modules need each other), -EPERM (blacklisted), -EOPNOTSUPP
 * (a command), -EEXIST (loaded already, and @params were given).
 */
int permod_load_by_name(struct permod *pm, const char *name, const char *params, unsigned int flags,
			struct permod_module **m);

/** PERMOD_LOAD_BLACKLIST - also refuse a blacklisted module by its own name, as `modprobe -b` does. */
#define PERMOD_LOAD_BLACKLIST 0x1000U

/** PERMOD_LOAD_IGNORE_COMMANDS - load modules for which the configuration has an install command. */
#define PERMOD_LOAD_IGNORE_COMMANDS 0x2000U

/**
 * struct permod_step - a module that permod_load_by_name() would load; see permod_steps().
 * @path:	of its file; "" if the configuration only has a command for it
 * @options:	of the configuration; "" if there are none
 * @asked:	the name or alias means it
 * @optional:	it is a soft dependency, and may fail
 */
struct permod_step {
	const char *name;
	const char *path;
	const char *options;
	int asked;
	int optional;
};

/** struct permod_steps - the modules, in the order in which they would be loaded. */
struct permod_steps;

/**
 * permod_steps() - tell what permod_load_by_name() would load if nothing were loaded yet, as
 * `modprobe --show-depends` does; freed by permod_steps_free().  Nothing of the files is read.
 * @flags:	0 or PERMOD_LOAD_BLACKLIST
 */
int permod_steps(struct permod *pm, const char *name, unsigned int flags,
		 struct permod_steps **steps);

/** permod_step() - the @index-th; NULL behind the last.  It lives as long as the list. */
const struct permod_step *permod_step(const struct permod_steps *steps, unsigned int index);
void permod_steps_free(struct permod_steps *steps);

/**
 * permod_request_symbol() - for permod_options: load the module of the tree that exports the symbol, by
 * its alias "symbol:NAME".
 */
int permod_request_symbol(struct permod *pm, const char *symbol, void *arg);

/**
 * PERMOD_UNLOAD_DEPENDENCIES - also unload what was loaded for the module's sake, by
 * permod_load_by_name() or by permod_options.request, and is used by no other one, as `modprobe -r`
 * does.  Soft dependencies "post" go first, so they are gone even if the module is refused then.
 * What cannot be unloaded stays; that is no error.  -ENOENT: the module itself was unloaded by somebody
 * else while these went.
 */
#define PERMOD_UNLOAD_DEPENDENCIES 4U

/**
 * permod_unload() - run a module's exit and take it out.
 * @flags:	PERMOD_UNLOAD_*, or 0
 *
 * From here on nobody can take a reference.  Then its functions are taken out of all hooks, and no
 * thread is in one any more; exit runs; notifiers are told; and nothing of it is left.  Where else a
 * thread may be in the module's code, or come back to it, somebody has to hold a reference.  Its load
 * holds one until notifiers were told that it is live.
 *
 * Errors: -EBUSY (referenced, used by another module, or permanent, or its init or exit is running, or
 * threads have destructors of its thread-local variables to run; the line says by whom and why),
 * -EDEADLK (called by a function that a hook called, or by a notifier: it can't wait for others), -EINVAL
 * (unknown flags).
 *
 * A shared object can stay in memory when it has been unloaded, as it is the dynamic linker that
 * decides; then permod_error() says why, though this returns 0.
 */
int permod_unload(struct permod_module *m, unsigned int flags);

/** permod_unload_by_name() - the same for whoever has this name now, or -ENOENT: for programs whose
 * threads load and unload at the same time. */
int permod_unload_by_name(struct permod *pm, const char *name, unsigned int flags);

/**
 * PERMOD_UNLOAD_WAIT - if there are references wait for the last one to be put, instead of refusing.
 *
 * The module is going at once: no new references.  There is no way back, no limit of time, and no
 * signal ends it.  A thread that holds a reference itself waits for ever.
 */
#define PERMOD_UNLOAD_WAIT 1U

/**
 * PERMOD_UNLOAD_FORCE - also if somebody has a reference, or if there is an init and no exit.
 *
 * Whoever is in the module, or comes back, crashes, or worse: the context is tainted (R).  References
 * can still be put.  It is stronger than PERMOD_UNLOAD_WAIT.  What other modules use is refused all the
 * same, and so is what is not live.
 */
#define PERMOD_UNLOAD_FORCE 2U

/**
 * permod_get(), permod_put() - hold a module: it can't be unloaded until it was put as often.
 *
 * permod_get() returns -EBUSY, without a line, if the module is being unloaded.  Neither takes a
 * lock; both are async-signal-safe, and cheap: a count for each CPU (percpu_ref(3)) once
 * it is taken often.
 */
int permod_get(struct permod_module *m);
void permod_put(struct permod_module *m);

/* A module begins with its count, so calls are inline. */
static inline int __permod_get(struct permod_module *m)
{
	return percpu_ref_tryget_live((struct percpu_ref *)(void *)m) ? 0 : -EBUSY;
}

static inline void __permod_put(struct permod_module *m)
{
	percpu_ref_put((struct percpu_ref *)(void *)m);
}

#define permod_get(m) __permod_get(m)
#define permod_put(m) __permod_put(m)

/** enum permod_state - of a module; names and numbers are the kernel's. */
enum permod_state {
	PERMOD_LIVE,   /* its init has returned */
	PERMOD_COMING, /* it is linked; parameters are set, constructors and init run */
	PERMOD_GOING,  /* exit and destructors run; also when init has failed */
};

/** permod_state() - a module's. */
enum permod_state permod_state(struct permod_module *m);

/**
 * permod_notifier - is told of each change of a module's state, by the thread that loads or unloads:
 * PERMOD_COMING before its parameters are set, PERMOD_LIVE behind init, PERMOD_GOING behind exit, or when
 * a load fails.  A negative errno for PERMOD_COMING refuses the load, with this error; what it returns
 * otherwise does not matter.  It may load, look, and hold the module; not unload.
 */
typedef int permod_notifier(void *arg, struct permod_module *m, enum permod_state state);

/**
 * permod_notify() - call @function with @arg for each change in this context, those first that were
 * there first; until permod_unnotify() with the same.  When that has returned no thread is in the
 * function, unless a notifier or a function that a hook called has called it.
 *
 * A module's notifiers are gone when its exit runs, if not before.  Errors: -ENOMEM, -EINVAL;
 * -ENOENT.
 */
int permod_notify(struct permod *pm, permod_notifier *function, void *arg);
int permod_unnotify(struct permod *pm, permod_notifier *function, void *arg);

/**
 * permod_symbol() - the address of a function or variable of a module; NULL if it has none so
 * named.  If a module exports symbols, these are found and its other global ones too; a per-CPU
 * variable's is its cookie, a thread-local one's is that of the calling thread's copy.
 */
void *permod_symbol(struct permod_module *m, const char *name);

/** permod_find() - the module of this name, also while its init or exit runs; or NULL. */
struct permod_module *permod_find(struct permod *pm, const char *name);

/** permod_next() - the module loaded after @m, the first for NULL; NULL at the end. */
struct permod_module *permod_next(struct permod *pm, struct permod_module *m);

/** permod_name() - a module's name. */
const char *permod_name(const struct permod_module *m);

/** struct permod_region - a part of a loaded module; see permod_region(). */
struct permod_region {
	const char *name; /* "text", "rodata", ... */
	uintptr_t address;
	size_t size;	/* bytes */
	char access[4]; /* "r-x", "r--", "rw-" */
};

/** permod_region() - the module's @index-th region; 0, or -ENOENT behind the last. */
int permod_region(const struct permod_module *m, unsigned int index, struct permod_region *region);

/** struct permod_variable - a per-CPU variable of a module; see permod_variable(). */
struct permod_variable {
	const char *name;
	uintptr_t cookie;
	size_t size; /* bytes */
};

/** permod_variable() - the module's @index-th named per-CPU variable; 0, or -ENOENT. */
int permod_variable(const struct permod_module *m, unsigned int index,
		    struct permod_variable *variable);

/**
 * permod_parameter() - the value of a module's parameter as text.
 * @buffer:	of PERMOD_TEXT bytes
 *
 * Returns its length, or -ENOENT.
 */
int permod_parameter(const struct permod_module *m, const char *name, char *buffer);
#define PERMOD_TEXT 4096

/**
 * struct permod_address - what an address is in; see permod_addr().  All texts end with a NUL; those
 * that are too long are cut.
 * @module:	the module's name
 * @region:	as in struct permod_region, or "percpu"
 * @section:	the section of the object file; ".plt" and ".got" are what the loader made itself; ""
 *		if it is between sections
 * @symbol:	the function or variable, static ones too, and labels of assembler code; "" if it is
 *		in none
 * @offset:	bytes from the symbol's begin, or if there is none the section's, or else the region's
 * @size:	bytes of what @offset counts from; 0 if that is not known
 * @cpu:	for a per-CPU variable the CPU whose copy it is; -1 for a cookie, and for anything else
 */
struct permod_address {
	char module[64];
	char region[16];
	char section[64];
	char symbol[256];
	size_t offset;
	size_t size;
	int cpu;
};

/**
 * permod_addr() - tell which module has an address, of any context.  (Of one that is a shared object,
 * dladdr(3) tells.)
 * @address:	any address, or cookie; not dereferenced
 * @found:	filled in, unless there is none
 *
 * Returns 0 or -ENOENT, without a line.  The time grows with the logarithm of the number of modules,
 * and of symbols in one.  It takes no lock, allocates nothing and leaves errno alone: it is
 * async-signal-safe, while other threads load and unload.  Unloading waits until those that are in
 * here have left; so a signal's handler must not jump out of it.
 */
int permod_addr(const volatile void *address, struct permod_address *found);

/**
 * permod_backtrace() - write the caller's stack to a descriptor, a line for each function:
 *
 *      #1 0x00007fffd7c67375 counter:.text tick+0x15
 *      #2 0x00007ffff7d2f1f5 libc.so.6 qsort+0x1d5
 *
 * Modules are known by permod_addr(), the rest by dladdr(3), which has names of what is exported
 * alone.  It is as async-signal-safe as backtrace(3): that is, once this or permod_catch_crashes()
 * has been called before.
 */
void permod_backtrace(int fd);

/**
 * permod_catch_crashes() - from now on a crash (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT)
 * writes a line that says what happened, and where as permod_backtrace() does, to a descriptor; then
 * the process ends by the same signal as it would have, with a core dump if one is wanted.
 *
 * Signals for which the program, or a tool, has a handler already are left to that.  The handler
 * uses a thread's alternate stack if the thread has one (sigaltstack(2)): only there can it tell of a
 * stack that overflowed.  Returns 0 or a negative errno, without a line.
 */
int permod_catch_crashes(int fd);

/* ---- Taint ---------------------------------------------------------------------------------- */

/**
 * PERMOD_TAINT_* - what somebody who looks for a fault should know first: bits and letters are the
 * kernel's (Documentation/admin-guide/tainted-kernels.rst).
 */
/** P: a module names no licence, or one that is not compatible with EXPORT_SYMBOL_GPL() */
#define PERMOD_TAINT_PROPRIETARY (1U << 0)
/** F: a module was loaded by force, though it does not fit */
#define PERMOD_TAINT_FORCED_LOAD (1U << 1)
/** R: a module was unloaded by force */
#define PERMOD_TAINT_FORCED_UNLOAD (1U << 3)
/** E: a module without a good signature was loaded */
#define PERMOD_TAINT_UNSIGNED (1U << 13)
/** N: a test module was loaded: one with MODULE_INFO(test, "Y") */
#define PERMOD_TAINT_TEST (1U << 18)

/** permod_taint() - PERMOD_TAINT_* of all modules that the context has or ever had. */
unsigned int permod_taint(struct permod *pm);

/** permod_module_taint() - those of one module. */
unsigned int permod_module_taint(const struct permod_module *m);

/**
 * permod_taint_reason() - why a context has a flag, or if @m is not NULL, why this module of it has.
 * @flag:	one of PERMOD_TAINT_*
 *
 * Returns one line, of the first time that it was set; valid as long as the context, or the module.
 * "" if there was no memory to keep it, NULL if the flag is not set.
 */
const char *permod_taint_reason(struct permod *pm, const struct permod_module *m,
				unsigned int flag);

/**
 * permod_taint_text() - the letters of flags, as in the kernel's /proc/modules: "PF"; "" if none is set.
 * @text:	of PERMOD_TAINT_TEXT bytes; is returned
 */
char *permod_taint_text(unsigned int taint, char *text);
#define PERMOD_TAINT_TEXT 32

/* ---- Looking at files without loading them -------------------------------------------------- */

/** struct permod_file - a module file, opened for inspection. */
struct permod_file;

/** permod_file_open() - open and validate a file; errors as permod_load(). */
int permod_file_open(struct permod *pm, const char *path, struct permod_file **file);

/** permod_file_open_files() - the same for what permod_load_files() would make one module of. */
int permod_file_open_files(struct permod *pm, const char *const *paths, size_t count,
			   const char *root, unsigned int flags, struct permod_file **file);
void permod_file_close(struct permod_file *file);

/** permod_file_info() - the @index-th "tag=value" of .modinfo, or NULL behind the last. */
const char *permod_file_info(const struct permod_file *file, unsigned int index);

/** permod_file_export() - the @index-th name in __ksymtab*, or NULL; @gpl may be NULL. */
const char *permod_file_export(const struct permod_file *file, unsigned int index, int *gpl);

/**
 * struct permod_signature - what stands in the signature at a file's end; see permod_file_signature().
 * @id:		"PKCS#7"
 * @signer:	common name of who issued the signer's certificate; "" if it is not known
 * @key:	that certificate's serial number, or its key's identifier, as "0A:1B:..."
 * @hash:	"sha256"
 * @data, @size: the signature proper, bytes; NULL and 0 if the message can't be read
 */
struct permod_signature {
	char id[8];
	char signer[256];
	char key[256];
	char hash[32];
	const unsigned char *data;
	size_t size;
};

/**
 * permod_file_signature() - what modinfo(8) tells of a signature, valid as long as the file is open; of
 * several files the first one's.  Nothing of it is checked: that is what PERMOD_SIGNATURES_* do.
 *
 * Returns 0, or -ENOENT if there is none.  Without OpenSSL all but @id is empty.
 */
int permod_file_signature(const struct permod_file *file, struct permod_signature *signature);

/** permod_file_undefined() - the @index-th symbol it needs from outside, or NULL. */
const char *permod_file_undefined(const struct permod_file *file, unsigned int index);

/**
 * struct permod_type - the type of a symbol, as `permod stamp` recorded it; see permod_file_type().
 * @type:	text, as permod(1) tells
 * @checksum:	of the type and all that it refers to; equal types have equal ones
 * @exported:	whether it is a symbol that the file exports, or one that it needs
 */
struct permod_type {
	const char *name;
	const char *type;
	uint32_t checksum;
	int exported;
};

/** permod_file_type() - the @index-th type that is recorded; 0, or -ENOENT behind the last. */
int permod_file_type(const struct permod_file *file, unsigned int index, struct permod_type *type);

/**
 * struct permod_plan_section - where a section would go; see permod_plan().
 * Strings live as long as the plan.
 */
struct permod_plan_section {
	const char *object; /* the file, or the archive's member */
	const char *name;
	const char *region; /* as in struct permod_region, "percpu", or "-" if it isn't loaded */
	uintptr_t address;  /* 0 if no place was found; a cookie in region "percpu" */
	size_t size;	    /* bytes */
	size_t align;	    /* bytes */
	size_t offset;	    /* in its region, bytes */
	int discarded; /* another object brought this COMDAT group first, or nothing needs it */
};

/** struct permod_plan_site - a relocation; @object is NULL if there is none. */
struct permod_plan_site {
	const char *object;
	const char *section;
	size_t offset;	  /* in the section, bytes */
	const char *type; /* "R_X86_64_PC32" */
};

/** struct permod_plan_symbol - a symbol from outside, and who would provide it. */
struct permod_plan_symbol {
	const char *name;
	const char *provider; /* a module's name, "host", a library's file name; NULL: nobody */
	uintptr_t address;
	int weak;
	int got;  /* reached through a GOT slot */
	int stub; /* called through a stub */
	size_t references;
	struct permod_plan_site first; /* of these */
};

/**
 * struct permod_plan_slot - what the loader adds for a symbol that code does not reach by itself.
 * @kind:	"got": a slot of the global offset table, which holds the address; "stub": code that
 *		jumps there, and uses the slot; for thread-local variables "tls-module" (two slots:
 *		module and offset), "tls-offset" (from the thread pointer), "tls-descriptor" (two slots)
 */
struct permod_plan_slot {
	const char *kind;
	const char *symbol; /* "" for all thread-local variables of the module */
	uintptr_t address;
	uintptr_t target; /* the symbol's address; 0 if it is thread-local */
	size_t references;
	struct permod_plan_site first; /* of these; none if only a stub uses the slot */
};

/** struct permod_plan_bound - what sets one end of permod_plan_interval(). */
struct permod_plan_bound {
	const char *symbol; /* which would be out of reach beyond; NULL: nothing does */
	struct permod_plan_site site;
};

/** struct permod_plan_place - where the whole would be, and what it takes; sizes in bytes. */
struct permod_plan_place {
	uintptr_t base;	    /* 0 if no place was found */
	const char *reason; /* why there; NULL if no place was found */
	size_t size;	    /* in pages of its own; small modules share some, and then take less */
	size_t init_size;   /* of it, freed after init */
	struct permod_plan_bound low, high;
	size_t percpu_size, percpu_align; /* on each possible CPU */
	size_t percpu_used;		  /* by modules that are loaded */
	size_t percpu_reserved;		  /* the most there can be of it */
	size_t tls_size, tls_align;	  /* thread-local variables, in each thread */
	size_t discarded;		  /* references to sections that are so */
	unsigned int features;		  /* PERMOD_FEATURE_* that all objects have */
};

/** What code can be fit for, as objects say in .note.gnu.property; see permod-linking(7). */
#define PERMOD_FEATURE_IBT 1U	/* it marks the targets of indirect branches */
#define PERMOD_FEATURE_SHSTK 2U /* it does nothing that a shadow stack would find */

/** struct permod_plan - what loading a file would do here.  Nothing of the file is run. */
struct permod_plan;

/**
 * permod_plan() - make a plan; undone and freed by permod_plan_free().
 * @path:	as for permod_load()
 *
 * Returns 0 if the module would load.  Otherwise the error of permod_load(), and if the file could
 * be read at all, a plan all the same: *@plan is not NULL then.
 */
int permod_plan(struct permod *pm, const char *path, struct permod_plan **plan);

/** permod_plan_files() - the same for what permod_load_files() would load. */
int permod_plan_files(struct permod *pm, const char *name, const char *const *paths, size_t count,
		      const char *root, unsigned int flags, struct permod_plan **plan);
void permod_plan_free(struct permod_plan *plan);

const struct permod_plan_section *permod_plan_section(const struct permod_plan *plan,
						      unsigned int index);
const struct permod_plan_symbol *permod_plan_symbol(const struct permod_plan *plan,
						    unsigned int index);

/** permod_plan_slot() - the @index-th slot or stub; NULL behind the last. */
const struct permod_plan_slot *permod_plan_slot(const struct permod_plan *plan, unsigned int index);

/** permod_plan_place() - where, why, and what it takes; never NULL. */
const struct permod_plan_place *permod_plan_place(const struct permod_plan *plan);

/**
 * permod_plan_problem() - the @index-th reason against loading, one line; NULL behind the last.
 *
 * All that can be found out are told: those that only loading would show (what init returns, say) are
 * not.  permod_error() has the first.
 */
const char *permod_plan_problem(const struct permod_plan *plan, unsigned int index);

/** permod_plan_distrust() - why a file has no good signature, where that is no problem but would taint
 * (PERMOD_SIGNATURES_WARN), one line; or NULL. */
const char *permod_plan_distrust(const struct permod_plan *plan);

/** permod_plan_interval() - the addresses at which the module could begin (inclusive). */
void permod_plan_interval(const struct permod_plan *plan, uintptr_t *low, uintptr_t *high);

/** permod_version() - "0.1.0". */
const char *permod_version(void);

#ifdef __cplusplus
}
#pragma GCC diagnostic pop
#endif

#endif
