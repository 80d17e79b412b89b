/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compressed files: xz, zstd and gzip, known by how they begin, each with a library that permod may be
 * built without.
 *
 * What comes out goes into memory that grows with it, up to the context's bound: a small file that
 * would fill all memory costs that much time and memory and no more.  Files of several streams or frames
 * are those streams one after another, and what stands behind the last is a fault, as for the tools; gzip
 * alone pads with zeros.
 */
#include "internal.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBLZMA
#include <lzma.h>
#endif
#ifdef HAVE_LIBZSTD
#include <zstd.h>
#include <zstd_errors.h>
#endif
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

/* What xz may take for itself: `xz -9` makes files that need 65 MiB.  zstd's bound is its own, 128 MiB. */
#define XZ_MEMORY ((uint64_t)128 << 20)

#define FIRST_ROOM ((size_t)64 << 10)

/* A file on its way. */
struct expansion {
	struct permod *pm;
	const char *path;
	const unsigned char *input;
	size_t input_size; /* that is left */
	unsigned char *output;
	size_t size, room; /* bytes of the output: written, and those there are */
};

/* ---- Output --------------------------------------------------------------------------------- */

/* One byte more than the bound, to see whether there is one. */
static size_t most_room(const struct expansion *expansion)
{
	uint64_t most = expansion->pm->max_expanded_size;

	return most < SIZE_MAX ? (size_t)most + 1 : SIZE_MAX;
}

static int fail_size(const struct expansion *expansion)
{
	return fail(expansion->pm, -EFBIG,
		    "%s: expands to more than %llu bytes, which is the bound; raise "
		    "max_expanded_size if it is to be trusted",
		    expansion->path, (unsigned long long)expansion->pm->max_expanded_size);
}

/* Make room for something.  (Without any of the libraries there is nothing to make it for.) */
__attribute__((unused)) static int make_room(struct expansion *expansion)
{
	size_t most = most_room(expansion), room;
	unsigned char *output;

	if (expansion->size < expansion->room)
		return 0;
	if (expansion->room == most)
		return fail_size(expansion);
	room = expansion->room ? expansion->room * 2 : FIRST_ROOM;
	if (room > most || room < expansion->room)
		room = most;
	output = realloc(expansion->output, room);
	if (!output)
		return fail_memory(expansion->pm);
	expansion->output = output;
	expansion->room = room;
	return 0;
}

static int fail_damaged(const struct expansion *expansion, const char *format, const char *why)
{
	return fail(expansion->pm, -ENOEXEC, "%s: damaged: its %s data can't be expanded: %s",
		    expansion->path, format, why);
}

__attribute__((unused)) static int fail_cut(const struct expansion *expansion, const char *format)
{
	return fail_damaged(expansion, format, "it is cut off");
}

/* ---- xz ------------------------------------------------------------------------------------- */

#ifdef HAVE_LIBLZMA
static int fail_xz(const struct expansion *expansion, lzma_stream *stream, lzma_ret result)
{
	switch (result) {
	case LZMA_MEM_ERROR:
		return fail_memory(expansion->pm);
	case LZMA_MEMLIMIT_ERROR:
		return fail(
			expansion->pm, -EFBIG,
			"%s: %llu bytes of memory are needed to expand it, and the bound is %llu; "
			"compress it with a smaller dictionary",
			expansion->path, (unsigned long long)lzma_memusage(stream),
			(unsigned long long)XZ_MEMORY);
	case LZMA_BUF_ERROR:
		return fail_cut(expansion, "xz");
	case LZMA_FORMAT_ERROR:
		return fail_damaged(expansion, "xz", "there is something else behind its end");
	case LZMA_UNSUPPORTED_CHECK:
	case LZMA_OPTIONS_ERROR:
		return fail_damaged(expansion, "xz", "it uses what liblzma does not know");
	default:
		return fail_damaged(expansion, "xz", "a value or a checksum is wrong");
	}
}

static int run_xz(struct expansion *expansion, lzma_stream *stream)
{
	lzma_ret result = LZMA_OK;

	while (result == LZMA_OK) {
		int error = make_room(expansion);

		if (error)
			return error;
		stream->next_out = expansion->output + expansion->size;
		stream->avail_out = expansion->room - expansion->size;
		result = lzma_code(stream, LZMA_FINISH);
		expansion->size = expansion->room - stream->avail_out;
	}
	return result == LZMA_STREAM_END ? 0 : fail_xz(expansion, stream, result);
}

static int expand_xz(struct expansion *expansion)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result = lzma_stream_decoder(&stream, XZ_MEMORY,
					      LZMA_CONCATENATED | LZMA_TELL_UNSUPPORTED_CHECK);
	int error;

	stream.next_in = expansion->input;
	stream.avail_in = expansion->input_size;
	error = result == LZMA_OK ? run_xz(expansion, &stream)
				  : fail_xz(expansion, &stream, result);
	lzma_end(&stream);
	return error;
}
#define EXPAND_XZ expand_xz
#else
#define EXPAND_XZ NULL
#endif

/* ---- zstd ----------------------------------------------------------------------------------- */

#ifdef HAVE_LIBZSTD
static int fail_zstd(const struct expansion *expansion, size_t result)
{
	switch (ZSTD_getErrorCode(result)) {
	case ZSTD_error_memory_allocation:
		return fail_memory(expansion->pm);
	case ZSTD_error_frameParameter_windowTooLarge:
		return fail(expansion->pm, -EFBIG,
			    "%s: more than 128 MiB of memory are needed to expand it, which is the "
			    "bound; compress it without --long or --ultra",
			    expansion->path);
	case ZSTD_error_prefix_unknown:
		return fail_damaged(expansion, "zstd", "there is something else behind its end");
	default:
		return fail_damaged(expansion, "zstd", ZSTD_getErrorName(result));
	}
}

static int run_zstd(struct expansion *expansion, ZSTD_DStream *stream)
{
	ZSTD_inBuffer in = { expansion->input, expansion->input_size, 0 };
	size_t left = 1; /* of a frame; 0 at its end */

	while (left || in.pos < in.size) {
		size_t taken = in.pos, made = expansion->size;
		int error = make_room(expansion);
		ZSTD_outBuffer out = { expansion->output, expansion->room, expansion->size };

		if (error)
			return error;
		left = ZSTD_decompressStream(stream, &out, &in);
		expansion->size = out.pos;
		if (ZSTD_isError(left))
			return fail_zstd(expansion, left);
		if (left && in.pos == in.size && in.pos == taken && out.pos == made)
			return fail_cut(expansion, "zstd");
	}
	return 0;
}

static int expand_zstd(struct expansion *expansion)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	int error = stream ? run_zstd(expansion, stream) : fail_memory(expansion->pm);

	ZSTD_freeDStream(stream);
	return error;
}
#define EXPAND_ZSTD expand_zstd
#else
#define EXPAND_ZSTD NULL
#endif

/* ---- gzip ----------------------------------------------------------------------------------- */

#ifdef HAVE_ZLIB
static uInt at_most_uint(size_t size)
{
	return size < UINT_MAX ? (uInt)size : UINT_MAX;
}

/* One member. */
static int run_gzip(struct expansion *expansion, z_stream *stream)
{
	int result = Z_OK;

	while (result == Z_OK) {
		int error = make_room(expansion);
		uInt room = at_most_uint(expansion->room - expansion->size);
		uInt input = at_most_uint(expansion->input_size);

		if (error)
			return error;
		stream->next_in = (Bytef *)expansion->input;
		stream->avail_in = input;
		stream->next_out = expansion->output + expansion->size;
		stream->avail_out = room;
		result = inflate(stream, Z_NO_FLUSH);
		expansion->input += input - stream->avail_in;
		expansion->input_size -= input - stream->avail_in;
		expansion->size += room - stream->avail_out;
	}
	if (result == Z_STREAM_END)
		return 0;
	if (result == Z_MEM_ERROR)
		return fail_memory(expansion->pm);
	if (result == Z_BUF_ERROR)
		return fail_cut(expansion, "gzip");
	return fail_damaged(expansion, "gzip", stream->msg ? stream->msg : "a value is wrong");
}

static bool is_padding(const struct expansion *expansion)
{
	for (size_t i = 0; i < expansion->input_size; i++) {
		if (expansion->input[i])
			return false;
	}
	return true;
}

static int expand_gzip(struct expansion *expansion)
{
	z_stream stream = { 0 };
	int error;

	/* 16: a header of gzip, none of zlib. */
	if (inflateInit2(&stream, 16 + MAX_WBITS) != Z_OK)
		return fail_memory(expansion->pm);
	do {
		if (expansion->input[0] != 0x1f)
			error = fail_damaged(expansion, "gzip",
					     "there is something else behind its end");
		else
			error = run_gzip(expansion, &stream);
	} while (!error && !is_padding(expansion) && inflateReset(&stream) == Z_OK);
	inflateEnd(&stream);
	return error;
}
#define EXPAND_GZIP expand_gzip
#else
#define EXPAND_GZIP NULL
#endif

/* --------------------------------------------------------------------------------------------- */

static const struct format {
	const char *name, *library;
	unsigned char magic[6];
	size_t magic_size;
	int (*expand)(struct expansion *expansion); /* NULL: built without the library */
} formats[] = {
	{ "xz", "liblzma", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, EXPAND_XZ },
	{ "zstd", "libzstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, EXPAND_ZSTD },
	{ "gzip", "zlib", { 0x1f, 0x8b }, 2, EXPAND_GZIP },
};

static const struct format *find_format(const void *data, size_t size)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (size >= formats[i].magic_size &&
		    memcmp(data, formats[i].magic, formats[i].magic_size) == 0)
			return &formats[i];
	}
	return NULL;
}

bool is_compressed(const void *data, size_t size)
{
	return find_format(data, size) != NULL;
}

int expand(struct permod *pm, const char *path, const void *data, size_t size, void **expanded,
	   size_t *expanded_size)
{
	struct expansion expansion = { .pm = pm, .path = path, .input = data, .input_size = size };
	const struct format *format = find_format(data, size);
	int error;

	*expanded = NULL;
	if (!format->expand)
		return fail(pm, -EOPNOTSUPP,
			    "%s: compressed by %s, and this permod was built without %s; expand it "
			    "first",
			    path, format->name, format->library);
	error = format->expand(&expansion);
	if (!error && expansion.size > pm->max_expanded_size)
		error = fail_size(&expansion);
	if (error) {
		free(expansion.output);
		return error;
	}
	*expanded = expansion.output;
	*expanded_size = expansion.size;
	return 0;
}
