#!/bin/sh
# Keys, signing, verdicts and time-stamps as a user meets them. $4 signs a finished file.
sign_file=$(realpath "$4")
time_server=$(realpath "$5")
old_keys=$(realpath "$6")
own_keys=yes
. "$(dirname "$0")/lib.sh"
pictures=$source_dir/tests/data/pictures
keys=$XDG_CONFIG_HOME/sora/credentials

"$make_model" "$source_dir/models/nano/tokenizer.model" "$work.model" || exit 1
SORA_MODEL=$work.model
export SORA_MODEL
fast="--steps 1 --frames 5"

# The first one makes keys and says so; the second is silent.
expect 3 'signer.pem: no such file; .sora credentials init. makes it' "$sora" credentials show
expect 0 '^sora: made keys that sign what it writes, in .*/sora/credentials' "$sora" "a dog" $fast -o a.mp4
expect 0 "" "$sora" "a dog" $fast -o a.png --json
printed '"credentials": ?"urn:c2pa:[0-9a-f-]{36}"'
only a-0001.png a-0002.png a-0003.png a-0004.png a-0005.png a.mp4
for file in root.key signer.pem; do
    checks=$((checks + 1))
    [ "$(stat -c %a "$keys/$file")" = 600 ] || fail "$file: mode $(stat -c %a "$keys/$file")"
done
[ "$(stat -c %a "$keys")" = 700 ] || fail "credentials folder: mode $(stat -c %a "$keys")"
expect 0 "" "$sora" credentials init
printed 'there is a signer already'
expect 0 "" "$sora" credentials show
printed '^algorithm  ES256$'
printed '^root  .*/root.pem$'
grep -q 'PRIVATE' "$work.out" && fail "show prints a private key"
expect 0 "" "$sora" credentials show --json
printed '"algorithm": ?"ES256"'

# Verdicts.
expect 0 "" "$sora" verify a.mp4
printed '^a.mp4: valid, but the signer is not known'
printed 'c2pa.created, trainedAlgorithmicMedia, by sora.c, model '
grep -q 'a dog' "$work.out" && fail "the manifest tells the prompt"
expect 0 "" "$sora" verify a.mp4 --trust "$keys/root.pem"
printed '^a.mp4: valid, and the signer is trusted$'
expect 0 "" "$sora" verify a-0003.png --json --trust "$keys/root.pem"
printed '"validation_state": ?"Trusted"'
printed '"code": ?"assertion.dataHash.match"'
expect 2 "" "$sora" verify "$pictures/corners.jpg"
printed 'corners.jpg: no content credentials$'
expect 2 'corners.gif: not MP4, PNG, JPEG or WebP' "$sora" verify "$pictures/corners.gif"
expect 3 'none.mp4: cannot open' "$sora" verify none.mp4
expect 3 'none.pem: cannot open' "$sora" verify a.mp4 --trust none.pem
expect 2 'no certificate in PEM' "$sora" verify a.mp4 --trust "$pictures/corners.jpg"
{ cat a.mp4; printf x; } >b.mp4
expect 1 "" "$sora" verify b.mp4
printed 'assertion.bmffHash.mismatch'
sed 's/trainedAlgorithmicMedia/humanAlgorithmicMedia00/' a.mp4 >b.mp4
expect 1 "" "$sora" verify b.mp4
printed 'assertion.hashedURI.mismatch'
rm b.mp4 a-000[2345].png

# Without.
expect 0 "" "$sora" "a dog" $fast -o b.mp4 --no-credentials
printed 'no content credentials: nothing signed says that AI made it'
expect 2 "" "$sora" verify b.mp4
expect 0 "" "$sora" "a dog" $fast -o b.gif
printed 'no content credentials: this kind of file cannot carry them'
echo '{"required": true}' >"$keys/policy.json"
rm b.mp4 b.gif
expect 2 'demanded by policy.json: --no-credentials is refused' "$sora" "a dog" $fast -o b.mp4 --no-credentials
expect 2 'demanded by policy.json' "$sora" "a dog" $fast -o b.gif
only a-0001.png a.mp4
echo '{"required": 1}' >"$keys/policy.json"
expect 2 '"required" is not true or false' "$sora" "a dog" $fast -o b.mp4
expect 2 '"required" is not true or false' "$sora" "a dog" $fast -o b.mp4 --no-credentials
echo '{"required": true' >"$keys/policy.json"
expect 2 'policy.json:' "$sora" "a dog" $fast -o b.mp4 --no-credentials
expect 2 'policy.json:' "$sora" "a dog" $fast -o b.gif
only a-0001.png a.mp4
rm "$keys/policy.json"

# Keys that others may read or replace are used, with a word.
chmod 644 "$keys/signer.pem"
expect 0 '^sora: warning: .*signer.pem: others may read this private key .mode 644.; chmod 600 mends it$' \
    "$sora" "a dog" $fast -o b.mp4
chmod 600 "$keys/signer.pem"
chmod 777 "$keys"
expect 0 '^sora: warning: .*: others may write there .mode 777.; chmod 700 mends it$' "$sora" credentials show
chmod 700 "$keys"
rm b.mp4

# Keys that are out of date: ours are renewed, with a word; those that were bought are refused before the work.
for years in -20 70; do
    SORA_CREDENTIALS=$work.dated.$years
    export SORA_CREDENTIALS
    "$old_keys" "$SORA_CREDENTIALS" $years || fail "old_keys"
    expect 0 "" "$sora" credentials show
    printed '^valid .* .(EXPIRED|NOT YET VALID).$'
    expect 0 '^sora: the keys in .* were out of date; made new ones' "$sora" "a dog" $fast -o b.mp4
    expect 0 "" "$sora" verify b.mp4 --trust "$SORA_CREDENTIALS/root.pem"
    printed 'valid, and the signer is trusted'
    expect 0 "" "$sora" credentials show --json
    printed '"state": "valid"'
    rm -r b.mp4 "$SORA_CREDENTIALS"
    "$old_keys" "$SORA_CREDENTIALS" $years && rm "$SORA_CREDENTIALS/root.key" || fail "old_keys"
    expect 2 'signer.pem: the certificate (expired|is not valid yet) .*import. takes a new one' "$sora" "a dog" $fast -o b.mp4
    expect 0 "" "$sora" "a dog" $fast -o b.mp4 --no-credentials
    expect 1 'import. takes a new one' "$sign_file" b.mp4
    rm b.mp4
done
unset SORA_CREDENTIALS
only a-0001.png a.mp4

# The prompt, when asked for; a picture is the parent and keeps its manifest.
expect 0 "" "$sora" "a dog" $fast -o b.mp4 --tell-prompt signed --image a-0001.png
expect 0 "" "$sora" verify b.mp4 --trust "$keys/root.pem"
printed 'b.mp4: valid, and the signer is trusted'
printed 'made from   prompt \(inputTo\): a dog$'
printed 'made from   a-0001.png \(parentOf, with credentials\)$'
printed 'c2pa.opened'
printed 'c2pa.edited, compositeWithTrainedAlgorithmicMedia'
expect 0 "" "$sora" "a dog" $fast -o c.mp4 --image "$pictures/corners.jpg"
expect 0 "" "$sora" verify c.mp4
printed 'made from   corners.jpg \(parentOf\)$'
# A changed parent is still named, with what was found.
sed 's/trainedAlgorithmicMedia/humanAlgorithmicMedia00/' a-0001.png >d.png
cp c.mp4 e.mp4
expect 1 'has content credentials already' "$sign_file" e.mp4
expect 0 "" "$sora" "a dog" $fast -o e.mp4 --no-credentials
expect 0 "" "$sign_file" --parent d.png --input a.mp4 e.mp4
expect 0 "" "$sora" verify e.mp4 --trust "$keys/root.pem"
printed 'valid, and the signer is trusted'
expect 0 "" "$sora" verify e.mp4 --json
printed 'assertion.hashedURI.mismatch|"relationship": ?"parentOf"'
cp "$pictures/corners.jpg" f.jpg
expect 1 'one parent at most' "$sign_file" --parent a.mp4 --parent d.png f.jpg
rm f.jpg
# One switch says where the prompt can be read: nowhere, in the metadata, or in the manifest too.
for kind in mp4 webm gif png jpg webp; do
    frames=5
    case $kind in png | jpg | webp) frames=1 ;; esac
    expect 0 "" "$sora" "a secret dog" -n "a hidden cat" --steps 1 --frames $frames -o g.$kind --tell-prompt nowhere --seed 4711
    checks=$((checks + 1))
    grep -aEq 'secret dog|hidden cat' g.$kind && fail "g.$kind tells the prompt"
    grep -aq '4711' g.$kind || fail "g.$kind lacks its parameters"
    expect 0 "" "$sora" "a secret dog" --steps 1 --frames $frames -o g.$kind
    grep -aq 'a secret dog' g.$kind || fail "g.$kind does not tell the prompt"
done
rm g.* ./*.mp4 ./*.png

# Pictures of every kind: parameters and all, signed one by one.
for kind in jpg jpeg webp png; do
    expect 0 "" "$sora" "a dog" --steps 1 --frames 1 -o a.$kind
    expect 0 "" "$sora" verify a.$kind --trust "$keys/root.pem"
    printed 'valid, and the signer is trusted'
    printed 'c2pa.created, trainedAlgorithmicMedia, by sora.c, model '
    checks=$((checks + 1))
    grep -aq '"prompt":"a dog"' a.$kind || fail "a.$kind lacks its parameters"
done
expect 0 "" "$sora" "a dog" $fast -o b.jpg --json
printed '"output": ?"b-%04d.jpg"'
only a.jpeg a.jpg a.png a.webp b-0001.jpg b-0002.jpg b-0003.jpg b-0004.jpg b-0005.jpg
expect 0 "" "$sora" verify b-0004.jpg --trust "$keys/root.pem"
expect 0 "" "$sora" "a dog" --steps 1 --frames 1 --image a.webp -o c.webp
expect 0 "" "$sora" verify c.webp --trust "$keys/root.pem"
printed 'made from   a.webp \(parentOf, with credentials\)$'
expect 0 "" "$sora" "a dog" --steps 1 --frames 1 -o d.jpg --no-credentials
expect 2 "" "$sora" verify d.jpg
expect 2 'unknown extension' "$sora" "a dog" --steps 1 --frames 1 -o d.jpe
expect 3 'd.webp: cannot write: ' "$sora" "a dog" --steps 1 --frames 1 -o /proc/d.webp
rm ./*.jpg ./*.jpeg ./*.webp ./*.png

# JPEG and WebP of others, and the other algorithms.
for algorithm in es256 ps256 ed25519; do
    SORA_CREDENTIALS=$work.keys/$algorithm
    export SORA_CREDENTIALS
    expect 0 "" "$sora" credentials init --algorithm $algorithm --organization "Fox Films" --name "Stüdio 1"
    for kind in jpg webp; do
        cp "$pictures/corners.$kind" a.$kind
        expect 0 "" "$sign_file" a.$kind
        expect 0 "" "$sora" verify a.$kind --trust "$SORA_CREDENTIALS/root.pem"
        printed 'valid, and the signer is trusted'
        printed 'signed by   Stüdio 1, Fox Films'
    done
done
rm a.jpg a.webp

# A certificate that somebody else gives.
if command -v openssl >/dev/null; then
    SORA_CREDENTIALS=$work.keys/bought
    ca=$work.ca
    mkdir "$ca"
    expect 3 'no key was made by' "$sora" credentials import "$work.keys/es256/root.pem"
    expect 0 "" "$sora" credentials request --organization "Fox Films" --name "Studio" -o fox.csr
    printed 'its key stays in the credentials folder'
    [ "$(stat -c %a "$SORA_CREDENTIALS/request.key")" = 600 ] || fail "request.key is not private"
    expect 0 'verify OK' openssl req -in fox.csr -noout -verify
    cat >"$ca/ca.cnf" <<'C'
[req]
distinguished_name = dn
prompt = no
x509_extensions = ca
[dn]
O = Test
CN = Test root
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = emailProtection
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[weak]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
[tsa]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
C
    (
        cd "$ca" &&
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 30 \
                -config ca.cnf &&
            for use in leaf weak; do
                openssl x509 -req -in "$work/fox.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 10 \
                    -extfile ca.cnf -extensions $use -out $use.pem || exit 1
            done
    ) >"$work.out" 2>&1 || fail "openssl: $(tail -3 "$work.out")"
    expect 2 'weak.pem: certificate has no extended key usage' "$sora" credentials import "$ca/weak.pem"
    expect 2 'is of another key than' "$sora" credentials import "$ca/ca.pem"
    expect 0 "" "$sora" credentials import "$ca/leaf.pem"
    cp "$pictures/corners.jpg" a.jpg
    expect 0 "" "$sign_file" a.jpg
    expect 0 "" "$sora" verify a.jpg --trust "$ca/ca.pem"
    printed 'valid, and the signer is trusted'

    # A time-stamp from openssl's own service.
    cat >"$ca/tsa.cnf" <<'C'
[tsa]
default_tsa = own
[own]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
certs = ca.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
C
    (
        cd "$ca" && echo 01 >serial &&
            openssl req -newkey rsa:2048 -nodes -keyout tsa.key -subj "/O=Test/CN=Test time" -out tsa.csr &&
            openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -days 10 -extfile ca.cnf -extensions tsa -out tsa.pem
    ) >"$work.out" 2>&1 || fail "openssl: $(tail -3 "$work.out")"
    "$time_server" "$ca" 2 >"$work.port" &
    server=$!
    tries=0
    until [ -s "$work.port" ] || [ $tries = 6000 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    url=http://127.0.0.1:$(cat "$work.port")/stamp
    cp "$pictures/corners.jpg" b.jpg
    expect 0 "" "$sign_file" --time "$url" b.jpg
    printed 'time-stamped$'
    expect 0 "" "$sora" verify b.jpg --trust "$ca/ca.pem" --json
    printed 'timeStamp.trusted'
    expect 0 "" "$sora" verify b.jpg --json
    printed 'timeStamp.untrusted'
    expect 0 "" "$sora" "a dog" $fast -o b.mp4 --time-authority "$url"
    expect 0 "" "$sora" verify b.mp4 --trust "$ca/ca.pem" --json
    printed 'timeStamp.validated'
    wait $server
    # Nobody there any more: the file is signed all the same.
    expect 0 '^sora: no time-stamp: http.*Connection refused$' "$sora" "a dog" $fast -o c.mp4 --time-authority "$url"
    expect 0 "" "$sora" verify c.mp4 --trust "$ca/ca.pem"
    printed 'valid, and the signer is trusted'
else
    echo "SKIPPED: import and time-stamps, for openssl is not installed"
fi

# Two at once make one pair of keys.
SORA_CREDENTIALS=$work.keys/race
for i in 1 2 3 4; do "$sora" credentials init >/dev/null & done
wait
cp "$pictures/corners.jpg" d.jpg
expect 0 "" "$sign_file" d.jpg
expect 0 "" "$sora" verify d.jpg --trust "$SORA_CREDENTIALS/root.pem"
printed 'valid, and the signer is trusted'
# No home, no keys, no file.
unset SORA_CREDENTIALS XDG_CONFIG_HOME
rm -f ./*
expect 3 'HOME is not set' env -u HOME "$sora" "a dog" $fast -o a.mp4
expect 0 "" env -u HOME "$sora" "a dog" $fast -o a.mp4 --no-credentials
expect 4 'cannot make folder' env HOME=/dev/null "$sora" "a dog" $fast -o b.mp4
only a.mp4
finish
