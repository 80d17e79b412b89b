# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What configure.ac asks of the compiler and the system, in words of its own.

# PERMOD_COMPILER_FLAGS(VARIABLE, FLAGS)
# Appends to VARIABLE those of FLAGS that the compiler takes without a word, one by one.
AC_DEFUN([PERMOD_COMPILER_FLAGS], [
AC_LANG_ASSERT([C])dnl
permod_saved_CFLAGS=$CFLAGS
for permod_flag in $2; do
    AC_MSG_CHECKING([whether $CC takes $permod_flag])
    CFLAGS="$permod_saved_CFLAGS -Werror $permod_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
        [AC_MSG_RESULT([yes])
         $1="$$1 $permod_flag"],
        [AC_MSG_RESULT([no])])
done
CFLAGS=$permod_saved_CFLAGS
])

# PERMOD_MISSING(WHAT, PACKAGE)
# Notes that WHAT was not found and that the Debian package PACKAGE has it.
AC_DEFUN([PERMOD_MISSING], [
permod_missing="$permod_missing
    $1 not found: install $2"
permod_missing_packages="$permod_missing_packages $2"
])

# PERMOD_LIBRARY(PREFIX, NAME, MODULE, MACRO, USE, [command])
# A library that permod can be built without, if --without-NAME says so: MODULE for pkg-config. Defines
# MACRO, sets have_NAME, and adds it to what static linking requires, unless the command alone uses it.
AC_DEFUN([PERMOD_LIBRARY], [
AC_ARG_WITH([$2],
    [AS_HELP_STRING([--without-$2], [leave out: $5])],
    [], [with_$2=yes])
AS_IF([test "x$with_$2" = xno],
    [have_$2="no: without $5"],
    [PKG_CHECK_MODULES([$1], [$3],
        [have_$2=yes
         m4_if([$6], [command], [], [PERMOD_REQUIRES_PRIVATE="$PERMOD_REQUIRES_PRIVATE, $3"])
         AC_DEFINE([$4], [1], [for $5])],
        [PERMOD_MISSING([$2 (for $5; or configure --without-$2)],
            m4_case([$2], [openssl], [libssl-dev], [zlib], [zlib1g-dev], [$2-dev]))])])
AC_SUBST([PERMOD_REQUIRES_PRIVATE])
])

# PERMOD_STOP_IF_MISSING
# Ends configure if anything was missing, with one message that names it all.
AC_DEFUN([PERMOD_STOP_IF_MISSING], [
AS_IF([test -n "$permod_missing"],
    [AC_MSG_ERROR([cannot build permod:$permod_missing
On Debian:
    apt-get install$permod_missing_packages])])
])

# PERMOD_SANITIZER
# --with-sanitizer=LIST: sets SANITIZER_FLAGS for everything that we compile except modules.
AC_DEFUN([PERMOD_SANITIZER], [
AC_ARG_WITH([sanitizer],
    [AS_HELP_STRING([--with-sanitizer=LIST],
        [build with sanitizers: address,undefined or thread])],
    [], [with_sanitizer=no])
SANITIZER_FLAGS=
AS_IF([test "x$with_sanitizer" != xno],
    [SANITIZER_FLAGS="-fsanitize=$with_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"
     permod_saved_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS $SANITIZER_FLAGS"
     AC_MSG_CHECKING([whether $CC links with -fsanitize=$with_sanitizer])
     AC_LINK_IFELSE([AC_LANG_PROGRAM()],
         [AC_MSG_RESULT([yes])],
         [AC_MSG_RESULT([no])
          AC_MSG_ERROR([$CC cannot link with -fsanitize=$with_sanitizer; with clang, install libclang-rt-14-dev])])
     CFLAGS=$permod_saved_CFLAGS])
AC_SUBST([SANITIZER_FLAGS])
])

# PERMOD_LOADER
# Sets permod_arch to the machine that elf/host.h takes for this host, permod_arch_file to its file in elf/arch/,
# enable_loader and the conditional LOADER: whether modules can be loaded there. If not, per-CPU memory is all that
# there is. A compiler is asked, not the host's name, since -m32 makes another architecture of the same host.
AC_DEFUN([PERMOD_LOADER], [
AC_MSG_CHECKING([for relocations of the host's architecture])
permod_arch=$(sed -n '/^#if defined(HOST_ARCH)/,/^#endif/p' "$srcdir/elf/host.h" |
    ${CC:-$any_compiler} $CPPFLAGS $CFLAGS -E -dM - 2>/dev/null |
    sed -n 's/^#define HOST_ARCH (&link_arch_\(.*\))$/\1/p')
# One file serves both orders of bytes, or both classes, of some.
permod_arch_file=$(grep -l "^const struct link_arch link_arch_${permod_arch:-none} = " "$srcdir"/elf/arch/*.c |
    sed 's|.*/||; s|\.c$||')
AC_SUBST([permod_arch_file])
AC_MSG_RESULT([${permod_arch:-none}])
AC_ARG_ENABLE([loader],
    [AS_HELP_STRING([--disable-loader],
        [build libpercpu alone: per-CPU memory without modules; so where modules can't be loaded])],
    [],
    [AS_IF([test -n "$permod_arch"], [enable_loader=yes], [enable_loader=no])])
AS_IF([test "x$enable_loader" != xno && test -z "$permod_arch"],
    [AC_MSG_ERROR([the loader has no relocations for what ${CC:-$any_compiler} compiles for;
configure --disable-loader builds libpercpu alone])])
AM_CONDITIONAL([LOADER], [test "x$enable_loader" != xno])
AM_CONDITIONAL([HOST_ARM], [test "x$permod_arch" = xarm])
AM_CONDITIONAL([LOADER_X86_64], [test "x$enable_loader" != xno && test "x$permod_arch" = xx86_64])
])

# PERMOD_ATOMICS
# ATOMIC_LIBS is libatomic if the CPU has no instructions for words of 64 bits. The libraries need none; the command
# counts in such words, and reads those of modules.
AC_DEFUN([PERMOD_ATOMICS], [
AC_MSG_CHECKING([for what atomic words of 64 bits need])
permod_saved_LIBS=$LIBS
for ATOMIC_LIBS in "" -latomic; do
    LIBS="$permod_saved_LIBS $ATOMIC_LIBS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[long long count;]],
        [[return (int)__atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);]])],
        [permod_atomics=yes
         break],
        [permod_atomics=no])
done
LIBS=$permod_saved_LIBS
AC_MSG_RESULT([${ATOMIC_LIBS:-nothing}])
AS_IF([test $permod_atomics = no], [AC_MSG_ERROR([$CC has no atomic operations, not even with libatomic])])
AC_SUBST([ATOMIC_LIBS])
])

# PERMOD_C_LIBRARY
# What only some C libraries have: each is asked for by itself.
AC_DEFUN([PERMOD_C_LIBRARY], [
permod_saved_LIBS=$LIBS
LIBS="$LIBS -ldl"
AC_CHECK_FUNCS([dlvsym getcpu gnu_get_libc_version mallinfo2 _dl_allocate_tls])
LIBS=$permod_saved_LIBS
dnl Where a fork's handlers have no handle, __cxa_finalize() does nothing.
AC_CHECK_FUNC([__register_atfork], [handlers_by_libc=yes], [handlers_by_libc=no])
AM_CONDITIONAL([HANDLERS_BY_LIBC], [test $handlers_by_libc = yes])
AC_CHECK_HEADERS([gnu/lib-names.h])
AC_CHECK_FUNC([backtrace], [have_backtrace="by the C library"], [PERMOD_UNWINDER])
AM_CONDITIONAL([HAVE_BACKTRACE], [test "$have_backtrace" = "by the C library"])
AS_IF([test "$have_backtrace" = "by the C library"],
    [AC_DEFINE([HAVE_BACKTRACE], [1], [Whether the C library has backtrace().])])
])

# PERMOD_UNWINDER
# The compiler's unwinder, where libc has no backtrace(): sets have_backtrace.  The archive of libgcc may
# have been made for another C library than the compiler is used with, and call _dl_find_object(), which
# is then the loader's.
AC_DEFUN([PERMOD_UNWINDER], [
AC_MSG_CHECKING([whether $CC links the unwinder])
m4_define([permod_unwind_prologue], [[
#include <unwind.h>
static _Unwind_Reason_Code see(struct _Unwind_Context *context, void *arg)
{
	(void)context;
	(void)arg;
	return _URC_NO_REASON;
}
]])dnl
AC_LINK_IFELSE([AC_LANG_PROGRAM([permod_unwind_prologue], [return _Unwind_Backtrace(see, 0);])],
    [have_backtrace="by the compiler's unwinder"],
    [AC_LINK_IFELSE([AC_LANG_PROGRAM([permod_unwind_prologue
int _dl_find_object(void *address, void *result);
int _dl_find_object(void *address, void *result)
{
	return !address || !result;
}], [return _Unwind_Backtrace(see, 0);])],
        [have_backtrace="by the compiler's unwinder, which was made for another C library"
         AC_DEFINE([NEED_DL_FIND_OBJECT], [1], [Whether the unwinder wants _dl_find_object() of us.])],
        [AC_MSG_RESULT([no])
         AC_MSG_ERROR([neither the C library nor $CC can walk a stack (no backtrace(), no unwinder)])])])
AC_MSG_RESULT([$have_backtrace])
])

# PERMOD_THREAD_POINTER
# Compilers know the name of the builtin for each machine, but not everywhere how to do it.
AC_DEFUN([PERMOD_THREAD_POINTER], [
AC_MSG_CHECKING([whether $CC knows the thread pointer])
AC_LINK_IFELSE([AC_LANG_PROGRAM([], [[return !__builtin_thread_pointer();]])],
    [AC_MSG_RESULT([yes])
     AC_DEFINE([HAVE_THREAD_POINTER], [1], [Whether the compiler has __builtin_thread_pointer().])],
    [AC_MSG_RESULT([no])])
])
