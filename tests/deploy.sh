#!/bin/sh
# The files of deploy/: nginx and systemd read theirs, the dashboard asks for metrics that there are, and the container has every
# library that the program is linked with. deploy.sh SORA STUB
sora=$(realpath "$1")
stub=$(realpath "$2")
source_dir=$(realpath "$(dirname "$0")/..")
work=$(mktemp -d "${TMPDIR:-/tmp}/sora-deploy-XXXXXX")
pid=
trap '[ -z "$pid" ] || kill -KILL $pid 2>/dev/null; rm -rf "$work"' EXIT
SORA_CREDENTIALS=$work/credentials SORA_TRACE_INDEX=
export SORA_CREDENTIALS SORA_TRACE_INDEX
cd "$source_dir/deploy" || exit 1
failures=0
fail() {
    echo "FAILED: $*"
    failures=$((failures + 1))
}

# --- nginx.conf ---
if command -v nginx >/dev/null && command -v openssl >/dev/null; then
    openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=videos.example.com -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
    sed "s|/etc/letsencrypt/live/videos.example.com/fullchain.pem|$work/cert.pem|; s|/etc/letsencrypt/live/videos.example.com/privkey.pem|$work/key.pem|" \
        nginx.conf >"$work/site.conf"
    printf 'pid %s/pid; error_log %s/error.log; events {} http { include %s/site.conf; access_log off; }\n' "$work" "$work" "$work" >"$work/nginx.conf"
    nginx -t -q -c "$work/nginx.conf" >"$work/out" 2>&1 || fail "nginx -t: $(head -3 "$work/out")"
    grep -q 'letsencrypt' "$work/site.conf" && fail "nginx.conf has another place for certificates"
else
    echo "SKIPPED: deploy/nginx.conf is not read, for nginx is not installed"
fi

# --- sora.service ---
if command -v systemd-analyze >/dev/null; then
    sed "s|^ExecStart=/usr/bin/sora|ExecStart=$sora|" sora.service >"$work/sora.service"
    systemd-analyze verify --man=no "$work/sora.service" >"$work/out" 2>&1
    grep 'sora.service' "$work/out" | grep -v 'Failed to prepare\|is not executable: Permission' >"$work/wrong"
    [ ! -s "$work/wrong" ] || fail "systemd-analyze verify: $(head -3 "$work/wrong")"
else
    echo "SKIPPED: deploy/sora.service is not read, for systemd is not installed"
fi
# Its command line is one that this program takes.
command_line=$(sed -n 's|^ExecStart=/usr/bin/sora ||p' sora.service)
for option in $(echo "$command_line" | grep -o '\-\-[a-z-]*'); do
    "$sora" serve --help | grep -q -e "$option" || fail "sora.service gives $option, which sora serve does not know"
done

# --- grafana.json: every name that it asks for is at /metrics ---
if command -v curl >/dev/null; then
    (cd "$source_dir" && exec "$stub" "$work/data" 1 >"$work/url" 2>"$work/log") &
    pid=$!
    until grep -qs http "$work/url" || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    url=$(sed -n 's/^sora serve: \(http[^ ]*\).*/\1/p' "$work/url")
    curl -s "$url/metrics" >"$work/metrics" || fail "no metrics: $(tail -1 "$work/log")"
    python3 - grafana.json "$work/metrics" <<'P' || failures=$((failures + 1))
import json, re, sys
dashboard = json.load(open(sys.argv[1]))
page = open(sys.argv[2]).read()
there = set(re.findall(r'^([a-z_]+)[{ ]', page, re.M))
targets = [t['expr'] for p in dashboard['panels'] for t in p.get('targets', [])]
asked = {name for e in targets for name in re.findall(r'\bsora_[a-z_]+', e)}
missing = sorted(asked - there)
# A label in an expression is one of that metric.
for expression in targets:
    for name, labels in re.findall(r'\b(sora_[a-z_]+)\{([^}]*)\}', expression):
        for label in re.findall(r'([a-z_]+)\s*[=!]', labels):
            if not re.search('^' + name + r'\{[^}]*\b' + label + '=', page, re.M):
                missing.append(name + '{' + label + '}')
if missing or len(asked) < 8:
    sys.exit('FAILED: grafana.json asks for what is not at /metrics: %s; it asks for %d names' % (missing, len(asked)))
print('%d panels, %d expressions, %d metrics' % (len(dashboard['panels']), len(targets), len(asked)))
P
else
    echo "SKIPPED: deploy/grafana.json is not compared, for curl is not installed"
fi

# --- Containerfile: Debian 12's packages of the libraries that this program is linked with ---
if grep -q '^VERSION_ID="12"' /etc/os-release && ! ldd "$sora" | grep -q asan; then
    for library in $(readelf -d "$sora" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p'); do
        path=$(ldd "$sora" | sed -n "s|^[[:space:]]*$library => \([^ ]*\).*|\1|p")
        [ -n "$path" ] || continue
        package=$(dpkg -S "$(realpath "$path")" "$path" 2>/dev/null | head -1 | cut -d: -f1)
        case $package in
        libc6 | libgcc-s1 | libgomp1 | libopenmpi3 | '') continue ;; # the system's; MPI is left out where it is not there
        esac
        grep -qw -e "$package" Containerfile || fail "Containerfile does not install $package, for $library"
    done
else
    echo "SKIPPED: the packages of deploy/Containerfile are compared on Debian 12 alone, and without a sanitizer"
fi
echo "$failures failed"
[ "$failures" = 0 ]
