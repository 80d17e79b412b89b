#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The man pages are right, as far as a script can tell: what their examples show compiles as it stands,
# their synopses have every function that the headers declare for users, and they fit a terminal.

. "$(dirname "$0")/shell.sh"

doc=$top_srcdir/doc
headers=$top_srcdir/include/permod

# A page as man(1) shows it on 80 columns, without marks of bold and italic, and without hyphenation.
show()
{
    groff -man -Tutf8 -P-c -rLL=78n -rHY=0 "$1" | sed 's/.\x08//g; s/\x1b\[[0-9;]*m//g'
}

# The examples of a page, each into a file NAME1.c, NAME2.c, ...
extract_examples()
{
    awk -v name="$(basename "$1")" '
        /^\.SH/ { examples = ($2 == "EXAMPLES") }
        /^\.EE/ { inside = 0 }
        inside { gsub(/\\&/, ""); gsub(/\\e/, "\\"); gsub(/\\-/, "-"); print > (name count ".c") }
        /^\.EX/ && examples { inside = 1; count++ }' "$1"
}

examples_compile()
{
    for page in "$doc"/*.3 "$doc"/permod-module.7; do
        extract_examples "$page"
        [ -s "$(basename "$page")1.c" ] || { echo "no example in $page"; return 1; }
    done
    mv permod_hook.31.c server.h || return
    for file in *.c; do
        $CC -O2 -std=gnu11 $include -I. -Wall -Wextra -Wno-unused-parameter -Werror -c "$file" \
            -o "${file%.c}.o" || return
    done
}

# A host and a module that hooks into it, as in permod_hook(3), are what they say.
hook_example_loads()
{
    printf '%s\n' '#include "permod_hook.32.c"' 'int main(void)' '{' 'struct permod *pm;' \
        'int error = permod_new(&pm, 0) || permod_load(pm, "permod_hook.33.o", 0, 0, 0);' \
        'if (error) return 1;' 'on_accept(3);' 'permod_free(pm);' \
        'return permod_hook_used(&permod_hook_accepted);' '}' > program.c
    $CC -O2 $include -I. program.c -o program "$libs/libpermod.so" "$libs/libpercpu.so" -pthread \
        -Wl,-rpath,"$libs" && run ./program
}

# Whatever the headers declare for users is in a synopsis. Of hook.h and key.h that is what has a comment.
functions_are_told()
{
    for page in "$doc"/*.3; do
        show "$page" | sed -n '/^SYNOPSIS/,/^DESCRIPTION/p'
    done > synopses
    {
        sed -n 's/^[a-z].*[ *]\(permod_[a-z_]*\)(.*/\1/p' "$headers/permod.h"
        sed -n 's/^\/*[ *]* \(permod_[a-z_]*\)()[ ,].*- .*/\1/p' "$headers/hook.h" "$headers/key.h"
        sed -n 's/^\/*[ *]* .*, \(permod_[a-z_]*\)() - .*/\1/p' "$headers/key.h"
        sed -n 's/^\/\*\* \(PERMOD_[A-Z_]*\)(.*/\1/p' "$headers/hook.h" "$headers/key.h"
        sed -n 's/^[a-z].*[ *]\(_*[a-z_]*percpu\|pcpu_[a-z_]*\|setup_[a-z_]*\)(.*/\1/p' \
            "$headers/percpu.h"
        for header in percpu_counter percpu_list percpu_ref; do
            grep '^[a-z_]' "$headers/$header.h" | grep -o "_*${header}_[a-z_]*(" | tr -d '('
        done
    } | grep -v '_slow\(_\|$\)' | sort -u > declared
    [ "$(wc -l < declared)" -gt 120 ] || { echo "only $(wc -l < declared) functions"; return 1; }
    while read -r name; do
        grep -q "[ *]$name(" synopses || { echo "$name() is in no synopsis"; return 1; }
    done < declared
}

# Synopses are not filled, so nothing brings them in order on a terminal.
synopses_fit()
{
    for page in "$doc"/*.[137]; do
        show "$page" | awk -v page="$page" '
            /^DESCRIPTION/ { exit }
            length($0) > 80 { print page ": " $0; wide = 1 }
            END { exit wide }' || return
    done
}

pages_render_without_warnings()
{
    for page in "$doc"/*.[137]; do
        groff -man -ww -z "$page" > out 2>&1 && is out "" || return
    done
}

check "man: examples compile" examples_compile
if [ -n "$sanitizers" ]; then
    skip "man: the hook's example" "the libraries are built with a sanitizer"
else
    check "man: the hook's example" hook_example_loads
fi
if installed groff; then
    check "man: all functions" functions_are_told
    check "man: synopses fit 80 columns" synopses_fit
    check "man: no warnings" pages_render_without_warnings
else
    skip "man: pages" "groff is not installed (Debian: groff)"
fi

finish
