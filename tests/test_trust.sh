#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Modules signed by the kernel's sign-file (or kmodsign): the command takes them, or says why not, and
# tells of them what modinfo does. Keys are made here, and gone afterwards.

. "$(dirname "$0")/shell.sh"

if ! "$permod" run --signatures warn no.ko > out 2> err && grep -q 'without OpenSSL' err; then
    skip "signatures" "permod is built without OpenSSL"
    cp err said
    check "warning takes OpenSSL" has said "which checks signatures"
    finish
    exit
fi

# sign DIGEST KEY CERTIFICATE FILE TO
sign_file=$(command -v kmodsign || ls -d /usr/lib/linux-kbuild-*/scripts/sign-file 2> log | tail -n 1)
if [ -z "$sign_file" ]; then
    not_ok "sign-file or kmodsign is there (package linux-kbuild-6.1)"
    finish
    exit
fi
sign()
{
    "$sign_file" "$@"
}

# key NAME OPTION...: NAME.key, and NAME.pem as its certificate.
key()
{
    name=$1
    shift
    openssl req -x509 -new -nodes -batch -utf8 -sha256 -days 2 -keyout "$name.key" -out "$name.pem" \
        -subj "/O=permod tests/CN=signer $name" "$@" 2> log
}

# refused PART FILE OPTION...: permod run says so in one line and ends with 1.
refused()
{
    part=$1
    file=$2
    shift 2
    "$permod" run --signatures enforce "$@" "$file" > out 2> err
    [ $? = 1 ] && [ "$(wc -l < err)" = 1 ] && [ ! -s out ] && grep -qF "$part" err
}

# warned PART FILE OPTION...: loaded all the same, after a line.
warned()
{
    part=$1
    file=$2
    shift 2
    "$permod" run --signatures warn "$@" "$file" > out 2> err &&
        [ "$(wc -l < err)" = 1 ] && grep -q '^permod: warning: ' err && grep -qF "$part" err
}

# loads FILE OPTION...
loads()
{
    file=$1
    shift
    "$permod" run --signatures enforce "$@" "$file" > out 2> err && [ ! -s err ] &&
        "$permod" check --signatures enforce "$@" "$file" > out 2> err && [ ! -s err ]
}

# same FILE: permod info tells of its signature what modinfo does.
same()
{
    "$permod" info "$1" | sed -n '/^sig_id/,/^parm/p' | grep -v '^parm' > ours
    "${MODINFO:-modinfo}" "$PWD/$1" | sed -n '/^sig_id/,/^parm/p' | grep -v '^parm' > theirs
    [ "$(wc -l < ours)" -gt 5 ] && diff ours theirs > log &&
        [ "$("$permod" info "$1" | sed -n 's/^signer: *//p')" = "$(modinfo -F signer "$PWD/$1")" ]
}

PATH=$PATH:/usr/sbin:/sbin
module=$top_builddir/samples/counter.ko
cp "$module" unsigned.ko
key rsa -newkey rsa:2048
key ec -newkey ec -pkeyopt ec_paramgen_curve:secp384r1
key other -newkey ec -pkeyopt ec_paramgen_curve:prime256v1

for signer in rsa ec; do
    for digest in sha256 sha384 sha512; do
        file=$signer-$digest.ko
        check "signed: $signer, $digest" sign $digest $signer.key $signer.pem "$module" $file
        check "loads: $signer, $digest" loads $file --certificate other.pem --certificate $signer.pem
        check "is told as by modinfo: $signer, $digest" same $file
    done
done

openssl x509 -in rsa.pem -outform DER -out rsa.der
check "a certificate as DER" loads rsa-sha256.ko --certificate rsa.der
check "unknown: refused" refused 'signed by "signer rsa", key ' rsa-sha256.ko --certificate other.pem
check "unknown: warned of" warned 'signed by "signer rsa", key ' rsa-sha256.ko --certificate other.pem
check "no certificate: refused" refused 'none of the 0' rsa-sha256.ko
check "unsigned: refused" refused 'unsigned.ko: it is not signed' unsigned.ko --certificate rsa.pem
# permod check tells the same, and that it would load.
check_warns()
{
    "$permod" check --signatures warn unsigned.ko > out 2> err && has out "unsigned.ko: would load" &&
        has err "permod: warning: unsigned.ko: it is not signed" && [ "$(wc -l < err)" = 1 ] &&
        "$permod" check --signatures warn --certificate rsa.pem rsa-sha256.ko > out 2> err &&
        [ ! -s err ]
}
check "check warns" check_warns
check "unsigned: warned of" warned 'unsigned.ko: it is not signed' unsigned.ko --certificate rsa.pem

sign sha1 rsa.key rsa.pem "$module" sha1.ko
check "a weak digest: refused" refused 'digest is sha1;' sha1.ko --certificate rsa.pem
sign sha256 rsa.key rsa.pem rsa-sha256.ko twice.ko
check "signed twice: refused" refused 'signed twice' twice.ko --certificate rsa.pem
strip --strip-debug -o stripped.ko rsa-sha256.ko
check "stripped: refused" refused 'not signed' stripped.ko --certificate rsa.pem
head -c -5 rsa-sha256.ko > cut.ko
check "cut: refused" refused 'the last 5 bytes are missing' cut.ko --certificate rsa.pem
sed 's/Counts calls/Counts culls/' rsa-sha256.ko > changed.ko
check "changed: refused" refused 'of another content' changed.ko --certificate rsa.pem

# Certificates that are not valid now come from a small authority.
mkdir -p ca
: > ca/index
echo 01 > ca/serial
cat > ca.cnf << END
[ca]
default_ca = small
[small]
database = ca/index
serial = ca/serial
new_certs_dir = ca
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
organizationName = optional
END
openssl req -new -key rsa.key -subj "/CN=signer timed" -out timed.csr 2> log
for times in expired:20200101000000Z:20210101000000Z later:20900101000000Z:20910101000000Z; do
    name=${times%%:*}
    begin=${times#*:}
    openssl ca -batch -config ca.cnf -selfsign -keyfile rsa.key -in timed.csr -out $name.pem \
        -startdate "${begin%:*}" -enddate "${begin#*:}" -notext 2> log
    sign sha256 rsa.key $name.pem "$module" $name.ko
done
check "expired: refused" refused 'expired at Jan  1 00:00:00 2021 GMT' expired.ko --certificate expired.pem
check "not yet valid: refused" refused 'is not valid before Jan  1 00:00:00 2090 GMT' later.ko \
    --certificate later.pem

# What openssl makes with attributes, and by the key's number.
printf 'keyUsage=digitalSignature\nsubjectKeyIdentifier=hash\n' > ext
openssl req -new -key ec.key -subj "/CN=by key" -out by.csr 2> log
openssl x509 -req -in by.csr -signkey ec.key -extfile ext -days 2 -out by.pem 2> log
openssl cms -sign -binary -nocerts -keyid -md sha512 -signer by.pem -inkey ec.key -in "$module" \
    -outform DER -out by.p7s 2> log
python3 - "$module" by.p7s by.ko << 'END'
import struct, sys
content, message = (open(name, 'rb').read() for name in sys.argv[1:3])
trailer = struct.pack('>5B3xI', 0, 0, 2, 0, 0, len(message))
open(sys.argv[3], 'wb').write(content + message + trailer + b'~Module signature appended~\n')
END
check "made by openssl cms, with attributes" loads by.ko --certificate by.pem

# Signed, then compressed: so does the kernel's `make modules_install`.
for tool in xz zstd gzip; do
    case $tool in xz) ending=xz ;; zstd) ending=zst ;; gzip) ending=gz ;; esac
    $tool -qc rsa-sha512.ko > packed.ko.$ending
    check "compressed by $tool" loads packed.ko.$ending --certificate rsa.pem
    # Debian's modinfo is built without zlib.
    [ $tool = gzip ] || check "is told as by modinfo: $tool" same packed.ko.$ending
    $tool -qc "$module" > outside.ko.$ending
    sign sha256 rsa.key rsa.pem outside.ko.$ending
    check "compressed by $tool, then signed: refused" refused 'damaged: its ' outside.ko.$ending --certificate rsa.pem
done

# A module that needs another finds it compressed.
mkdir dir
gzip -c "$top_builddir/tests/modules/tool_lacks.ko" > dir/tool_lacks.ko.gz
found_compressed()
{
    "$permod" run --module-dir dir tool_lacks > out 2> err
    [ $? = 1 ] && grep -q 'tool_lacks.ko.gz: ' err
}
check "--module-dir knows compressed files" found_compressed

# usage TEXT OPTION...
usage()
{
    part=$1
    shift
    "$permod" run "$@" unsigned.ko > out 2> err
    [ $? = 2 ] && grep -qF -e "$part" err
}
check "a policy that is none" usage "'often': none of off, warn, enforce" --signatures often
check "a certificate without a policy" usage "--certificate needs --signatures" --certificate rsa.pem
: > empty.pem
check "an empty file has no certificates" refused 'empty.pem: no file with certificates: empty' unsigned.ko \
    --certificate empty.pem
check "a key is no certificate" refused 'rsa.key: there is no certificate in it' unsigned.ko \
    --certificate rsa.key

finish
