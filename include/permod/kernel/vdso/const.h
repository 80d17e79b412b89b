/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All of this is in <linux/const.h>. */
#include <linux/const.h>
