#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a crash in a module, or below one, tells of where it was; and that it ends the process as it
# would have without.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/crash

# Sanitizers have handlers of their own.
if [ -n "$sanitizers" ]; then
    skip all "the libraries are built with a sanitizer"
    exit 77
fi
ulimit -c 0
$CC -O1 $include -c -o module.ko "$here/module.c" || exit 1

# crashes FUNCTION STATUS PATTERN...: this is the status, and a line of stderr has each pattern.
crashes()
{
    function=$1
    wanted=$2
    shift 2
    "$permod" run --call "$function" --cpus "$cpu" module.ko > out 2> err
    status=$?
    [ $status -eq "$wanted" ] || { echo "status $status, not $wanted"; return 1; }
    for pattern; do
        grep -qE -e "$pattern" err || { echo "err lacks: $pattern"; return 1; }
    done
}

hex="0x[0-9a-f]+"
check "a bad access in a static function" crashes bad_access 139 \
    "^crashed by signal SIGSEGV, a bad memory access at 0x0, in:\$" \
    "^ #0 $hex module:\.text inner\+$hex\$" "^ #1 $hex module:\.text bad_access\+$hex\$" \
    "^ #2 $hex permod \+$hex\$"
if has_glibc; then
    check "in a function that the C library calls" crashes bad_access_by_program 139 \
        "^ #0 $hex module:\.text compare\+$hex\$" "^ #[1-9] $hex libc\.so\.6 qsort(_r)?\+$hex\$" \
        "^ #[1-9] $hex module:\.text bad_access_by_program\+$hex\$"
    check "abort()" crashes die 134 "^crashed by signal SIGABRT, an abort, in:\$" \
        "^ #[0-9]+ $hex libc\.so\.6 abort\+$hex\$" "^ #[0-9]+ $hex module:\.text die\+$hex\$"
else
    skip "in a function that the C library calls" "this one has no unwind information, so there it ends"
    skip "abort()" "the same"
fi
check "a division by zero" crashes divide 136 "SIGFPE" "^ #0 $hex module:\.text divide\+$hex\$"
check "a trap" crashes trap 132 "SIGILL" "^ #0 $hex module:\.text trap\+$hex\$"
check "a per-CPU variable used like another" crashes direct_access 139 \
    "SIGSEGV, a bad .* at $hex module:\.data\.percpu hits\+0x0, a per-CPU variable without this_cpu_\*\(\), in:\$" \
    "^ #0 $hex module:\.text direct_access\+$hex\$"
check "a stack that overflows" crashes overflow 139 "SIGSEGV, a bad memory access at $hex" \
    "^ #0 $hex module:\.text deeper\+$hex\$" "^#50 $hex module:\.text deeper\+$hex\$"
check "a call of nothing" crashes call_nowhere 139 "SIGSEGV, a bad memory access at 0x0, in:\$" \
    "^ #0 0x0+ \?\$" "^ #1 $hex module:\.text call_nowhere\+$hex\$"
map_tells()
{
    "$permod" map --call bad_access module.ko > out 2> err
    [ $? -eq 139 ] && grep -qE "^ #0 $hex module:\.text inner\+$hex\$" err
}
check "a crash under permod map" map_tells
check "no crash" crashes nothing 0
check "says nothing" is err ""

$CC -O1 $include -o host "$here/host.c" -rdynamic "$libs/libpermod.so" "$libs/libpercpu.so" \
    -Wl,-rpath,"$libs" -Wl,--eh-frame-hdr > log 2>&1 || not_ok "build host"
$CC -O1 -c -o back.ko "$here/back.c" || exit 1

# The program's own function comes first, then those of the module.
stack_is_written()
{
    run ./host back.ko 0 && grep -qE "^ #0 $hex host called_back\+$hex\$" out &&
        grep -qE "^ #1 $hex back:\.text pass_on\+$hex\$" out &&
        grep -qE "^ #2 $hex back:\.text call_back\+$hex\$" out &&
        grep -qE "^ #3 $hex host main\+$hex\$" out && return_address_is_right
}

# It is where objdump shows the instruction behind the call.
return_address_is_right()
{
    offset=$(sed -n 's/^ #1 .*pass_on+0x//p' out)
    objdump -d --no-show-raw-insn back.ko > log &&
        places=$(awk '
            /<pass_on>:$/ { start = $1; inside = 1 }
            inside && /call/ { getline; sub(":", "", $1); print "0x" $1, "0x" start; exit }' log) &&
        [ $((0x$offset)) -eq $((${places% *} - ${places#* })) ]
}
check "permod_backtrace()" stack_is_written

program_crashes()
{
    ./host back.ko 1 > out 2> err
    [ $? -eq 139 ] && has err "a bad memory access at 0x8, in:" &&
        grep -qE "#[0-3] $hex host called_back\+$hex\$" err &&
        grep -qE "#[1-4] $hex back:\.text pass_on\+$hex\$" err
}
check "a crash of the program below a module" program_crashes

finish
