/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pages that small modules share; see pack.c.  In a header of its own for the tests. */
#ifndef LOADER_PACK_H
#define LOADER_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Some contexts' shared pages. */
struct pack;
struct pack_page;

enum pack_kind { PACK_TEXT, PACK_RODATA, PACK_DATA, PACK_KINDS };

/* Around the next three: the pack's lock, and its file is looked at once. */
void begin_packed(struct pack *pack);
void end_packed(struct pack *pack);
/* Take some bytes, of a page at most, of one that others share; NULL: it must be whole pages. */
struct pack_page *take_packed(struct pack *pack, enum pack_kind kind, size_t size, size_t align,
			      uintptr_t *address);
/* Write text or read-only data.  false: this can't be done, it must be whole pages. */
bool write_packed(const struct pack_page *page, uintptr_t address, const void *bytes, size_t size);
void give_packed(struct pack_page *page, uintptr_t address, size_t size);
struct pack *pack_of(const struct pack_page *page);
/* Each context has a pack, which keeps a little memory ready. */
struct pack *begin_packing(void);
void end_packing(struct pack *pack);
/* Before a fork; and behind it, in parent and child. */
void lock_packs(void);
void seal_and_unlock_packs(void);

#endif
