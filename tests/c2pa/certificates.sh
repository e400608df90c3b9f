#!/bin/sh
# certificates.sh FOLDER: a root, two certificates for signing of which one is revoked (leaf, gone), and answers of the
# root's responder about both (leaf.ocsp, gone.ocsp), made with openssl.
set -e
mkdir -p "$1"
cd "$1"
cat >ca.cnf <<'C'
[req]
distinguished_name = dn
prompt = no
x509_extensions = ca
[dn]
O = Test
CN = Test root
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[sign]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = emailProtection
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[answer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
C
make_key() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"
}
make_key root
openssl req -x509 -new -key root.key -sha256 -days 30 -config ca.cnf -out root.pem
for name in leaf gone responder; do
    use=sign
    [ $name = responder ] && use=answer
    make_key $name
    openssl req -new -key $name.key -subj "/O=Test/CN=Test $name" -out $name.csr
    openssl x509 -req -in $name.csr -CA root.pem -CAkey root.key -CAcreateserial -sha256 -days 20 -extfile ca.cnf \
        -extensions $use -out $name.pem
done
list() {
    serial=$(openssl x509 -in "$1.pem" -noout -serial | cut -d= -f2)
    printf '%s\t401231000000Z\t%s\t%s\tunknown\t/O=Test/CN=Test %s\n' "$2" "$3" "$serial" "$1"
}
{
    list leaf V ""
    list gone R 200101000000Z,keyCompromise
} >index.txt
for name in leaf gone; do
    openssl ocsp -issuer root.pem -cert $name.pem -no_nonce -reqout $name.request
    openssl ocsp -index index.txt -rsigner responder.pem -rkey responder.key -CA root.pem -reqin $name.request \
        -respout $name.ocsp -ndays 10 -rmd sha256
done
