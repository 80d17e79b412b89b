/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Added to libsqlite3.a: runs the SQL of a parameter on a new data base in memory, and prints the
 * rows, values separated by "|".
 */
#include <permod/module.h>

#include <sqlite3.h>
#include <stdio.h>

static char *sql;
module_param(sql, charp, 0444);
static bool quiet;
module_param(quiet, bool, 0444);

static DEFINE_PER_CPU(unsigned long, rows);
static DEFINE_PER_CPU(unsigned long, errors);

static int show_row(void *arg, int count, char **values, char **names)
{
	(void)arg;
	(void)names;
	this_cpu_inc(rows);
	for (int i = 0; i < count && !quiet; i++)
		printf("%s%s", values[i] ? values[i] : "NULL", i < count - 1 ? "|" : "\n");
	return 0;
}

void query(void)
{
	sqlite3 *db = NULL;
	char *message = NULL;

	if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
	    sqlite3_exec(db, sql, show_row, NULL, &message) != SQLITE_OK) {
		this_cpu_inc(errors);
		fprintf(stderr, "%s\n", message ? message : "no data base");
	}
	sqlite3_free(message);
	sqlite3_close(db);
}
