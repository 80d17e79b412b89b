/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's generic way of finding a NUL in a word. */
#include <asm-generic/word-at-a-time.h>
