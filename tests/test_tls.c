/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Thread-local variables of modules: all ways in which compilers reach them, in threads that were there
 * before the module and in threads that came after; those of other modules, of the program and of
 * libc; what there is too little room for; and that nothing is left behind.
 *
 * A variable's value in a thread that never touched it is what the source says: that, counted up by
 * the test's own calls, is what is expected.
 */
#define _GNU_SOURCE
#include "tests/loader/helper.h"

#include <pthread.h>
#include <semaphore.h>

typedef long function(void);

/* ---- Threads that do what they are told ----------------------------------------------------- */

struct worker {
	pthread_t thread;
	sem_t go, done;
	function *call; /* NULL: end */
	long result;
};

static void *work(void *arg)
{
	struct worker *worker = arg;

	for (;;) {
		sem_wait(&worker->go);
		if (!worker->call)
			return NULL;
		worker->result = worker->call();
		sem_post(&worker->done);
	}
}

static void begin_worker(struct worker *worker)
{
	check_that(!sem_init(&worker->go, 0, 0) && !sem_init(&worker->done, 0, 0));
	check_that(!pthread_create(&worker->thread, NULL, work, worker));
}

static long call_in(struct worker *worker, function *call)
{
	worker->call = call;
	sem_post(&worker->go);
	sem_wait(&worker->done);
	return worker->result;
}

static void end_worker(struct worker *worker)
{
	worker->call = NULL;
	sem_post(&worker->go);
	pthread_join(worker->thread, NULL);
	sem_destroy(&worker->go);
	sem_destroy(&worker->done);
}

/* In a thread that begins and ends for it. */
static long call_in_new(function *call)
{
	struct worker worker;
	long result;

	begin_worker(&worker);
	result = call_in(&worker, call);
	end_worker(&worker);
	return result;
}

static function *function_of(struct permod_module *m, const char *name)
{
	void *address = symbol(m, name);
	function *call;

	memcpy(&call, &address, sizeof(call));
	return call;
}

/*
 * Code that is not position-independent, or was told so, has its variables at a distance that is the same in each
 * thread: it needs room in what threads begin with, of which not all C libraries have some to give.
 */
#ifdef __GLIBC__
#define HAS_ROOM true
#define ERRNO "extern __thread int errno;\n"
#else
#define HAS_ROOM false
#define ERRNO "#include <errno.h>\n"
#endif

static bool needs_room(const char *flags)
{
	return !strstr(flags, "-fPIC") || strstr(flags, "initial-exec") ||
	       strstr(flags, "local-exec");
}

/* Flags by which code has variables of its own here. */
static const char *fit(const char *flags)
{
	return HAS_ROOM || !needs_room(flags) ? flags : "-fPIC";
}

/* ---- Every way to build --------------------------------------------------------------------- */

/* libc keeps room for blocks that are aligned as what programs begin with is, and no more. */
static __thread char aligned __attribute__((aligned(64), used));

/* step() counts both variables up: the n-th call in a thread returns 42000 + n * 1001. */
static const char own_source[] =
	"#include <stdint.h>\n"
	"#include <string.h>\n"
	"__thread int initial = 42;\n"
	"static __thread long zero;\n"
	"static int target;\n"
	"__thread int *pointer = &target;\n"
	"static __thread char aligned[100] __attribute__((aligned(64))) = \"text\";\n"
	"__attribute__((visibility(\"default\"))) long step(void);\n"
	"long step(void)\n"
	"{\n"
	"	if (pointer != &target || (uintptr_t)aligned % 64 || strcmp(aligned, \"text\"))\n"
	"		return -1;\n"
	"	return initial++ * 1000L + zero++;\n"
	"}\n";

#define NTH_STEP(n) (42000L + (n)*1001L)

/* Arm's compilers make them, if they are asked to, and the relocations of theirs are refused by name. */
#ifdef __arm__
#define DESCRIPTORS "--no-compiler-knows-this "
#else
#define DESCRIPTORS "-fPIC -mtls-dialect=gnu2 "
#endif

static const char *const own_builds[] = {
	"",
	"-fPIE",
	"-fPIC",
	"-fno-pie",
	"-fno-pie -mcmodel=medium",
	"-fno-plt",
	"-fPIC -fno-plt",
	"-fPIC -fvisibility=hidden -ftls-model=local-dynamic",
	"-fPIC -fno-plt -fvisibility=hidden -ftls-model=local-dynamic",
	"-fPIC -ftls-model=initial-exec",
	"-fPIC -ftls-model=local-exec",
	"-fPIC -fdata-sections -ffunction-sections",
	DESCRIPTORS,
	DESCRIPTORS "-fvisibility=hidden -ftls-model=local-dynamic",
	"-g -fsanitize-address-use-after-scope",
};

/* In a thread from before, in this one, in one from after it. */
static void expect_steps(struct permod_module *m, struct worker *early)
{
	function *step = function_of(m, "step");
	struct worker late;

	ck_assert_int_eq(call_in(early, step), NTH_STEP(0));
	ck_assert_int_eq(step(), NTH_STEP(0));
	begin_worker(&late);
	ck_assert_int_eq(call_in(&late, step), NTH_STEP(0));
	ck_assert_int_eq(call_in(early, step), NTH_STEP(1));
	ck_assert_int_eq(call_in(&late, step), NTH_STEP(1));
	ck_assert_int_eq(call_in(&late, step), NTH_STEP(2));
	ck_assert_int_eq(step(), NTH_STEP(1));
	end_worker(&late);
}

static void expect_build(const char *compiler, const char *flags, struct worker *early)
{
	struct permod *pm = new_context();
	const char *source = work_file("own.c");
	const char *path;

	write_file(source, own_source, strlen(own_source));
	path = compile_file("own.ko", compiler, flags, source);
	if (!HAS_ROOM && needs_room(flags)) {
		expect_error(pm, permod_load(pm, path, NULL, 0, NULL), -ENOSPC, "own.ko", "no room",
			     "-fPIC");
		permod_free(pm);
		return;
	}
	for (int i = 0; i < 3; i++) {
		struct permod_module *m = load_file(pm, path, NULL);

		expect_steps(m, early);
		must(pm, permod_unload(m, 0));
	}
	permod_free(pm);
}

START_TEST(each_thread_has_initial_values_however_it_is_built)
{
	const char *compilers[] = { setting("CC", "gcc"), setting("CLANG", "") };
	struct worker early;
	unsigned int count = 0;

	begin_worker(&early);
	for (size_t i = 0; i < COUNT(compilers) && (i == 0 || strcmp(compilers[1], compilers[0]));
	     i++) {
		for (int level = 0; level <= 2; level += 2) {
			const char *flags = text("-O%d %s", level, own_builds[_i]);

			if (!compiles(compilers[i], flags))
				continue;
			expect_build(compilers[i], flags, &early);
			count++;
		}
	}
	end_worker(&early);
	if (!strstr(own_builds[_i], DESCRIPTORS) && !strstr(own_builds[_i], "sanitize") &&
	    knows_flags(own_builds[_i]))
		ck_assert_uint_ge(count, 2);
}
END_TEST

START_TEST(assembler_reaches_them_in_all_ways)
{
	/* clang's assembler has no COMMON variables that are thread-local. */
	static const char source[] =
		"#ifdef __clang__\n"
		"#define COMMON \".section .tbss,\\\"awT\\\",@nobits\\ncommon: .skip 8\\n\"\n"
		"#else\n"
		"#define COMMON \".tls_common common, 8, 16\\n\"\n"
		"#endif\n"
		"__asm__(\".section .tdata,\\\"awT\\\"\\n.balign 8\\nvalue: .quad 5\\n\"\n"
		"	COMMON\n"
		"	\".data\\n.balign 8\\nby_offset: .quad value@tpoff\\n\"\n"
		"	\"index: .reloc ., R_X86_64_DTPMOD64, value\\n.quad 0, value@dtpoff\\n\"\n"
		"	\".text\\n.globl read\\nread: pushq %rbx\\n\"\n"
		"	\"movq %fs:value@tpoff, %rbx\\n\"               /* 5 */\n"
		"	\"movq value@gottpoff(%rip), %rax\\n addq %fs:(%rax), %rbx\\n\" /* 10 */\n"
		"	\"movq %fs:0, %rax\\n addq value@gottpoff(%rip), %rax\\n\"\n"
		"	\"addq (%rax), %rbx\\n\"                        /* 15 */\n"
		"	\"cmpq $0, value@gottpoff(%rip)\\n jns 1f\\n\"\n"
		"	\"movq by_offset(%rip), %rax\\n addq %fs:(%rax), %rbx\\n\" /* 20 */\n"
		"	\"leaq index(%rip), %rdi\\n call __tls_get_addr@PLT\\n\"\n"
		"	\"addq (%rax), %rbx\\n\"                        /* 25 */\n"
		"	\"leaq value@tlsld(%rip), %rdi\\n call *__tls_get_addr@GOTPCREL(%rip)\\n\"\n"
		"	\"addq value@dtpoff(%rax), %rbx\\n\"            /* 30 */\n"
		"	\"leaq value@tlsgd(%rip), %rdi\\n call __tls_get_addr\\n\"\n"
		"	\"addq (%rax), %rbx\\n\"                        /* 35 */\n"
		"	\"leaq value@tlsdesc(%rip), %rax\\n call *value@tlscall(%rax)\\n\"\n"
		"	\"addq %fs:(%rax), %rbx\\n\"                    /* 40 */\n"
		"	\"leaq value@tlsdesc(%rip), %rsi\\n movq %rsi, %rax\\n\"\n"
		"	\"call *value@tlscall(%rax)\\n addq %fs:(%rax), %rbx\\n\" /* 45 */\n"
		"	\"leaq _TLS_MODULE_BASE_@tlsdesc(%rip), %rax\\n\"\n"
		"	\"call *_TLS_MODULE_BASE_@tlscall(%rax)\\n\"\n"
		"	\"addq %fs:value@dtpoff(%rax), %rbx\\n\"        /* 50 */\n"
		"	\"addq $100, %fs:common@tpoff\\n\"\n"
		"	\"addq %fs:common@tpoff, %rbx\\n\"\n"
		"	\"1: movq %rbx, %rax\\n popq %rbx\\n ret\\n\"\n"
		"	\".type read, @function\\n.size read, .-read\\n\");\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("assembler.ko", "", source), NULL);
	function *call = function_of(m, "read");

	ck_assert_int_eq(call(), 150);
	ck_assert_int_eq(call(), 250);
	ck_assert_int_eq(call_in_new(call), 150);
	permod_free(pm);
}
END_TEST

/* A descriptor's function changes no register but %rax, also when it has to make room. */
START_TEST(descriptors_keep_registers)
{
	static const char source[] =
		"#define SET(r, n) \"movq $\" #n \", %\" #r \"\\n\"\n"
		"#define TEST(r, n) \"cmpq $\" #n \", %\" #r \"\\n jne 1f\\n\"\n"
		"#define ALL(do) do(rbx, 1) do(rcx, 2) do(rdx, 3) do(rsi, 4) do(rdi, 5) do(r8, 6) \\\n"
		"	do(r9, 7) do(r10, 8) do(r11, 9) do(r12, 10) do(r13, 11) do(r14, 12) do(r15, 13)\n"
		"__asm__(\".section .tbss,\\\"awT\\\",@nobits\\n big: .skip 100000\\n\"\n"
		"	\".text\\n.globl keep\\nkeep: pushq %rbx\\n pushq %r12\\n pushq %r13\\n\"\n"
		"	\"pushq %r14\\n pushq %r15\\n\" ALL(SET)\n"
		"	\"leaq big@tlsdesc(%rip), %rax\\n call *big@tlscall(%rax)\\n\" ALL(TEST)\n"
		"	\"incq %fs:99000(%rax)\\n movq %fs:99000(%rax), %rax\\n jmp 2f\\n\"\n"
		"	\"1: movq $-1, %rax\\n2: popq %r15\\n popq %r14\\n popq %r13\\n popq %r12\\n\"\n"
		"	\"popq %rbx\\n ret\\n\");\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("keep.ko", "", source), NULL);
	function *call = function_of(m, "keep");

	ck_assert_int_eq(call_in_new(call), 1);
	ck_assert_int_eq(call(), 1);
	ck_assert_int_eq(call(), 2);
	permod_free(pm);
}
END_TEST

#ifdef __GLIBC__
#define HAS_ROOM true
#else
#define HAS_ROOM false /* for code that is not position-independent */
#endif

START_TEST(variables_of_templates_and_inline_ones_are_one_in_all_objects)
{
	static const char source[] =
		"template <int N> struct counter { static thread_local int value; };\n"
		"template <int N> thread_local int counter<N>::value = N;\n"
		"inline thread_local int shared = 5;\n"
		"static thread_local int made = [] { return 7; }();\n"
		"extern \"C\" long NAME() { return counter<3>::value++ * 10000L + shared++ * 100 + made++; }\n";
	const char *cxx = setting("CXX", ""), *path = work_file("templates.a");
	const char *file = work_file("templates.cc");
	static const char *const flags[] = { "-fPIC", "", "-fno-pie" };

	write_file(file, source, strlen(source));
	for (size_t i = 0; i < (HAS_ROOM ? COUNT(flags) : 1); i++) {
		struct permod *pm = new_context();
		struct permod_module *m;
		function *one, *two;

		command(text("rm -f '%s'", path));
		compile_file("one.o", cxx, text("-std=c++17 -DNAME=one %s", flags[i]), file);
		compile_file("two.o", cxx, text("-std=c++17 -DNAME=two %s", flags[i]), file);
		command(text("ar rcs '%s' '%s' '%s'", path, work_file("one.o"),
			     work_file("two.o")));
		m = load_file(pm, path, NULL);
		one = function_of(m, "one");
		two = function_of(m, "two");
		ck_assert_int_eq(one(), 30507);
		ck_assert_int_eq(two(), 40607);
		ck_assert_int_eq(one(), 50708);
		ck_assert_int_eq(call_in_new(two), 30507);
		permod_free(pm);
	}
}
END_TEST

START_TEST(symbol_of_one_is_the_calling_threads)
{
	static const char source[] = "__thread long mine = 11;\n"
				     "long *where(void) { return &mine; }\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("mine.ko", "-fPIC", source), NULL);
	long *(*where)(void);
	void *address = symbol(m, "where");

	memcpy(&where, &address, sizeof(where));
	ck_assert_ptr_eq(symbol(m, "mine"), where());
	ck_assert_int_eq(*(long *)symbol(m, "mine"), 11);
	permod_free(pm);
}
END_TEST

/* ---- Of other modules, the program, libc ---------------------------------------------------- */

static const char exporter_source[] = "#include <permod/module.h>\n"
				      "static __thread long before = 99;\n"
				      "__thread long shared_count = 1000;\n"
				      "__thread long gpl_count = 1;\n"
				      "EXPORT_THREAD_SYMBOL(shared_count);\n"
				      "EXPORT_THREAD_SYMBOL_GPL(gpl_count);\n"
				      "MODULE_LICENSE(\"GPL\");\n"
				      "long theirs(void) { return shared_count + before - 99; }\n";

static const char importer_source[] = "extern __thread long shared_count;\n"
				      "long count(void) { return ++shared_count; }\n";

START_TEST(module_shares_them_with_another)
{
	static const char *const exporters[] = { "", "-fPIC" };
	static const char *const importers[] = {
		"",	    "-fPIC",	"-fPIC -fno-plt", "-fPIC -ftls-model=initial-exec",
		"-fno-pie", DESCRIPTORS
	};

	for (size_t i = 0; i < COUNT(exporters); i++) {
		for (size_t j = 0; j < COUNT(importers); j++) {
			struct permod *pm = new_context();
			struct permod_module *exporter, *importer;
			function *theirs, *count;

			if (!compiles(setting("CC", "gcc"), importers[j]))
				continue;
			exporter = load_file(pm,
					     compile("exporter.ko", fit(exporters[i]),
						     exporter_source),
					     NULL);
			theirs = function_of(exporter, "theirs");
			if (!HAS_ROOM && needs_room(importers[j])) {
				expect_error(pm,
					     permod_load(pm,
							 compile("importer.ko", importers[j],
								 importer_source),
							 NULL, 0, &importer),
					     -ENOSPC, "importer.ko: ", "compile with -fPIC");
				permod_free(pm);
				continue;
			}
			importer =
				load_file(pm, compile("importer.ko", importers[j], importer_source),
					  NULL);
			count = function_of(importer, "count");
			ck_assert_int_eq(count(), 1001);
			ck_assert_int_eq(count(), 1002);
			ck_assert_int_eq(theirs(), 1002);
			ck_assert_int_eq(call_in_new(count), 1001);
			ck_assert_int_eq(call_in_new(theirs), 1000);
			expect_error(pm, permod_unload(exporter, 0), -EBUSY, "importer");
			must(pm, permod_unload(importer, 0));
			must(pm, permod_unload(exporter, 0));
			permod_free(pm);
		}
	}
}
END_TEST

/* Nothing but the table of exports, which has no address of it, refers to the variable. */
START_TEST(export_keeps_its_variable)
{
	static const char source[] = "#include <permod/module.h>\n"
				     "__thread int kept = 42;\n"
				     "EXPORT_THREAD_SYMBOL(kept);\n"
				     "static int start(void) { return 0; }\n"
				     "module_init(start);\n"
				     "static void stop(void) {}\n"
				     "module_exit(stop);\n";
	struct permod *pm = new_context();
	struct permod_module *m;

	must(pm, permod_load(pm, compile("kept.ko", "-fPIC -fdata-sections", source), NULL,
			     PERMOD_LOAD_GC_SECTIONS, &m));
	ck_assert_int_eq(*(int *)permod_symbol(m, "kept"), 42);
	permod_free(pm);
}
END_TEST

START_TEST(export_of_one_is_checked)
{
	struct permod *pm = new_context();

	expect_error(pm,
		     permod_load(pm,
				 compile("bad_export.ko", "",
					 "#include <permod/module.h>\n"
					 "int plain;\nEXPORT_THREAD_SYMBOL(plain);\n"),
				 NULL, 0, NULL),
		     -ENOEXEC, "plain", "thread-local");
	load_file(pm, compile("exporter.ko", fit(""), exporter_source), NULL);
	expect_error(pm,
		     permod_load(pm,
				 compile("not_gpl.ko", "",
					 "extern __thread long gpl_count;\n"
					 "long get(void) { return gpl_count; }\n"),
				 NULL, 0, NULL),
		     -EPERM, "gpl_count", "licence");
	expect_error(pm,
		     permod_load(pm,
				 compile("plain_use.ko", "",
					 "extern long shared_count;\n"
					 "long get(void) { return shared_count; }\n"),
				 NULL, 0, NULL),
		     -ENOEXEC, "shared_count", "thread-local");
	permod_free(pm);
}
END_TEST

/* This program is linked so that the dynamic linker has it. */
__thread long test_tls_of_program = 70;
long test_plain_of_program = 80;

static const char *const foreign_builds[] = {
	"", "-fPIC", "-fno-pie", "-fPIC -fno-plt", "-fPIC -ftls-model=initial-exec", DESCRIPTORS
};

START_TEST(variables_of_the_program_and_of_libc_are_reached)
{
	static const char source[] = "extern __thread long test_tls_of_program;\n" ERRNO
				     "long add(void) { return ++test_tls_of_program; }\n"
				     "long error(void) { return errno++; }\n";
	struct permod *pm = new_context();
	struct permod_module *m;
	function *add, *error;

	if (!compiles(setting("CC", "gcc"), foreign_builds[_i]))
		return;
	m = load_file(pm, compile("foreign.ko", foreign_builds[_i], source), NULL);
	add = function_of(m, "add");
	error = function_of(m, "error");
	test_tls_of_program = 70;
	ck_assert_int_eq(add(), 71);
	ck_assert_int_eq(test_tls_of_program, 71);
	ck_assert_int_eq(call_in_new(add), 71);
	errno = EXDEV;
	ck_assert_int_eq(error(), EXDEV);
	ck_assert_int_eq(errno, EXDEV + 1);
	ck_assert_int_eq(call_in_new(error), 0);
	permod_free(pm);
}
END_TEST

START_TEST(variable_that_nobody_has_is_missing_even_if_weak)
{
	struct permod *pm = new_context();

	expect_error(pm,
		     permod_load(pm,
				 compile("missing.ko", "-fPIC",
					 "extern __thread int nobody_has_this;\n"
					 "extern __thread int nor_this __attribute__((weak));\n"
					 "int get(void) { return nobody_has_this + nor_this; }\n"),
				 NULL, 0, NULL),
		     -ENOENT, "undefined symbols", "nobody_has_this", "nor_this");
	permod_free(pm);
}
END_TEST

START_TEST(plain_variable_is_no_thread_local_one)
{
	struct permod *pm = new_context();

	expect_error(pm,
		     permod_load(pm,
				 compile("reverse.ko", "-fPIC",
					 "extern __thread long test_plain_of_program;\n"
					 "long get(void) { return test_plain_of_program; }\n"),
				 NULL, 0, NULL),
		     -ENOEXEC, "reverse.ko", "test_plain_of_program", "thread-local", "none");
	permod_free(pm);
}
END_TEST

/* ---- Room ----------------------------------------------------------------------------------- */

/* The code, in which each module has 192 bytes in what every thread begins with. */
static const char *compile_taker(void)
{
	return compile("taker.ko", "-DSIZE=192",
		       "static volatile __thread char bytes[SIZE] = \"x\";\n"
		       "long take(void) { return bytes[0]++ + bytes[SIZE - 1]; }\n");
}

#define MOST_TAKERS 1000

/* Load until there is no room; returns how many. */
static size_t take_all(struct permod *pm, const char *path, struct permod_module **modules)
{
	unsigned char *data;
	size_t size, count = 0;
	int error = 0;

	data = read_file(path, &size);
	while (count < MOST_TAKERS) {
		const char *name = text("taker%zu", count);

		error = permod_load_memory(pm, name, data, size, NULL, 0, &modules[count]);
		if (error)
			break;
		ck_assert_int_eq(function_of(modules[count], "take")(), 'x');
		count++;
	}
	free(data);
	expect_error(pm, error, -ENOSPC, "taker", "192 bytes", "-fPIC", "GLIBC_TUNABLES",
		     text("modules have %zu bytes", count * 192), "0 bytes wait");
	return count;
}

/* In the order in which they were loaded, too, which libc alone would not manage. */
START_TEST(room_in_static_blocks_is_limited_and_given_back)
{
	static struct permod_module *modules[MOST_TAKERS];
	struct permod *pm = new_context();
	const char *path = compile_taker();
	size_t count = take_all(pm, path, modules);

	ck_assert_uint_ge(count, 2);
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < count; i++)
			must(pm, permod_unload(modules[round & 1 ? count - 1 - i : i], 0));
		ck_assert_uint_eq(take_all(pm, path, modules), count);
		ck_assert_int_eq(call_in_new(function_of(modules[count - 1], "take")), 'x');
	}
	permod_free(pm);
}
END_TEST

static void load_with_no_file_to_write(void *arg)
{
	const struct rlimit none = { 0, 0 };
	struct permod *pm = new_context();

	check_that(setrlimit(RLIMIT_FSIZE, &none) == 0);
	check_that(permod_load(pm, arg, NULL, 0, NULL) == -EFBIG);
	check_that(strstr(permod_error(pm), "RLIMIT_FSIZE"));
	permod_free(pm);
}

/* The system would kill who writes beyond it. */
START_TEST(limit_of_file_sizes_is_told)
{
	const char *path = compile("small.ko", "", "__thread int small = 1;\n");
	struct outcome outcome = run_in_child(load_with_no_file_to_write, (void *)(uintptr_t)path);

	ck_assert_msg(ended_well(&outcome), "%s", outcome.text);
}
END_TEST

START_TEST(position_independent_code_needs_none_of_that_room)
{
	static const char source[] = "static volatile __thread char bytes[65536] = \"x\";\n"
				     "long take(void) { return bytes[0]++; }\n";
	const char *path = compile("dynamic.ko", "-fPIC", source);
	struct permod *pm = new_context();
	size_t size;
	unsigned char *data = read_file(path, &size);

	for (int i = 0; i < 40; i++) {
		struct permod_module *m = NULL;

		must(pm, permod_load_memory(pm, text("dynamic%d", i), data, size, NULL, 0, &m));
		ck_assert_int_eq(function_of(m, "take")(), 'x');
		ck_assert_int_eq(function_of(m, "take")(), 'x' + 1);
	}
	free(data);
	expect_error(pm, permod_load(pm, compile("too_much.ko", "-fno-pie", source), NULL, 0, NULL),
		     -ENOSPC, "too_much.ko", "65536 bytes", "-fPIC");
	permod_free(pm);
}
END_TEST

START_TEST(alignment_of_a_page_needs_position_independent_code)
{
	static const char source[] =
		"static volatile __thread char page[10] __attribute__((aligned(4096))) = \"x\";\n"
		"long get(void) { return (long)((unsigned long)page % 4096) + page[0]++; }\n";
	struct permod *pm = new_context();
	struct permod_module *m = load_file(pm, compile("page.ko", "-fPIC", source), NULL);

	ck_assert_int_eq(function_of(m, "get")(), 'x');
	ck_assert_int_eq(call_in_new(function_of(m, "get")), 'x');
	expect_error(pm, permod_load(pm, compile("page_pie.ko", "", source), NULL, 0, NULL),
		     -ENOSPC, "page_pie.ko", "aligned to 4096", "-fPIC");
	permod_free(pm);
}
END_TEST

START_TEST(huge_ones_cost_nothing_until_a_thread_uses_them)
{
	struct permod *pm = new_context();
	struct permod_module *m;

	m = load_file(pm,
		      compile("huge.ko", "-fPIC",
			      "static volatile __thread char huge[1 << 30];\n"
			      "long get(void) { return huge[5]++; }\n"
			      "long other(void) { return 3; }\n"),
		      NULL);
	ck_assert_int_eq(call_in_new(function_of(m, "other")), 3);
	permod_free(pm);
}
END_TEST

/* ---- Nothing is left ------------------------------------------------------------------------ */

START_TEST(nothing_is_left_while_threads_live_on)
{
	static const char *const flags[] = { "", "-fPIC" };
	static struct state before, after;
	struct permod *pm = new_context();
	struct worker workers[3];

	for (size_t i = 0; i < COUNT(workers); i++)
		begin_worker(&workers[i]);
	for (int round = 0; round < 6; round++) {
		struct permod_module *m =
			load_file(pm, compile("own.ko", fit(flags[round & 1]), own_source), NULL);
		function *step = function_of(m, "step");

		for (size_t i = 0; i < COUNT(workers); i++)
			ck_assert_int_eq(call_in(&workers[i], step), NTH_STEP(0));
		must(pm, permod_unload(m, 0));
		look(round < 2 ? &before : &after);
		if (round >= 2)
			expect_same(&before, &after, flags[round & 1]);
		ck_assert_ptr_null(strstr(after.maps, "permod-tls"));
	}
	for (size_t i = 0; i < COUNT(workers); i++)
		end_worker(&workers[i]);
	permod_free(pm);
}
END_TEST

START_TEST(load_and_unload_can_go_on_for_ever)
{
	static const char *const flags[] = { "", "-fPIC", DESCRIPTORS };
	int rounds = getenv("PERMOD_LONG") ? 10000 : SANITIZED || under_valgrind() ? 50 : 500;
	struct permod *pm = new_context();
	struct worker early;

	begin_worker(&early);
	for (size_t i = 0; i < COUNT(flags); i++) {
		unsigned char *data;
		size_t size;

		if (!compiles(setting("CC", "gcc"), flags[i]))
			continue;
		data = read_file(compile("own.ko", fit(flags[i]), own_source), &size);
		for (int round = 0; round < rounds; round++) {
			struct permod_module *m = NULL;

			must(pm, permod_load_memory(pm, "own", data, size, NULL, 0, &m));
			ck_assert_int_eq(function_of(m, "step")(), NTH_STEP(0));
			ck_assert_int_eq(call_in(&early, function_of(m, "step")), NTH_STEP(0));
			must(pm, permod_unload(m, 0));
		}
		free(data);
	}
	end_worker(&early);
	permod_free(pm);
}
END_TEST

/* All have their variables from files of the same name and number of descriptor. */
START_TEST(modules_that_are_loaded_together_keep_their_own)
{
	struct permod *pm = new_context();
	struct permod_module *modules[24];
	size_t size;
	unsigned char *data = read_file(compile("own.ko", "-fPIC", own_source), &size);

	for (size_t i = 0; i < COUNT(modules); i++)
		must(pm,
		     permod_load_memory(pm, text("own%zu", i), data, size, NULL, 0, &modules[i]));
	for (size_t i = 0; i < COUNT(modules); i++) {
		for (size_t n = 0; n <= i; n++)
			ck_assert_int_eq(function_of(modules[i], "step")(), NTH_STEP((long)n));
	}
	for (size_t i = 0; i < COUNT(modules); i += 2)
		must(pm, permod_unload(modules[i], 0));
	for (size_t i = 1; i < COUNT(modules); i += 2)
		ck_assert_int_eq(function_of(modules[i], "step")(), NTH_STEP((long)i + 1));
	free(data);
	permod_free(pm);
}
END_TEST

/* ---- Several threads that load ---------------------------------------------------------------- */

struct loader {
	pthread_t thread;
	const unsigned char *data;
	size_t size;
	int rounds, wrong;
};

static void *load_often(void *arg)
{
	struct loader *loader = arg;
	struct permod *pm = NULL;

	loader->wrong += permod_new(&pm, NULL) != 0;
	for (int i = 0; pm && i < loader->rounds; i++) {
		struct permod_module *m = NULL;
		function *step;
		void *address;

		if (permod_load_memory(pm, "own", loader->data, loader->size, NULL, 0, &m)) {
			loader->wrong++;
			break;
		}
		address = permod_symbol(m, "step");
		memcpy(&step, &address, sizeof(step));
		loader->wrong += step() != NTH_STEP(0);
		loader->wrong += step() != NTH_STEP(1);
		loader->wrong += permod_unload(m, 0) != 0;
	}
	permod_free(pm);
	return NULL;
}

static void load_in_threads(const char *flags, int rounds)
{
	struct loader loaders[3];
	size_t size;
	unsigned char *data = read_file(compile("own.ko", fit(flags), own_source), &size);

	for (size_t i = 0; i < COUNT(loaders); i++) {
		loaders[i] = (struct loader){ .data = data, .size = size, .rounds = rounds };
		check_that(!pthread_create(&loaders[i].thread, NULL, load_often, &loaders[i]));
	}
	for (size_t i = 0; i < COUNT(loaders); i++)
		pthread_join(loaders[i].thread, NULL);
	free(data);
	for (size_t i = 0; i < COUNT(loaders); i++)
		ck_assert_int_eq(loaders[i].wrong, 0);
}

static const char *path_to_load;
static int opened;

/* A constructor of a shared object calls this, while that is being loaded as a module. */
void when_opened(void);
void when_opened(void)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		alarm(60);
		load_thread_local(path_to_load);
		_exit(0);
	}
	check_that(waitpid(child, &status, 0) == child && status == 0);
	load_thread_local(path_to_load);
	opened++;
}

/* The one thread has the dynamic linker's lock, and ours. */
START_TEST(constructor_may_fork_and_load)
{
	static const char source[] =
		"void when_opened(void);\n"
		"__attribute__((constructor)) static void begin(void) { when_opened(); }\n";
	const char *shared = work_file("opens.so");
	struct permod *pm = new_context();

	path_to_load = compile_thread_local();
	write_file(work_file("opens.c"), source, strlen(source));
	command(text("%s -fPIC -shared -o '%s' '%s'", setting("CC", "gcc"), shared,
		     work_file("opens.c")));
	load_file(pm, shared, NULL);
	ck_assert_int_eq(opened, 1);
	load_thread_local(path_to_load);
	permod_free(pm);
}
END_TEST

START_TEST(threads_load_at_the_same_time)
{
	load_in_threads("-fPIC", under_valgrind() ? 5 : 50);
}
END_TEST

/* There is room for all of one turn, and before the next all of it is free again. */
START_TEST(threads_give_room_back_whoever_is_first)
{
	for (int turn = 0; turn < (under_valgrind() ? 3 : 30); turn++)
		load_in_threads("", 2);
}
END_TEST

/* ---- Before anything runs ------------------------------------------------------------------- */

START_TEST(plan_tells_of_them)
{
	static const char source[] =
		"extern __thread int nobody_has_this, errno;\n"
		"__thread char bytes[48] = \"x\";\n"
		"int get(void) { return nobody_has_this + bytes[0] + errno; }\n";
	struct permod *pm = new_context();
	struct permod_plan *plan = NULL;
	const struct permod_plan_section *section;
	const struct permod_plan_symbol *symbol;
	bool found = false;

	expect_error(pm, permod_plan(pm, compile("planned.ko", "", source), &plan), -ENOENT,
		     "nobody_has_this");
	ck_assert_ptr_nonnull(plan);
	for (unsigned int i = 0; (section = permod_plan_section(plan, i)); i++) {
		if (strcmp(section->region, "tls") != 0)
			continue;
		ck_assert_str_eq(section->name, ".tdata");
		ck_assert_uint_eq(section->size, 48);
		ck_assert_uint_eq(section->address, 0);
		found = true;
	}
	ck_assert(found);
	ck_assert_ptr_null(permod_plan_problem(plan, 1));
	found = false;
	for (unsigned int i = 0; (symbol = permod_plan_symbol(plan, i)); i++) {
		if (strcmp(symbol->name, "errno") != 0)
			continue;
		/* On alpha it is libc.so.6.1. */
		ck_assert_int_eq(strncmp(symbol->provider, "libc.so.6", 9), 0);
		ck_assert_uint_eq(symbol->address, 0);
		found = true;
	}
	ck_assert(found);
	permod_plan_free(plan);
	permod_free(pm);
}
END_TEST

#define NO_ROOM "this C library keeps no room for thread-local variables of what comes later"
#define NO_UNLOADING "this C library keeps for ever what is opened once"

int main(void)
{
	Suite *suite = suite_create("tls");
	TCase *tests = tcase_create("tls");

	suite_add_tcase(suite, tests);
	tcase_set_timeout(tests, 300);
	tcase_add_loop_test(tests, each_thread_has_initial_values_however_it_is_built, 0,
			    COUNT(own_builds));
#ifdef __GLIBC__
	add_x86_64_test(tests, assembler_reaches_them_in_all_ways);
#else
	LEAVE_OUT(assembler_reaches_them_in_all_ways, NO_ROOM);
#endif
	add_x86_64_test(tests, descriptors_keep_registers);
	if (*setting("CXX", ""))
		tcase_add_test(tests,
			       variables_of_templates_and_inline_ones_are_one_in_all_objects);
	else
		LEAVE_OUT(variables_of_templates_and_inline_ones_are_one_in_all_objects,
			  "there is no C++ compiler");
	tcase_add_test(tests, symbol_of_one_is_the_calling_threads);
	tcase_add_test(tests, module_shares_them_with_another);
	tcase_add_test(tests, export_keeps_its_variable);
	tcase_add_test(tests, export_of_one_is_checked);
	tcase_add_loop_test(tests, variables_of_the_program_and_of_libc_are_reached, 0,
			    COUNT(foreign_builds));
	tcase_add_test(tests, variable_that_nobody_has_is_missing_even_if_weak);
	tcase_add_test(tests, plain_variable_is_no_thread_local_one);
#ifdef __GLIBC__
	tcase_add_test(tests, room_in_static_blocks_is_limited_and_given_back);
#else
	LEAVE_OUT(room_in_static_blocks_is_limited_and_given_back, NO_ROOM);
#endif
	tcase_add_test(tests, limit_of_file_sizes_is_told);
	tcase_add_test(tests, position_independent_code_needs_none_of_that_room);
	tcase_add_test(tests, alignment_of_a_page_needs_position_independent_code);
	tcase_add_test(tests, huge_ones_cost_nothing_until_a_thread_uses_them);
#ifdef __GLIBC__
	tcase_add_test(tests, nothing_is_left_while_threads_live_on);
#else
	LEAVE_OUT(nothing_is_left_while_threads_live_on, NO_UNLOADING);
#endif
	tcase_add_test(tests, load_and_unload_can_go_on_for_ever);
	tcase_add_test(tests, modules_that_are_loaded_together_keep_their_own);
	tcase_add_test(tests, constructor_may_fork_and_load);
	tcase_add_test(tests, threads_load_at_the_same_time);
	tcase_add_test(tests, threads_give_room_back_whoever_is_first);
#ifdef __GLIBC__
	tcase_add_test(tests, plan_tells_of_them);
#else
	LEAVE_OUT(plan_tells_of_them, "this C library has no errno that is a variable");
#endif
	return run_suite(suite);
}
