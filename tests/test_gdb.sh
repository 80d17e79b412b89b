#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules under gdb: break in one by name, look at its variables, step, walk up the stack; with debug
# information of several kinds and with none; in programs that gdb starts and in those that run
# already; and nothing of it after the module has gone.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/gdb
LD_LIBRARY_PATH=$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
unset PERMOD_NO_DEBUGGER PERMOD_PACK

if ! installed gdb; then
    skip all "gdb is not installed"
    exit 77
fi
# With libraries of a sanitizer, the program is not what a debugger meets.
if [ -n "$sanitizers" ]; then
    skip all "the libraries are built with a sanitizer"
    exit 77
fi
printf 'run\nquit\n' > probe
if ! timeout 60 gdb -batch -nx -x probe --args true 2>&1 | grep -q 'exited normally'; then
    skip all "this system lets gdb start no program"
    exit 77
fi

# line FILE COMMENT: the number of the line that has it.
line()
{
    grep -n "/\* $2 \*/" "$here/$1" | cut -d: -f1
}

if ! timeout 60 gdb -batch -nx -ex 'python print("has python")' 2>&1 | grep -q '^has python'; then
    skip all "this gdb is built without python"
    exit 77
fi

# script < COMMANDS: for gdb, with what all need. `known NAME` says whether there is such a symbol: a
# command that fails would end the script.
make_script()
{
    cat > script <<END
set pagination off
set width 0
set confirm off
set breakpoint pending on
set debuginfod enabled off
source $top_srcdir/tools/permod-gdb.py
set \$cpu = $cpu
python
class Known(gdb.Command):
    def __init__(self):
        super().__init__("known", gdb.COMMAND_USER)
    def invoke(self, name, from_tty):
        try:
            gdb.execute("info address " + name, to_string=True)
            print(name, "is known")
        except gdb.error:
            print(name, "is unknown")
Known()
end
END
    cat >> script
    echo quit >> script
}

# gdb_runs MODULE... < COMMANDS: what gdb says of `permod run` with these modules is in the file out.
gdb_runs()
{
    make_script
    timeout 120 gdb -batch -nx -x script --args "$libs/permod" run --call tick --cpus "$cpu" "$@" \
        > out 2>&1 < /dev/null
    ! grep -q 'Error in sourced command file' out || { echo "gdb gave up"; return 1; }
}

# compile COMPILER FLAG...: one.ko and two.ko.
compile()
{
    for file in one two; do
        "$@" $include -c -o $file.ko "$here/$file.c" || return
    done
}

# ---- With debug information ----------------------------------------------------------------------

# Values follow from the source: total is 3 + 2 when inner() begins, then 5 + 8 + 8; of the CPU's
# hits there are 7 + 5.
everything_is_seen()
{
    gdb_runs two.ko -- one.ko <<'END' || return
break inner
run
printf "in inner: total %d, here %d %d\n", total, here.x, here.y
printf "hits %ld, on all %ld\n", $per_cpu(hits, $cpu), $per_cpu_sum(hits) - 7 * $per_cpu_sum(ones)
printf "by pointer %ld\n", *$per_cpu_ptr(&hits, $cpu)
backtrace 3
finish
break other
continue
printf "in other: number %d, total %d\n", number, total
backtrace 3
list
up
printf "in tick: total %d\n", total
delete
break permod_free
continue
known inner
known other
delete
continue
END
    has out "in inner: total 5, here 11 22" && has out "hits 12, on all 5" &&
        has out "by pointer 12" && has out "in other: number 21, total 100" &&
        has out "in tick: total 21" &&
        has out "Value returned is \$1 = 8" &&
        grep -qE "^#0 .*\<inner \(number=.*\) at .*one\.c:[0-9]+" out &&
        grep -qE "^#1 .* in tick \(\) at .*one\.c:$(line one.c "tick calls inner")\$" out &&
        grep -qE "^#0 .*\<other \(number=21\) at .*two\.c:$(line two.c "other begins")\$" out &&
        grep -qE "^#1 .* in tick \(\) at .*one\.c:$(line one.c "tick calls other")\$" out &&
        grep -q "^#2 .* in caller_main" out && has out "/* other begins */" &&
        has out "inner is unknown" && has out "other is unknown" && has out "exited normally"
}

# Flags of each compiler: formats of debug information, compression, sections of their own.
while read -r compiler flags; do
    [ "$compiler" = gcc ] && program=$CC || program=$CLANG
    if [ -z "$program" ] || ! installed "$program"; then
        skip "$compiler $flags" "not installed"
        continue
    fi
    if compile $program $flags > log 2>&1; then
        check "$compiler $flags" everything_is_seen
    else
        not_ok "$compiler $flags: compile"
    fi
done <<END
gcc -O0 -g
gcc -O2 -g -fPIC
gcc -O2 -gdwarf-4 -gz -fno-pie
gcc -O1 -g3 -gz -ffunction-sections -fdata-sections -fdebug-types-section
clang -O0 -g
clang -O2 -g -gz -ffunction-sections
clang -O1 -gdwarf-4 -fPIC
END

compile "$CC" -O0 -g > log 2>&1 || exit 1

lines_are_stepped()
{
    gdb_runs two.ko -- one.ko <<'END' || return
break inner
run
next
next
step
info locals
tbreak tick
info breakpoints
END
    grep -q "^$(line one.c "inner begins")[[:space:]]" out &&
        grep -q "^$(line one.c "inner goes on")[[:space:]]" out && has out "doubled = 8" &&
        grep -q "in tick at .*one.c:" out
}
check "step by lines" lines_are_stepped

# A breakpoint left in init's memory would write into what comes there next.
init_comes_and_goes()
{
    gdb_runs two.ko -- one.ko <<'END' || return
break one_init
run
next
printf "in init: total %d\n", total
break tick
continue
info breakpoints
known one_init
continue
END
    grep -q "^$(line one.c "init")[[:space:]]" out && has out "in init: total 5" &&
        has out "one_init is unknown" && has out "exited normally" && grep -q "^sum " out
}
check "break in init" init_comes_and_goes

members_of_an_archive()
{
    ar rcs both.a one.ko two.ko || return
    gdb_runs both.a <<'END' || return
break other
run
printf "two %d, one %d\n", total, 'one.c'::total
backtrace 2
END
    has out "two 100, one 21" && grep -q "^#1 .*one.c:$(line one.c "tick calls other")\$" out
}
check "an archive of two objects" members_of_an_archive

# gdb opens the object that such variables come with, by the name that it has. The thread that calls is
# not the first one, in which nobody changes them; it has added 2 to 5 when it calls again.
local_values()
{
    gdb_runs --count 2 local.ko <<'END' || return
break tick
run
continue
printf "in tick: %d %ld, total %d\n", own, other, total
print bytes_of_tick[3]
ptype bytes_of_tick
thread 1
printf "not in tick: %d %ld %d\n", own, other, bytes_of_tick[3]
END
    has out "in tick: 7 9, total 8" && has out "= 1 '" && has out "type = char [100]" &&
        has out "not in tick: 5 7 0"
}

# Wrong values would be worse than none.
no_local_values()
{
    gdb_runs local.ko <<'END' || return
break tick
run
printf "in tick: total %d\n", total
python
try:
    print("own is", gdb.parse_and_eval("own"))
except gdb.error as error:
    print("no value:", error)
end
continue
END
    has out "in tick: total 3" && has out "no value: Cannot access memory" && has out "exited normally"
}
cat > local.c <<'END'
static __thread int own = 5;
__thread long other = 7;
static __thread char bytes_of_tick[100];
extern __thread int number;
int total = 3;
void tick(void);
void tick(void) { total += own; own += 2; other += 2; number += 2; bytes_of_tick[3]++; }
END
echo '__thread int number = 2;' > number.c
has_glibc || skip "thread-local variables" "gdb finds them with glibc's libthread_db alone"
for compiler in "$CC" $second; do
    has_glibc && installed "$compiler" || continue
    for flags in "" -fno-pie "-fPIC -ftls-model=initial-exec"; do
        $compiler -O0 -g $flags -c local.c -o one.o && $compiler -O0 -g $flags -c number.c -o two.o &&
            ld -r -o local.ko one.o two.o || exit 1
        check "thread-local variables: $compiler $flags" local_values
    done
    $compiler -O0 -g -fPIC -c local.c -o one.o && $compiler -O0 -g -fPIC -c number.c -o two.o &&
        ld -r -o local.ko one.o two.o || exit 1
    check "thread-local variables: $compiler -fPIC" no_local_values
done

own_pages()
{
    PERMOD_PACK=0 everything_is_seen
}
check "in pages of a module's own" own_pages

# ---- Without --------------------------------------------------------------------------------------

names_alone()
{
    gdb_runs two.ko -- one.ko <<'END' || return
break other
run
backtrace 3
info symbol inner
delete
break permod_free
continue
known other
END
    grep -qE "^#0 .*\<other \(\)" out && grep -qE "^#1 .* in tick \(\)" out &&
        grep -q "^#2 .* in caller_main" out && grep -q "^inner in section .text" out &&
        has out "other is unknown"
}
compile "$CC" -O2 -fomit-frame-pointer > log 2>&1 || exit 1
check "no debug information" names_alone

nothing_is_seen()
{
    PERMOD_NO_DEBUGGER=1 gdb_runs two.ko -- one.ko <<'END' || return
break do_calls
break permod_unload
run
known other
END
    has out "other is unknown"
}
check "PERMOD_NO_DEBUGGER=1" nothing_is_seen

# ---- A process that runs ---------------------------------------------------------------------------

compile "$CC" -O0 -g > log 2>&1 || exit 1
"$libs/permod" run --call tick --cpus "$cpu" --duration 60 two.ko -- one.ko > run.out 2>&1 &
process=$!
trap 'kill $process 2> /dev/null; rm -rf "$work"' EXIT

attached()
{
    make_script <<'END'
break inner
continue
backtrace 2
printf "more than %d\n", $per_cpu(hits, $cpu) > 7
kill
END
    timeout 60 gdb -batch -nx -x script -p $process > out 2>&1 < /dev/null
    grep -qE "^#1 .* in tick \(\) at .*one\.c:$(line one.c "tick calls inner")\$" out &&
        has out "more than 1"
}

# Wait until it runs.
for i in 1 2 3 4 5 6 7 8 9 10; do
    grep -q ' rw-p .*permod' /proc/$process/maps 2> /dev/null && break
    sleep 0.1
done
sleep 0.3
if timeout 60 gdb -batch -nx -p $process < /dev/null 2>&1 | grep -qi 'not permitted'; then
    skip "attach" "this system does not let gdb attach to a process"
else
    check "attach to a process" attached
fi

finish
