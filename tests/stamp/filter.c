/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Uses what core.c or a host exports. */
#include <permod/module.h>

#include "packet.h"

IMPORT_SYMBOL(packet_head);
IMPORT_SYMBOL(packet_push);

int filter(void);
int filter(void)
{
	return packet_push(&packet_head, "x");
}
MODULE_LICENSE("GPL");
