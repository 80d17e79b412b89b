#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Features of languages and of linking, each a small program in tests/features/: built by every
# compiler that there is in many ways, loaded as an object and as an archive, and its output held
# against that of the same objects linked to a program. matrix.py does it and says how.

. "$(dirname "$0")/shell.sh"

# ---- What the manual promises ------------------------------------------------------------------

# permod-linking(7) and the linker's table know the same relocations, and both the same of each.
manual_has_all_relocations()
{
    python3 - "$top_srcdir" << 'end'
import re, sys
table = open(sys.argv[1] + "/elf/arch/x86_64.c").read()
table = table[table.index("types[] = {"):]
table = table[:table.index("};")]
linker = {}
# Of some the number comes first; some names are numbers.
for kind, name in re.findall(r"^\t(NUMBERED\w*\(\d+, |SUPPORTED\(|REFUSED\()(\w+),", table, re.M):
    linker["R_X86_64_" + name] = "SUPPORTED" in kind
page = open(sys.argv[1] + "/doc/permod-linking.7").read()
supported, refused = page.split(".SS Supported\n")[1].split(".SH ")[0].split(".SS Refused\n")
manual = {}
for text, known in ((supported, True), (refused, False)):
    for name in re.findall(r"R_X86_64_\w+", text):
        assert name not in manual, f"{name}: twice"
        manual[name] = known
assert len(linker) > 40, len(linker)
for name in linker.keys() | manual.keys():
    assert linker.get(name) == manual.get(name), (name, linker.get(name), manual.get(name))
end
}

# Each error that it quotes is one that the linker or the loader makes.
manual_quotes_errors()
{
    python3 - "$top_srcdir" << 'end'
import glob, re, sys
sources = "".join(open(file).read() for folder in ("elf", "elf/arch", "loader")
                  for file in glob.glob(f"{sys.argv[1]}/{folder}/*.c"))
sources = re.sub(r'"\s*"', "", sources)
page = open(sys.argv[1] + "/doc/permod-linking.7").read()
quotes = re.findall(r"\\\(lq([^\\]*(?:\\-[^\\]*)*)\\\(rq", page.split(".SH NAME")[1])
assert len(quotes) > 15, quotes
for quote in quotes:
    quote = quote.replace("\\-", "-").replace("\n", " ")
    assert quote in sources, quote
end
}

check "manual: all relocations, and no others" manual_has_all_relocations
check "manual: the errors that it promises" manual_quotes_errors

# ---- The matrix --------------------------------------------------------------------------------

# The host that is built here knows nothing of the sanitizers that the libraries may be built with.
if [ -n "$sanitizers" ]; then
    skip "matrix" "the libraries are built with a sanitizer"
    finish
fi

python3 "$top_srcdir/tests/features/matrix.py" "$libs" "$CC" "$CXX" "$CLANG" || failed=1
exit $failed
