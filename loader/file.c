/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files: reading them, the module's name, and what .modinfo says.
 *
 * A file is read, not mapped: what was checked is what is loaded, whatever happens to the file
 * meanwhile.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U
#endif

static int fail_file(struct permod *pm, const char *path)
{
	return fail(pm, -errno, "%s: %s", *path ? path : "\"\"", strerror(errno));
}

/* Exactly `size` bytes; what is shorter has changed under our hands. */
static int read_all(struct permod *pm, const char *path, int fd, char *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t length = read(fd, data + done, size - done);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return fail_file(pm, path);
		if (length == 0)
			return fail(pm, -ENOEXEC, "%s: became shorter while it was read", path);
		done += (size_t)length;
	}
	return 0;
}

int check_file_size(struct permod *pm, const char *path, off_t size)
{
	if ((uint64_t)size <= pm->max_file_size)
		return 0;
	return fail(pm, -EFBIG,
		    "%s: %llu bytes, at most %llu are read; raise max_file_size to load it", path,
		    (unsigned long long)size, (unsigned long long)pm->max_file_size);
}

static int read_open_file(struct permod *pm, const char *path, int fd, void **data, size_t *size)
{
	struct stat about;
	int error;

	if (fstat(fd, &about))
		return fail_file(pm, path);
	if (!S_ISREG(about.st_mode))
		return fail(pm, -ENOEXEC, "%s: not a regular file; a module is made by 'cc -c'",
			    path);
	if (about.st_size == 0)
		return fail(pm, -ENOEXEC, "%s: empty; a module is made by 'cc -c'", path);
	error = check_file_size(pm, path, about.st_size);
	if (error)
		return error;
	*size = (size_t)about.st_size;
	*data = take_buffer(*size);
	if (!*data)
		return fail_memory(pm);
	error = read_all(pm, path, fd, *data, *size);
	if (error) {
		give_buffer(*data, *size);
		*data = NULL;
	}
	return error;
}

int read_file(struct permod *pm, const char *path, void **data, size_t *size)
{
	/* A pipe that nobody writes to must not make us wait. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), error;

	if (fd < 0)
		return fail_file(pm, path);
	error = read_open_file(pm, path, fd, data, size);
	close(fd);
	return error;
}

int make_memory_file(const char *name, unsigned int flags)
{
	/* Since 6.3 the kernel wants to be told that the file is for code, and can be set to refuse
	 * it if it isn't; before, the flag is unknown. */
	int descriptor = memfd_create(name, flags | MFD_EXEC);

	if (descriptor < 0 && errno == EINVAL)
		descriptor = memfd_create(name, flags);
	return descriptor;
}

/*
 * Debuggers open it too, so it has the number of the process, as that /proc numbers it, instead of "self".
 * Some C libraries take objects of one name for one object, and numbers of descriptors recur, so there is a
 * count in it, in binary, in a form that the file system does not mind.
 */
int name_memory_file(const struct load *load, int descriptor, char path[MEMORY_PATH_BYTES])
{
	static unsigned long counter;
	unsigned long count = __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED);
	char process[24];
	ssize_t length = readlink("/proc/self", process, sizeof(process) - 1);

	if (length < 0)
		return fail(load->pm, -errno,
			    "%s: the C library opens files in memory by their names in /proc, and "
			    "there is no /proc/self (%s); mount it",
			    load->path, strerror(errno));
	process[length] = '\0';
	path += sprintf(path, "/proc/%s/fd", process);
	for (; count; count >>= 1)
		path = stpcpy(path, count & 1 ? "/." : "/");
	sprintf(path, "/%d", descriptor);
	return 0;
}

bool may_write(size_t size)
{
	struct rlimit limit;

	/* Where nobody may ask for limits there is none, as a rule. */
	return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur >= size;
}

/* "counter.ko.xz" is called as "counter.ko" is. */
static void cut_compression(char *name)
{
	static const char *const endings[] = { ".xz", ".zst", ".gz" };
	char *dot = strrchr(name, '.');

	for (size_t i = 0; dot && dot > name && i < sizeof(endings) / sizeof(endings[0]); i++) {
		if (strcmp(dot, endings[i]) == 0)
			*dot = '\0';
	}
}

char *name_of_path(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *name = strdup(slash ? slash + 1 : path), *dot;

	if (!name)
		return NULL;
	cut_compression(name);
	dot = strrchr(name, '.');
	if (dot && dot > name)
		*dot = '\0';
	for (char *p = name; *p; p++) {
		if (*p == '-')
			*p = '_';
	}
	return name;
}

/* ---- .modinfo ------------------------------------------------------------------------------- */

const char *next_info(struct link *link, struct info_cursor *cursor)
{
	for (;;) {
		const struct link_section *section = cursor->section;

		if (section && section->data && cursor->offset < section->size) {
			const char *text = (const char *)section->data + cursor->offset;
			size_t left = section->size - cursor->offset;
			size_t length = strnlen(text, left);

			cursor->offset += length + 1;
			/* Padding is empty; what does not end is no string. */
			if (length && length < left)
				return text;
			continue;
		}
		cursor->section = link_next_section(link, ".modinfo", cursor->section);
		cursor->offset = 0;
		if (!cursor->section)
			return NULL;
	}
}
