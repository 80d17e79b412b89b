/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that exports what filter.c uses, and loads a module: "loaded", or why not. */
#include <permod/permod.h>
#include <stdio.h>

#include "packet.h"

struct packet packet_head;

int packet_push(struct packet *packet, const char *name)
{
	packet->len += (unsigned int)name[0];
	return 0;
}

#ifndef BY_LIBDL
EXPORT_SYMBOL(packet_head);
EXPORT_SYMBOL(packet_push);
#endif

int main(int argc, char **argv)
{
	struct permod *pm;

	if (argc != 2 || permod_new(&pm, NULL))
		return 1;
	puts(permod_load(pm, argv[1], NULL, 0, NULL) ? permod_error(pm) : "loaded");
	permod_free(pm);
	return 0;
}
