/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's log: lines on standard error.  Formats are printf(3)'s; %p followed by letters prints the
 * pointer and these letters.  A level (KERN_INFO ...) is not shown; messages of the level KERN_DEBUG
 * are dropped.
 */
#ifndef PERMOD_KERNEL_PRINTK_H
#define PERMOD_KERNEL_PRINTK_H

#include <linux/compiler.h>

/* A byte that no text begins with, and the level. */
#define KERN_SOH "\001"
#define KERN_EMERG KERN_SOH "0"
#define KERN_ALERT KERN_SOH "1"
#define KERN_CRIT KERN_SOH "2"
#define KERN_ERR KERN_SOH "3"
#define KERN_WARNING KERN_SOH "4"
#define KERN_NOTICE KERN_SOH "5"
#define KERN_INFO KERN_SOH "6"
#define KERN_DEBUG KERN_SOH "7"
#define KERN_DEFAULT ""
#define KERN_CONT KERN_SOH "c" /* goes on with a line that has not ended */

/** _printk() - print a message; returns its length.  One write(2), so lines of threads don't mix.
 * What is not KERN_CONT begins a new line, whether the last message ended its own or not. */
int _printk(const char *format, ...) __printf(1, 2);
#define printk _printk

/** KBUILD_MODNAME - the module's name, which kbuild defines for every file. */
#ifndef KBUILD_MODNAME
#define KBUILD_MODNAME "module"
#endif
/** pr_fmt() - what a file puts before each message; it defines the macro before it includes this. */
#ifndef pr_fmt
#define pr_fmt(format) format
#endif

#define pr_emerg(format, ...) _printk(KERN_EMERG pr_fmt(format), ##__VA_ARGS__)
#define pr_alert(format, ...) _printk(KERN_ALERT pr_fmt(format), ##__VA_ARGS__)
#define pr_crit(format, ...) _printk(KERN_CRIT pr_fmt(format), ##__VA_ARGS__)
#define pr_err(format, ...) _printk(KERN_ERR pr_fmt(format), ##__VA_ARGS__)
#define pr_warn(format, ...) _printk(KERN_WARNING pr_fmt(format), ##__VA_ARGS__)
#define pr_notice(format, ...) _printk(KERN_NOTICE pr_fmt(format), ##__VA_ARGS__)
#define pr_info(format, ...) _printk(KERN_INFO pr_fmt(format), ##__VA_ARGS__)
#define pr_debug(format, ...) _printk(KERN_DEBUG pr_fmt(format), ##__VA_ARGS__)
#define pr_cont(format, ...) _printk(KERN_CONT format, ##__VA_ARGS__)

#endif
