#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules under valgrind: memcheck's reports and callgrind's profiles have the names of their functions
# and the lines, also of what only init needs and of one that came where another was; and no file of
# all this stays.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/valgrind
LD_LIBRARY_PATH=$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
TMPDIR=$work/tmp
export LD_LIBRARY_PATH TMPDIR
unset PERMOD_NO_DEBUGGER PERMOD_PACK PERMOD_PERF PERCPU_CHECK
mkdir tmp

if ! installed valgrind; then
    skip all "valgrind is not installed"
    exit 77
fi
if [ "${CC#*clang}" != "$CC" ]; then
    skip all "valgrind 3.19 does not read the debugging information of clang 14"
    exit 77
fi
if [ -n "$sanitizers" ]; then
    skip all "the libraries are built with a sanitizer"
    exit 77
fi
if ! valgrind -q true > log 2>&1; then
    skip all "valgrind does not run here"
    exit 77
fi
$CC $include -O1 -o host "$here/host.c" -L"$libs" -lpermod -lpercpu > log 2>&1 || { cat log; exit 1; }
if ! nm "$libs/libpermod.so" 2> log | grep -q show_to_valgrind; then
    skip all "the libraries are stripped"
    exit 77
fi

# line FILE COMMENT: the number of the line that has it.
line()
{
    grep -n "/\* $2 \*/" "$here/$1" | cut -d: -f1
}

# compile COMPILER FLAG...
compile()
{
    for file in first second; do
        "$@" $include -c -o $file.ko "$here/$file.c" || return
    done
}

# Valgrind's numbers of processes and addresses are left out.
memcheck()
{
    run valgrind -q --error-exitcode=0 "$@" || return
    sed -n 's/^==[0-9]*== *//p' err | sed 's/0x[0-9A-F]*: //' > out
}

# trace TEXT LINE...: a report has a line with the text, and these behind it; * stands for anything.
trace()
{
    python3 -c '
import sys
from fnmatch import fnmatchcase
lines = open("out").read().splitlines()
wanted = sys.argv[2:]
for i, line in enumerate(lines):
    if sys.argv[1] in line and all(map(fnmatchcase, lines[i + 1:i + 1 + len(wanted)], wanted)):
        sys.exit(0)
sys.exit("not reported: " + " | ".join(sys.argv[1:]))
' "$@"
}

nothing_stays()
{
    [ -z "$(ls tmp)" ] || { echo "left: $(ls tmp)"; return 1; }
}

# all_is_named LINES: exact, or * where code is moved about. In init nothing can follow then: there is
# no unwind information.
all_is_named()
{
    in_init=$1 in_first=$1 in_second=$1
    if [ "$1" = exact ]; then
        in_init=$(line first.c "in init")
        in_first=$(line first.c "in first")
        in_second=$(line second.c "in second")
    fi
    memcheck ./host first.ko second.ko || return
    trace "Invalid read of size 4" "at first_init (first.c:$in_init)" &&
        trace "Invalid read of size 4" "at first_function (first.c:$in_first)" \
            "by go (first.c:$(line first.c "first calls"))" "by main (in $work/host)" &&
        trace "Invalid read of size 4" "at second_function (second.c:$in_second)" \
            "by go (second.c:$(line second.c "second calls"))" "by main (in $work/host)" &&
        has out 'inside data symbol "first_variable"' && nothing_stays
}

while read -r lines flags; do
    if compile "$CC" $flags > log 2>&1; then
        check "memcheck: $flags" all_is_named "$lines"
    else
        not_ok "$flags: compile"
    fi
done <<END
exact -g -O0
* -g -O1 -fPIC
exact -gdwarf-4 -gz -O0 -fno-pie
* -g -O1 -ffunction-sections -fdata-sections
END

compile "$CC" -O1 -fomit-frame-pointer > log 2>&1 || exit 1

# By the unwind information alone.
names_alone()
{
    memcheck ./host first.ko second.ko || return
    sed -i "s|(in $TMPDIR/permod-[^/]*/|(in |" out
    trace "Invalid read of size 4" "at first_init (in first)" &&
        trace "Invalid read of size 4" "at first_function (in first)" "by go (in first)" \
            "by main (in $work/host)" &&
        trace "Invalid read of size 4" "at second_function (in second)" "by go (in second)" &&
        nothing_stays
}
check "memcheck: no debug information" names_alone

profiled()
{
    run valgrind -q --tool=callgrind --callgrind-out-file=profile ./host first.ko second.ko || return
    callgrind_annotate --auto=no --threshold=100 profile > out || return
    grep -q ":first_function \[$TMPDIR/permod-[^/]*/first\]" out &&
        grep -q ":second_function \[$TMPDIR/permod-[^/]*/second\]" out && nothing_stays
}
compile "$CC" -O1 -DRIGHT > log 2>&1 || exit 1
check "callgrind" profiled

# Nor does anything then tell valgrind of modules.
asked_not_to()
{
    PERMOD_NO_DEBUGGER=1 memcheck ./host first.ko || return
    has out "Invalid read of size 4" && ! grep -q first_function out
}
check "PERMOD_NO_DEBUGGER=1" asked_not_to

# A module does without names, not the other way round.
no_place_for_files()
{
    FILES=$work/nowhere memcheck ./host first.ko || return
    has err "first.ko done" && has out "Invalid read of size 4"
}
check "no folder for files" no_place_for_files

finish
