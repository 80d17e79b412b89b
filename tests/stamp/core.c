/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exports what filter.c uses. */
#include <permod/module.h>

#include "packet.h"

struct packet packet_head;
EXPORT_SYMBOL(packet_head);

int packet_push(struct packet *packet, const char *name)
{
	packet->len += (unsigned int)name[0];
	return 0;
}
EXPORT_SYMBOL(packet_push);
MODULE_LICENSE("GPL");
