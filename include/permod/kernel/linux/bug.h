/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Conditions that must not be: WARN() reports one in the log, as a line that begins with "WARNING: "
 * and tells where, and goes on; BUG() ends the process.
 */
#ifndef PERMOD_KERNEL_BUG_H
#define PERMOD_KERNEL_BUG_H

#include <linux/build_bug.h>
#include <linux/compiler.h>
#include <linux/printk.h>

/** permod_warn(), permod_bug() - what the macros call; @format may be NULL. */
void permod_warn(const char *file, int line, const char *function, const char *format, ...)
	__attribute__((format(printf, 4, 5), cold));
void permod_bug(const char *file, int line, const char *function) __attribute__((noreturn, cold));

#define PERMOD_WARN(condition, ...)                                                                \
	({                                                                                         \
		int permod_bad = !!(condition);                                                    \
		if (unlikely(permod_bad))                                                          \
			permod_warn(__FILE__, __LINE__, __func__, __VA_ARGS__);                    \
		unlikely(permod_bad);                                                              \
	})
#define PERMOD_WARN_ONCE(condition, ...)                                                           \
	({                                                                                         \
		static int permod_done;                                                            \
		int permod_is = !!(condition);                                                     \
		if (unlikely(permod_is) &&                                                         \
		    !__atomic_exchange_n(&permod_done, 1, __ATOMIC_RELAXED))                       \
			permod_warn(__FILE__, __LINE__, __func__, __VA_ARGS__);                    \
		unlikely(permod_is);                                                               \
	})

/** WARN(), WARN_ON(), and once for each place - report if the condition holds, which is the value. */
#define WARN(condition, ...) PERMOD_WARN(condition, __VA_ARGS__)
#define WARN_ON(condition) PERMOD_WARN(condition, NULL)
#define WARN_ONCE(condition, ...) PERMOD_WARN_ONCE(condition, __VA_ARGS__)
#define WARN_ON_ONCE(condition) PERMOD_WARN_ONCE(condition, NULL)

#define BUG() permod_bug(__FILE__, __LINE__, __func__)
#define BUG_ON(condition)                                                                          \
	do {                                                                                       \
		if (unlikely(condition))                                                           \
			BUG();                                                                     \
	} while (0)

#endif
