#!/usr/bin/awk -f
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Of what nm prints of the compiler's own library (libgcc): the functions that compiled code calls without being
# told, as lines X(name) of C. Left out is what programs call by themselves, what needs an image of its
# own, and arithmetic that no C compiler's user has by accident: decimal and fixed-point numbers.
# hppa's millicode, MILLICODE($$name), is called in another way: no pointers lead there.
$2 == "T" && $3 ~ /^\$\$[A-Za-z0-9_]+$/ && !($3 in seen) { seen[$3]; print "MILLICODE(" $3 ")" }
$2 !~ /^[TWD]$/ || $3 !~ /^__/ || NF != 3 { next }
$3 ~ /^__([A-Z]|init|fini|eabi|do_|dec|dfp|dpd|bid|binary|gcov|gcc_|emutls|eprintf|enable_exec|trampoline)/ { next }
$3 ~ /^__(wrap_|sfp_|x86|mips16_|gnu_thumb1_|udiv_w_sdiv|clear_cache|main|riscv_(save|restore)_|(avx|sse)_(res|sav)ms|.*(morestack|split))/ { next }
$3 !~ /^__a(eabi|arch64)_/ && $3 ~ /[hsdtq]q|[hsdt]a/ { next }
$3 ~ /^[A-Za-z0-9_]+$/ && !($3 in seen) { seen[$3]; print "X(" $3 ")" }
