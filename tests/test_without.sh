#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A build without any library that can be left out: it compiles without a warning, needs libelf alone, does
# what it can, and says of the rest in one line that it was built without. Small, as it is a build of its
# own; which libraries this build has does not matter.

. "$(dirname "$0")/shell.sh"

build=$work/build
optional="urcu libkmod openssl liblzma libzstd zlib libdw"

build_all()
{
    without=
    for library in $optional; do
        without="$without --without-$library"
    done
    mkdir build && cd build || return
    # A build in the source tree itself stands in the way of others.
    "$source/configure" -q $without --enable-werror --disable-static CC="$CC" CFLAGS="-g -O1" &&
        make -j2 --no-print-directory libpercpu.la libpermod.la permod samples/counter.ko
    result=$?
    cd ..
    return $result
}

# configure would find those that it should leave out without a word.
needs_libelf_alone()
{
    readelf -d build/.libs/libpermod.so build/.libs/permod > needed &&
        grep -q 'NEEDED.*libelf' needed || return
    ! grep -E 'NEEDED.*lib(urcu|kmod|crypto|ssl|lzma|zstd|z|dw)[.-]' needed
}

module_counts()
{
    run "$permod" run --json --call tick --count 1000 "$build/samples/counter.ko" step=3 && is err "" &&
        sums_are "hits=3"
}

# refused TEXT ARGUMENT...: one line that says what is missing.
refused()
{
    wanted=$1
    shift
    run "$permod" "$@" && return 1
    [ "$(wc -l < err)" -eq 1 ] && has err "built without" && has err "$wanted"
}

rest_is_refused()
{
    cp "$build/samples/counter.ko" . && gzip -kf counter.ko && mkdir -p tree/lib/modules/1 &&
        touch tree/lib/modules/1/modules.dep && refused zlib run counter.ko.gz &&
        refused libkmod run --module-dir tree counter &&
        refused OpenSSL run --signatures enforce counter.ko
}

# Hooks count their callers by atomic operations then.
hooks_work()
{
    cat > hooks.c << 'END'
#include <permod/hook.h>
#include <permod/permod.h>

PERMOD_DECLARE_INT_HOOK(asked, (void *context, int value), (context, value));
PERMOD_DEFINE_HOOK(asked);

static int twice(void *context, int value)
{
	return permod_in_hook() && context ? 2 * value : 0;
}

int main(void)
{
	static struct permod_hook_entry entry;
	int before = PERMOD_CALL_HOOK(asked, 21), there, within;

	there = permod_register_asked(&entry, twice, &entry, 0);
	within = PERMOD_CALL_HOOK(asked, 21);
	return before || there || within != 42 || permod_unregister_asked(&entry) ||
	       PERMOD_CALL_HOOK(asked, 21);
}
END
    $CC -O2 $include hooks.c -o hooks "$build/.libs/libpermod.so" "$build/.libs/libpercpu.so" -pthread \
        -Wl,-rpath,"$build/.libs" && run ./hooks
}

# Check is a library of the tests, and not left out: the unit tests adapt.
unit_tests_adapt()
{
    make -C build -j2 --no-print-directory check TESTS='$(check_PROGRAMS)' \
        check_PROGRAMS="tests/test_find tests/test_hook tests/test_taint"
}

source=$(cd "$top_srcdir" && pwd)
permod=$build/permod
if [ -e "$source/config.status" ]; then
    skip "without libraries" "the source tree is configured itself, so no other build can be made of it"
    passed=1
    finish
fi
check "without: configure and build" build_all
check "without: libelf is all it needs" needs_libelf_alone
check "without: a module counts" module_counts
check "without: the rest says so" rest_is_refused
check "without: hooks" hooks_work
if pkg-config --exists 'check >= 0.15'; then
    check "without: unit tests" unit_tests_adapt
else
    skip "without: unit tests" "Check is not installed (Debian: check)"
fi

finish
