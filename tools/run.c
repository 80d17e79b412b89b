/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod run: load modules, call a function on every CPU, show the per-CPU variables, unload.
 */
#define _GNU_SOURCE
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the options ask for; zero or NULL if they don't. */
struct wishes {
	const char *function;
	const char *cpu_list;
	uint64_t count;
	double seconds;
	bool json;
	struct tree_place place;
	bool remove_dependencies;
	struct parts last; /* of the last module */
	struct trust trust;
};

static const struct option options[] = {
	{ "call", required_argument, NULL, 'f' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "count", required_argument, NULL, 'n' },
	{ "duration", required_argument, NULL, 'd' },
	{ "json", no_argument, NULL, 'j' },
	{ "module-dir", required_argument, NULL, 'm' },
	{ "config", required_argument, NULL, 'C' },
	{ "remove-dependencies", no_argument, NULL, 'R' },
	{ "with", required_argument, NULL, 'w' },
	{ "root", required_argument, NULL, 'r' },
	{ "whole-archive", no_argument, NULL, 'W' },
	{ "gc-sections", no_argument, NULL, 'g' },
	{ "library", required_argument, NULL, 'l' },
	TRUST_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* ---- Options -------------------------------------------------------------------------------- */

static bool parse_count(const char *text, uint64_t *count)
{
	char *end;

	errno = 0;
	*count = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end && !errno && *count > 0;
}

static bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	/* No hexadecimal numbers, no names of infinity. */
	if (text[strspn(text, "0123456789.")])
		return false;
	*seconds = strtod(text, &end);
	return end > text && !*end && *seconds > 0 && isfinite(*seconds);
}

static enum status take_option(struct wishes *wishes, int code)
{
	switch (code) {
	case 'f':
		wishes->function = optarg;
		break;
	case 'c':
		wishes->cpu_list = optarg;
		break;
	case 'n':
		if (!parse_count(optarg, &wishes->count))
			return usage_error(&run_command, "--count '%s': not a number of at least 1",
					   optarg);
		break;
	case 'd':
		if (!parse_seconds(optarg, &wishes->seconds))
			return usage_error(&run_command,
					   "--duration '%s': not a number of seconds above 0",
					   optarg);
		break;
	case 'j':
		wishes->json = true;
		break;
	case 'l':
		return use_library(optarg);
	case 'm':
		wishes->place.dir = optarg;
		break;
	case 'C':
		add_config(&wishes->place, optarg);
		break;
	case 'R':
		wishes->remove_dependencies = true;
		break;
	default:
		if (!take_trust_option(&wishes->trust, code, optarg))
			take_parts_option(&wishes->last, code, optarg);
		break;
	}
	return STATUS_GO_ON;
}

static enum status parse_options(int argc, char **argv, struct wishes *wishes)
{
	enum status status = STATUS_GO_ON;
	int code;

	while (status == STATUS_GO_ON &&
	       (code = next_option(&run_command, argc, argv, options, &status)) != -1)
		status = take_option(wishes, code);
	if (status != STATUS_GO_ON)
		return status;
	if (wishes->count && wishes->seconds > 0)
		return usage_error(&run_command, "--count and --duration exclude each other");
	if (!wishes->function && (wishes->count || wishes->seconds > 0 || wishes->cpu_list))
		return usage_error(&run_command, "%s needs --call",
				   wishes->count      ? "--count"
				   : wishes->cpu_list ? "--cpus"
						      : "--duration");
	return check_trust(&run_command, &wishes->trust);
}

static enum status refuse_cpu(unsigned int cpu, const char *why, const struct cpu_set *instead)
{
	char *list = cpu_list_text(instead);
	enum status status = usage_error(&run_command, "--cpus: CPU %u %s %s", cpu, why, list);

	free(list);
	return status;
}

/* Whether all CPUs of a list can be called on; @too_high is beyond all, or NO_CPU. */
static enum status check_cpus(const struct cpu_set *chosen, unsigned int too_high)
{
	struct cpu_set possible = possible_cpus(), allowed = allowed_cpus();
	enum status status = STATUS_GO_ON;

	for (unsigned int cpu = 0; cpu < nr_cpu_ids && status == STATUS_GO_ON; cpu++) {
		if (!cpu_set_has(chosen, cpu) || cpu_set_has(&allowed, cpu))
			continue;
		if (cpu_set_has(&possible, cpu))
			status =
				refuse_cpu(cpu, "is not for this process, which may use", &allowed);
		else
			too_high = too_high < cpu ? too_high : cpu;
	}
	if (status == STATUS_GO_ON && too_high != NO_CPU)
		status = refuse_cpu(too_high, "is not possible; this system has", &possible);
	cpu_set_free(&possible);
	cpu_set_free(&allowed);
	return status;
}

/* The CPUs to call on: those in the list, or all that this process may run on. */
static enum status choose_cpus(const char *list, struct calls *calls)
{
	struct cpu_set chosen = list ? cpu_set_new(nr_cpu_ids) : allowed_cpus();
	enum status status = STATUS_GO_ON;
	unsigned int too_high = NO_CPU;

	if (list && !parse_cpu_list(list, &chosen, &too_high))
		status = usage_error(&run_command, "--cpus '%s': not a list such as 0-2,5", list);
	else
		status = check_cpus(&chosen, too_high);
	for (unsigned int cpu = 0; cpu < nr_cpu_ids; cpu++) {
		if (cpu_set_has(&chosen, cpu))
			calls->cpus[calls->num_cpus++] = cpu;
	}
	cpu_set_free(&chosen);
	return status;
}

/* ---- The run -------------------------------------------------------------------------------- */

static enum status call_and_show(const struct wishes *wishes, struct calls *calls,
				 struct outcome *outcome, FILE *out)
{
	enum status status;

	if (wishes->function) {
		calls->function = (void (*)(void))find_function(outcome->session, calls->name,
								&outcome->owner);
		if (!calls->function)
			return STATUS_FAILED;
		fflush(stdout);
		status = make_calls(calls);
		fflush(stdout);
		if (status != STATUS_DONE)
			return status;
		outcome->calls = calls;
	}
	if (wishes->json)
		show_json(out, outcome);
	else
		show_tables(out, outcome);
	return calls->interrupted ? STATUS_INTERRUPTED : STATUS_DONE;
}

/* In a context of their own: load, call, show, unload. */
static enum status run_modules(const struct wishes *wishes, struct calls *calls,
			       struct session *session, const struct request *requests,
			       size_t count, FILE *out)
{
	struct outcome outcome = { .session = session };
	enum status status, unloaded;

	if (open_context(&session->place, &wishes->trust, &session->pm) != STATUS_DONE)
		return STATUS_FAILED;
	status = load_modules(session, requests, count);
	if (status == STATUS_DONE)
		status = call_and_show(wishes, calls, &outcome, out);
	unloaded = unload_modules(session);
	permod_free(session->pm);
	return unloaded == STATUS_DONE ? status : unloaded;
}

static enum status run_requests(const struct wishes *wishes, struct calls *calls,
				const struct request *requests, size_t count, FILE *out)
{
	struct session session = { .last = wishes->last,
				   .place = wishes->place,
				   .remove_dependencies = wishes->remove_dependencies };
	enum status status;

	/* What is to be called is needed; of several modules nobody knows which one has it. */
	if (wishes->last.flags & PERMOD_LOAD_GC_SECTIONS && !wishes->last.root && count == 1)
		session.last.root = wishes->function;

	if (wishes->place.dir && !is_tree(wishes->place.dir)) {
		session.dir = open_module_dir(wishes->place.dir);
		if (!session.dir)
			return STATUS_FAILED;
	}
	status = run_modules(wishes, calls, &session, requests, count, out);
	close_module_dir(session.dir);
	return status;
}

static enum status run_with_output(const struct wishes *wishes, struct calls *calls,
				   const struct request *requests, size_t count)
{
	FILE *out = wishes->json ? divert_stdout() : stdout;
	enum status status;
	void *stack;

	if (!out)
		return STATUS_FAILED;
	permod_catch_crashes(STDERR_FILENO);
	stack = open_signal_stack();
	status = run_requests(wishes, calls, requests, count, out);
	close_signal_stack(stack);
	if (wishes->json && fclose(out)) {
		complain("can't write the output: %s", strerror(errno));
		return STATUS_FAILED;
	}
	return status;
}

static enum status run(int argc, char **argv)
{
	struct wishes wishes = { .last = new_parts() };
	struct calls calls = { .function = NULL };
	struct request *requests = NULL;
	enum status status;
	size_t count = 0;

	status = parse_options(argc, argv, &wishes);
	calls.name = wishes.function;
	calls.seconds = wishes.seconds;
	calls.count = wishes.count || wishes.seconds > 0 ? wishes.count : 1;
	calls.cpus = allocate(nr_cpu_ids, sizeof(*calls.cpus));
	calls.calls = allocate(nr_cpu_ids, sizeof(*calls.calls));
	if (status == STATUS_GO_ON)
		status = parse_requests(&run_command, argv + optind, &requests, &count);
	if (status == STATUS_GO_ON)
		status = choose_cpus(wishes.cpu_list, &calls);
	if (status == STATUS_GO_ON)
		status = run_with_output(&wishes, &calls, requests, count);
	free_requests(requests, count);
	free(wishes.last.paths);
	free(wishes.trust.certificates);
	free(wishes.place.config);
	free(calls.calls);
	free(calls.cpus);
	return status;
}

const struct command run_command = {
	.name = "run",
	.synopsis = "[OPTION ...] MODULE [name=value ...] [-- MODULE [name=value ...] ...]",
	.summary = "load modules, call a function on every CPU, show their per-CPU variables",
	.help = "  --call FUNCTION    call FUNCTION, a void function(void) of the modules, the last first\n"
		"  --cpus LIST        on these CPUs, such as 0-2,5; otherwise on all it may run on\n"
		"  --count N          N times on each CPU; otherwise once\n"
		"  --duration S       over and over for S seconds, such as 0.5\n"
		"  --json             print one JSON document; what modules print goes to standard error\n"
		"  --library NAME     first open a shared library, such as libm.so.6, for modules to use\n"
		"  --module-dir DIR   find modules named without a folder, and what they need, in DIR:\n"
		"                     a module tree of depmod, or a folder with files\n"
		"  --config PATH      with a module tree: a folder or file as in modprobe.d; repeatable\n"
		"  --remove-dependencies  unload with each MODULE what only it needed\n"
		"  --with FILE        link FILE, an object or archive, into the last MODULE; repeatable\n"
		"  --root SYMBOL      of the last MODULE's archives, take only what SYMBOL needs\n"
		"  --whole-archive    of the last MODULE's archives, take everything\n"
		"  --gc-sections      of the last MODULE, leave out sections that nothing needs\n"
		"  --signatures WHAT  off, warn or enforce: load what has no good signature, or not\n"
		"  --certificate FILE whose signatures are good, PEM or DER; repeatable\n"
		"\n"
		"MODULE is a relocatable object, or an archive of such. Several are loaded in order and\n"
		"unloaded in reverse. Without --call they are loaded, shown and unloaded. A crash tells\n"
		"where it was, on standard error, and ends the command by its signal.\n",
	.run = run,
};
