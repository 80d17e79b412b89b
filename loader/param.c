/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Parameters: the string "name=value ..." that a load is given, as the kernel's parse_args() takes
 * it, and the types that module_param() knows, as the kernel's kernel/params.c has them.
 */
#define _GNU_SOURCE
#include "internal.h"

#define PERMOD_MODULE
#include <permod/module.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a get operation returns for a text that snprintf() may have cut. */
static int cut(int length)
{
	return length < PERMOD_PARAM_TEXT ? length : PERMOD_PARAM_TEXT - 1;
}

/* ---- Integers ------------------------------------------------------------------------------- */

/* A number as C writes it, with a newline behind it if wanted; nothing else. */
static bool is_number(const char *value, const char *end)
{
	const char *digits = value + (*value == '-' || *value == '+');

	if (*digits < '0' || *digits > '9' || errno == EINVAL)
		return false;
	return *end == '\0' || (end[0] == '\n' && end[1] == '\0');
}

static int parse_signed(const char *value, long long least, long long most, long long *number)
{
	char *end;

	errno = 0;
	*number = strtoll(value, &end, 0);
	if (!is_number(value, end))
		return -EINVAL;
	return errno || *number < least || *number > most ? -ERANGE : 0;
}

static int parse_unsigned(const char *value, unsigned long long most, unsigned long long *number)
{
	char *end;

	errno = 0;
	*number = strtoull(value, &end, 0);
	if (*value == '-' || !is_number(value, end))
		return -EINVAL;
	return errno || *number > most ? -ERANGE : 0;
}

#define SIGNED_PARAM(name, type, least, most, format)                                              \
	static int set_##name(const char *value, const struct kernel_param *param)                 \
	{                                                                                          \
		long long number;                                                                  \
		int error = parse_signed(value, least, most, &number);                             \
                                                                                                   \
		if (!error)                                                                        \
			*(type *)param->arg = (type)number;                                        \
		return error;                                                                      \
	}                                                                                          \
	INTEGER_OPS(name, type, format)

#define UNSIGNED_PARAM(name, type, most, format)                                                   \
	static int set_##name(const char *value, const struct kernel_param *param)                 \
	{                                                                                          \
		unsigned long long number;                                                         \
		int error = parse_unsigned(value, most, &number);                                  \
                                                                                                   \
		if (!error)                                                                        \
			*(type *)param->arg = (type)number;                                        \
		return error;                                                                      \
	}                                                                                          \
	INTEGER_OPS(name, type, format)

#define INTEGER_OPS(name, type, format)                                                            \
	static int get_##name(char *buffer, const struct kernel_param *param)                      \
	{                                                                                          \
		return snprintf(buffer, PERMOD_PARAM_TEXT, format, *(type *)param->arg);           \
	}                                                                                          \
	const struct kernel_param_ops param_ops_##name = { .set = set_##name, .get = get_##name };

SIGNED_PARAM(short, short, SHRT_MIN, SHRT_MAX, "%hd")
SIGNED_PARAM(int, int, INT_MIN, INT_MAX, "%d")
SIGNED_PARAM(long, long, LONG_MIN, LONG_MAX, "%ld")
UNSIGNED_PARAM(byte, unsigned char, UCHAR_MAX, "%hhu")
UNSIGNED_PARAM(ushort, unsigned short, USHRT_MAX, "%hu")
UNSIGNED_PARAM(uint, unsigned int, UINT_MAX, "%u")
UNSIGNED_PARAM(hexint, unsigned int, UINT_MAX, "%#08x")
UNSIGNED_PARAM(ulong, unsigned long, ULONG_MAX, "%lu")
UNSIGNED_PARAM(ullong, unsigned long long, ULLONG_MAX, "%llu")

/* ---- Truth values --------------------------------------------------------------------------- */

static int parse_bool(const char *value, bool *truth)
{
	char second = value[0] ? value[1] : '\0';

	if (strchr("yYtT1", value[0]) && value[0])
		*truth = true;
	else if (strchr("nNfF0", value[0]) && value[0])
		*truth = false;
	else if ((value[0] == 'o' || value[0] == 'O') && (second == 'n' || second == 'N'))
		*truth = true;
	else if ((value[0] == 'o' || value[0] == 'O') && (second == 'f' || second == 'F'))
		*truth = false;
	else
		return -EINVAL;
	return 0;
}

static int set_bool(const char *value, const struct kernel_param *param)
{
	/* The name alone means yes. */
	return parse_bool(value ? value : "1", param->arg);
}

static int get_bool(char *buffer, const struct kernel_param *param)
{
	return snprintf(buffer, PERMOD_PARAM_TEXT, "%c", *(bool *)param->arg ? 'Y' : 'N');
}

static int set_invbool(const char *value, const struct kernel_param *param)
{
	bool truth;
	int error = parse_bool(value, &truth);

	if (!error)
		*(bool *)param->arg = !truth;
	return error;
}

static int get_invbool(char *buffer, const struct kernel_param *param)
{
	return snprintf(buffer, PERMOD_PARAM_TEXT, "%c", *(bool *)param->arg ? 'N' : 'Y');
}

const struct kernel_param_ops param_ops_bool = { KERNEL_PARAM_OPS_FL_NOARG, set_bool, get_bool,
						 NULL };
const struct kernel_param_ops param_ops_invbool = { .set = set_invbool, .get = get_invbool };

/* ---- Texts ---------------------------------------------------------------------------------- */

/* The copies that charp variables point to; a variable may as well point to something else. */
struct text {
	struct text *next;
	const char *parameter; /* its name, in the memory of the module */
	char value[];
};

static struct text *texts;

static void free_text(const char *value)
{
	struct text **link = &texts, *found;

	lock_shared();
	while (*link && (*link)->value != value)
		link = &(*link)->next;
	found = *link;
	if (found)
		*link = found->next;
	unlock_shared();
	free(found);
}

static int set_charp(const char *value, const struct kernel_param *param)
{
	size_t size = strlen(value) + 1;
	struct text *text = malloc(sizeof(*text) + size);

	if (!text)
		return -ENOMEM;
	memcpy(text->value, value, size);
	text->parameter = param->name;
	free_text(*(char **)param->arg);
	*(char **)param->arg = text->value;
	lock_shared();
	text->next = texts;
	texts = text;
	unlock_shared();
	return 0;
}

/* Wherever the module has put its pointers meanwhile. */
static void free_texts(const struct permod_module *module)
{
	struct text **link = &texts;

	lock_shared();
	while (*link) {
		struct text *text = *link;

		if (!outlives_init(module, (uintptr_t)text->parameter)) {
			link = &text->next;
			continue;
		}
		*link = text->next;
		free(text);
	}
	unlock_shared();
}

static int get_charp(char *buffer, const struct kernel_param *param)
{
	const char *value = *(char **)param->arg;

	return cut(snprintf(buffer, PERMOD_PARAM_TEXT, "%s", value ? value : "(null)"));
}

static int set_string(const char *value, const struct kernel_param *param)
{
	size_t size = strlen(value) + 1;

	if (size > param->str->maxlen)
		return -ERANGE;
	memcpy(param->str->string, value, size);
	return 0;
}

static int get_string(char *buffer, const struct kernel_param *param)
{
	size_t length = strnlen(param->str->string, param->str->maxlen);

	return cut(snprintf(buffer, PERMOD_PARAM_TEXT, "%.*s", (int)length, param->str->string));
}

const struct kernel_param_ops param_ops_charp = { .set = set_charp, .get = get_charp };
const struct kernel_param_ops param_ops_string = { .set = set_string, .get = get_string };

/* ---- Arrays --------------------------------------------------------------------------------- */

/* One element, as a parameter of its own. */
static struct kernel_param element_of(const struct kernel_param *param, unsigned int number)
{
	const struct kparam_array *array = param->arr;
	struct kernel_param element = { .name = param->name, .ops = array->ops };

	element.arg = (char *)array->elem + (size_t)array->elemsize * number;
	return element;
}

static int set_elements(char *values, const struct kernel_param *param)
{
	unsigned int count = 0;
	char *value;

	while ((value = strsep(&values, ","))) {
		struct kernel_param element = element_of(param, count);
		int error;

		if (count == param->arr->max)
			return -ERANGE;
		error = element.ops->set(value, &element);
		if (error)
			return error;
		count++;
	}
	if (param->arr->num)
		*param->arr->num = count;
	return 0;
}

static int set_array(const char *value, const struct kernel_param *param)
{
	char *values = strdup(value);
	int error = values ? set_elements(values, param) : -ENOMEM;

	free(values);
	return error;
}

static unsigned int count_elements(const struct kparam_array *array)
{
	return array->num && *array->num < array->max ? *array->num : array->max;
}

static int get_array(char *buffer, const struct kernel_param *param)
{
	char *text = malloc(PERMOD_PARAM_TEXT);
	int length = 0, error = text ? 0 : -ENOMEM;

	buffer[0] = '\0';
	for (unsigned int i = 0; i < count_elements(param->arr) && error >= 0; i++) {
		struct kernel_param element = element_of(param, i);

		error = element.ops->get(text, &element);
		if (error >= 0)
			length += snprintf(buffer + length, (size_t)(PERMOD_PARAM_TEXT - length),
					   "%s%.*s", i ? "," : "", error, text);
		length = cut(length);
	}
	free(text);
	return error < 0 ? error : length;
}

static void free_array(void *arg)
{
	const struct kparam_array *array = arg;

	for (unsigned int i = 0; array->ops->free && i < array->max; i++)
		array->ops->free((char *)array->elem + (size_t)array->elemsize * i);
}

const struct kernel_param_ops param_array_ops = { 0, set_array, get_array, free_array };

/* ---- What a type takes, for messages -------------------------------------------------------- */

#define WANTED_TEXT 160

static const struct {
	const struct kernel_param_ops *ops;
	const char *wanted;
	long long least;
	unsigned long long most;
} types[] = {
	{ &param_ops_byte, NULL, 0, UCHAR_MAX },
	{ &param_ops_short, NULL, SHRT_MIN, SHRT_MAX },
	{ &param_ops_ushort, NULL, 0, USHRT_MAX },
	{ &param_ops_int, NULL, INT_MIN, INT_MAX },
	{ &param_ops_uint, NULL, 0, UINT_MAX },
	{ &param_ops_hexint, NULL, 0, UINT_MAX },
	{ &param_ops_long, NULL, LONG_MIN, LONG_MAX },
	{ &param_ops_ulong, NULL, 0, ULONG_MAX },
	{ &param_ops_ullong, NULL, 0, ULLONG_MAX },
	{ &param_ops_bool, "y, n, 1, 0, on or off", 0, 0 },
	{ &param_ops_invbool, "y, n, 1, 0, on or off", 0, 0 },
	{ &param_ops_charp, "a text", 0, 0 },
};

static const char *wanted_value(const struct kernel_param_ops *ops, char *buffer)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (types[i].ops != ops)
			continue;
		if (types[i].wanted)
			return types[i].wanted;
		snprintf(buffer, WANTED_TEXT, "a number from %lld to %llu", types[i].least,
			 types[i].most);
		return buffer;
	}
	return NULL;
}

/* What would have been good; NULL if only the module knows. */
static const char *wanted_of(const struct kernel_param *param, char *buffer)
{
	char element[WANTED_TEXT / 2];
	const char *wanted;

	if (param->ops == &param_ops_string) {
		snprintf(buffer, WANTED_TEXT, "a text of at most %u bytes", param->str->maxlen - 1);
		return buffer;
	}
	if (param->ops != &param_array_ops)
		return wanted_value(param->ops, buffer);
	wanted = wanted_value(param->arr->ops, element);
	snprintf(buffer, WANTED_TEXT, "at most %u values with commas between them%s%s",
		 param->arr->max, wanted ? ", each " : "", wanted ? wanted : "");
	return buffer;
}

/* ---- Parsing -------------------------------------------------------------------------------- */

/* One "name=value"; the value is NULL if there is none. */
struct argument {
	char *name, *value;
};

/* Take the quotes off a text that begins with one, or at whose end one was left. */
static char *unquote(char *text, bool opened)
{
	size_t length = strlen(text);

	if (!opened && *text == '"') {
		text++;
		length--;
		opened = true;
	}
	if (opened && length && text[length - 1] == '"')
		text[length - 1] = '\0';
	return text;
}

/* Cut the next argument off; 0 at the end, 1, or -EINVAL for a quote that does not end.  The value
 * can be in quotes, or all of it. */
static int next_argument(char **text, struct argument *argument)
{
	char *p = *text;
	bool quoted, whole;

	while (isspace((unsigned char)*p))
		p++;
	if (!*p)
		return 0;
	whole = quoted = *p == '"';
	p += whole;
	*argument = (struct argument){ p, NULL };
	for (; *p && (quoted || !isspace((unsigned char)*p)); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (*p == '=' && !argument->value)
			argument->value = p + 1;
	}
	if (quoted)
		return -EINVAL;
	*text = *p ? p + 1 : p;
	*p = '\0';
	if (argument->value) {
		argument->value[-1] = '\0';
		argument->value = unquote(argument->value, whole);
	} else {
		argument->name = unquote(argument->name, whole);
	}
	return 1;
}

/* Names are the same but for '-' and '_', as in the kernel. */
static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	}
	return *a == *b;
}

static const struct kernel_param *find_param(const struct permod_module *module, const char *name)
{
	for (size_t i = 0; i < module->num_params; i++) {
		if (same_name(module->params[i]->name, name))
			return module->params[i];
	}
	return NULL;
}

static int fail_unknown(struct load *load, const char *name)
{
	const struct permod_module *module = load->module;
	char *names = NULL;
	size_t size;
	FILE *stream = open_memstream(&names, &size);

	for (size_t i = 0; stream && i < module->num_params; i++)
		fprintf(stream, "%s%s", i ? ", " : "", module->params[i]->name);
	if (!stream || fclose(stream)) {
		free(names);
		return fail_memory(load->pm);
	}
	if (module->num_params)
		fail(load->pm, -EINVAL, "%s: it has no parameter '%s'; it has %s", load->path, name,
		     names);
	else
		fail(load->pm, -EINVAL, "%s: it has no parameter '%s', nor any other", load->path,
		     name);
	free(names);
	return -EINVAL;
}

static int set_parameter(struct load *load, const struct argument *argument)
{
	const struct kernel_param *param = find_param(load->module, argument->name);
	char buffer[WANTED_TEXT];
	const char *wanted;
	int error;

	if (!param)
		return fail_unknown(load, argument->name);
	if (!argument->value && !(param->ops->flags & KERNEL_PARAM_OPS_FL_NOARG))
		return fail(load->pm, -EINVAL, "%s: parameter %s needs a value: %s=...", load->path,
			    param->name, param->name);
	if (!param->ops->set)
		return fail(load->pm, -EINVAL, "%s: parameter %s can't be set", load->path,
			    param->name);
	error = param->ops->set(argument->value, param);
	if (error >= 0)
		return 0;
	if (error == -ENOMEM)
		return fail_memory(load->pm);
	wanted = wanted_of(param, buffer);
	if (wanted)
		return fail(load->pm, -EINVAL, "%s: parameter %s: '%s' is not %s", load->path,
			    param->name, argument->value ? argument->value : "", wanted);
	return fail(load->pm, error, "%s: parameter %s: the module refuses '%s' (%s)", load->path,
		    param->name, argument->value ? argument->value : "", strerror(-error));
}

int set_parameters(struct load *load)
{
	struct argument argument;
	char *text, *rest;
	int more, error = 0;

	/* From now on the module's own operations can run. */
	load->module->parameters_open = true;
	if (!load->params)
		return 0;
	rest = text = strdup(load->params);
	if (!text)
		return fail_memory(load->pm);
	while (!error && (more = next_argument(&rest, &argument))) {
		if (more < 0)
			error = fail(load->pm, -EINVAL, "%s: parameters: a quote does not end: %s",
				     load->path, argument.name);
		else
			error = set_parameter(load, &argument);
	}
	free(text);
	return error;
}

static bool needs_init(const struct permod_module *module, const struct kernel_param *param)
{
	const struct kernel_param_ops *ops = param->ops;

	if (goes_with_init(module, (uintptr_t)param->arg) ||
	    goes_with_init(module, (uintptr_t)ops) || goes_with_init(module, (uintptr_t)ops->get) ||
	    goes_with_init(module, (uintptr_t)ops->free))
		return true;
	if (ops == &param_ops_string)
		return goes_with_init(module, (uintptr_t)param->str->string);
	return ops == &param_array_ops && (goes_with_init(module, (uintptr_t)param->arr->elem) ||
					   goes_with_init(module, (uintptr_t)param->arr->num) ||
					   goes_with_init(module, (uintptr_t)param->arr->ops));
}

void drop_init_parameters(struct permod_module *module)
{
	size_t kept = 0;

	for (size_t i = 0; i < module->num_params; i++) {
		const struct kernel_param *param = module->params[i];

		if (!needs_init(module, param))
			module->params[kept++] = param;
		else if (param->ops->free)
			param->ops->free(param->arg);
	}
	module->num_params = kept;
}

void free_parameters(struct permod_module *module)
{
	for (size_t i = 0; module->parameters_open && i < module->num_params; i++) {
		if (module->params[i]->ops->free)
			module->params[i]->ops->free(module->params[i]->arg);
	}
	/* Also those of parameters that were dropped. */
	if (module->params)
		free_texts(module);
}

int permod_parameter(const struct permod_module *m, const char *name, char *buffer)
{
	const struct kernel_param *param = find_param(m, name);
	int length;

	if (!param || !param->ops->get)
		return -ENOENT;
	length = param->ops->get(buffer, param);
	if (length >= 0)
		buffer[cut(length)] = '\0';
	return length < 0 ? length : cut(length);
}
