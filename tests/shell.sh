# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the shell tests of loading share; they read it in with `.`. It finds the sources and what is
# built, makes a folder to work in and goes there, counts results, and has functions for "load this,
# call that function, expect these sums".
#
# automake sets top_srcdir, top_builddir, CC, CXX and CLANG; by hand, top_builddir is needed if it
# is not build/.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/build}
. "$top_srcdir/tests/results.sh"

permod=$top_builddir/permod
libs=$top_builddir/.libs
include="-I$top_srcdir/include"
unset PERCPU_OPS PERCPU_CPUS PERCPU_RESERVED PERCPU_DYNAMIC PERCPU_UNIT PERCPU_DEBUG
unset PERCPU_NODES PERCPU_HUGE
LC_ALL=C
export LC_ALL

work=$(mktemp -d "${TMPDIR:-/tmp}/permod-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 1

# Under an emulator the command is called as what libtool's script calls.
if [ -n "${EMULATOR-}" ]; then
    permod=$work/permod
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%s exec %s %s "$@"\n' "$libs" "$EMULATOR" "$libs/permod" > permod
    chmod +x permod
fi

if ! [ -x "$permod" ]; then
    echo "not ok command: $permod is not built (set top_builddir)"
    exit 1
fi

# The first CPU that this process may use.
cpu=$(python3 -c 'import os; print(min(os.sched_getaffinity(0)))')

# The flags of the sanitizers that the libraries are built with. Programs that use them need these too,
# and what is about handlers, debuggers or other sanitizers is not to be tested then.
sanitizers=
for pair in __asan_:address __ubsan_:undefined __tsan_:thread; do
    nm -D "$libs/libpermod.so" 2> log | grep -q "${pair%:*}" &&
        sanitizers="$sanitizers -fsanitize=${pair#*:}"
done

# What the last commands wrote to the files log, out and err is shown.
not_ok()
{
    echo "not ok $1"
    for file in log out err; do
        [ ! -s $file ] || head -n 40 $file | cut -c 1-300 | sed "s/^/    $file: /"
    done
    failed=$((failed + 1))
}

# check NAME COMMAND...: the command must succeed.
check()
{
    title=$1
    shift
    : > log
    : > out
    : > err
    if "$@" > log 2>&1; then ok "$title"; else not_ok "$title"; fi
}

installed()
{
    command -v "$1" > log 2>&1
}

# Run a command; its output goes to the files out and err.
run()
{
    timeout 120 "$@" > out 2> err < /dev/null && return
    echo "status $?: $*"
    return 1
}

# is FILE TEXT, has FILE TEXT: the whole file; a part of a line of it.
is()
{
    [ "$(cat "$1")" = "$2" ] || { echo "$1 is not: $2"; return 1; }
}

has()
{
    grep -qF -e "$2" "$1" || { echo "$1 lacks: $2"; return 1; }
}

# sums_are "VARIABLE=STEP ...": the JSON document in the file out has these per-CPU variables, and on
# each CPU the value is STEP for each call; VARIABLE=BEGIN+STEP for one that begins with a value.
sums_are()
{
    python3 -c '
import json, sys
found = json.load(open("out"))
variables = {v["name"]: v for m in found["modules"] for v in m["variables"]}
assert found["calls"], "nothing was called"
for wanted in sys.argv[1].split():
    name, _, value = wanted.partition("=")
    begin, _, step = value.rpartition("+")
    per_cpu = variables[name]["per_cpu"]
    right = {cpu: int(begin or 0) + int(step) * found["calls"].get(cpu, 0) for cpu in per_cpu}
    if per_cpu != right or variables[name]["sum"] != sum(right.values()):
        sys.exit("%s: found %s, wanted %s" % (name, per_cpu, right))
' "$1"
}

# counts "VARIABLE=STEP ..." FUNCTION ARGUMENT...: `permod run` calls the function ten times on each
# CPU, and the variables have these values.
counts()
{
    sums=$1
    function=$2
    shift 2
    run "$permod" run --json --call "$function" --count 10 "$@" && sums_are "$sums"
}
