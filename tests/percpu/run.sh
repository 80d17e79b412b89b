# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the shell tests of per-CPU memory share; they read it in with `.`. It finds the sources and
# the built libraries, counts results, and has one function for "build this, run it, expect that".
#
# automake sets top_srcdir, top_builddir, CC, CXX and CLANG; by hand, top_builddir is needed if it
# is not the source tree.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir}
. "$top_srcdir/tests/results.sh"
# What command lines of built programs begin with, where this machine can't run them itself.
export EMULATOR=${EMULATOR-}

here=$top_srcdir/tests/percpu
libs=$top_builddir/.libs
work=$(mktemp -d "${TMPDIR:-/tmp}/permod-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

warnings="-Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror -Wno-unused-command-line-argument"
shared="$libs/libpercpu.so -Wl,-rpath,$libs"
static="$libs/libpercpu.a"

not_ok() {
	echo "not ok $1"
	sed 's/^/    /' "$work/log" | head -n 20
	failed=$((failed + 1))
}

# Run a command, quietly; its output is shown if the test fails.
quietly() {
	timeout 120 "$@" > "$work/log" 2>&1
}

# Whether what is built is for this machine.
is_native() {
	[ -z "$EMULATOR" ] && [ "$($CC -dumpmachine)" = "$(uname -m)-linux-gnu" ]
}

# Whether the machine's programs and what is built can be in one process.
is_like_others() {
	is_native && has_glibc
}

# has_linker NAME: whether the compiler has it.  For other machines there may be others, that lack much.
has_linker() {
	if is_native; then command -v ld.$1 > "$work/log"; else [ $1 = bfd ]; fi
}

# makes_static FLAG...: whether programs that are made so run, and have no dynamic linker.  A compiler that is told
# of one, as musl-gcc is, gives it to all, or so do some linkers.
makes_static() {
	echo 'int main(void) { return 0; }' > "$work/kind.c"
	quietly $CC "$@" -o "$work/kind" "$work/kind.c" && ! readelf -lW "$work/kind" | grep -q INTERP &&
		quietly $EMULATOR "$work/kind"
}

# Whether addresses have 64 bits.
is_wide() {
	[ "$(echo __SIZEOF_POINTER__ | $CC -E -P -)" = 8 ]
}

# check NAME COMMAND...: the command must succeed.
check() {
	name=$1
	shift
	if quietly "$@"; then ok "$name"; else not_ok "$name"; fi
}

# build_and_run NAME COMPILER ARGUMENT...: compile and link to a program that must exit with 0.
build_and_run() {
	name=$1
	shift
	rm -f "$work/program"
	if quietly "$@" -I"$top_srcdir/include" -o "$work/program" -pthread &&
		quietly $EMULATOR "$work/program"; then
		ok "$name"
	else
		not_ok "$name"
	fi
}

for library in "$libs/libpercpu.so" "$libs/libpercpu.a"; do
	[ -e "$library" ] && continue
	echo "not ok libraries: $library is not built (set top_builddir)"
	exit 1
done

# Programs that are built here know nothing of the sanitizers that the libraries may be built with.
if nm -D "$libs/libpercpu.so" | grep -q ' U __[atu][a-z]*san_'; then
	skip "all" "the libraries are built with a sanitizer"
	exit 77
fi
