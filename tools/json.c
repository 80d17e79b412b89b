/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing JSON (RFC 8259).  Outer levels have a line for each value, so that people can read it too.
 * Integers are written in full; a reader whose numbers are floating-point loses what is beyond
 * 2^53.  Addresses are strings, "0x...".  Bytes that are no UTF-8 become U+FFFD.
 */
#include "tool.h"

#include <inttypes.h>

static void begin_value(struct json *json, const char *key)
{
	if (json->filled)
		fputc(',', json->out);
	if (json->depth > 0 && json->depth <= json->lines)
		fprintf(json->out, "\n%*s", 2 * (int)json->depth, "");
	else if (json->filled)
		fputc(' ', json->out);
	json->filled = true;
	if (!key)
		return;
	/* A document of its own, as it were. */
	json_string(&(struct json){ .out = json->out }, NULL, key);
	fputs(": ", json->out);
}

void json_begin(struct json *json, const char *key, char bracket)
{
	begin_value(json, key);
	fputc(bracket, json->out);
	json->depth++;
	json->filled = false;
}

void json_end(struct json *json, char bracket)
{
	json->depth--;
	if (json->filled && json->depth < json->lines)
		fprintf(json->out, "\n%*s", 2 * (int)json->depth, "");
	fputc(bracket == '{' ? '}' : ']', json->out);
	json->filled = true;
	if (json->depth == 0)
		fputc('\n', json->out);
}

void json_string(struct json *json, const char *key, const char *value)
{
	begin_value(json, key);
	if (!value) {
		fputs("null", json->out);
		return;
	}
	fputc('"', json->out);
	while (*value) {
		size_t length = printable_length(value);

		if (*value == '"' || *value == '\\')
			fprintf(json->out, "\\%c", *value);
		else if (length)
			fwrite(value, 1, length, json->out);
		else if ((unsigned char)*value < 0x80)
			fprintf(json->out, "\\u%04x", (unsigned int)(unsigned char)*value);
		else
			fputs("\\ufffd", json->out);
		value += length ? length : 1;
	}
	fputc('"', json->out);
}

void json_signed(struct json *json, const char *key, int64_t value)
{
	begin_value(json, key);
	fprintf(json->out, "%lld", (long long)value);
}

void json_unsigned(struct json *json, const char *key, uint64_t value)
{
	begin_value(json, key);
	fprintf(json->out, "%llu", (unsigned long long)value);
}

void json_seconds(struct json *json, const char *key, double value)
{
	begin_value(json, key);
	fprintf(json->out, "%.6f", value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	begin_value(json, key);
	fputs(value ? "true" : "false", json->out);
}

void json_address(struct json *json, const char *key, uint64_t value)
{
	char text[CELL_TEXT];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	json_string(json, key, text);
}
