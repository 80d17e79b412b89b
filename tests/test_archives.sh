#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Large libraries that nobody wrote to be modules: Debian's static archives of zlib, Lua, SQLite and
# OpenSSL's libcrypto, each with one small object of ours added, are loaded by `permod run` and must
# compute what other programs compute: python3's zlib and sqlite3, its arithmetic, sha256sum.
#
# Each is loaded as a whole, and again with --root, when only the members that are needed are taken,
# and with the library beside the object instead of with the object in it.

. "$(dirname "$0")/shell.sh"

here=$top_srcdir/tests/archives

# add_driver NAME LIBRARY PACKAGE: the file NAME.a, the library with tests/archives/NAME.c added.
add_driver()
{
    archive=$($CC -print-file-name="$2")
    # What was compiled for another architecture is not in its compiler's folders.
    [ -f "$archive" ] || archive=${PKG_CONFIG_LIBDIR-}/../$2
    driver=$1-driver.o
    if ! [ -f "$archive" ]; then
        skip "$1" "$2 is not installed (Debian: $3)"
        return 1
    fi
    cp "$archive" "$1.a" && chmod u+w "$1.a" && $CC -O2 $include ${PKG_CONFIG_LIBDIR:+-I$PKG_CONFIG_LIBDIR/../../include} -c -o "$1-driver.o" "$here/$1.c" > log 2>&1 &&
        ar rcs "$1.a" "$1-driver.o" && return
    not_ok "$1: its driver compiles"
    return 1
}

# once OPTION... FILE ARGUMENT...: one call, of the function $call, on one CPU.
once()
{
    run "$permod" run --call "$call" --cpus "$cpu" "$@"
}

# in_all_ways NAME TEST ARCHIVE: a test of that archive that puts its arguments in its place.
in_all_ways()
{
    check "$1" "$2" --whole-archive "$3"
    check "$1, members that are needed" "$2" --root "$call" "$3"
    check "$1, linked with it" "$2" --with "$archive" "$driver"
    check "$1, linked with it, sections that are needed" "$2" --gc-sections --root "$call" \
        --with "$archive" "$driver"
}

# ---- zlib --------------------------------------------------------------------------------------

zlib_agrees_with_python()
{
    once "$@" && is err "" && python3 -c '
import zlib
state, data = 12345, bytearray()
for i in range(200000):
    state = (state * 1103515245 + 12345) % 2**32
    data.append(ord("a") + (state >> 20) % 8 if (state >> 16) % 8 else ord(" "))
data = bytes(data)
found = dict(line.split(None, 1) for line in open("out"))
assert int(found["crc32"]) == zlib.crc32(data), found["crc32"]
assert int(found["adler32"]) == zlib.adler32(data), found["adler32"]
deflated = bytes.fromhex(found["deflated"])
assert len(deflated) < len(data) * 3 / 5, len(deflated)
assert zlib.decompress(deflated) == data
' && has out round_trips
}

if add_driver zlib libz.a zlib1g-dev; then
    call=show
    in_all_ways "zlib: python inflates what it deflates" zlib_agrees_with_python zlib.a
    check "zlib: round trips at all levels, on every CPU" \
        counts "round_trips=9 bad_round_trips=0" round_trip zlib.a
fi

# ---- Lua ---------------------------------------------------------------------------------------

# Single quotes, as a parameter may have no double ones.
script=$(cat << 'END'
print('hello from ' .. _VERSION)
print(pcall(error, 'raised', 0))
local good, what = pcall(function() error({ code = 42 }) end)
print(good, what.code)
print(select(2, pcall(refuse, 5)))
print(pcall(pcall, error))
print(xpcall(function() local t = nil; return t.x end, function(m) return 'handled' end))
local deep = coroutine.wrap(function() coroutine.yield(1); error('from a coroutine', 0) end)
print(deep(), pcall(deep))
local sum = 0
for i = 1, 1000 do sum = sum + i * i end
print(sum, string.format('%.12f', math.sin(1) + math.log(10)))
print(table.concat({ 3, 1, 2 }, ','), ('permod'):upper(), 7 // 2, 2^10)
END
)
lua_script_runs()
{
    once "$@" "script=$script" && is err "" && python3 -c '
import math
wanted = ["hello from Lua 5.4", "false\traised", "false\t42", "refused: 5", "true\tfalse\tnil",
          "false\thandled", "1\tfalse\tfrom a coroutine",
          "%d\t%.12f" % (sum(i * i for i in range(1, 1001)), math.sin(1) + math.log(10)),
          "3,1,2\tPERMOD\t3\t1024.0"]
found = open("out").read().splitlines()[:len(wanted)]
assert found == wanted, found' && has out good_scripts
}

if add_driver lua liblua5.4.a liblua5.4-dev; then
    call=run_script
    in_all_ways "Lua: a script raises and catches errors" lua_script_runs lua.a
    check "Lua: the same on every CPU" counts "good_scripts=1 caught_in_c=1" run_script lua.a \
        'script=for i = 1, 100 do assert(not pcall(error)) end'
fi

# ---- SQLite ------------------------------------------------------------------------------------

sql="create table sales (region text, amount integer, price real);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000)
    insert into sales select 'region ' || (i % 7), i * i % 1000, i / 8.0 from n;
create index by_region on sales (region);
select sum(amount) from sales;
select region, count(*), sum(amount), max(price) from sales group by region order by region;
select round(avg(price), 6), total(price), group_concat(distinct region) from sales;
select upper('done'), null, length(hex(zeroblob(8)));"

sqlite_agrees_with_python()
{
    once "$@" "sql=$sql" && is err "" && python3 -c '
import sqlite3, sys
connection = sqlite3.connect(":memory:")
wanted = []
for statement in sys.argv[1].split(";"):
    wanted += ["|".join("NULL" if v is None else str(v) for v in row)
               for row in connection.execute(statement)]
found = open("out").read().splitlines()
assert len(wanted) == 10 and found[:len(wanted)] == wanted, (found, wanted)' "$sql" &&
        has out rows
}

if add_driver sqlite libsqlite3.a libsqlite3-dev; then
    call=query
    in_all_ways "SQLite: sums over a table as python's" sqlite_agrees_with_python sqlite.a
    check "SQLite: the same on every CPU" counts "rows=10 errors=0" query sqlite.a "sql=$sql" quiet
fi

# ---- libcrypto ---------------------------------------------------------------------------------

crypto_agrees_with_sha256sum()
{
    once "$@" "file=$work/data" && is err "" || return
    [ "$(head -n 1 out)" = "$(sha256sum < data | cut -d ' ' -f 1)" ] && has out digests
}

if add_driver crypto libcrypto.a libssl-dev; then
    call=digest
    python3 -c '
import random
random.seed(1)
open("data", "wb").write(bytes(random.randrange(256) for i in range(300001)))'
    in_all_ways "libcrypto: SHA-256 as sha256sum's" crypto_agrees_with_sha256sum crypto.a
    check "libcrypto: the same on every CPU" counts "digests=1 differences=0" digest crypto.a \
        "file=$work/data" quiet
fi

# ---- All that are installed --------------------------------------------------------------------

# What linking can't help, as the first thing that is said against an archive: it needs other
# libraries; nothing is in it for this machine; members that are meant for different programs define
# the same; it has, or names, thread-local variables that would have to be there when a thread begins;
# it was compiled for low addresses, and names libc's data.
beyond_linking="undefined symbol|the archive is empty|none of the [0-9]+ members|defined already in|\
bytes of thread-local variables|uses thread-local variables of others|\
no address from which all symbols are in reach"

# Every static archive of this system either would load as a whole, or is refused for such a cause.
installed_archives_link()
{
    loads=0
    : > refused
    find /usr/lib -name '*.a' -type f -size -40M | sort > archives
    while read -r archive; do
        if timeout 120 "$permod" check --whole-archive "$archive" > out 2> err; then
            loads=$((loads + 1))
        else
            sed -n 's/^problem: //p; s/^permod: //p' out err | head -n 1 >> refused
        fi
    done < archives
    echo "of $(wc -l < archives) archives $loads would load; the others, by cause:" >&3
    grep -oE "$beyond_linking" refused | sed 's/[0-9]\{1,\}/N/' | sort | uniq -c | sort -rn >&3
    : > out
    : > err
    [ "$loads" -gt 0 ] && ! grep -vE "$beyond_linking" refused
}

if [ -n "$PERMOD_LONG" ]; then
    exec 3>&1
    check "installed archives link" installed_archives_link
fi

finish
