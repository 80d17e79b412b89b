/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What files include that measure. */
#include <linux/ktime.h>
#include <linux/time64.h>
