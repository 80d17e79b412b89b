/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Signatures at the end of files, as the kernel's sign-file and kmodsign append them, and what a
 * context makes of them.
 *
 *     content | PKCS#7 message | trailer of 12 bytes | "~Module signature appended~\n"
 *
 * The trailer has five bytes of which only the third is used (the kind of signature, 2 is PKCS#7), three
 * of padding, and the message's size as a big-endian number.  The content alone is signed: of a compressed
 * file that is what it holds.
 *
 * What is checked are the bytes that are then loaded, which nobody else has: a copy in memory.  The
 * message itself is for pkcs7.c.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char magic[] = "~Module signature appended~\n";
#define MAGIC_BYTES (sizeof(magic) - 1)

#define ID_PKCS7 2

struct trailer {
	unsigned char algorithm, hash, id, signer_size, key_size, padding[3];
	unsigned char signature_size[4];
};
_Static_assert(sizeof(struct trailer) == 12, "the kernel's struct module_signature");

int distrust(char **why, int error, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(why, format, args);
	va_end(args);
	if (length >= 0)
		return error;
	*why = NULL;
	return -ENOMEM;
}

/* ---- The trailer ---------------------------------------------------------------------------- */

static bool ends_with_magic(const unsigned char *data, size_t size)
{
	return size >= MAGIC_BYTES && !memcmp(data + size - MAGIC_BYTES, magic, MAGIC_BYTES);
}

static size_t signature_size(const struct trailer *trailer)
{
	const unsigned char *bytes = trailer->signature_size;

	return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* Errors are those of the kernel. */
static int check_trailer(const struct trailer *trailer, size_t before, char **why)
{
	if (trailer->id != ID_PKCS7)
		return distrust(why, -ENOPKG,
				"its signature is of kind %u; PKCS#7, which is %u, is wanted",
				trailer->id, ID_PKCS7);
	if (trailer->algorithm || trailer->hash || trailer->signer_size || trailer->key_size ||
	    trailer->padding[0] || trailer->padding[1] || trailer->padding[2])
		return distrust(why, -EBADMSG,
				"the trailer of its signature is damaged: there are values where "
				"zeros must be");
	if (!signature_size(trailer) || signature_size(trailer) >= before)
		return distrust(why, -EBADMSG,
				"its signature should have %zu bytes, and there are %zu before its "
				"trailer: one of them was cut off",
				signature_size(trailer), before);
	return 0;
}

/* Bytes behind the table of sections, which compilers and linkers put last; 0 if that isn't known. */
static size_t bytes_behind_sections(const unsigned char *data, size_t size)
{
	ElfW(Ehdr) header;
	uint64_t end;

	if (size < sizeof(header) || memcmp(data, ELFMAG, SELFMAG) != 0)
		return 0;
	memcpy(&header, data, sizeof(header));
	if (!header.e_shoff || !header.e_shnum ||
	    __builtin_add_overflow(header.e_shoff, (uint64_t)header.e_shnum * header.e_shentsize,
				   &end))
		return 0;
	return end < size ? size - end : 0;
}

/* The magic's end, the last time that it is there; NULL if it isn't. */
static const unsigned char *find_last_magic(const unsigned char *data, size_t size)
{
	const unsigned char *found, *end = NULL;

	while ((found = memmem(data, size, magic, MAGIC_BYTES))) {
		end = found + MAGIC_BYTES;
		size -= (size_t)(end - data);
		data = end;
	}
	return end;
}

/* A file without a signature may have had one. */
static int tell_why_unsigned(const unsigned char *data, size_t size, char **why)
{
	const unsigned char *end = find_last_magic(data, size);
	size_t cut = MAGIC_BYTES, behind = bytes_behind_sections(data, size);

	if (end && (size_t)(end - data) >= MAGIC_BYTES + sizeof(struct trailer) &&
	    end[-(ptrdiff_t)(MAGIC_BYTES + sizeof(struct trailer)) + 2] == ID_PKCS7)
		return distrust(why, -EBADMSG, "there are %zu bytes behind its signature",
				size - (size_t)(end - data));
	while (--cut > 3) {
		if (size >= cut && !memcmp(data + size - cut, magic, cut))
			return distrust(why, -EBADMSG,
					"its signature is cut off: the last %zu bytes are missing",
					MAGIC_BYTES - cut);
	}
	if (behind)
		return distrust(
			why, -EKEYREJECTED,
			"it is not signed; the %zu bytes behind its table of sections may be "
			"what was left of a signature that was cut off",
			behind);
	return distrust(why, -EKEYREJECTED, "it is not signed");
}

/* Where the signature is; if there is none, or none that is whole, the content is everything. */
static int find_signature(struct content *content, char **why)
{
	const unsigned char *data = content->data;
	struct trailer trailer;
	size_t before;
	int error;

	if (!ends_with_magic(data, content->size))
		return tell_why_unsigned(data, content->size, why);
	if (content->size < MAGIC_BYTES + sizeof(trailer))
		return distrust(why, -EBADMSG, "its signature is cut off: there is no trailer");
	before = content->size - MAGIC_BYTES - sizeof(trailer);
	memcpy(&trailer, data + before, sizeof(trailer));
	error = check_trailer(&trailer, before, why);
	if (error)
		return error;
	content->signature_size = signature_size(&trailer);
	content->size = before - content->signature_size;
	content->signature = data + content->size;
	if (ends_with_magic(data, content->size))
		return distrust(why, -EBADMSG,
				"it is signed twice: behind one signature is another");
	return 0;
}

/* ---- Content -------------------------------------------------------------------------------- */

/* With the context's policy: an error, or a reason to be told, or neither. */
static int judge(struct permod *pm, const char *path, struct content *content)
{
	char *why = NULL;
	int error, told = 0;

	/* What nobody wants to know costs nothing. */
	if (pm->signatures == PERMOD_SIGNATURES_OFF &&
	    !ends_with_magic(content->data, content->size))
		return 0;
	error = find_signature(content, &why);
	if (!error && pm->signatures != PERMOD_SIGNATURES_OFF)
		error = verify_pkcs7(&pm->certificates, content, &why);
	if (error == -ENOMEM)
		told = fail_memory(pm);
	else if (error && pm->signatures == PERMOD_SIGNATURES_ENFORCE)
		told = fail(pm, error, "%s: %s", path, why);
	else if (error && pm->signatures == PERMOD_SIGNATURES_WARN &&
		 distrust(&content->distrusted, 0, "%s: %s", path, why))
		told = fail_memory(pm);
	free(why);
	return told;
}

int open_content(struct permod *pm, const char *path, const void *data, size_t size,
		 struct content *content)
{
	int error = 0;

	*content = (struct content){ .data = data, .size = size };
	if (is_compressed(data, size)) {
		error = expand(pm, path, data, size, &content->expanded, &content->size);
		content->data = content->expanded;
	}
	if (!error)
		error = judge(pm, path, content);
	if (!error && !content->size && size)
		error = fail(pm, -ENOEXEC, "%s: there is nothing in it", path);
	if (error)
		close_content(content);
	return error;
}

void close_content(struct content *content)
{
	free(content->expanded);
	free(content->distrusted);
	*content = (struct content){ 0 };
}

/* A step of loading, before constructors and init run; resolvers of IFUNCs have run. */
int taint_by_signature(struct load *load)
{
	if (load->inputs.distrusted)
		taint(load->pm, load->module, PERMOD_TAINT_UNSIGNED, "%s", load->inputs.distrusted);
	return 0;
}

/* ---- Contexts ------------------------------------------------------------------------------- */

static int trust_data(struct permod *pm, const char *name, const void *data, size_t size)
{
	char *why = NULL;
	int error = read_certificates(&pm->certificates, data, size, &why);

	if (error == -ENOMEM)
		fail_memory(pm);
	else if (error)
		fail(pm, error, "%s: %s", name, why);
	free(why);
	return error;
}

int permod_trust_memory(struct permod *pm, const char *name, const void *data, size_t size)
{
	int error;

	lock_context(pm);
	error = trust_data(pm, name, data, size);
	unlock_context(pm);
	return error;
}

int permod_trust(struct permod *pm, const char *path)
{
	struct inputs inputs = { .pm = pm };
	size_t size;
	const void *data;
	int error;

	lock_context(pm);
	error = read_raw(&inputs, path, &data, &size);
	if (!error)
		error = trust_data(pm, path, data, size);
	else if (error == -ENOEXEC)
		fail(pm, error, "%s: no file with certificates: empty, or not a regular file",
		     path);
	free_inputs(&inputs);
	unlock_context(pm);
	return error;
}
