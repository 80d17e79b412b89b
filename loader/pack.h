/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages that small modules share; see pack.c.  In a header of its own for the tests. */
#ifndef LOADER_PACK_H
#define LOADER_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pack_kind { PACK_TEXT, PACK_RODATA, PACK_DATA, PACK_KINDS };

/* Around the next three: the shared lock, and the file is looked at once. */
void begin_packed(void);
void end_packed(void);
/* Take some bytes, of a page at most, of one that others share; NULL: it must be whole pages. */
struct pack_page *take_packed(enum pack_kind kind, size_t size, size_t align, uintptr_t *address);
/* Write text or read-only data.  false: this can't be done, it must be whole pages. */
bool write_packed(const struct pack_page *page, uintptr_t address, const void *bytes, size_t size);
void give_packed(struct pack_page *page, uintptr_t address, size_t size);
/* Each context keeps a little memory ready. */
void begin_packing(void);
void end_packing(void);
/* After a fork, in parent and child, under the shared lock. */
void seal_packed(void);

#endif
