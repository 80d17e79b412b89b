/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * permod info: what a module file says of itself.  The first part reads as modinfo(8) prints it.
 */
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_COLUMN 16

/* A parameter: from "parm=NAME:DESCRIPTION", "parmtype=NAME:TYPE", or both. */
struct parameter {
	char *name;
	const char *description, *type; /* NULL if there is none */
};

struct parameters {
	struct parameter *list;
	size_t count;
};

/* The value of "tag=value" if the tag is this one, or NULL. */
static const char *value_of(const char *info, const char *tag)
{
	size_t length = strlen(tag);

	return strncmp(info, tag, length) == 0 && info[length] == '=' ? info + length + 1 : NULL;
}

/* Find or add the parameter that "NAME:..." is about. */
static struct parameter *parameter_of(struct parameters *parameters, const char *value)
{
	size_t length = strcspn(value, ":");
	struct parameter *parameter;

	for (size_t i = 0; i < parameters->count; i++) {
		parameter = &parameters->list[i];
		if (strlen(parameter->name) == length &&
		    strncmp(parameter->name, value, length) == 0)
			return parameter;
	}
	parameters->list =
		reallocate(parameters->list, parameters->count + 1, sizeof(*parameters->list));
	parameter = &parameters->list[parameters->count++];
	*parameter = (struct parameter){ format_text("%.*s", (int)length, value), NULL, NULL };
	return parameter;
}

static void collect_parameters(const struct permod_file *file, struct parameters *parameters)
{
	const char *info;

	for (unsigned int i = 0; (info = permod_file_info(file, i)); i++) {
		const char *description = value_of(info, "parm");
		const char *type = value_of(info, "parmtype");
		const char *value = description ? description : type;
		const char *colon = value ? strchr(value, ':') : NULL;

		if (!colon)
			continue;
		if (description)
			parameter_of(parameters, value)->description = colon + 1;
		else
			parameter_of(parameters, value)->type = colon + 1;
	}
}

static void free_parameters(struct parameters *parameters)
{
	for (size_t i = 0; i < parameters->count; i++)
		free(parameters->list[i].name);
	free(parameters->list);
}

static bool is_parameter(const char *info)
{
	return value_of(info, "parm") || value_of(info, "parmtype");
}

/* ---- Text ----------------------------------------------------------------------------------- */

/* The tag as far as it reaches in @tag, which need not end there. */
static void print_tag(const char *tag, size_t length)
{
	char *name = format_text("%.*s:", (int)length, tag);
	size_t width = print_text(stdout, name);

	printf("%*s", width < VALUE_COLUMN ? (int)(VALUE_COLUMN - width) : 1, "");
	free(name);
}

static void print_line(const char *tag, const char *value)
{
	print_tag(tag, strlen(tag));
	print_text(stdout, value);
	putchar('\n');
}

static void print_parameter(const struct parameter *parameter)
{
	char *text;

	if (parameter->description && parameter->type)
		text = format_text("%s:%s (%s)", parameter->name, parameter->description,
				   parameter->type);
	else
		text = format_text("%s:%s", parameter->name,
				   parameter->type ? parameter->type : parameter->description);
	print_line("parm", text);
	free(text);
}

static void print_types(const struct permod_file *file)
{
	struct permod_type type;

	for (unsigned int i = 0; permod_file_type(file, i, &type) == 0; i++) {
		char *line =
			format_text("%s 0x%08" PRIx32 " %s", type.name, type.checksum, type.type);

		print_line("type", line);
		free(line);
	}
}

/* As modinfo(8): twenty bytes in a line. */
static char *bytes_text(const struct permod_signature *signature)
{
	char *text = NULL;

	for (size_t i = 0; i < signature->size; i++)
		append_text(&text, "%s%s%02X", i ? ":" : "", i && i % 20 == 0 ? "\n\t\t" : "",
			    signature->data[i]);
	return text;
}

static void print_signature(const struct permod_file *file)
{
	struct permod_signature signature;
	char *bytes;

	if (permod_file_signature(file, &signature))
		return;
	print_line("sig_id", signature.id);
	if (!signature.size)
		return;
	print_line("signer", signature.signer);
	print_line("sig_key", signature.key);
	print_line("sig_hashalgo", signature.hash);
	print_tag("signature", strlen("signature"));
	bytes = bytes_text(&signature);
	printf("%s\n", bytes);
	free(bytes);
}

static void print_file(const struct permod_file *file, const char *path,
		       const struct parameters *parameters)
{
	const char *text;
	int gpl = 0;

	print_line("filename", path);
	for (unsigned int i = 0; (text = permod_file_info(file, i)); i++) {
		const char *equals = strchr(text, '=');

		if (!equals || is_parameter(text))
			continue;
		print_tag(text, (size_t)(equals - text));
		print_text(stdout, equals + 1);
		putchar('\n');
	}
	print_signature(file);
	for (size_t i = 0; i < parameters->count; i++)
		print_parameter(&parameters->list[i]);
	for (unsigned int i = 0; (text = permod_file_export(file, i, &gpl)); i++) {
		char *line = format_text(gpl ? "%s (GPL)" : "%s", text);

		print_line("exports", line);
		free(line);
	}
	for (unsigned int i = 0; (text = permod_file_undefined(file, i)); i++)
		print_line("needs", text);
	print_types(file);
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_info(struct json *json, const struct permod_file *file)
{
	const char *info;

	json_begin(json, "info", '[');
	for (unsigned int i = 0; (info = permod_file_info(file, i)); i++) {
		const char *equals = strchr(info, '=');
		char *tag;

		if (!equals || is_parameter(info))
			continue;
		tag = format_text("%.*s", (int)(equals - info), info);
		json_begin(json, NULL, '{');
		json_string(json, "tag", tag);
		json_string(json, "value", equals + 1);
		json_end(json, '{');
		free(tag);
	}
	json_end(json, '[');
}

/* Null if there is none. */
static void json_signature(struct json *json, const struct permod_file *file)
{
	struct permod_signature signature;

	if (permod_file_signature(file, &signature)) {
		json_string(json, "signature", NULL);
		return;
	}
	json_begin(json, "signature", '{');
	json_string(json, "id", signature.id);
	json_string(json, "signer", signature.signer);
	json_string(json, "key", signature.key);
	json_string(json, "hash", signature.hash);
	json_end(json, '{');
}

static void json_parameters(struct json *json, const struct parameters *parameters)
{
	json_begin(json, "parameters", '[');
	for (size_t i = 0; i < parameters->count; i++) {
		json_begin(json, NULL, '{');
		json_string(json, "name", parameters->list[i].name);
		json_string(json, "type", parameters->list[i].type);
		json_string(json, "description", parameters->list[i].description);
		json_end(json, '{');
	}
	json_end(json, '[');
}

static void json_symbols(struct json *json, const struct permod_file *file)
{
	const char *name;
	int gpl = 0;

	json_begin(json, "exports", '[');
	for (unsigned int i = 0; (name = permod_file_export(file, i, &gpl)); i++) {
		json_begin(json, NULL, '{');
		json_string(json, "name", name);
		json_bool(json, "gpl", gpl != 0);
		json_end(json, '{');
	}
	json_end(json, '[');
	json_begin(json, "needs", '[');
	for (unsigned int i = 0; (name = permod_file_undefined(file, i)); i++)
		json_string(json, NULL, name);
	json_end(json, '[');
}

static void json_types(struct json *json, const struct permod_file *file)
{
	struct permod_type type;

	json_begin(json, "types", '[');
	for (unsigned int i = 0; permod_file_type(file, i, &type) == 0; i++) {
		json_begin(json, NULL, '{');
		json_string(json, "name", type.name);
		json_unsigned(json, "checksum", type.checksum);
		json_string(json, "type", type.type);
		json_bool(json, "exported", type.exported);
		json_end(json, '{');
	}
	json_end(json, '[');
}

/* --------------------------------------------------------------------------------------------- */

static void show(const struct permod_file *file, const char *path, bool as_json)
{
	struct parameters parameters = { NULL, 0 };
	struct json json = { .out = stdout, .lines = 2 };

	collect_parameters(file, &parameters);
	if (as_json) {
		json_begin(&json, NULL, '{');
		json_string(&json, "filename", path);
		json_info(&json, file);
		json_signature(&json, file);
		json_parameters(&json, &parameters);
		json_symbols(&json, file);
		json_types(&json, file);
		json_end(&json, '{');
	} else {
		print_file(file, path, &parameters);
	}
	free_parameters(&parameters);
}

static enum status open_and_show(struct permod *pm, const char *path, bool as_json)
{
	struct permod_file *file;

	if (permod_file_open(pm, path, &file)) {
		complain("%s", permod_error(pm));
		return STATUS_FAILED;
	}
	show(file, path, as_json);
	permod_file_close(file);
	return STATUS_DONE;
}

static enum status info_of(const struct tree_place *place, const char *name, bool as_json)
{
	const struct trust no_trust = { 0 };
	enum status status = STATUS_GO_ON;
	struct permod *pm;
	char *path = NULL;

	if (open_context(place, &no_trust, &pm) != STATUS_DONE)
		return STATUS_FAILED;
	if (is_bare_name(place, name))
		status = find_by_name(pm, name, false, &path);
	if (status == STATUS_GO_ON)
		status = open_and_show(pm, path ? path : name, as_json);
	free(path);
	permod_free(pm);
	return status;
}

static enum status info(int argc, char **argv)
{
	struct tree_place place = { .runs_nothing = true };
	const char *path;
	bool as_json;
	enum status status = parse_simple(&info_command, argc, argv, &as_json, &place, &path);

	if (status == STATUS_GO_ON)
		status = info_of(&place, path, as_json);
	free(place.config);
	return status;
}

const struct command info_command = {
	.name = "info",
	.synopsis = "[OPTION ...] FILE",
	.summary = "what a module says of itself, what it exports and what it needs",
	.help = "  --json             print one JSON document\n"
		"  --module-dir DIR   FILE is a module of DIR, a module tree of depmod, by its name\n"
		"  --config PATH      with a module tree: a folder or file as in modprobe.d; repeatable\n",
	.takes_file = true,
	.run = info,
};
