/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Pages that small modules share.
 *
 * A page has 64 granules and a bit for each; a piece is some granules of one page.  Pages come in
 * chunks, each for one kind of memory and one mapping:
 *
 *     chunk | page | page | page | ...    text    r-x   the file
 *             ||                          rodata  r--   the file
 *             pieces                      data    rw-   private memory
 *
 * Nothing is ever writable and executable.  What text and read-only data hold is written by pwrite()
 * into a file in memory (memfd) of which the chunks are mappings: other threads run in a page while
 * the next module comes into it, and no writable mapping of it exists.  A byte of the file lies at the
 * same offset as in the arena, so chunks next to each other are one mapping for the system.  The
 * mappings are private ones, which debuggers can set breakpoints in; a page of which a debugger has
 * made a copy no longer shows what is written, so every write is compared.
 *
 * A page without pieces goes back to the system, and a chunk without pieces to the arena; but of each
 * kind one chunk and one page stay for the next module, as long as there is a context.  With the last
 * one the file is closed.  What is free in a page is filled: text with traps, other memory with zeros.
 *
 * Threads that load at once must not wait for each other's pwrite()s.  So there are several packs, one
 * for each CPU as far as that goes, each with a lock, chunks and a file of its own; a context has the
 * one that fewest others have.
 *
 * Fork.  Pages of the file would be the same in parent and child, and one might write what the other
 * still runs.  So after a fork, in both, the file's pages are sealed: nobody writes to them any more,
 * they only wait for their last piece to go; the file's descriptor is closed, and what comes next comes
 * into a new file.  Programs that close descriptors that aren't theirs have the same effect.
 */
#define _GNU_SOURCE
#include "internal.h"

#include "loader/arch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef HAVE_VALGRIND_MEMCHECK_H
#include <valgrind/valgrind.h>
#else
#define VALGRIND_DISCARD_TRANSLATIONS(address, size) ((void)(address), (void)(size))
#endif

#define GRANULES 64U
#define CHUNK_PAGES 64U
#define MOST_PACKS 8U /* each takes a descriptor and three pages, as long as it is in use */
#define NUM_LISTS 7   /* by the longest free run of a page: 1, 2, 4, ... 64 granules at least */
#define TRIES 4	      /* pages of which it isn't certain that a piece fits */

struct pack_page {
	uint64_t used;		 /* a bit for each granule */
	struct pack_page *next;	 /* of the same list */
	struct pack_page **link; /* what points to this one; NULL: it is in no list */
	struct pack_chunk *chunk;
};

struct pack_chunk {
	struct pack *pack;
	struct pack_chunk *next, **link; /* of all; link is what points to this one */
	enum pack_kind kind;
	unsigned int generation; /* of the file; of data nothing */
	unsigned int pieces;
	uintptr_t base;
	struct pack_page page[CHUNK_PAGES];
};

struct pack_file {
	int descriptor; /* -1: none */
	dev_t device;
	ino_t inode;
	unsigned int generation; /* counts the files */
	unsigned int chunks;	 /* of this one */
};

/* All under its lock. */
struct pack {
	_Alignas(64) pthread_mutex_t lock;		/* no two packs on one cache line */
	struct pack_page *lists[PACK_KINDS][NUM_LISTS]; /* pages that have room */
	struct pack_page *spare[PACK_KINDS];		/* without pieces, and filled */
	struct pack_chunk *chunks;	     /* sealed ones too, which nothing else may point to */
	struct pack_chunk *kept[PACK_KINDS]; /* is not dropped while there are contexts */
	unsigned int contexts;		     /* atomic, for those who look for the fewest */
	bool checked;			     /* the file, since begin_packed() */
	struct pack_file file;
};

static struct pack packs[MOST_PACKS] = {
	[0 ... MOST_PACKS - 1] = { .lock = PTHREAD_MUTEX_INITIALIZER, .file.descriptor = -1 }
};

/* Constant; set before there is a context. */
static size_t page_size, granule;

static void release_chunk(struct pack_chunk *chunk)
{
	release_range(chunk->base, CHUNK_PAGES * page_size);
	*chunk->link = chunk->next;
	if (chunk->next)
		chunk->next->link = chunk->link;
	free(chunk);
}

/* ---- The file ------------------------------------------------------------------------------- */

static off_t offset_of(uintptr_t address)
{
	return (off_t)(address - arena()->begin);
}

static bool open_file(struct pack *pack)
{
	struct pack_file *file = &pack->file;
	struct stat about;

	if (!may_write(arena()->size))
		return false;
	file->descriptor = make_memory_file("permod-modules", MFD_CLOEXEC);
	if (file->descriptor < 0)
		return false;
	if (ftruncate(file->descriptor, (off_t)arena()->size) || fstat(file->descriptor, &about)) {
		close(file->descriptor);
		file->descriptor = -1;
		return false;
	}
	file->device = about.st_dev;
	file->inode = about.st_ino;
	pack->checked = true;
	return true;
}

/* Whether the descriptor is still what it was: the program may have closed it, and opened another. */
static bool is_ours(const struct pack_file *file)
{
	struct stat about;

	if (fstat(file->descriptor, &about))
		return errno != EBADF;
	return about.st_dev == file->device && about.st_ino == file->inode;
}

/* From here on nothing is written to the pages of this file. */
static void seal_file(struct pack *pack)
{
	struct pack_file *file = &pack->file;

	if (file->descriptor >= 0 && is_ours(file))
		close(file->descriptor);
	file->descriptor = -1;
	file->generation++;
	file->chunks = 0;
	for (size_t kind = 0; kind < PACK_DATA; kind++) {
		struct pack_chunk *kept = pack->kept[kind];

		memset(pack->lists[kind], 0, sizeof(pack->lists[kind]));
		pack->spare[kind] = NULL;
		pack->kept[kind] = NULL;
		if (kept && !kept->pieces)
			release_chunk(kept);
	}
}

/* Whether there is a file that can be written; a lost one is sealed. */
static bool has_file(struct pack *pack)
{
	const struct pack_file *file = &pack->file;

	if (pack->checked)
		return file->descriptor >= 0;
	if (file->descriptor >= 0 && (!is_ours(file) || !may_write(arena()->size)))
		seal_file(pack);
	pack->checked = true;
	return file->descriptor >= 0;
}

static bool is_sealed(const struct pack_chunk *chunk)
{
	return chunk->kind != PACK_DATA && chunk->generation != chunk->pack->file.generation;
}

static bool write_file(const struct pack *pack, uintptr_t address, const void *bytes, size_t size)
{
	const char *from = bytes;

	while (size) {
		ssize_t length = pwrite(pack->file.descriptor, from, size, offset_of(address));

		if (length <= 0)
			return false;
		from += length;
		address += (size_t)length;
		size -= (size_t)length;
	}
	return true;
}

static bool fill_file(const struct pack *pack, uintptr_t address, size_t size, int byte)
{
	char bytes[1024];

	memset(bytes, byte, sizeof(bytes));
	for (size_t length; size; address += length, size -= length) {
		length = size < sizeof(bytes) ? size : sizeof(bytes);
		if (!write_file(pack, address, bytes, length))
			return false;
	}
	return true;
}

/* ---- Pages with room ------------------------------------------------------------------------ */

static uintptr_t address_of(const struct pack_page *page)
{
	return page->chunk->base + (size_t)(page - page->chunk->page) * page_size;
}

static void unlist_page(struct pack_page *page)
{
	if (!page->link)
		return;
	*page->link = page->next;
	if (page->next)
		page->next->link = page->link;
	page->link = NULL;
}

static unsigned int longest_run(uint64_t used)
{
	unsigned int length = 0;

	for (uint64_t free = ~used; free; free &= free << 1)
		length++;
	return length;
}

/* The list of pages with a run of `granules` and up to twice as much. */
static unsigned int list_of(unsigned int granules)
{
	return 31U - (unsigned int)__builtin_clz(granules);
}

static void list_page(struct pack_page *page)
{
	unsigned int run = longest_run(page->used);
	struct pack_page **head;

	unlist_page(page);
	if (!run)
		return;
	head = &page->chunk->pack->lists[page->chunk->kind][list_of(run)];
	page->next = *head;
	page->link = head;
	if (page->next)
		page->next->link = &page->next;
	*head = page;
}

static uint64_t mask_of(unsigned int first, unsigned int count)
{
	return (count < GRANULES ? ((uint64_t)1 << count) - 1 : UINT64_MAX) << first;
}

/* The first free granule of `count` that is a multiple of `align`; GRANULES if there is none. */
static unsigned int find_granules(uint64_t used, unsigned int count, unsigned int align)
{
	for (unsigned int first = 0; first + count <= GRANULES; first += align) {
		if (!(used & mask_of(first, count)))
			return first;
	}
	return GRANULES;
}

/* A page with room for so many, partly used ones first; NULL if there is none. */
static struct pack_page *find_page(const struct pack *pack, enum pack_kind kind, unsigned int count,
				   unsigned int align)
{
	struct pack_page *const *lists = pack->lists[kind];
	/* With so many anywhere in a row the piece fits. */
	unsigned int certain = count + align - 1 < GRANULES ? count + align - 1 : GRANULES;
	unsigned int list = list_of(count), tries = TRIES;

	for (struct pack_page *page = lists[list]; page && tries; page = page->next) {
		if (find_granules(page->used, count, align) < GRANULES)
			return page;
		tries--;
	}
	for (list = list_of(2 * certain - 1); list < NUM_LISTS; list++) {
		if (lists[list])
			return lists[list];
	}
	return NULL;
}

/* ---- Chunks --------------------------------------------------------------------------------- */

static bool map_chunk(const struct pack_chunk *chunk)
{
	void *at = (void *)chunk->base;
	size_t size = CHUNK_PAGES * page_size;
	int access = chunk->kind == PACK_TEXT ? PROT_READ | PROT_EXEC : PROT_READ;

	if (chunk->kind == PACK_DATA)
		return mmap(at, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
	return mmap(at, size, access, MAP_PRIVATE | MAP_FIXED, chunk->pack->file.descriptor,
		    offset_of(chunk->base)) != MAP_FAILED;
}

static void drop_file_if_empty(struct pack *pack)
{
	if (pack->file.descriptor >= 0 && !pack->file.chunks)
		seal_file(pack);
}

/* What the file has there takes no memory any more; false if the system can't do that. */
static bool punch(const struct pack *pack, uintptr_t address, size_t size)
{
	return !fallocate(pack->file.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  offset_of(address), (off_t)size);
}

static void list_chunk(struct pack_chunk *chunk)
{
	struct pack *pack = chunk->pack;

	chunk->next = pack->chunks;
	chunk->link = &pack->chunks;
	if (chunk->next)
		chunk->next->link = &chunk->next;
	pack->chunks = chunk;
}

static bool add_chunk(struct pack *pack, enum pack_kind kind)
{
	struct pack_chunk *chunk = calloc(1, sizeof(*chunk));

	if (!chunk)
		return false;
	chunk->pack = pack;
	chunk->kind = kind;
	chunk->generation = pack->file.generation;
	if (reserve_range(arena()->begin, arena()->begin + arena()->size, CHUNK_PAGES * page_size,
			  &chunk->base)) {
		free(chunk);
		return false;
	}
	list_chunk(chunk);
	if (!map_chunk(chunk)) {
		release_chunk(chunk);
		return false;
	}
	if (kind != PACK_DATA)
		pack->file.chunks++;
	if (!pack->kept[kind])
		pack->kept[kind] = chunk;
	for (unsigned int i = CHUNK_PAGES; i-- > 0;) {
		chunk->page[i].chunk = chunk;
		list_page(&chunk->page[i]);
	}
	return true;
}

/* Without pieces, and not one of a lost file. */
static void drop_chunk(struct pack_chunk *chunk)
{
	struct pack *pack = chunk->pack;
	enum pack_kind kind = chunk->kind;

	for (unsigned int i = 0; i < CHUNK_PAGES; i++) {
		unlist_page(&chunk->page[i]);
		if (pack->spare[kind] == &chunk->page[i])
			pack->spare[kind] = NULL;
	}
	if (pack->kept[kind] == chunk)
		pack->kept[kind] = NULL;
	if (kind != PACK_DATA && --pack->file.chunks &&
	    !punch(pack, chunk->base, CHUNK_PAGES * page_size))
		seal_file(pack);
	release_chunk(chunk);
	drop_file_if_empty(pack);
}

static bool may_drop(const struct pack_chunk *chunk)
{
	const struct pack *pack = chunk->pack;

	return !chunk->pieces && (!pack->contexts || pack->kept[chunk->kind] != chunk);
}

/* ---- Pieces --------------------------------------------------------------------------------- */

static unsigned int granules_of(size_t size)
{
	return (unsigned int)((size + granule - 1) / granule);
}

static unsigned int first_of(const struct pack_page *page, uintptr_t address)
{
	return (unsigned int)((address - address_of(page)) / granule);
}

static struct pack_page *take_piece(struct pack *pack, enum pack_kind kind, size_t size,
				    size_t align, uintptr_t *address)
{
	unsigned int count = granules_of(size), step = granules_of(align), first;
	struct pack_page *page = find_page(pack, kind, count, step);
	bool fill = page && page != pack->spare[kind] && kind == PACK_TEXT && !page->used;

	/* Only what is there already can do without the file for now. */
	if (kind != PACK_DATA && (!page || fill) && !has_file(pack))
		return NULL;
	if (!page && add_chunk(pack, kind)) {
		page = find_page(pack, kind, count, step);
		fill = kind == PACK_TEXT;
	}
	if (!page)
		return NULL;
	if (pack->spare[kind] == page)
		pack->spare[kind] = NULL;
	if (fill && !fill_file(pack, address_of(page), page_size, TRAP)) {
		if (may_drop(page->chunk))
			drop_chunk(page->chunk);
		return NULL;
	}
	first = find_granules(page->used, count, step);
	page->used |= mask_of(first, count);
	page->chunk->pieces++;
	list_page(page);
	*address = address_of(page) + first * granule;
	return page;
}

void begin_packed(struct pack *pack)
{
	pthread_mutex_lock(&pack->lock);
	pack->checked = false;
}

void end_packed(struct pack *pack)
{
	pthread_mutex_unlock(&pack->lock);
}

struct pack *pack_of(const struct pack_page *page)
{
	return page->chunk->pack;
}

struct pack_page *take_packed(struct pack *pack, enum pack_kind kind, size_t size, size_t align,
			      uintptr_t *address)
{
	struct pack_page *page = NULL;

	if (size <= page_size && align <= page_size &&
	    (kind == PACK_DATA || pack->file.descriptor >= 0 || open_file(pack)))
		page = take_piece(pack, kind, size, align, address);
	drop_file_if_empty(pack);
	return page;
}

bool write_packed(const struct pack_page *page, uintptr_t address, const void *bytes, size_t size)
{
	struct pack *pack = pack_of(page);

	if (!has_file(pack) || is_sealed(page->chunk))
		return false;
	if (!write_file(pack, address, bytes, size) ||
	    memcmp((const void *)address, bytes, size) != 0) {
		seal_file(pack);
		return false;
	}
	flush_code(address, size);
	VALGRIND_DISCARD_TRANSLATIONS(address, size);
	return true;
}

/* Leave nothing of a piece behind; its bits are clear already.  false: the file can't be written. */
static bool wipe(struct pack_page *page, uintptr_t address, size_t size)
{
	enum pack_kind kind = page->chunk->kind;
	struct pack *pack = pack_of(page);
	bool stays = page->used || !pack->spare[kind];

	if (!page->used && !pack->spare[kind])
		pack->spare[kind] = page;
	if (kind == PACK_DATA && stays)
		memset((void *)address, 0, size);
	else if (kind == PACK_DATA)
		madvise((void *)address_of(page), page_size, MADV_DONTNEED);
	else if (stays || !punch(pack, address_of(page), page_size))
		return fill_file(pack, address, size, kind == PACK_TEXT ? TRAP : 0);
	return true;
}

void give_packed(struct pack_page *page, uintptr_t address, size_t size)
{
	struct pack_chunk *chunk = page->chunk;
	struct pack *pack = chunk->pack;

	/* That may seal the chunk, as long as there is a piece. */
	if (chunk->kind != PACK_DATA)
		has_file(pack);
	page->used &= ~mask_of(first_of(page, address), granules_of(size));
	chunk->pieces--;
	if (is_sealed(chunk) && !chunk->pieces)
		release_chunk(chunk);
	else if (!is_sealed(chunk) && may_drop(chunk))
		drop_chunk(chunk);
	else if (!is_sealed(chunk) && wipe(page, address, size))
		list_page(page);
	else if (!is_sealed(chunk))
		seal_file(pack);
}

/* ---- Contexts ------------------------------------------------------------------------------- */

static unsigned int contexts_of(const struct pack *pack)
{
	return __atomic_load_n(&pack->contexts, __ATOMIC_RELAXED);
}

/* More of them than CPUs would only take memory. */
static struct pack *least_used_pack(void)
{
	size_t count = num_possible_cpus();
	struct pack *least = &packs[0];

	for (size_t i = 1; i < count && i < MOST_PACKS; i++) {
		if (contexts_of(&packs[i]) < contexts_of(least))
			least = &packs[i];
	}
	return least;
}

static void find_sizes(void)
{
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	granule = page_size / GRANULES;
}

struct pack *begin_packing(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct pack *pack = least_used_pack();

	pthread_once(&once, find_sizes);
	begin_packed(pack);
	if (__atomic_fetch_add(&pack->contexts, 1, __ATOMIC_RELAXED) == 0) {
		/* Modules that stayed have kept it open, and their chunks. */
		bool has = has_file(pack) || open_file(pack);

		for (size_t kind = 0; kind < PACK_KINDS; kind++) {
			if (!pack->kept[kind] && (has || kind == PACK_DATA))
				add_chunk(pack, (enum pack_kind)kind);
		}
		drop_file_if_empty(pack);
	}
	end_packed(pack);
	return pack;
}

void end_packing(struct pack *pack)
{
	begin_packed(pack);
	if (__atomic_sub_fetch(&pack->contexts, 1, __ATOMIC_RELAXED) == 0) {
		has_file(pack);
		for (size_t kind = 0; kind < PACK_KINDS; kind++) {
			if (pack->kept[kind] && !pack->kept[kind]->pieces)
				drop_chunk(pack->kept[kind]);
		}
	}
	end_packed(pack);
}

/* ---- Forks ---------------------------------------------------------------------------------- */

void lock_packs(void)
{
	for (size_t i = 0; i < MOST_PACKS; i++)
		pthread_mutex_lock(&packs[i].lock);
}

void seal_and_unlock_packs(void)
{
	for (size_t i = 0; i < MOST_PACKS; i++) {
		if (packs[i].file.descriptor >= 0)
			seal_file(&packs[i]);
		pthread_mutex_unlock(&packs[i].lock);
	}
}
