# SPDX-License-Identifier: LGPL-2.1-or-later
"""
The feature matrix.

    matrix.py LIBRARIES CC CXX CLANG [FEATURE...]

A feature is a file NAME.c, NAME.cc or NAME.S beside this one, and perhaps NAME_2.* with it, that
defines `void NAME(void)`, which prints what it finds. Every feature is compiled in every way of the
list below. All of one way are linked to a program, which says what is right. Then permod loads each
feature: as one object (joined by ld -r if there are two), as an archive, as files that it links itself,
and without sections that the feature does not need. The output must be the same to the byte,
destructors' at unload included.

Lines of a file that begin with " * matrix: " say what is special about it:

    only COMPILER               the others can't compile it
    flags FLAGS                 added to those of every way
    unless WAYS                 no such program can be linked
    glibc REASON                left out with another C library, and why
    refused WAYS => TEXT        permod refuses it, and the error has this text; so the manual promises

WAYS is a regular expression, for "COMPILER FLAGS FORM"; FORM is as in `forms` below.
"""

import collections
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
forms = ["object", "archive", "files", "gc"]
short_ways = [
    "-O0",
    "-O2",
    "-O2 -fPIC",
    "-O2 -fno-pie",
    "-O2 -mcmodel=large -fno-pie",
]
long_ways = [
    "-O0 -fPIC",
    "-O0 -fno-pie",
    "-O1",
    "-Os",
    "-O3",
    "-O0 -g",
    "-O2 -g -fPIC",
    "-O2 -g -gz",
    "-O2 -mcmodel=small",
    "-O2 -mcmodel=small -fPIC",
    "-O2 -mcmodel=small -fno-pie",
    "-O2 -mcmodel=medium",
    "-O2 -mcmodel=medium -fPIC",
    "-O2 -mcmodel=medium -fno-pie",
    "-O0 -mcmodel=large -fPIC",
    "-O2 -mcmodel=large",
    "-O2 -mcmodel=large -fPIC",
    "-O0 -mcmodel=kernel -fno-pie",
    "-O2 -mcmodel=kernel -fno-pie",
    "-O2 -fno-plt",
    "-O2 -fno-plt -fPIC",
    "-O2 -ffunction-sections -fdata-sections",
    "-O2 -fcf-protection=full -fstack-protector-all -D_FORTIFY_SOURCE=2",
    "-O2 -fcommon",
]
# What the compilers themselves do not have.
no_such_way = {"gcc": r"-mcmodel=large$|-mcmodel=medium$|kernel -fPI", "clang": "-mcmodel=large$"}


class Feature:
    def __init__(self, name):
        self.name = name
        self.files = []
        self.flags = []
        self.only = self.unless = self.glibc = None
        self.refused = []

    def add(self, path):
        self.files.append(path)
        for kind, text in re.findall(r"^ \* matrix: (\w+) (.*)$", open(path).read(), re.M):
            if kind == "flags":
                self.flags = shlex.split(text)
            elif kind == "refused":
                self.refused.append(text.split(" => "))
            elif kind in ("only", "unless", "glibc"):
                setattr(self, kind, text)
            else:
                sys.exit(f"{path}: unknown line: matrix: {kind}")


def find_features(chosen):
    found = {}
    for file in sorted(os.listdir(here)):
        name, ending = os.path.splitext(file)
        if ending not in (".c", ".cc", ".S") or name == "host":
            continue
        name = re.sub("_2$", "", name)
        if not chosen or name in chosen:
            found.setdefault(name, Feature(name)).add(os.path.join(here, file))
    return found


def execute(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=300, **more)


def must(command, **more):
    done = execute(command, **more)
    if done.returncode:
        sys.exit(f"not ok {' '.join(command)}\n{done.stdout}")
    return done.stdout


def has_glibc(cc):
    with open("libc.c", "w") as file:
        file.write("#include <features.h>\n__GLIBC__\n")
    return "__GLIBC__" not in must([*shlex.split(cc), "-E", "-P", "libc.c"])


class Way:
    """All features, compiled by one compiler with the same flags."""

    def __init__(self, number, compilers, flags):
        self.compilers = compilers  # by the ending of a file
        self.kind = "clang" if "clang" in compilers[".c"] else "gcc"
        self.flags = flags
        self.name = f"{self.kind} {flags}"
        self.folder = f"way{number}"
        self.link_flags = ["-no-pie" if "-fno-pie" in flags else "-pie", "-pthread"]
        self.errors = {}  # feature: text
        self.outputs = {}  # feature: {"program" or form: text}
        self.unlinked = set()

    def object_of(self, file):
        return os.path.splitext(os.path.basename(file))[0] + ".o"

    def compile(self, features):
        """Each compiler gets all its files at once, as starting one takes long."""
        batches = collections.defaultdict(list)
        for feature in features:
            for file in feature.files:
                ending = os.path.splitext(file)[1]
                batches[self.compilers[ending], tuple(feature.flags)].append((feature, file))
        for (compiler, flags), jobs in batches.items():
            command = [*shlex.split(compiler), *shlex.split(self.flags), *flags, "-w", "-c"]
            execute([*command, *(file for _, file in jobs)], cwd=self.folder)
            for feature, file in jobs:
                if not os.path.exists(os.path.join(self.folder, self.object_of(file))):
                    done = execute([*command, file], cwd=self.folder)
                    self.errors[feature.name] = f"does not compile: {done.stdout[:2000]}"

    def link(self, features, program):
        """Link a program of some features; returns an error text, or None."""
        with open(os.path.join(self.folder, "list.h"), "w") as file:
            file.writelines(f"FEATURE({feature.name})\n" for feature in features)
        objects = [self.object_of(file) for feature in features for file in feature.files]
        linker = self.compilers[".cc"] or self.compilers[".c"]
        must([*shlex.split(self.compilers[".c"]), "-O2", "-DLINKED", "-I.", "-c", "-o", "main.o",
              os.path.join(here, "host.c")], cwd=self.folder)
        done = execute([*shlex.split(linker), *self.link_flags, "-o", program, "main.o", *objects],
                       cwd=self.folder)
        return done.stdout if done.returncode else None

    def run(self, program, entries, environment=None):
        """Each entry is a feature, a module's files, and the form."""
        with open(os.path.join(self.folder, "list"), "w") as file:
            file.writelines(f"{feature.name} {kind} {files} {feature.name}.{kind}\n"
                            for feature, files, kind in entries)
        must([program, "list"], cwd=self.folder)
        for feature, _, kind in entries:
            with open(os.path.join(self.folder, f"{feature.name}.{kind}"), errors="replace") as out:
                self.outputs.setdefault(feature, {})[kind] = out.read()

    def link_program(self, features):
        """One for all; if that fails, find out for which features."""
        error = self.link(features, "program")
        if error is None:
            return features
        good = []
        for feature in features:
            error = self.link([feature], "single")
            if error is None:
                good.append(feature)
            else:
                self.errors[feature.name] = f"no program: {error[:2000]}"
        error = self.link(good, "program")
        if error is not None:
            sys.exit(f"not ok {self.name}: no program of all features\n{error}")
        return good

    def make_modules(self, features):
        entries = []
        for feature in features:
            objects = [self.object_of(file) for file in feature.files]
            module = objects[0]
            if len(objects) > 1:
                module = feature.name + "_joined.o"
                must(["ld", "-r", "-o", module, *objects], cwd=self.folder)
            must(["ar", "rcs", feature.name + ".a", *objects], cwd=self.folder)
            entries.append((feature, module, "object"))
            entries.append((feature, feature.name + ".a", "archive"))
            entries.append((feature, ":".join(objects), "gc"))
            if len(objects) > 1:
                entries.append((feature, ":".join(objects), "files"))
        return entries

    def go(self, features, host):
        os.mkdir(self.folder)
        features = [f for f in features
                    if f.only in (None, self.kind) and
                    not (f.unless and re.search(f.unless, self.name)) and
                    all(self.compilers[os.path.splitext(file)[1]] for file in f.files)]
        self.compile(features)
        features = [f for f in features if f.name not in self.errors]
        features = self.link_program(features)
        self.run("./program", [(feature, "-", "program") for feature in features])
        self.run(host, self.make_modules(features))
        return self


class Results:
    def __init__(self):
        self.same = self.refused = 0
        self.faults = collections.defaultdict(list)  # feature: texts
        self.counts = collections.Counter()

    def fault_of(self, feature, name, wanted, found):
        """What is wrong, or None."""
        promised = [text for ways, text in feature.refused if re.search(ways, name)]
        if not wanted or "ended with status" in wanted:
            return f"the program itself fails: {wanted}"
        if promised and found.startswith("refused: ") and promised[0] in found:
            self.refused += 1
        elif promised:
            return f"is to be refused with \"{promised[0]}\": {found}"
        elif found == wanted:
            self.same += 1
        else:
            return f"wanted: {wanted}found: {found}"
        return None

    def compare(self, way, feature, form, wanted, found):
        name = f"{way.name} {form}"
        fault = self.fault_of(feature, name, wanted, found)
        self.counts[feature.name] += 1
        if fault:
            self.faults[feature.name].append((name, fault))

    def add(self, way):
        for name, text in way.errors.items():
            self.faults[name].append((way.name, text))
        for feature, outputs in way.outputs.items():
            for form in forms:
                if form in outputs:
                    self.compare(way, feature, form, outputs["program"], outputs[form])


    def print(self, name):
        """One line if all is well; else the ways of each fault, and the fault."""
        alike = collections.defaultdict(list)
        for way, fault in self.faults[name]:
            fault = re.sub(r"0x[0-9a-f]+", "0x...", fault)
            alike[re.sub(r"\S+\.(a\([^)]*\)|o):", "FILE:", fault)].append(way)
        for fault, ways in alike.items():
            print(f"    {', '.join(ways)}:")
            print("        " + fault[:1000].rstrip().replace("\n", "\n        "))
        print(f"{'not ok' if alike else 'ok'} {name}: {self.counts[name]} combinations"
              f"{f', {len(self.faults[name])} wrong' if alike else ''}")


def main():
    libraries, cc, cxx, clang, *chosen = sys.argv[1:]
    compilers = [{".c": cc, ".S": cc, ".cc": cxx}]
    if clang and clang != cc and execute(["which", clang]).returncode == 0:
        has_cxx = cxx and execute(["which", clang + "++"]).returncode == 0
        compilers.append({".c": clang, ".S": clang, ".cc": has_cxx and clang + "++"})
    include = os.path.join(here, "..", "..", "include")
    host = os.path.abspath("host")
    glibc = has_glibc(cc)
    must([*shlex.split(cxx or cc), "-O2", "-I", include, "-pthread", "-x", "c",
          os.path.join(here, "host.c"), "-x", "none", "-o", host,
          os.path.join(libraries, "libpermod.so"), os.path.join(libraries, "libpercpu.so"),
          f"-Wl,-rpath,{libraries}", "-Wl,--no-as-needed", "-lm"] +
         (["-lgcc_s"] if glibc else []) + (["-lstdc++"] if cxx else []))
    features = find_features(chosen)
    for feature in [f for f in features.values() if f.glibc and not glibc]:
        print(f"skip {feature.name}: {feature.glibc}")
        del features[feature.name]
    ways = [Way(f"{i}-{j}", choice, flags)
            for j, flags in enumerate(short_ways +
                                      (long_ways if os.environ.get("PERMOD_LONG") else []))
            for i, choice in enumerate(compilers)]
    ways = [way for way in ways if not re.search(no_such_way[way.kind], way.flags)]
    results = Results()
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for way in pool.map(lambda way: way.go(list(features.values()), host), ways):
            results.add(way)
    for name in features:
        results.print(name)
    wrong = sum(bool(faults) for faults in results.faults.values())
    print(f"{len(features)} features in {len(ways)} ways as {', '.join(forms)}: "
          f"{results.counts.total()} ran, {results.same} as the program, "
          f"{results.refused} refused as promised")
    print(f"{len(features) - wrong} passed, {wrong} failed")
    sys.exit(wrong > 0 or not results.same)


main()
