/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Symbols that assembler makes: labels in other sections, sizes, aliases, strange names.
 * matrix: glibc musl relocates nothing that is only read
 */
#include <stdio.h>

__asm__(".pushsection .rodata.asm_symbols, \"a\"\n"
	"1:	.long 11\n"
	".globl asm_symbols_table\n"
	".type asm_symbols_table, @object\n"
	"asm_symbols_table:\n"
	"	.long 1b - asm_symbols_table\n"
	"	.long 2f - 1b\n"
	"	.quad 1b\n"
	"2:	.long 22\n"
	".size asm_symbols_table, . - asm_symbols_table\n"
	".globl asm_symbols_table_size\n"
	".set asm_symbols_table_size, asm_symbols_end - asm_symbols_table\n"
	"asm_symbols_end:\n"
	".popsection\n"
	".pushsection .text.asm_symbols, \"ax\"\n"
	".globl asm_symbols$strange.name\n"
	".type asm_symbols$strange.name, @function\n"
	"asm_symbols$strange.name:\n"
	"	leal 1(%rdi,%rdi), %eax\n"
	"	ret\n"
	".size asm_symbols$strange.name, . - asm_symbols$strange.name\n"
	".globl asm_symbols_second_entry\n"
	".set asm_symbols_second_entry, asm_symbols$strange.name + 4\n"
	".popsection");

extern const struct {
	int distance, length;
	const int *first;
	int second;
} asm_symbols_table;
int strange(int) __asm__("asm_symbols$strange.name");
void asm_symbols_second_entry(void);

void asm_symbols(void)
{
	printf("%d %d %d %d\n", asm_symbols_table.distance, asm_symbols_table.length,
	       *asm_symbols_table.first, asm_symbols_table.second);
	printf("%d\n", strange(20));
	asm_symbols_second_entry();
}
