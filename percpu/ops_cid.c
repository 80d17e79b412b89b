/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sequences in the library, the concurrency id selecting the unit: the kernel gives the threads of a
 * process that run at the same time numbers from 0 on, and changes them where it changes CPU numbers.
 */
#define PCPU_RSEQ_INDEX 24
#define RESTARTABLE_WAY pcpu_way_cid
#include "ops_restartable.h"
