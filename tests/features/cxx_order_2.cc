/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
#include "cxx_order.h"

static Named last("last");
__attribute__((init_priority(150))) static Named before("before all");
