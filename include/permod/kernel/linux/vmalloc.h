/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Large areas of memory, which malloc() gives as well. */
#include <linux/slab.h>
