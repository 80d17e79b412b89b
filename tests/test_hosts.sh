#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Programs of many kinds that load modules: position-independent, fixed and static ones, linked with
# the shared libraries or the archives, in C and C++, with copies of libc's variables or without; and
# python3, which knows nothing of permod. Which modules load into which of them, what is refused,
# and what the refusal says.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/hosts
shared="$libs/libpermod.so $libs/libpercpu.so -Wl,-rpath,$libs"
archives="$libs/libpermod.a $libs/libpercpu.a"
warnings="-Wall -Wextra -Werror"

# Programs that are built here know nothing of the sanitizers that the libraries may be built with.
if [ -n "$sanitizers" ]; then
    skip "all" "the libraries are built with a sanitizer"
    exit 77
fi

# host NAME COMPILER ARGUMENT...: build the program NAME from host.c.
host()
{
    program=$1
    shift
    "$@" -O2 $warnings $include -pthread -o "$program" > log 2>&1 && return
    not_ok "build $program: $*"
    return 1
}

# module NAME FLAG...: build NAME.ko by the plain compiler.
module()
{
    object=$1
    shift
    $CC -O2 $include "$@" -c -o "$object.ko" "$here/module.c" || exit 1
}

# What programs are started by, if anything: a change of where the kernel puts things.
run_as=

# gives HOST MODULE "NAME=SUM ..." LINES: the module loads, these are the sums, and it has written
# this many lines to stderr.
gives()
{
    run $run_as "./$1" "$2.ko" && is out "$(printf '%s\n' $3)" && [ "$(wc -l < err)" -eq "$4" ] &&
        [ "$(grep -c '^written by the module$' err)" -eq "$4" ]
}

# refuses HOST MODULE PATTERN...: it does not load, and the one line has all this.
refuses()
{
    program=$1
    ko=$2.ko
    shift 2
    timeout 60 $run_as "./$program" "$ko" > out 2> err
    [ $? -eq 1 ] && is err "" && [ "$(wc -l < out)" -eq 1 ] && has out "error: $ko: " || return
    for pattern; do
        grep -qE -e "$pattern" out || { echo "out lacks: $pattern"; return 1; }
    done
}

# ---- What they load ----------------------------------------------------------------------------

module plain
module stderr -DPERCPU -DSTDERR
module call -DPERCPU -DSTDERR -DCALL -DHITS
for flag in "" -fPIC -fno-pie; do
    module value$flag $flag -DVALUE -DCALL
    module environ$flag $flag -DENVIRON -DPERCPU -DSTDERR
    module all$flag $flag -DPERCPU -DSTDERR -DCALL -DVALUE
done

# Twenty calls add 1 each, 3 by the host's function, or 101 where environ is the right one.
plain="host_hits=0 host_value=1000"
stderr="hits=20 $plain"
call="hits=60 host_hits=60 host_value=1000"
value="host_hits=0 host_value=1060"
environ="hits=2020 $plain"
all="hits=60 $value"

# What every program can load, however it is made.
loads_what_all_can()
{
    check "$1: a module without anything" gives "$1" plain "$plain" 0
    check "$1: per-CPU variable and stderr" gives "$1" stderr "$stderr" 20
    check "$1: and the host's function and per-CPU variable" gives "$1" call "$call" 20
    check "$1: the host's data" gives "$1" value "$value" 0
    check "$1: the host's data, -fPIC" gives "$1" value-fPIC "$value" 0
    check "$1: environ, -fPIC" gives "$1" environ-fPIC "$environ" 20
    check "$1: all at once, -fPIC" gives "$1" all-fPIC "$all" 20
}

has_copies()
{
    readelf -rW "$1" | grep -q 'R_X86_64_COPY.* stderr'
}

# Some compilers load the address of whatever is elsewhere from the GOT, without being told to.
names_directly()
{
    readelf -rW "$1.ko" | grep -Eq "R_X86_64_(PC32|32|32S) .* $2"
}

# The host's data is far from libc's, and from the per-CPU variables.
host_data_is_far()
{
    if names_directly all host_value; then
        check "$1: the host's data and libc's are refused by name" refuses "$1" all host_value \
            "stderr|hits" -fPIC
    else
        check "$1: the host's data and libc's" gives "$1" all "$all" 20
    fi
    if has_copies "$1" && names_directly environ environ; then
        check "$1: the copy of environ and per-CPU variables are refused by name" \
            refuses "$1" environ environ "stderr|hits" -fPIC
    else
        check "$1: libc's environ" gives "$1" environ "$environ" 20
    fi
}

# ---- Programs with a dynamic linker ------------------------------------------------------------

# What the archives need: of permod.pc, without those themselves.
libraries=$(PKG_CONFIG_PATH=$top_builddir pkg-config --static --libs permod |
    tr ' ' '\n' | grep -vx -e '-lpermod' -e '-lpercpu' -e '-L.*' | tr '\n' ' ')
for library in shared archives; do
    link=$shared
    [ $library = shared ] || link="$archives $libraries"
    if host "pie-$library" $CC "$here/host.c" $link; then
        has_copies "pie-$library" ||
            skip "pie-$library: copies" "the linker makes no copies of libc's variables here"
        loads_what_all_can "pie-$library"
        host_data_is_far "pie-$library"
        check "pie-$library: the host's data, -fno-pie" gives "pie-$library" value-fno-pie \
            "$value" 0
        check "pie-$library: libc's data and -fno-pie are refused by name" \
            refuses "pie-$library" all-fno-pie "host_value|stderr" -fPIC
    fi
    if host "no-copies-$library" $CC -DNO_COPIES "$here/host.c" $link; then
        loads_what_all_can "no-copies-$library"
        host_data_is_far "no-copies-$library"
    fi
    if host "pic-$library" $CC -fPIC -pie "$here/host.c" $link; then
        loads_what_all_can "pic-$library"
        host_data_is_far "pic-$library"
    fi
    if host "fixed-$library" $CC -fno-pie -no-pie "$here/host.c" $link; then
        loads_what_all_can "fixed-$library"
        host_data_is_far "fixed-$library"
        check "fixed-$library: the host's data, -fno-pie" gives "fixed-$library" value-fno-pie \
            "$value" 0
        # Its copies of libc's variables are near its own, and so can be the module.
        check "fixed-$library: all at once, -fno-pie" gives "fixed-$library" all-fno-pie "$all" 20
        check "fixed-$library: environ, -fno-pie" gives "fixed-$library" environ-fno-pie \
            "$environ" 20
    fi
done
for linker in gold lld mold; do
    if ! installed ld.$linker; then
        skip "pie-$linker" "not installed"
    elif host "pie-$linker" $CC -fuse-ld=$linker "$here/host.c" $shared; then
        loads_what_all_can "pie-$linker"
        host_data_is_far "pie-$linker"
    fi
done
if [ -n "$CLANG" ] && installed "$CLANG" && host "pie-clang" "$CLANG" "$here/host.c" $shared; then
    loads_what_all_can pie-clang
    host_data_is_far pie-clang
fi

# Wherever the kernel puts things.
for layout in -R -L; do
    run_as="setarch $(uname -m) $layout"
    for program in pie-shared no-copies-shared fixed-shared; do
        if ! $run_as true 2> log; then
            skip "$program $layout" "setarch does not work here"
            continue
        fi
        check "$program $layout: per-CPU variable and stderr" gives $program stderr "$stderr" 20
        check "$program $layout: all at once, -fPIC" gives $program all-fPIC "$all" 20
        ! names_directly all host_value ||
            check "$program $layout: the host's data and libc's are refused by name" \
                refuses $program all host_value "stderr|hits" -fPIC
    done
done
run_as=

# ---- Programs without --------------------------------------------------------------------------

# The linker warns that dlopen() in a static program needs libc's shared objects; it isn't used.
for kind in -static -static-pie; do
    program=host$kind
    if ! echo 'int main(void) { return 0; }' | $CC $kind -x c -o probe - $libraries 2> log; then
        skip "$program" "a library that permod needs is there as a shared library only"
        continue
    elif readelf -lW probe | grep -q INTERP; then
        skip "$program" "the compiler makes another kind of program (musl-gcc does not know it)"
        continue
    fi
    host "$program" $CC $kind -DEXPORT_LIBC "$here/host.c" $archives $libraries || continue
    loads_what_all_can "$program"
    check "$program: everything is near" gives "$program" all "$all" 20
    check "$program: environ" gives "$program" environ "$environ" 20
done

# Exceptions are found by the unwinder that such a program has in itself, and nothing is opened.
throws_through()
{
    cat > throws.cc <<EOF
#include <permod/permod.h>
#include <cstdio>
#include <cstring>

static void throw_number()
{
	throw 5;
}

static bool has_libraries()
{
	FILE *maps = std::fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	while (std::fgets(line, sizeof(line), maps))
		found = found || std::strstr(line, ".so");
	std::fclose(maps);
	return found;
}

int main()
{
	struct permod *pm;
	struct permod_module *m;

	if (permod_new(&pm, nullptr) || permod_load(pm, "passes.ko", nullptr, 0, &m))
		return 2;
	auto passes = reinterpret_cast<void (*)(void (*)())>(permod_symbol(m, "passes"));
	try {
		passes(throw_number);
	} catch (int number) {
		permod_free(pm);
		return number == 5 && !has_libraries() ? 0 : 3;
	}
	return 4;
}
EOF
    echo 'int passed; void passes(void (*f)(void)) { f(); passed++; }' > passes.c
    $CC -O2 -c -o passes.ko passes.c &&
        $CXX $1 -O2 $include -pthread -o throws throws.cc $archives $libraries 2> log &&
        run ./throws
}

for kind in -static -static-pie; do
    if [ -z "$CXX" ] || ! echo 'int main() { try { throw 1; } catch (int) { return 0; } }' |
        $CXX $kind -x c++ -o probe - $libraries 2> log; then
        skip "exceptions, $kind" "no C++ compiler, or its libraries or those that permod needs are there as shared ones only"
        continue
    fi
    check "exceptions pass modules, $kind" throws_through $kind
done

# ---- C++ ---------------------------------------------------------------------------------------

cxx_compilers=$CXX
if [ -n "$CLANG" ] && [ "${CLANG}++" != "$CXX" ] && installed "${CLANG}++"; then
    cxx_compilers="$CXX ${CLANG}++"
fi
cxx_host()
{
    "$@" -O2 $warnings -Wpedantic $include -pthread -o cxx "$here/host.cc" $shared &&
        gives cxx stderr "$stderr" 20 && gives cxx call "$call" 20 && gives cxx value "$value" 0 &&
        gives cxx all-fPIC "$all" 20 || return
    ! names_directly all host_value || refuses_in_cxx
}

# It goes on to print its own sums.
refuses_in_cxx()
{
    timeout 60 ./cxx all.ko > out 2> err
    [ $? -eq 1 ] && has out "error: all.ko: " && has out host_value && has out -fPIC
}

[ -n "$cxx_compilers" ] || skip "C++ host" "no C++ compiler"
for compiler in $cxx_compilers; do
    for standard in c++11 c++14 c++17 c++20 gnu++11 gnu++20; do
        check "C++ host: $compiler -std=$standard" cxx_host $compiler -std=$standard
    done
done

# ---- A host that is no program of ours ---------------------------------------------------------

from_python()
{
    LD_LIBRARY_PATH=$libs run python3 -c '
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
pm, module = ctypes.c_void_p(), ctypes.c_void_p()
lib.permod_error.restype = ctypes.c_char_p
lib.permod_symbol.restype = ctypes.c_void_p
class variable(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("cookie", ctypes.c_void_p), ("size", ctypes.c_size_t)]
def good(status):
    if status < 0:
        sys.exit(lib.permod_error(pm).decode())
good(lib.permod_new(ctypes.byref(pm), None))
for i in range(3):
    good(lib.permod_load(pm, b"stderr.ko", None, 0, ctypes.byref(module)))
    work = ctypes.CFUNCTYPE(None)(lib.permod_symbol(module, b"work"))
    for call in range(4):
        work()
    found = variable()
    good(lib.permod_variable(module, 0, ctypes.byref(found)))
    print(found.name.decode(), found.size)
    good(lib.permod_unload(module, 0))
lib.permod_free(pm)
' "$libs/libpermod.so" && is out "$(printf 'hits 8\nhits 8\nhits 8')" &&
        [ "$(grep -c '^written by the module$' err)" -eq 12 ]
}

if has_glibc; then
    check "python3 by ctypes" from_python
else
    skip "python3 by ctypes" "it has another C library"
fi

finish
