#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What permod is for: the samples are loaded by `permod run`, called by a thread on each CPU, and no call is
# lost, whatever the machine.

. "$(dirname "$0")/shell.sh"

samples=$top_builddir/samples

# Each call adds the parameter's value.
counter_counts()
{
    run env "$@" "$permod" run --json --call tick --count 20000 "$samples/counter.ko" step=3 && is err "" &&
        sums_are "hits=3"
}

# Each call times a thousand operations; report.ko adds up what all CPUs counted, in another module.
histogram_has_all()
{
    run "$permod" run --call histogram_bench --count 20 "$samples/histogram.ko" -- "$samples/report.ko" &&
        is err "" || return
    cpus=$(awk '/^CPU/ { seen++ } seen == 1 && /^ *[0-9]/ { cpus++ } END { print cpus }' out)
    has out "count $((cpus * 20 * 1000))"
}

check "counter: the sum over all CPUs is exact" counter_counts
check "counter: the same without restartable sequences" counter_counts PERCPU_OPS=atomic
check "histogram: a second module sees each operation once" histogram_has_all

finish
