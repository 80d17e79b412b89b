#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command and module trees: the samples, indexed by depmod, by their names. modprobe and modinfo
# tell what is right.

. "$(dirname "$0")/shell.sh"

PATH=$PATH:/usr/sbin:/sbin
tree=tree/lib/modules/6.1.0

if ! installed depmod; then
    skip "module trees" "depmod is not installed (Debian: kmod)"
    passed=1
    finish
fi

mkdir -p $tree/samples conf flat
for name in counter histogram report; do
    $CC -O2 $include -c -o $tree/samples/$name.ko "$top_srcdir/samples/$name.c" || exit 1
done
depmod -b tree 6.1.0 2> log || exit 1
cat > conf/samples.conf << END
options counter step=4
alias count-something counter
alias what-is-usual report
blacklist histogram
alias bare histogram
END

# The paths of a JSON document's modules, against those that modprobe says.
agrees_with_modprobe()
{
    for name in counter report histogram what-is-usual; do
        modprobe --show-depends -d tree -S 6.1.0 -C conf $name > wanted || return
        run "$permod" run --json --module-dir tree --config conf $name || return
        python3 -c '
import json
wanted = [line.split()[1:] for line in open("wanted")]
found = json.load(open("out"))["modules"]
assert wanted and [m["file"] for m in found] == [w[0] for w in wanted], (found, wanted)
for module, line in zip(found, wanted):
    for option in line[1:]:
        name, _, value = option.partition("=")
        assert module["parameters"][name] == value, (module, option)' || return
    done
}

options_come_from_both()
{
    counts "hits=4" tick --module-dir tree --config conf count_something &&
        counts "hits=7" tick --module-dir tree --config conf counter step=7 &&
        counts "hits=1" tick --module-dir $tree counter
}

symbols_are_found_by_the_tree()
{
    run "$permod" run --json --module-dir tree $tree/samples/report.ko && python3 -c '
import json
found = json.load(open("out"))["modules"]
assert [m["name"] for m in found] == ["histogram", "report"], found'
}

# What only one needs goes with it, in the order in which they would go anyway.
dependencies_go()
{
    run "$permod" run --module-dir tree --remove-dependencies report && has out "count 0" &&
        run "$permod" run --module-dir tree --remove-dependencies histogram -- report
}

agrees_with_modinfo()
{
    modinfo -F description $tree/samples/report.ko > wanted &&
        run "$permod" info --module-dir tree what-is-usual --config conf &&
        has out "description:    $(cat wanted)" && has out "needs:          histogram_buckets"
}

check_loads_what_is_needed()
{
    run "$permod" check --module-dir tree report && has out "report.ko: would load" &&
        ! run "$permod" check $tree/samples/report.ko && has out "histogram_buckets" || return
    # Of a file too, as a load would; and of what it is made of besides.
    run "$permod" check --module-dir tree $tree/samples/report.ko && has out "report.ko: would load" &&
        echo 'extern int nobody_has_it; int *get(void) { return &nobody_has_it; }' > lacking.c &&
        $CC -c lacking.c && ! run "$permod" check --module-dir tree --with lacking.o report &&
        has out "nobody_has_it"
}

# Nothing of all that is run, not even where modules.dep is older than the modules, and it is known only by
# the symbol what has it.
check_runs_nothing()
{
    ran='static void ran(void) { dprintf(2, "ran\n"); }'
    cat > base.c << END
#include <permod/module.h>
#include <stdio.h>
$ran
static int __init begin(void) { ran(); return 0; }
static void __exit end(void) { ran(); }
static void __attribute__((constructor, destructor)) too(void) { ran(); }
static int one(void) { return 1; }
static int (*choose(void))(void) { ran(); return one; }
int base(void) __attribute__((ifunc("choose")));
module_init(begin);
module_exit(end);
EXPORT_SYMBOL(base);
END
    cat > middle.c << END
#include <permod/module.h>
#ifdef USES
int base(void);
#else
#define base() 1
#endif
int middle(void);
int middle(void) { return base(); }
EXPORT_SYMBOL(middle);
END
    echo 'int middle(void); int top(void); int top(void) { return middle(); }' > top.c
    old=old/lib/modules/6.1.0
    mkdir -p $old/kernel && $CC -O2 $include -c base.c -o $old/kernel/base.ko &&
        $CC -O2 $include -c middle.c -o $old/kernel/middle.ko && $CC -c top.c -o $old/kernel/top.ko &&
        depmod -b old 6.1.0 && cp $old/modules.dep.bin stale &&
        $CC -O2 $include -DUSES -c middle.c -o $old/kernel/middle.ko && depmod -b old 6.1.0 || return
    run "$permod" check --module-dir old top && ! has err ran && has out "top.ko: would load" &&
        cp stale $old/modules.dep.bin && run "$permod" check --module-dir old top && ! has err ran &&
        has out "top.ko: would load" && run "$permod" run --module-dir old top && has err ran
}

# --with and --root are for modules of a tree as for files.
parts_of_a_module()
{
    echo 'int more; int added(void); int added(void) { return ++more; }' > more.c && $CC -c more.c &&
        run "$permod" run --json --module-dir tree --config conf --with more.o report &&
        python3 -c '
import json
found = json.load(open("out"))["modules"]
assert [m["name"] for m in found] == ["histogram", "report"], found' &&
        run "$permod" run --module-dir tree --with more.o --call added report &&
        counts "hits=5" tick --module-dir tree --config conf --root tick counter step=5
}

map_finds_modules()
{
    run "$permod" map --json --module-dir tree --config conf what-is-usual && python3 -c '
import json
names = [m["name"] for m in json.load(open("out"))["modules"]]
assert {"histogram", "report"} <= set(names), names' &&
        cp $tree/samples/histogram.ko $tree/samples/report.ko flat && run "$permod" map --module-dir flat report &&
        has out "histogram"
}

refused()
{
    run "$permod" "$@" && return 1
    [ "$(wc -l < err)" -eq 1 ] && has err "permod: "
}

errors_are_one_line()
{
    refused run --module-dir tree nonsense && has err "nonsense" && has err "$tree" &&
        refused run --module-dir tree --config conf bare && has err "blacklisted" &&
        refused run --module-dir tree --config nowhere counter && has err "nowhere" &&
        refused run --config conf counter && has err "module tree" &&
        refused info --module-dir tree nonsense && has err "nonsense" &&
        refused check --module-dir tree nonsense && has err "nonsense" &&
        refused run --module-dir tree --root nonsense counter && has err "nonsense" &&
        refused map --config conf counter && has err "module tree" &&
        head -c 50 $tree/modules.dep.bin > short && cp $tree/modules.dep.bin long &&
        cp short $tree/modules.dep.bin && refused run --module-dir tree counter &&
        cp long $tree/modules.dep.bin && has err "$tree/modules.dep.bin: damaged"
}

# Not to be found: what it says then.
"$permod" info --module-dir tree counter > out 2> err
if grep -q "built without libkmod" err; then
    skip "module trees" "permod is built without libkmod"
    check "without libkmod it says so" refused run --module-dir tree counter
    finish
fi
check "order and options are modprobe's" agrees_with_modprobe
check "options come from the settings and the command line" options_come_from_both
check "symbols of a file are looked up in the tree" symbols_are_found_by_the_tree
check "--remove-dependencies" dependencies_go
check "info finds modules by name, as modinfo" agrees_with_modinfo
check "check finds what is needed" check_loads_what_is_needed
check "check runs nothing of it" check_runs_nothing
check "a module of a tree with more files, or a part of it" parts_of_a_module
check "map finds modules by name" map_finds_modules
check "errors are one line" errors_are_one_line
finish
