/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All of this is in <linux/init.h>. */
#include <linux/init.h>
