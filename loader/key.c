/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Static keys: changing code under threads that run it; see <permod/key.h>.
 *
 *     place   comparison, branch        right always
 *             no-operation, no-operation   while the key is disabled and the program wants it
 *
 * A disabled key's places may be either, an enabled one's must be the first.  So before a key is enabled
 * its places become what they were, and only if that worked is it enabled; after it was disabled they
 * become no-operations, or stay.  At no moment is a thread wrong that runs the other one; nor is one between
 * the two instructions, which begin where they did: where the branch goes the word is looked at again.
 *
 * A page is changed as a whole.  A copy is written to a file in memory (memfd), by write(2), and mapped
 * elsewhere for execution; then that mapping is moved over the page, in one step (mremap(2)): who comes
 * to the page meanwhile waits in the kernel for it to be done.  The old translation is flushed on all CPUs
 * before there is a new one, so no instruction is fetched partly from the one and partly from the other
 * by two accesses; and where one would need two, as it lies in two cache lines, the place is left alone, so
 * that nothing depends on how CPUs do that.  Then membarrier(2) has each CPU that runs a thread of this process
 * execute a serializing instruction: afterwards none has old code in its pipeline.
 *
 * The file is written once, before it is mapped, and closed.  So nothing is shared with the child of a fork
 * that either could change.
 *
 * The lock is held over a fork, and taken inside the one of hooks.
 */
#define _GNU_SOURCE
#include "loader/key.h"
#include "internal.h"

#include <errno.h>
#include <link.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool patching; /* atomic */

bool patches_keys(void)
{
	return __atomic_load_n(&patching, __ATOMIC_RELAXED);
}

void lock_keys(void)
{
	pthread_mutex_lock(&lock);
}

void unlock_keys(void)
{
	pthread_mutex_unlock(&lock);
}

#ifdef __x86_64__

#define CACHE_LINE 64
#define LONGEST_NOP 9
#define LONGEST_PLACE (2 * LONGEST_NOP)

/* The places of a program, shared object or module. */
struct places {
	struct places *next;
	const struct permod_key_place *begin, *end;
	const struct permod_module *module;	  /* or NULL */
	uintptr_t code, code_end;		  /* in which they can be changed */
	unsigned int files;			  /* that told of them */
	unsigned char (*original)[LONGEST_PLACE]; /* code of each; 0: not known */
};

static struct places *all;
static size_t page_size; /* constant once there are places */

/* ---- Places --------------------------------------------------------------------------------- */

static uintptr_t at_distance(const int32_t *field)
{
	return (uintptr_t)field + (uintptr_t)(intptr_t)*field;
}

static const volatile void *word_of(const struct permod_key_place *place)
{
	return *(const volatile void *const *)at_distance(&place->key);
}

static bool is_enabled(const volatile void *word)
{
	return __atomic_load_n((const volatile uintptr_t *)word, __ATOMIC_RELAXED) != 0;
}

/* One instruction each, as the manuals of Intel and AMD recommend. */
static const unsigned char nops[LONGEST_NOP + 1][LONGEST_NOP] = {
	[3] = { 0x0f, 0x1f, 0x00 },
	[4] = { 0x0f, 0x1f, 0x40, 0 },
	[5] = { 0x0f, 0x1f, 0x44, 0, 0 },
	[6] = { 0x66, 0x0f, 0x1f, 0x44, 0, 0 },
	[7] = { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 },
	[8] = { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 },
	[9] = { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 },
};

static size_t size_of(const struct permod_key_place *place)
{
	return (size_t)place->comparison + place->branch;
}

static void make_nops(const struct permod_key_place *place, unsigned char code[LONGEST_PLACE])
{
	memcpy(code, nops[place->comparison], place->comparison);
	memcpy(code + place->comparison, nops[place->branch], place->branch);
}

/* Whether that is what <permod/key.h> makes, and no debugger's breakpoint is in it. */
static bool is_comparison(const struct permod_key_place *place)
{
	const unsigned char *code = (const unsigned char *)at_distance(&place->code);

	return (code[0] & 0xf8) == 0x48 && code[1] == 0x83 && code[place->comparison - 1] == 0 &&
	       code[place->comparison] == 0x0f && code[place->comparison + 1] == 0x85;
}

/* Find the part of a program or shared object that has the first place: code, and nothing else. */
static int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct places *places = arg;
	uintptr_t first = at_distance(&places->begin->code);

	(void)size;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + part->p_vaddr;

		if (part->p_type != PT_LOAD || part->p_flags != (PF_R | PF_X) ||
		    first - begin >= part->p_memsz)
			continue;
		places->code = begin;
		places->code_end = begin + part->p_memsz;
		return 1;
	}
	return 0;
}

static bool can_change(const struct places *places, const struct permod_key_place *place)
{
	uintptr_t begin = at_distance(&place->code), middle = begin + place->comparison;
	uintptr_t end = begin + size_of(place);

	return place->comparison >= 4 && place->comparison <= LONGEST_NOP && place->branch == 6 &&
	       begin >= places->code && end <= places->code_end &&
	       begin / CACHE_LINE == (middle - 1) / CACHE_LINE &&
	       middle / CACHE_LINE == (end - 1) / CACHE_LINE &&
	       begin / page_size == (end - 1) / page_size;
}

/* ---- Pages ---------------------------------------------------------------------------------- */

static int synchronize(int command)
{
	return syscall(SYS_membarrier, command, 0, 0) ? -errno : 0;
}

/* The bytes, for execution, somewhere; or MAP_FAILED. */
static void *map_code(const void *bytes, size_t size)
{
	int file = make_memory_file("permod-keys", MFD_CLOEXEC);
	void *mapped = MAP_FAILED;

	if (file < 0)
		return MAP_FAILED;
	if (may_write(size) && write(file, bytes, size) == (ssize_t)size)
		mapped = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_POPULATE, file,
			      0);
	close(file);
	return mapped;
}

static int replace_page(uintptr_t page, const void *bytes, size_t size)
{
	void *mapped;

	errno = EFBIG;
	mapped = map_code(bytes, size);
	if (mapped == MAP_FAILED)
		return -errno;
	if (mremap(mapped, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)page) == MAP_FAILED) {
		int error = -errno;

		munmap(mapped, size);
		return error;
	}
	return 0;
}

/* What is to be changed: the places of one key, or of all that are disabled. */
struct change {
	const volatile void *word; /* or NULL */
	bool restore;		   /* to what they were; otherwise to no-operations */
};

static bool is_meant(const struct change *change, const struct permod_key_place *place)
{
	const volatile void *word = word_of(place);

	return (!change->word || word == change->word) && (change->restore || !is_enabled(word));
}

/* Make the change in a copy of a page: how many places there were; or -EBUSY, if there is something
 * else where a comparison must be. */
static int change_copy(const struct places *places, const struct change *change, uintptr_t page,
		       unsigned char *copy)
{
	int count = 0;

	for (const struct permod_key_place *place = places->begin; place < places->end; place++) {
		const unsigned char *original = places->original[place - places->begin];
		unsigned char *code = copy + (at_distance(&place->code) - page);
		unsigned char made[LONGEST_PLACE];

		if (at_distance(&place->code) / page_size != page / page_size ||
		    !can_change(places, place) || !original[0] || !is_meant(change, place))
			continue;
		make_nops(place, made);
		if (memcmp(code, change->restore ? made : original, size_of(place)) == 0) {
			memcpy(code, change->restore ? original : made, size_of(place));
			count++;
		} else if (change->restore && memcmp(code, original, size_of(place)) != 0) {
			return -EBUSY;
		}
	}
	return count;
}

static int change_page(const struct places *places, const struct change *change, uintptr_t page,
		       unsigned char *copy)
{
	int count;

	memcpy(copy, (const void *)page, page_size);
	count = change_copy(places, change, page, copy);
	return count > 0 ? replace_page(page, copy, page_size) : count;
}

/* Their order is that of the code, nearly: a page may come twice. */
static int change_places(const struct places *places, const struct change *change)
{
	unsigned char *copy = malloc(page_size);
	uintptr_t last = 0;
	int error = copy ? 0 : -ENOMEM;

	for (const struct permod_key_place *place = places->begin; place < places->end && !error;
	     place++) {
		uintptr_t page = at_distance(&place->code) / page_size * page_size;

		if (page == last || !can_change(places, place) || !is_meant(change, place))
			continue;
		error = change_page(places, change, page, copy);
		last = page;
	}
	free(copy);
	return error;
}

/* Under the lock. */
static int make_change(const struct change *change)
{
	int error = 0;

	for (const struct places *places = all; places && !error; places = places->next)
		error = change_places(places, change);
	if (synchronize(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE) && !error)
		error = -EOPNOTSUPP;
	return error;
}

int permod_patch_keys(void)
{
	const struct change change = { NULL, false };
	int error;

	if (runs_on_valgrind() || synchronize(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE))
		return -EOPNOTSUPP;
	watch_forks();
	pthread_mutex_lock(&lock);
	__atomic_store_n(&patching, true, __ATOMIC_RELAXED);
	error = make_change(&change);
	pthread_mutex_unlock(&lock);
	return error;
}

int begin_enabling(const void *word)
{
	const struct change change = { word, true };
	int error = 0;

	pthread_mutex_lock(&lock);
	if (patching)
		error = make_change(&change);
	if (error)
		pthread_mutex_unlock(&lock);
	return error;
}

void end_enabling(void)
{
	pthread_mutex_unlock(&lock);
}

void key_is_disabled(const void *word)
{
	const struct change change = { word, false };

	pthread_mutex_lock(&lock);
	if (patching)
		make_change(&change);
	pthread_mutex_unlock(&lock);
}

/* ---- Places come and go --------------------------------------------------------------------- */

/* What is not in the list is never changed, nor is a place whose original code isn't known. */
static void add_places(const struct places *added)
{
	const struct change change = { NULL, false };
	size_t count = (size_t)(added->end - added->begin);
	struct places *places = malloc(sizeof(*places) + count * LONGEST_PLACE);

	if (!places)
		return;
	*places = *added;
	places->original = (unsigned char(*)[LONGEST_PLACE])(places + 1);
	memset(places->original, 0, count * LONGEST_PLACE);
	for (size_t i = 0; i < count; i++) {
		const struct permod_key_place *place = &places->begin[i];

		if (can_change(places, place) && is_comparison(place))
			memcpy(places->original[i], (const void *)at_distance(&place->code),
			       size_of(place));
	}
	pthread_mutex_lock(&lock);
	places->next = all;
	all = places;
	if (patching) {
		change_places(places, &change);
		synchronize(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE);
	}
	pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static struct places **find_places(const struct permod_key_place *begin)
{
	struct places **link = &all;

	while (*link && (*link)->begin != begin)
		link = &(*link)->next;
	return link;
}

void permod_keys_come(const struct permod_key_place *begin, const struct permod_key_place *end)
{
	struct places places = { .begin = begin, .end = end, .files = 1 }, *old;

	if (begin == end)
		return;
	pthread_mutex_lock(&lock);
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	old = *find_places(begin);
	if (old)
		old->files++;
	pthread_mutex_unlock(&lock);
	if (!old && dl_iterate_phdr(find_code, &places))
		add_places(&places);
}

void permod_keys_go(const struct permod_key_place *begin, const struct permod_key_place *end)
{
	struct places **link, *gone;

	if (begin == end)
		return;
	pthread_mutex_lock(&lock);
	link = find_places(begin);
	gone = *link;
	if (gone && --gone->files == 0)
		*link = gone->next;
	else
		gone = NULL;
	pthread_mutex_unlock(&lock);
	free(gone);
}

static bool has_places(const struct link_section *section)
{
	return section->region < LINK_PERCPU && !section->discarded && section->size &&
	       section->size % sizeof(struct permod_key_place) == 0 &&
	       strcmp(section->name, "permod_keys") == 0;
}

bool has_keys(struct link *link)
{
	const struct link_section *section;

	for (struct link_object *object = link->objects; object;
	     object = link_object_next(object)) {
		for (unsigned int i = 0; (section = link_object_section(object, i)); i++) {
			if (has_places(section))
				return true;
		}
	}
	return false;
}

/* Whether all that is in the section is the module's. */
static bool are_own(const struct places *places)
{
	for (const struct permod_key_place *place = places->begin; place < places->end; place++) {
		if (!has_address(places->module, at_distance(&place->key)) ||
		    !has_address(places->module,
				 at_distance(&place->key) + sizeof(const void *) - 1))
			return false;
	}
	return true;
}

/* Pages that modules share are written through their file, and take no copies. */
void add_keys(struct load *load)
{
	struct permod_module *module = load->module;
	const struct module_part *text = &module->part[LINK_TEXT];
	struct link_section *section;

	if (text->page || !text->size || !has_keys(load->link))
		return;
	pthread_mutex_lock(&lock);
	page_size = (size_t)sysconf(_SC_PAGESIZE);
	pthread_mutex_unlock(&lock);
	for (struct link_object *object = load->link->objects; object;
	     object = link_object_next(object)) {
		for (unsigned int i = 0; (section = link_object_section(object, i)); i++) {
			struct places places = { .module = module,
						 .code = text->address,
						 .code_end = text->address + text->size };

			if (!has_places(section))
				continue;
			places.begin = (const struct permod_key_place *)(void *)
				link_section_buffer(load->link, section);
			places.end = places.begin + section->size / sizeof(*places.begin);
			if (are_own(&places))
				add_places(&places);
		}
	}
}

void drop_keys(const struct permod_module *module)
{
	pthread_mutex_lock(&lock);
	for (struct places **link = &all; *link;) {
		struct places *places = *link;

		if (places->module != module) {
			link = &places->next;
			continue;
		}
		*link = places->next;
		free(places);
	}
	pthread_mutex_unlock(&lock);
}

#else

int permod_patch_keys(void)
{
	return -EOPNOTSUPP;
}

int begin_enabling(const void *word)
{
	(void)word;
	pthread_mutex_lock(&lock);
	return 0;
}

void end_enabling(void)
{
	pthread_mutex_unlock(&lock);
}

void key_is_disabled(const void *word)
{
	(void)word;
}

void permod_keys_come(const struct permod_key_place *begin, const struct permod_key_place *end)
{
	(void)begin;
	(void)end;
}

void permod_keys_go(const struct permod_key_place *begin, const struct permod_key_place *end)
{
	(void)begin;
	(void)end;
}

bool has_keys(struct link *link)
{
	(void)link;
	return false;
}

void add_keys(struct load *load)
{
	(void)load;
}

void drop_keys(const struct permod_module *module)
{
	(void)module;
}

#endif

/* ---- Keys ----------------------------------------------------------------------------------- */

int permod_key_enable(struct permod_key *key)
{
	int error = begin_enabling(&key->enabled);

	if (error)
		return error;
	__atomic_store_n(&key->enabled, 1, __ATOMIC_RELEASE);
	end_enabling();
	return 0;
}

int permod_key_disable(struct permod_key *key)
{
	__atomic_store_n(&key->enabled, 0, __ATOMIC_RELEASE);
	key_is_disabled(&key->enabled);
	return 0;
}
