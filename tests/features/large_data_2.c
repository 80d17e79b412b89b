/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The other file.
 */
int large_data_other[90000] = { 10, [40000] = 20, [80000] = 30 };
