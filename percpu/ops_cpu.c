/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sequences in the library, the CPU number selecting the unit.
 */
#define PCPU_RSEQ_INDEX 4
#define RESTARTABLE_WAY pcpu_way_cpu
#include "ops_restartable.h"
