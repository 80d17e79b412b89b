# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What all shell tests share, by shell.sh and percpu/run.sh: the compilers, counting of results, and what a script
# ends with. A script that leaves all out, as there is nothing for it, is skipped.

CC=${CC:-gcc}
CXX=${CXX-g++}
CLANG=${CLANG-clang}
# The second compiler, if there is one.
second=$CLANG
[ "$CLANG" != "$CC" ] || second=

passed=0
failed=0
skipped=0

ok() {
	echo "ok $1"
	passed=$((passed + 1))
}

skip() {
	echo "skip $1: $2"
	skipped=$((skipped + 1))
}

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] || exit 1
	[ "$passed" -gt 0 ] && exit
	[ "$skipped" -gt 0 ] && exit 77
	exit 1
}

# Whether what is built has glibc: other C libraries unload nothing, and the machine's programs can't use what
# is built with them.
has_glibc() {
	[ "$(printf '#include <features.h>\n__GLIBC__' | $CC -E -P - | tail -n 1)" != __GLIBC__ ]
}
