#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The command permod, as users run it: what it prints, what it returns, what it says when something
# is wrong. Expected values come from elsewhere: the kernel's list of CPUs, python3's JSON reader,
# readelf and modinfo.
#
# automake sets top_srcdir, top_builddir and CC; by hand, top_builddir is needed if it is not build/.

top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir/build}
CC=${CC:-cc}
permod=$top_builddir/permod
modules=$top_srcdir/tests/modules

work=$(mktemp -d "${TMPDIR:-/tmp}/permod-test.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work" || exit 1
unset PERCPU_OPS PERCPU_CPUS PERCPU_RESERVED PERCPU_DYNAMIC PERCPU_UNIT PERCPU_DEBUG
LC_ALL=C
export LC_ALL permod
passed=0
failed=0

# ---- Helpers -----------------------------------------------------------------------------------

# check NAME FUNCTION: the function must return 0; otherwise what it wrote to the log is shown.
check()
{
    : > out
    : > err
    if "$2" > log 2>&1; then
        echo "ok $1"
        passed=$((passed + 1))
        return
    fi
    echo "not ok $1"
    sed 's/^/    /' log | head -n 20
    sed 's/^/    out: /' out | head -n 20
    sed 's/^/    err: /' err | head -n 20
    failed=$((failed + 1))
}

skip()
{
    echo "skip $1: $2"
}

# run STATUS ARGUMENT...: run permod; output goes to the files out and err.
# run_with "NAME=VALUE ..." STATUS ARGUMENT...: the same with settings in the environment.
run()
{
    run_with "" "$@"
}

run_with()
{
    settings=$1
    wanted=$2
    shift 2
    env $settings timeout 60 "$permod" "$@" > out 2> err < /dev/null
    status=$?
    [ $status -eq "$wanted" ] || { echo "permod $*: status $status, not $wanted"; return 1; }
}

# is FILE TEXT, has FILE TEXT, lacks FILE TEXT: the whole file; a part of a line of it.
is()
{
    [ "$(cat "$1")" = "$2" ] || { echo "$1 is not: $2"; return 1; }
}

has()
{
    grep -qF -e "$2" "$1" || { echo "$1 lacks: $2"; return 1; }
}

lacks()
{
    ! grep -qF -e "$2" "$1" || { echo "$1 has: $2"; return 1; }
}

# One line "permod...: ..." on standard error that contains the text, and nothing on standard output.
fails_with()
{
    is out "" && has err "$1" && [ "$(wc -l < err)" -eq 1 ] && grep -q '^permod' err
}

# Wrong usage: a line that contains the text, and a hint.
refuses_with()
{
    is out "" && has err "$1" && [ "$(wc -l < err)" -eq 2 ] &&
        tail -n 1 err | grep -q "^Try 'permod .*--help'\.$"
}

# python CODE ARGUMENT...: with what the tests need to know of CPUs and of the JSON in `out`.
python()
{
    code=$1
    shift
    python3 -c '
import json, os, shutil, subprocess, sys

def parse_cpus(text):
    cpus = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        cpus += range(int(first), int(last or first) + 1)
    return cpus

possible = parse_cpus(open("/sys/devices/system/cpu/possible").read())
allowed = sorted(os.sched_getaffinity(0))

def no_double(pairs):
    assert len(dict(pairs)) == len(pairs), "a key twice"
    return dict(pairs)

def document():
    return json.loads(open("out", encoding="utf-8").read(), object_pairs_hook=no_double)

def equal(found, wanted):
    if found != wanted:
        sys.exit("found  %r\nwanted %r" % (found, wanted))

def value_of(found, name):
    return [v for m in found["modules"] for v in m["variables"] if v["name"] == name][0]
'"$code" "$@"
}

# compile FILE.ko SOURCE FLAG...: as a user would.
compile()
{
    object=$1
    source=$2
    shift 2
    $CC -O2 -I"$top_srcdir/include" "$@" -c -o "$object" "$source" && return
    echo "not ok compile $object"
    exit 1
}

# ---- What the tests work on --------------------------------------------------------------------

if ! [ -x "$permod" ]; then
    echo "not ok command: $permod is not built (set top_builddir)"
    exit 1
fi

mkdir dir chain
for name in counter histogram report; do
    compile dir/$name.ko "$top_srcdir/samples/$name.c"
done
for name in info lacks loop order shapes; do
    compile $name.ko "$modules/tool_$name.c"
done
cp order.ko order2.ko
cp dir/counter.ko counter.ko

# first needs second_value, which is in another file, which needs third_value.
need=$modules/tool_need.c
compile chain/first.ko "$need" -DIMPORT=second_value
compile chain/second-part.o "$need" -DIMPORT=third_value -DEXPORT=second_value
compile chain/third.ko "$need" -DEXPORT=third_value
compile chain/circle-a.ko "$need" -DIMPORT=circle_b_value -DEXPORT=circle_a_value
compile chain/circle-b.ko "$need" -DIMPORT=circle_a_value -DEXPORT=circle_b_value
compile chain/twin-a.ko "$need" -DEXPORT=twin_value
compile chain/twin-b.ko "$need" -DEXPORT=twin_value
compile chain/needs-twin.ko "$need" -DIMPORT=twin_value
compile chain/weak.ko "$need" -DWEAK=nobody_has_this
compile chain/weak-third.ko "$need" -DWEAK=third_value
compile chain/lost.ko "$need" -DIMPORT=nobody_has_this
# What must not disturb the search.
echo "no object at all" > chain/broken.ko
mkdir chain/folder.ko
mkfifo chain/pipe.ko
# An older way to build: the better ending counts.
echo "no object at all" > chain/third.a

first_cpu=$(python 'print(allowed[0])')

# ---- Usage -------------------------------------------------------------------------------------

help_names_subcommands()
{
    run 0 --help && is err "" && cp out help || return
    for name in run info check map stamp; do
        grep -q "^  $name  *[a-z]" help || return
        run 0 help $name && is err "" && has out "Usage: permod $name " && mv out help-$name &&
            run 0 $name --help && is err "" && cmp out help-$name || return
    done
    run 0 help && cmp out help
}

# Every option that the code takes is in the help, and the manual page knows it.
help_tells_every_option()
{
    for name in run check map stamp; do
        run 0 $name --help || return
        for option in $(sed -n 's/^.*{ "\([a-z-]*\)", [a-z]*_argument.*$/\1/p' \
            "$top_srcdir"/tools/$name.c | grep -v '^help$'); do
            has out "--$option " &&
                sed 's/\\-/-/g' "$top_srcdir/doc/permod.1" | grep -q -e "--$option" || return
            options=$options.
        done
    done
    [ ${#options} -ge 10 ]
}

version_tells_operations()
{
    run 0 --version &&
        grep -qE '^permod [0-9]+\.[0-9]+\.[0-9]+, per-CPU operations: (rseq|atomic)$' out || return
    run_with PERCPU_OPS=atomic 0 --version && has out "per-CPU operations: atomic"
}

wrong_usage_exits_2()
{
    run 2 && refuses_with "no subcommand" &&
        run 2 frobnicate && refuses_with "'frobnicate'" &&
        run 2 --frobnicate && refuses_with "'--frobnicate'" &&
        run 2 help frobnicate && refuses_with "'frobnicate'" &&
        run 2 run && refuses_with "no MODULE" &&
        run 2 run counter.ko -- && refuses_with "no MODULE" &&
        run 2 run --frobnicate counter.ko && refuses_with "'--frobnicate'" &&
        run 2 run -x counter.ko && refuses_with "'-x'" &&
        run 2 run --count && refuses_with "'--count' needs a value" &&
        run 2 run --json=yes counter.ko && refuses_with "'--json' takes no value" &&
        run 2 run counter.ko --json && refuses_with "options come before" &&
        run 2 run counter.ko other.ko && refuses_with "'other.ko': a further MODULE" &&
        run 2 info && refuses_with "no FILE" &&
        run 2 info counter.ko counter.ko && refuses_with "too many" &&
        run 2 check --svg counter.ko && refuses_with "'--svg'" &&
        run 2 map --svg && refuses_with "'--svg' needs a value" &&
        run 2 map counter.ko -- && refuses_with "no MODULE"
}

bad_option_values_exit_2()
{
    for count in 0 -1 1x '' 99999999999999999999; do
        run 2 run --call tick --count "$count" counter.ko && refuses_with "'$count'" || return
    done
    for seconds in 0 -1 1s '' inf nan 0x1 1.2.3; do
        run 2 run --call tick --duration "$seconds" counter.ko && refuses_with "'$seconds'" ||
            return
    done
    for list in '' , 0, 0- -1 1-0 x 0,,1 '0 1'; do
        run 2 run --call tick --cpus "$list" counter.ko && refuses_with "'$list'" || return
    done
    run 2 run --call tick --count 1 --duration 1 counter.ko && refuses_with "exclude" &&
        run 2 run --count 1 counter.ko && refuses_with "--count needs --call" &&
        run 2 run --duration 1 counter.ko && refuses_with "--duration needs --call" &&
        run 2 run --cpus "$first_cpu" counter.ko && refuses_with "--cpus needs --call"
}

# ---- permod run: calls and tables --------------------------------------------------------------

# The table of README's main job, made from the kernel's list of CPUs.
main_job()
{
    run 0 run --call tick --count 1000 "$top_builddir/samples/counter.ko" step=4 && is err "" &&
        python '
values = {cpu: 4000 if cpu in allowed else 0 for cpu in possible}
rows = [("CPU", "hits")]
rows += [(str(cpu), str(value)) for cpu, value in values.items() if value or len(possible) <= 16]
rows += [("sum", str(4000 * len(allowed)))]
width = max(len(row[1]) for row in rows)
wanted = ["%s  %s" % (row[0].rjust(max(len(r[0]) for r in rows)), row[1].rjust(width))
          for row in rows]
equal(open("out").read().splitlines()[:len(wanted)], wanted)'
}

cpus_are_chosen()
{
    run 0 run --json --call tick --cpus "$first_cpu" --count 3 counter.ko && python '
found = document()
equal(found["calls"], {sys.argv[1]: 3})
equal({int(c): v for c, v in value_of(found, "hits")["per_cpu"].items() if v},
      {int(sys.argv[1]): 3})' "$first_cpu" || return
    list=$(python 'print(",".join(map(str, allowed)))')
    run 0 run --json --call tick --cpus "$list" counter.ko && python '
equal(document()["calls"], {str(cpu): 1 for cpu in allowed})'
}

bad_cpus_are_refused()
{
    beyond=$(python 'print(max(possible) + 1)')
    run 2 run --call tick --cpus "$beyond" counter.ko &&
        refuses_with "CPU $beyond is not possible" &&
        run 2 run --call tick --cpus "$first_cpu-4294967295" counter.ko &&
        refuses_with "is not possible" &&
        run 2 run --call tick --cpus 99999999999999999999 counter.ko &&
        refuses_with "is not possible" || return
    # A CPU that only the setting makes possible is one that nobody may run on.
    run_with PERCPU_CPUS=$((beyond + 1)) 2 run --call tick --cpus "$beyond" counter.ko &&
        refuses_with "CPU $beyond is not for this process"
}

threads_are_bound()
{
    run 0 run --json --call stray --count 100 loop.ko && python '
found = document()
equal(value_of(found, "strays")["sum"], 0)
equal({int(c): v for c, v in value_of(found, "naps")["per_cpu"].items() if v},
      {cpu: 100 for cpu in allowed})'
}

duration_ends_in_time()
{
    run 0 run --json --call nap --duration 0.3 loop.ko && python '
found = document()
assert 0.29 < found["seconds"] < 5, found["seconds"]
assert not found["interrupted"]
equal(sorted(map(int, found["calls"])), allowed)
equal({c: v for c, v in value_of(found, "naps")["per_cpu"].items() if v}, found["calls"])
assert all(5 < calls < 400 * found["seconds"] / 0.29 for calls in found["calls"].values())' &&
        run 0 run --call nap --duration 0.05 loop.ko && python '
head, *rows = [line.split() for line in open("out") if line.split()[0] in ("CPU", "sum")]
equal(head, ["CPU", "nap()", "naps", "strays"])
equal(rows[0][1], rows[0][2])
assert int(rows[0][1]) > 0'
}

without_call_it_shows()
{
    run 0 run counter.ko && is err "" && python '
rows = [line.split() for line in open("out")]
equal(rows[0], ["CPU", "hits"])
equal([row for row in rows if row[0] == "sum"], [["sum", "0"]])' &&
        run 0 run chain/third.ko && is out "no per-CPU variables"
}

shapes_are_shown()
{
    run 0 run --json --call fill shapes.ko && python '
found = document()
count = len(possible)
zeros = [0] * 100
filled = [{7: 7, 50: 50, 99: 99}.get(i, 0) for i in range(100)]
def variable(name, size, element_size, value, sum):
    return {"name": name, "size": size, "element_size": element_size,
            "per_cpu": {str(cpu): value(cpu) if callable(value) else value for cpu in possible},
            "sum": sum}
def wrapped(number):
    return (number + 2**63) % 2**64 - 2**63
wanted = [
    variable("small", 1, 1, -3, -3 * count),
    variable("middle", 2, 2, -300, -300 * count),
    variable("normal", 4, 4, -70000, -70000 * count),
    variable("huge", 8, 8, -2**63, wrapped(2**63 * count)),
    variable("couple", 16, 8, [11, -12], [11 * count, -12 * count]),
    variable("words", 12, 4, [1, 2, 3], [count, 2 * count, 3 * count]),
    variable("bytes", 6, 1, list(b"hello\0"), [count * c for c in b"hello\0"]),
    variable("large", 800, 8, lambda cpu: filled if cpu in allowed else zeros,
             [len(allowed) * value for value in filled]),
]
def by_name(variables):
    return sorted(variables, key=lambda v: v["name"])
del found["seconds"]
module, = found.pop("modules")
equal(by_name(module.pop("variables")), by_name(wanted))
equal(module, {"name": "shapes", "file": "shapes.ko", "taint": "", "parameters": {"text": "\"quoted\\\" \t"}})
equal(found, {"function": "fill", "calls": {str(cpu): 1 for cpu in allowed},
              "interrupted": False})'
}

# The same as a table: nothing cut, elements that are zero everywhere left out, blocks of 100 columns.
table_has_everything()
{
    run 0 run --call fill shapes.ko && is err "" && python '
lines = open("out").read().splitlines()
blocks, table = [], []
for line in lines:
    assert len(line) <= 100, line
    if line.startswith("("):
        continue
    if not line:
        blocks.append(table)
        table = []
    else:
        assert len(line) == len(table[0] if table else line), "ragged: " + line
        table.append(line)
blocks.append(table)
assert len(blocks) > 1
sums = {}
for head, *rows in [[line.split() for line in block] for block in blocks]:
    equal(head[0], "CPU")
    equal(rows[-1][0], "sum")
    equal([int(row[0]) for row in rows[:-1]], possible)
    for name, value in zip(head[1:], rows[-1][1:]):
        assert name not in sums, name
        sums[name] = int(value)
count, ran = len(possible), len(allowed)
wanted = {"small": -3 * count, "middle": -300 * count, "normal": -70000 * count,
          "huge": (2**63 * count + 2**63) % 2**64 - 2**63,
          "couple[0]": 11 * count, "couple[1]": -12 * count,
          "words[0]": count, "words[1]": 2 * count, "words[2]": 3 * count,
          "large[7]": 7 * ran, "large[50]": 50 * ran, "large[99]": 99 * ran}
wanted.update({"bytes[%d]" % i: count * c for i, c in enumerate(b"hello\0")})
equal(sums, wanted)
equal([line for line in lines if line.startswith("(")],
      ["(large: 97 of 100 elements are zero on every CPU and left out)"])'
}

many_cpus_leave_zeros_out()
{
    all=$(python 'print(max(100, max(possible) + 50))')
    run_with "PERCPU_CPUS=$all" 0 run --call tick counter.ko && python '
count, all = len(allowed), int(sys.argv[1])
lines = open("out").read().splitlines()
equal([line.split() for line in lines[:-1]],
      [["CPU", "hits"]] + [[str(cpu), "1"] for cpu in allowed] + [["sum", str(count)]])
equal(lines[-1], "(%d of %d CPUs have zeros only and are left out)" % (all - count, all))' "$all"
}

# ---- permod run: several modules, their output, failures -------------------------------------

several_modules_in_order()
{
    run 0 run --call speak --cpus "$first_cpu" order.ko tag=one -- order2.ko tag=two &&
        is err "" || return
    grep ': \(init\|called\|exit\)$' out > lines
    is lines "one: init
two: init
two: called
two: exit
one: exit" || return
    # The tables stand between the call and the first exit, with the modules' names.
    python '
lines = open("out").read().splitlines()
begin, end = lines.index("two: called"), lines.index("two: exit")
names = [line for line in lines[begin:end] if line in ("order:", "order2:")]
equal(names, ["order:", "order2:"])
sums = [line.split() for line in lines[begin:end] if line.startswith("sum")]
equal(sums, [["sum", "0"], ["sum", "1"]])'
}

# What modules print is kept away from the document, and is not lost.
json_has_stdout_alone()
{
    run 0 run --json --call speak --cpus "$first_cpu" order.ko tag=one && is err "one: init
one: called
one: exit" && python '
equal(document()["modules"][0]["parameters"], {"tag": "one", "fail": "N"})'
}

strings_are_escaped()
{
    name=$(printf 'odd "\\\001\351.ko')
    cp shapes.ko "$name" && run 0 run --json "./$name" 'text=a b	c' && python '
module, = document()["modules"]
equal(module["file"], "./odd \"\\\x01\ufffd.ko")
equal(module["parameters"], {"text": "a b\tc"})' && run 0 info "./$name" &&
        has out 'filename:       ./odd "\\x01\xe9.ko'
}

parameters_reach_init()
{
    run 0 run order.ko 'tag=two words' && has out "two words: init" &&
        run 0 run order.ko 'tag="two words"' && has out "two words: exit" &&
        run 2 run order.ko 'tag=two "words"' && refuses_with "double quotes" &&
        run 1 run order.ko nonsense=1 && has err nonsense && is out "" &&
        run 1 run counter.ko step=many && has err step && is out ""
}

failing_init_fails_the_run()
{
    run 1 run --call speak order.ko tag=one fail=1 && is out "one: init" && has err "order" &&
        [ "$(wc -l < err)" -eq 1 ] || return
    # Those before it are unloaded, those behind it never loaded.
    run 1 run order.ko tag=one -- order2.ko tag=two fail -- counter.ko && is out "one: init
two: init
one: exit"
}

function_is_looked_up()
{
    run 1 run --call nonsense order.ko tag=one && has err "'nonsense'" && is out "one: init
one: exit" && run 1 run --call large shapes.ko && fails_with "large is no function" &&
        run 0 run --json --call tick counter.ko -- order.ko && python '
found = document()
equal(found["function"], "tick")
equal(value_of(found, "hits")["sum"], len(allowed))'
}

archive_is_a_module()
{
    compile one.o "$need" -DIMPORT=second_value -Dshow=first_show
    compile two.o "$need" -DEXPORT=second_value -Dshow=second_show
    compile three.o "$need" -DIMPORT=nobody_has_this -Dshow=third_show
    rm -f both.a all.a
    ar cr both.a one.o two.o && ar cr all.a one.o two.o three.o || return
    run 0 run --call first_show --cpus "$first_cpu" both.a && is out "depth 1" &&
        run 0 run --root first_show --call first_show --cpus "$first_cpu" all.a &&
        is out "depth 1" && run 1 run --root third_show all.a && fails_with nobody_has_this || return
    # Taken as a whole: the message names the member, and the way out.
    run 1 run all.a && fails_with "nobody_has_this in all.a(three.o)" && has err "root symbol"
}

full_output_is_an_error()
{
    "$permod" run counter.ko > /dev/full 2> err
    [ $? -eq 1 ] && has err "can't write" || return
    "$permod" run --json counter.ko > /dev/full 2> err
    [ $? -eq 1 ] && has err "can't write"
}

# ---- permod run: signals and progress ----------------------------------------------------------

# interrupt ARGUMENT...: run permod, and send SIGINT once its threads have been calling for a while.
interrupt()
{
    python '
import signal, subprocess, time
with open("out", "wb") as out, open("err", "wb") as err:
    # In the background of a shell the signal is ignored.
    default = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen([os.environ["permod"], *sys.argv[1:]], stdin=subprocess.DEVNULL,
                               stdout=out, stderr=err, preexec_fn=default)
try:
    deadline = time.time() + 30
    while len(os.listdir("/proc/%d/task" % process.pid)) < 1 + len(allowed):
        assert time.time() < deadline and process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    equal(process.wait(30), 130)
finally:
    process.kill()' "$@"
}

interrupt_still_shows()
{
    interrupt run --call nap --duration 60 loop.ko && is err "" && python '
sums = [line.split() for line in open("out") if line.startswith("sum")][0]
equal(sums[1], sums[2])
assert int(sums[1]) > 10' || return
    # A number that was not reached is told as well.
    interrupt run --json --call nap --count 1000000 loop.ko && is err "" && python '
found = document()
assert found["interrupted"] and 10 < found["calls"][str(allowed[0])] < 1000000
equal(value_of(found, "naps")["sum"], sum(found["calls"].values()))' || return
    cp order.ko order3.ko
    interrupt run --call nap --duration 60 order3.ko tag=x -- loop.ko && has out "x: exit"
}

# A call that never returns doesn't hold the process: the second signal ends it.
second_interrupt_ends()
{
    python '
import signal, subprocess, time
process = subprocess.Popen([os.environ["permod"], "run", "--call", "hang", "loop.ko"],
                           preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
deadline = time.time() + 30
try:
    # Threads that sleep in the call, and a main thread that is ready for the signal.
    while len(os.listdir("/proc/%d/task" % process.pid)) < 1 + len(allowed):
        assert time.time() < deadline and process.poll() is None
        time.sleep(0.01)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None, "the first signal ended it"
    process.send_signal(signal.SIGINT)
    equal(process.wait(30), -signal.SIGINT)
finally:
    process.kill()'
}

# On a terminal one line tells how far it is, and is wiped out; elsewhere nothing is written.
progress_on_a_terminal()
{
    python '
import pty, subprocess
def run(*arguments):
    leader, follower = pty.openpty()
    with open("out", "wb") as out:
        process = subprocess.Popen([os.environ["permod"], "run", *arguments], stdout=out,
                                   stderr=follower)
    os.close(follower)
    seen = b""
    try:
        while True:
            more = os.read(leader, 4096)
            if not more:
                break
            seen += more
    except OSError:
        pass
    os.close(leader)
    equal(process.wait(), 0)
    return seen.decode().split("\r")
timed = run("--call", "nap", "--duration", "1.4", "loop.ko")
assert any(" of 1.4 s, " in part and " calls" in part for part in timed), timed
counted = run("--call", "nap", "--count", "1300", "--cpus", str(allowed[0]), "loop.ko")
assert any("%, " in part and " calls" in part for part in counted), counted
for parts in timed, counted:
    assert "\n" not in "".join(parts)
    equal((parts[0], parts[-1], parts[-2].strip(" ")), ("", "", ""))
    assert len(parts[-2]) >= max(map(len, parts)), "not wiped out"
equal(run("--call", "nap", "--duration", "0.2", "loop.ko"), [""])' &&
        run 0 run --call nap --duration 1.2 loop.ko && is err ""
}

# ---- permod run --module-dir -------------------------------------------------------------------

needs_are_loaded_first()
{
    run 0 run --json --module-dir dir --call histogram_bench --count 10 report && python '
found = document()
equal([module["name"] for module in found["modules"]], ["histogram", "report"])
equal([module["file"] for module in found["modules"]], ["dir/histogram.ko", "dir/report.ko"])
buckets = value_of(found, "histogram_buckets")
equal(sum(buckets["sum"]), 10 * 1000 * len(allowed))
for cpu in allowed:
    equal(sum(buckets["per_cpu"][str(cpu)]), 10 * 1000)
# What report printed while it was unloaded is what the document says.
said = dict(line.split(" ", 1) for line in open("err"))
equal(int(said["count"]), sum(buckets["sum"]))
def start(bucket):
    return bucket if bucket < 8 else (8 + bucket % 8) << (bucket // 8 - 1)
def percentile(part):
    seen = 0
    for bucket, count in enumerate(buckets["sum"]):
        seen += count
        if seen * 100 >= part * sum(buckets["sum"]):
            return start(bucket)
for name, part in ("p50", 50), ("p90", 90), ("p99", 99), ("max", 100):
    equal(said[name].split(), [str(percentile(part)), "ns"])'
}

chains_are_followed()
{
    run 0 run --module-dir chain --call show --cpus "$first_cpu" first && is out "depth 2" &&
        run 0 run --json --module-dir chain first && python '
equal([module["name"] for module in document()["modules"]], ["third", "second_part", "first"])' &&
        run 0 run --json --module-dir chain second-part -- first && python '
equal([module["name"] for module in document()["modules"]], ["third", "second_part", "first"])' &&
        run 0 run --json --module-dir chain second_part && python '
equal(len(document()["modules"]), 2)' &&
        run 0 run --json --module-dir chain first.ko && python '
equal(len(document()["modules"]), 3)' &&
        run 0 run --json --module-dir chain ./chain/second-part.o && python '
equal([module["name"] for module in document()["modules"]], ["third", "second_part"])'
}

needs_are_not_repeated()
{
    run 0 run --json --module-dir chain first -- third && python '
equal([module["name"] for module in document()["modules"]], ["third", "second_part", "first"])' &&
        run 1 run --module-dir chain first -- third nonsense=1 && fails_with "name it first"
}

weak_needs_are_optional()
{
    run 0 run --module-dir chain --call show --cpus "$first_cpu" weak && is out "depth 0" &&
        run 0 run --module-dir chain --call show --cpus "$first_cpu" weak-third &&
        is out "depth 1"
}

bad_needs_are_told()
{
    run 1 run --module-dir chain circle-a &&
        fails_with "circle_a -> circle_b -> circle_a" &&
        run 1 run --module-dir chain needs-twin && fails_with "twin_value" &&
        has err "chain/twin-a.ko" && has err "chain/twin-b.ko" &&
        run 0 run --module-dir chain --call show --cpus "$first_cpu" twin_b -- needs_twin &&
        is out "depth 1" &&
        run 1 run --module-dir chain lost && fails_with "no module in chain exports nobody_has_this"
}

bare_names_need_a_folder()
{
    run 1 run counter && is err \
        "permod: counter: no such file; a bare name needs --module-dir" && is out "" &&
        run 1 run --module-dir dir nonsense && fails_with "nonsense: no such module in dir" &&
        run 1 run --module-dir nowhere counter && fails_with "nowhere: No such file" &&
        mkdir -p histogram && run 0 run --module-dir dir histogram
}

# ---- Files that are no modules -----------------------------------------------------------------

wrong_files_are_refused()
{
    echo 'int main(void) { return 0; }' > program.c
    $CC -no-pie -o program program.c || return
    echo "no object at all" > text.ko
    : > empty.ko
    head -c 100 counter.ko > short.ko
    mkdir -p folder.ko
    [ -p pipe.ko ] || mkfifo pipe.ko
    for file in text.ko empty.ko short.ko folder.ko pipe.ko ./program missing.ko ./missing.ko \
        /dev/zero; do
        for subcommand in run info check; do
            run 1 $subcommand "$file" && fails_with "$file" || {
                [ $subcommand = run ] && [ $file = missing.ko ] &&
                    fails_with "a bare name needs"
            } || return
        done
        run 1 check --json "$file" && is err "" && python '
found = document()
equal((found["loads"], found["filename"], len(found["problems"])), (False, sys.argv[1], 1))
' "$file" || return
    done
}

# ---- permod info -------------------------------------------------------------------------------

info_agrees_with_modinfo()
{
    for file in counter.ko info.ko order.ko dir/report.ko; do
        PATH=$PATH:/sbin:/usr/sbin modinfo "$PWD/$file" | grep -v '^filename:' | sort > theirs
        run 0 info $file && is err "" && [ "$(head -n 1 out)" = "filename:       $file" ] &&
            [ "$(wc -l < theirs)" -ge 2 ] || return
        grep -v '^\(filename\|exports\|needs\):' out | sort > ours
        diff theirs ours || return
    done
}

# A tree of modules as the kernel's tools know it: they find out who needs whom.
tree_suits_kmod()
{
    mkdir -p tree/lib/modules/1.0 && cp dir/*.ko tree/lib/modules/1.0 || return
    PATH=$PATH:/sbin:/usr/sbin
    depmod -b tree 1.0 && grep -qx 'report.ko: histogram.ko' tree/lib/modules/1.0/modules.dep &&
        grep -qx 'counter.ko:' tree/lib/modules/1.0/modules.dep || return
    modprobe -d "$PWD/tree" -S 1.0 --show-depends report > theirs || return
    sed -i 's/^.*\/\(.*\)\.ko *$/\1/' theirs && is theirs "histogram
report"
}

info_tells_symbols()
{
    run 0 info info.ko && has out "exports:        info_all" &&
        has out "exports:        info_gpl (GPL)" || return
    for file in dir/report.ko counter.ko; do
        nm -u $file | sed 's/.* //' | sort > theirs
        run 0 info $file && sed -n 's/^needs: *//p' out | sort > ours
        # The linker makes this one.
        sed -i /_GLOBAL_OFFSET_TABLE_/d theirs ours
        [ -s theirs ] && diff theirs ours || return
    done
    run 0 info dir/report.ko && has out "needs:          histogram_buckets"
}

info_as_json()
{
    run 0 info --json info.ko && cp out before && run 0 info info.ko --json && cmp out before &&
        python '
found = document()
vermagic = subprocess.run(["modinfo", "-F", "vermagic", "info.ko"], capture_output=True,
                          text=True).stdout.strip() if shutil.which("modinfo") else \
    next(e["value"] for e in found["info"] if e["tag"] == "vermagic")
tags = {}
for entry in found["info"]:
    tags.setdefault(entry["tag"], []).append(entry["value"])
equal({tag: sorted(values) for tag, values in tags.items()}, {
    "license": ["Dual MIT/GPL"], "description": ["Says \"everything\", = and : too"],
    "author": ["First Author <first@example.org>", "Second Author"],
    "alias": ["info-one", "info-two"], "version": ["1.2.3"], "softdep": ["pre: counter"],
    "empty": [""], "vermagic": [vermagic]})
equal(sorted(found["parameters"], key=lambda p: p["name"]), [
    {"name": "both", "type": "int", "description": "has a type: and a description"},
    {"name": "name", "type": "string", "description": None},
    {"name": "numbers", "type": "array of int", "description": "up to four"},
    {"name": "typed", "type": "ulong", "description": None}])
equal(sorted(found["exports"], key=lambda e: e["name"]),
      [{"name": "info_all", "gpl": False}, {"name": "info_gpl", "gpl": True}])
assert "param_ops_int" in found["needs"]'
}

# ---- permod check ------------------------------------------------------------------------------

# Every section that takes memory is in the plan, as readelf sees it.
check_shows_the_plan()
{
    run 0 check counter.ko && has out "counter.ko: would load" && is err "" && lacks out problem &&
        grep -q '^symbol  *provider  *address  *reached  *uses ' out &&
        grep -Eq '^counter.ko  *\.data\.*percpu  *percpu  *0  *0x[0-9a-f]+  *8  *8$' out || return
    readelf -SW counter.ko | sed -n 's/^ *\[ *[0-9]*\] //p' > sections
    run 0 check --json counter.ko && python '
found = document()
equal((found["loads"], found["problems"], found["filename"]), (True, [], "counter.ko"))
wanted = {}
for line in open("sections"):
    if line.split()[0] == "NULL":
        continue
    name, kind, address, offset, size, entry, *flags, link, info, align = line.split()
    if flags and "A" in flags[0] and int(size, 16) and kind != "NOTE":
        wanted[name] = (int(size, 16), int(align))
loaded = [s for s in found["sections"] if s["region"] != "-" and s["size"]]
equal({s["section"]: (s["size"], s["align"]) for s in loaded}, wanted)
low, high = (int(found["interval"][end], 0) for end in ("low", "high"))
assert low <= high
for section in loaded:
    address = int(section["address"], 0)
    assert address and address % section["align"] == 0, section
    # The whole module is no larger than this.
    assert section["region"] == "percpu" or low <= address < high + (1 << 20), section
symbols = {s["name"]: s for s in found["symbols"]}
assert symbols["param_ops_int"]["provider"]
assert int(symbols["param_ops_int"]["address"], 0)'
}

check_tells_problems()
{
    run 1 check lacks.ko && has out "lacks.ko: would not load" && is err "" &&
        grep -q '^problem: .*nobody_has_this' out &&
        grep -Eq '^nobody_has_this  *nobody  *-  *-  *1  *R_X86_64_[A-Z0-9]*  *\.[a-z.]*text[^ ]*  *\+0x' out &&
        run 1 check --json lacks.ko && python '
found = document()
assert not found["loads"] and any("nobody_has_this" in line for line in found["problems"])
symbol, = [s for s in found["symbols"] if s["name"] == "nobody_has_this"]
equal((symbol["provider"], symbol["weak"]), (None, False))' &&
        run 0 check chain/weak.ko && grep -q '^nobody_has_this  *nobody (weak)' out
}

# What the manual says of the document is all there is, and the text has the same.
check_is_a_map()
{
    printf '%s\n' 'int getpid(void); int far;' 'int *find(void) { return getpid() ? &far : 0; }' > map.c
    $CC -O1 -fno-pie -fno-pic -fcommon -c -o map.o map.c || return
    run 0 check map.o && has out "highest set by far: R_X86_64_32 in map.o, .text+0x" &&
        has out "(below the arena" && grep -q '^for  *kind  *address  *holds  *uses  *first' out &&
        grep -Eq '^getpid  *stub  *0x[0-9a-f]+  *0x[0-9a-f]+  *1  *R_X86_64_PLT32  *\.text  *\+0x' out &&
        grep -Eq '^getpid  *got  .*  its stub  *-  *-$' out || return
    run 0 check --json map.o && python '
found = document()
site = {"object", "section", "offset", "type"}
equal(set(found), {"filename", "loads", "problems", "interval", "place", "percpu", "tls",
                   "discarded_references", "features", "sections", "symbols", "slots"})
equal(set(found["interval"]), {"low", "high", "low_set_by", "high_set_by"})
equal(set(found["interval"]["high_set_by"]), {"symbol", "reference"})
equal(set(found["interval"]["high_set_by"]["reference"]), site)
equal(set(found["place"]), {"address", "reason", "size", "init_size"})
equal(set(found["percpu"]), {"size", "align", "used", "reserved"})
equal(set(found["tls"]), {"size", "align"})
for section in found["sections"]:
    equal(set(section), {"object", "section", "region", "offset", "address", "size", "align",
                         "discarded"})
symbol, = [s for s in found["symbols"] if s["name"] == "getpid"]
equal(set(symbol), {"name", "provider", "address", "weak", "got", "stub", "references", "first"})
equal((symbol["references"], symbol["stub"], set(symbol["first"])), (1, True, site))
slots = {s["kind"]: s for s in found["slots"]}
equal(set(slots["stub"]), {"kind", "symbol", "address", "target", "references", "first"})
equal((slots["stub"]["symbol"], slots["stub"]["target"]), ("getpid", symbol["address"]))
equal((slots["got"]["references"], slots["got"]["first"]), (0, None))'
}

check_runs_nothing()
{
    run 0 check order.ko && lacks out ": init" && is err "" &&
        run 0 run order.ko tag=x && has out "x: init"
}

# ---- permod map --------------------------------------------------------------------------------

map_draws_all()
{
    run 0 map && is err "" && has out "cookies" && has out "modules" && python '
text = open("out").read()
for cpu in possible[:8] + possible[-1:]:
    assert "CPU %d: cookie " % cpu in text, cpu' || return
    run_with "PERCPU_CPUS=600 PERCPU_UNIT=8M PERCPU_RESERVED=1M PERCPU_DYNAMIC=64K" 0 map &&
        has out "600 possible CPUs: 0-599" && has out "CPU 7: " && lacks out "CPU 300: " &&
        has out "CPU 599: " && has out " 8 MiB  | static" && has out "; 0 B in memory" &&
        grep -Eq '^reserved  *0x[0-9a-f]+  *1 MiB  *0 B  *1 MiB$' out
}

map_as_json()
{
    run_with PERCPU_UNIT=16M 0 map --json && is err "" && python '
found = document()
equal(found["unit_size"], 16 << 20)
units = {int(cpu): int(address, 0) for cpu, address in found["units"].items()}
equal(list(units), possible)
first = units[possible[0]]
for cpu, address in units.items():
    equal(address - first, (cpu - possible[0]) << 24)
offset = 0
for region in found["regions"]:
    assert offset <= region["offset"] < offset + 64, region
    assert region["used"] <= region["size"]
    offset = region["offset"] + region["size"]
equal(offset, 16 << 20)
equal([region["name"] for region in found["regions"]], ["static", "reserved", "dynamic"])
assert abs(int(found["arena"], 0) - int(found["cookies"], 0)) < 1 << 31
assert found["operations"] in ("rseq", "atomic")'
}

# A module that allocates, and writes on some CPUs: pages 0 and 2 of one variable, and ten others.
compile map_user.ko "$modules/tool_map.c"

# The statistics are those of what the module did.
map_tells_statistics()
{
    # Guard gaps would count as used.
    run_with PERCPU_CHECK=0 0 map --json ./map_user.ko && is err "" && python '
found = document()
stats = found["stats"]
page = os.sysconf("SC_PAGESIZE")
equal(stats["page"], page)
# Ten of 100 bytes, one of three pages and one of 300 000 bytes, and the count of references to the
# module; in the reserved region one int.
equal(stats["areas"], 14)
equal(stats["used"], 10 * 100 + 3 * page + 300000 + 8 + 4)
equal((stats["smallest"], stats["largest"]), (4, 300000))
equal((stats["chunks"], stats["most_chunks"]), (2, 2))
for key in "areas", "used", "idle", "free", "fragments", "fragmented", "resident", "empty":
    equal(sum(chunk[key] for chunk in found["chunk_stats"]), stats[key])
for chunk in found["chunk_stats"]:
    equal(chunk["used"] + chunk["idle"] + chunk["free"], chunk["size"])
reserved, first, second = found["chunk_stats"]
equal([chunk["region"] for chunk in found["chunk_stats"]], ["reserved", "dynamic", "dynamic"])
equal((second["areas"], second["smallest"], second["largest"]), (1, 300000, 300000))
equal((first["areas"], first["median"]), (12, 100))
equal(found["modules"], [{"name": "map_user", "offset": 0, "size": 4}])
# Two pages on the first CPU, one on the last, and that of the int on all.
sizes = {int(cpu): sum(size for offset, size in ranges) // page
         for cpu, ranges in found["resident"].items()}
wanted = {cpu: 1 for cpu in possible}
wanted[possible[0]] += 2
wanted[possible[-1]] += 1
equal(sizes, wanted)
equal(sum(sizes.values()), stats["resident"] + stats["static_resident"])' || return
    run 0 map ./map_user.ko && is err "" && python '
lines = [line.split() for line in open("out").read().splitlines()]
assert ["Variables", "allocated:", "14,"] in [line[:3] for line in lines]
chunks = [line for line in lines if line[:1] in (["reserved"], ["0"], ["1"]) and len(line) > 10]
equal([line[0] for line in chunks[:3]], ["reserved", "0", "1"])
equal(lines[-1], ["map_user", "0x0", "4", "B"])'
}

# svg_agrees CPUS: the picture in map.svg is XML, and says what the JSON document in out says.
svg_agrees()
{
    python '
import xml.etree.ElementTree as ElementTree
found = document()
cpus = int(sys.argv[1])
space = "{http://www.w3.org/2000/svg}"
root = ElementTree.parse("map.svg").getroot()
equal(root.tag, space + "svg")
rows = [group for group in root.iter(space + "g") if group.get("data-cpus")]
equal(sum(int(row.get("data-cpus")) for row in rows), cpus)
assert len(rows) <= 30 or cpus <= 30, "rows that are alike are apart"
pages = sum(int(row.get("data-cpus")) * int(page.get("data-pages"))
            for row in rows for page in row if page.get("data-pages"))
equal(pages, found["stats"]["resident"] + found["stats"]["static_resident"])
texts = ["".join(text.itertext()) for text in root.iter(space + "text")]
for name in "Per-CPU address space", "CPU 0", "0x0", "reserved: ", "dynamic, chunk 0: ":
    assert any(text.startswith(name) for text in texts), name
for module in found["modules"]:
    assert module["name"] in texts, module
    assert any(text.startswith(module["name"][:40]) and text.endswith(" B")
               for text in texts), module
# Nothing lies outside, and no two texts in one line cover each other.
width, height = float(root.get("width")), float(root.get("height"))
places = []
for text in root.iter(space + "text"):
    length = 7.25 * len("".join(text.itertext()))
    x, y, kind = float(text.get("x")), float(text.get("y")), text.get("class").split()
    x -= length if "right" in kind else length / 2 if "middle" in kind else 0
    assert 0 <= x and x + length <= width and 10 <= y <= height, (x, y, length, text.text)
    places.append((y, x, x + length, text.text))
for a in places:
    for b in places:
        if a is not b and abs(a[0] - b[0]) < 10 and a[1] <= b[1] < a[2] - 1:
            sys.exit("%r covers %r" % (a, b))
for rect in root.iter(space + "rect"):
    if rect.get("width") != "100%":
        assert 0 <= float(rect.get("x")) <= width - float(rect.get("width")), rect.attrib
assert not list(root.iter(space + "script")) and "http" not in root.get("style", "")' "$1"
}

map_as_picture()
{
    count=$(python 'print(len(possible))')
    run 0 map --svg map.svg && is out "" && is err "" && run 0 map --svg map.svg --json &&
        svg_agrees "$count" || return
    for cpus in 8 64 1024; do
        [ $cpus -gt "$(python 'print(max(possible))')" ] || continue
        run_with "PERCPU_CPUS=$cpus" 0 map --svg map.svg --json ./map_user.ko -- ./counter.ko &&
            is err "" && svg_agrees $cpus || return
    done
    # Small units, and hardly any.
    run_with "PERCPU_UNIT=8M PERCPU_RESERVED=5000 PERCPU_DYNAMIC=3000" 0 map --svg map.svg \
        --json ./map_user.ko && svg_agrees "$count" &&
        run_with "PERCPU_RESERVED=0 PERCPU_DYNAMIC=0" 0 map --svg map.svg &&
        has map.svg "</svg>" || return
    run 0 map --call tick --svg map.svg --json counter.ko && svg_agrees "$count" && python '
equal(sorted(map(int, document()["resident"])), allowed)'
}

# What is special in XML, what is no UTF-8, what is no character of XML, and what is long.
map_escapes_names()
{
    long=$(printf '%0200d' 7)
    printf 'bad\377and\357\277\276none\033.ko' > name
    cp counter.ko 'a<b&"c>.ko' && cp map_user.ko "$(cat name)" && cp counter.ko "$long.ko" || return
    run 0 map --svg map.svg --json './a<b&"c>.ko' -- "./$(cat name)" && python '
import xml.etree.ElementTree as ElementTree
texts = [text.text for text in ElementTree.parse("map.svg").getroot().iter(
    "{http://www.w3.org/2000/svg}text")]
for name in "a<b&\"c>", "bad\\xffand\\xef\\xbf\\xbenone\\x1b":
    assert name in texts, (name, texts)' &&
        run 0 map --svg map.svg --json "./$long.ko" && svg_agrees "$(python 'print(len(possible))')"
}

map_tells_failures()
{
    run 1 map --svg missing/map.svg && fails_with "missing/map.svg" &&
        run 1 map --svg /dev/full && fails_with "/dev/full" &&
        run 1 map --json missing.ko && fails_with "missing.ko" &&
        run 1 map --call nothing counter.ko && fails_with "nothing" &&
        rm -f map.svg && run 1 map --svg map.svg missing.ko && [ ! -e map.svg ]
}

# ---- Samples -----------------------------------------------------------------------------------

sample_host_runs()
{
    timeout 60 "$top_builddir/samples/host" counter.ko tick step=3 > out 2> err && is err "" &&
        python '
equal(open("out").read().splitlines(), ["CPU %d: the first word of hits is %d"
      % (cpu, 3 if cpu in allowed else 0) for cpu in possible])' || return
    "$top_builddir/samples/host" missing.ko > out 2> err
    [ $? -eq 1 ] && has err missing.ko && is out ""
}

# ---- All of them -------------------------------------------------------------------------------

check "help names all subcommands" help_names_subcommands
check "help and manual page tell every option" help_tells_every_option
check "version tells how operations are done" version_tells_operations
check "wrong usage exits with 2 and a hint" wrong_usage_exits_2
check "bad values of options exit with 2" bad_option_values_exit_2
check "run: the main job" main_job
check "run: --cpus chooses" cpus_are_chosen
check "run: CPUs that can't be used are refused" bad_cpus_are_refused
check "run: threads are bound to their CPUs" threads_are_bound
check "run: --duration ends in time" duration_ends_in_time
check "run: without --call it shows" without_call_it_shows
check "run: variables of every shape as JSON" shapes_are_shown
check "run: variables of every shape as a table" table_has_everything
check "run: many CPUs" many_cpus_leave_zeros_out
check "run: several modules, in order and back" several_modules_in_order
check "run: --json has standard output alone" json_has_stdout_alone
check "run: strings are escaped" strings_are_escaped
check "run: parameters" parameters_reach_init
check "run: a failing init fails the run" failing_init_fails_the_run
check "run: the function is looked up" function_is_looked_up
check "run: an archive, and its --root" archive_is_a_module
check "run: output that can't be written is an error" full_output_is_an_error
check "run: SIGINT ends the calls, not the run" interrupt_still_shows
check "run: a second SIGINT ends the run" second_interrupt_ends
check "run: progress on a terminal" progress_on_a_terminal
check "run --module-dir: a needed module comes first" needs_are_loaded_first
check "run --module-dir: chains, names and endings" chains_are_followed
check "run --module-dir: nothing is loaded twice" needs_are_not_repeated
check "run --module-dir: weak symbols" weak_needs_are_optional
check "run --module-dir: what can't be found" bad_needs_are_told
check "run --module-dir: bare names" bare_names_need_a_folder
check "wrong files are refused by name" wrong_files_are_refused
if PATH=$PATH:/sbin:/usr/sbin command -v modinfo > log; then
    check "info: agrees with modinfo" info_agrees_with_modinfo
    check "modules: depmod and modprobe read them" tree_suits_kmod
else
    skip "info: agrees with modinfo" "modinfo is not installed (Debian: kmod)"
    skip "modules: depmod and modprobe read them" "kmod is not installed"
fi
check "info: exports and needs" info_tells_symbols
check "info: as JSON" info_as_json
check "check: the plan of a good file" check_shows_the_plan
check "check: the problems of a bad file" check_tells_problems
check "check: a map of what is linked" check_is_a_map
check "check: nothing is run" check_runs_nothing
check "map: the drawing" map_draws_all
check "map: as JSON" map_as_json
check "map: statistics of what a module allocated" map_tells_statistics
check "map: a picture that says the same" map_as_picture
check "map: names are escaped in the picture" map_escapes_names
check "map: what can't be loaded or written" map_tells_failures
check "samples: the host" sample_host_runs

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
