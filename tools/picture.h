/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The picture of permod map --svg: what layout.c finds out and picture.c draws.
 */
#ifndef TOOLS_PICTURE_H
#define TOOLS_PICTURE_H

#include "tool.h"

/* Pixels. */
#define LEFT 110.0 /* margins of the units */
#define RIGHT 110.0
#define EDGE 20.0	  /* of the picture */
#define CHARACTER 7.25	  /* the width of one */
#define LINE 17.0	  /* of text */
#define WIDTH 900.0	  /* what the units fill if they have few pages, */
#define MOST_WIDTH 1600.0 /* and if they have many */
#define CUT 66.0
#define LIST_NAME (LEFT + 36 * CHARACTER) /* column of names in the list */
#define LEAST_BOX 3.0			  /* of a module */
#define LEAST_RUN 0.5			  /* of pages in memory */

#define SHORT_STRETCH 4 /* pages; what is not longer is not cut out, nor more if there are many */
#define MOST_CUTS 8
#define FEW_CHUNKS 8  /* so many are told in full */
#define FEW_ROWS 16   /* so many CPUs have a row of their own in any case */
#define MOST_LINES 24 /* of labels above each other; what has no room there is in the list */
#define CHUNK_LINES 8 /* the same for chunks behind the first */
#define MOST_NAME 40  /* characters of a name in a label */

/* Pages that follow each other. */
struct stretch {
	size_t begin, end;
	bool cut;
	double x, width;
};

/* A text above, and a line from it down to what it names. */
struct label {
	double x;
	char *text;
	size_t most; /* lines, that it may have below it */
	size_t line; /* from the bottom */
};

struct labels {
	struct label *label;
	size_t count, lines;
};

/* A row: CPUs with the same pages. */
struct row {
	unsigned int first, last;
	size_t pages; /* in memory, on each */
};

struct picture {
	FILE *out;
	const struct survey *survey;
	size_t page; /* bytes */
	struct stretch *stretches;
	size_t num_stretches;
	size_t dynamic;	 /* the page with which the dynamic region begins */
	double scale[2]; /* pixels for a page before that, and from it on */
	double right;	 /* end of the units */
	double width, height;
	struct labels regions, modules;
	struct row *rows;
	size_t num_rows;
	double pitch;				     /* of rows */
	double regions_y, modules_y, rows_y, axis_y; /* where the parts begin */
};

/* Find out where everything is; what that takes is given back by free_layout(). */
void lay_out(struct picture *picture);
void free_layout(struct picture *picture);

double text_width(const char *text);
/* Whether a label has found a place. */
bool has_room(const struct label *label);
/* How wide a page is. */
double scale_at(const struct picture *picture, size_t page);
/* Where an offset (bytes) is; one that is cut out is where the cut begins. */
double x_of(const struct picture *picture, size_t offset);

#endif
