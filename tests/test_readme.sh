#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# README.md is right: its module and its host compile and print what it says, its commands and files
# exist, and it names every setting. And what of doc/design.md can be compared with the code.

. "$(dirname "$0")/shell.sh"

readme=$top_srcdir/README.md

# The block of code behind the line "`NAME`:".
extract()
{
    awk -v name="\`$1\`:" '
        $0 == name { found = 1 }
        found && /^```/ { if (inside) exit; inside = 1; next }
        inside { print }' "$readme" > "$1" && [ -s "$1" ]
}

module_runs()
{
    extract requests.c && $CC -O2 $include -Wall -Wextra -Werror -c requests.c &&
        counts "requests=2" on_request requests.o step=2 || return
    # The table has the columns that are shown.
    run "$permod" run --call on_request --count 1000 requests.o step=2 &&
        [ "$(head -n 1 out)" = "$(sed -n 's/^    \(CPU .*\)/\1/p' "$readme")" ]
}

# Every line that is shown of the map, but for the numbers of pages, which are those of two CPUs.
map_is_right()
{
    sed -n '/^    $ permod map/,/^    requests  /p' "$readme" | sed '1d; s/^    //' > told
    [ "$(wc -l < told)" -gt 5 ] && run "$permod" map --call on_request requests.o || return
    while read -r line; do
        case $line in
        Pages*) has out "${line%%:*}: " ;;
        *) has out "$line" ;;
        esac || return
    done < told
}

host_runs()
{
    extract host.c && $CC -O2 $include -Wall -Wextra -Werror host.c -o host -pthread \
        "$libs/libpermod.so" "$libs/libpercpu.so" -Wl,-rpath,"$libs" && run ./host &&
        is out "$(sed -n 's/^    \(requests: .*\)/\1/p' "$readme")" && is err ""
}

files_exist()
{
    grep -o '`[a-z]*/[a-z./-]*`\|(\(doc/[a-z.]*\|COPYING\))\|^    scripts/[a-z]*' "$readme" |
        tr -d '`() ' > names && [ "$(wc -l < names)" -gt 10 ] || return
    while read -r name; do
        [ -e "$top_srcdir/$name" ] || { echo "there is no $name"; return 1; }
    done < names
}

settings_are_told()
{
    grep -oh '"PERCPU_[A-Z]*"' "$top_srcdir"/percpu/*.c | tr -d '"' | sort -u > known
    grep -o '^| `PERCPU_[A-Z]*' "$readme" | tr -d '|` ' | sort -u > told
    cmp known told || return
    for page in percpu.3 permod.1; do
        sed -n '/^\.SH ENVIRONMENT/,/^\.SH [^E]/p' "$top_srcdir/doc/$page" |
            grep -o 'PERCPU_[A-Z]*' | sort -u > told
        cmp known told || { echo "doc/$page"; return 1; }
    done
}

# The table of doc/design.md has the steps of a load as the loader has them.
steps_are_told()
{
    sed -n '/^static int (\*const steps\[\])/,/^};/p' "$top_srcdir/loader/load.c" |
        grep -o '[a-z_]*,' | tr -d ',' > steps
    sed -n '/^| step | what it does/,/^$/p' "$top_srcdir/doc/design.md" | cut -d '|' -f 2 |
        grep -o '`[a-z_]*`' | tr -d '`' > told
    [ "$(wc -l < steps)" -gt 10 ] && diff steps told
}

check "README: the module" module_runs
check "README: the map" map_is_right
if [ -n "$sanitizers" ]; then
    skip "README: the host" "the libraries are built with a sanitizer"
else
    check "README: the host" host_runs
fi
check "README: files exist" files_exist
check "README: settings" settings_are_told
check "doc/design.md: the steps of a load" steps_are_told

finish
