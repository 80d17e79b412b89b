/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A header of which there are two versions: LEN is 4 or 8. */
struct node {
	struct node *next;
	struct packet *owner;
};

struct packet {
	struct node node;
	unsigned int flags;
#if LEN == 4
	unsigned int len;
#else
	unsigned long long len;
#endif
};

int packet_push(struct packet *packet, const char *name);
extern struct packet packet_head;
