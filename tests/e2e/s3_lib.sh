# Sourced after serve_lib.sh: a server that speaks S3 with an empty bucket "sora", known by the AWS_... variables; $s3_server is what it
# is. Ceph's radosgw on a cluster of one in memory (Debian: radosgw ceph-mon ceph-osd), which checks signatures; else npm's s3rver, which
# does not (SORA_TEST_S3=s3rver asks for that one). Without both the test is skipped.
s3_folder=$work.s3
s3_port=$((20000 + ($$ + 7919) % 20000))
s3_pids=
AWS_ACCESS_KEY_ID=S3RVER AWS_SECRET_ACCESS_KEY=S3RVER AWS_ENDPOINT_URL=http://127.0.0.1:$s3_port AWS_REGION=us-east-1 no_proxy=127.0.0.1
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_ENDPOINT_URL AWS_REGION no_proxy
mkdir "$s3_folder"

# start_gateway, stop_gateway: the part that listens; what is stored stays.
start_gateway() {
    if [ "$s3_server" = radosgw ]; then
        radosgw -f -n client.admin -c "$s3_folder/conf" --rgw-frontends "beast endpoint=127.0.0.1:$s3_port" >"$s3_folder/log" 2>&1 &
    else
        node "$s3_package/node_modules/s3rver/bin/s3rver.js" -d "$s3_folder/data" -a 127.0.0.1 -p $s3_port >"$s3_folder/log" 2>&1 &
    fi
    gateway=$!
    tries=0
    until curl -s -o /dev/null "$AWS_ENDPOINT_URL/"; do
        kill -0 $gateway 2>/dev/null && [ $tries -lt 1200 ] || return 1
        sleep 0.1
        tries=$((tries + 1))
    done
}
stop_gateway() {
    kill -KILL $gateway 2>/dev/null
    wait $gateway 2>/dev/null
}
clean_s3() {
    kill -KILL $gateway $s3_pids 2>/dev/null
    stop_server -KILL
    rm -rf "$work" "$work".*
}
trap clean_s3 EXIT

# One monitor and one store of objects, which forgets all when it ends.
start_cluster() {
    export CEPH_CONF="$s3_folder/conf"
    mon=$((s3_port + 1))
    cat >"$CEPH_CONF" <<C
[global]
fsid = 6f2b8a1e-0d4b-4a52-9f5e-0c1f1a6d7e01
mon host = [v2:127.0.0.1:$mon,v1:127.0.0.1:$((mon + 1))]
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
osd class load list = *
osd class default list = *
run dir = $s3_folder
crash dir = $s3_folder
admin socket = $s3_folder/\$name.asok
pid file = $s3_folder/\$name.pid
log file = $s3_folder/\$name.log
keyring = $s3_folder/keyring
mon data = $s3_folder/mon
osd data = $s3_folder/osd
mon data avail crit = 1
mon data avail warn = 1
ms bind ipv6 = false
public addr = 127.0.0.1
C
    osd=6f2b8a1e-0d4b-4a52-9f5e-0c1f1a6d7e02
    mkdir "$s3_folder/mon" "$s3_folder/osd"
    ceph-authtool --create-keyring "$s3_folder/keyring" --gen-key -n mon. --cap mon 'allow *' &&
        ceph-authtool "$s3_folder/keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' &&
        monmaptool --create --fsid 6f2b8a1e-0d4b-4a52-9f5e-0c1f1a6d7e01 --addv a "[v2:127.0.0.1:$mon,v1:127.0.0.1:$((mon + 1))]" \
            "$s3_folder/monmap" && ceph-mon --mkfs -i a --monmap "$s3_folder/monmap" --keyring "$s3_folder/keyring" || return 1
    ceph-mon -f -i a &
    s3_pids=$!
    secret=$(ceph-authtool --gen-print-key)
    echo "{\"cephx_secret\": \"$secret\"}" >"$s3_folder/secret"
    timeout 120 ceph osd new $osd -i "$s3_folder/secret" && ceph-authtool "$s3_folder/keyring" --name osd.0 --add-key "$secret" && ceph-osd --mkfs -i 0 --osd-uuid $osd || return 1
    ceph-osd -f -i 0 &
    s3_pids="$s3_pids $!"
    timeout 120 ceph osd crush add osd.0 1 root=default host=here &&
        timeout 120 radosgw-admin user create --uid=sora --display-name=sora --access-key=$AWS_ACCESS_KEY_ID --secret-key=$AWS_SECRET_ACCESS_KEY
}

if [ "$SORA_TEST_S3" != s3rver ] && command -v radosgw >/dev/null && command -v ceph-mon >/dev/null && command -v ceph-osd >/dev/null; then
    s3_server=radosgw
    start_cluster >"$s3_folder/log" 2>&1 || { echo "SKIPPED: Ceph does not start here: $(tail -1 "$s3_folder/log")"; exit 77; }
else
    s3_server=s3rver
    command -v node >/dev/null && command -v npm >/dev/null || { echo "SKIPPED: S3: neither radosgw, ceph-mon and ceph-osd nor node and npm are installed"; exit 77; }
    s3_package=${SORA_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sora-tests}/s3rver
    if [ ! -d "$s3_package/node_modules/s3rver" ]; then
        mkdir -p "$s3_package" && (cd "$s3_package" && echo '{"private": true}' >package.json &&
            npm install --no-audit --no-fund --ignore-scripts s3rver@3.7.1) >"$s3_folder/log" 2>&1 || {
            echo "SKIPPED: S3: s3rver cannot be fetched: $(grep -m1 npm "$s3_folder/log")"
            exit 77
        }
    fi
fi
start_gateway || { echo "SKIPPED: $s3_server does not start here: $(tail -1 "$s3_folder/log")"; exit 77; }
# s3 CURL-ARGUMENT...: a signed request.
s3() {
    curl -s --aws-sigv4 aws:amz:us-east-1:s3 -u "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -H 'x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855' "$@"
}
s3 -X PUT "$AWS_ENDPOINT_URL/sora" >"$work.out" || fail "no bucket"
