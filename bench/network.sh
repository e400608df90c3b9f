#!/bin/sh
# bench/network.sh [STEPS]: what the network costs a training of nano. Two and four ranks, each in a network namespace with a machine name
# of its own, joined by links whose rate tc limits in both directions; gradients as F32 and BF16. Prints the medians of a step, as
# team.tsv has them, beside what the model of docs/scaling.md says of them from the case without a limit and the link's rate, and by how
# much that is off. Needs root, ip, tc, Open MPI, python3 and the art of Emoji Stage. Ranks have a thread each. What a step computes is what
# it takes less what it waits. On a machine with other work times are of little use: NICE=-15 puts the ranks before it, PAUSE="PID ..."
# stops these processes while a case is measured, for 50 seconds at most. RANKS ("2 4").
steps=${1:-8}
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
[ "$(id -u)" = 0 ] || { echo "bench/network.sh: namespaces need root" >&2; exit 2; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/sora-network-XXXXXX")
net=sora$$
guard=
unpause() {
    [ -z "$PAUSE" ] || kill -CONT $PAUSE 2>/dev/null
    [ -z "$guard" ] || kill "$guard" 2>/dev/null
    guard=
}
pause() {
    [ -z "$PAUSE" ] && return
    (sleep 50; kill -CONT $PAUSE) 2>/dev/null &
    guard=$!
    kill -STOP $PAUSE
}
clean() {
    unpause
    for i in 0 1 2 3; do ip netns del $net-$i 2>/dev/null; done
    ip link del $net 2>/dev/null
    rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' INT TERM
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none

# Linux weighs sessions before it looks at niceness (autogroups), so NICE is that of a session of the ranks' own.
before=
[ -z "$NICE" ] || {
    printf '#!/bin/sh\necho %s 2>/dev/null >/proc/self/autogroup\nexec nice -n %s "$@"\n' "$NICE" "$NICE" >"$dir/before" && chmod +x "$dir/before"
    before="setsid -w $dir/before"
}

# A bridge and four machines on it.
ip link add $net type bridge && ip link set $net up || exit 1
for i in 0 1 2 3; do
    ip netns add $net-$i && ip link add $net.$i type veth peer name eth0 netns $net-$i || exit 1
    ip link set $net.$i master $net up
    ip -n $net-$i link set lo up
    ip -n $net-$i addr add 10.77.0.$((i + 1))/24 dev eth0
    ip -n $net-$i link set eth0 up
done
# What mpirun calls instead of ssh: HOST COMMAND...
cat >"$dir/agent" <<END
#!/bin/sh
i=\$((\${1##*.} - 1))
shift
exec ip netns exec $net-\$i unshare -u sh -c "hostname machine\$i; \$*"
END
chmod +x "$dir/agent"

# $1: as tc writes it, or none.
limit() {
    for i in 0 1 2 3; do
        tc qdisc del dev $net.$i root 2>/dev/null
        ip netns exec $net-$i tc qdisc del dev eth0 root 2>/dev/null
        [ "$1" = none ] && continue
        tc qdisc add dev $net.$i root tbf rate "$1" burst 128kb latency 100ms
        ip netns exec $net-$i tc qdisc add dev eth0 root tbf rate "$1" burst 128kb latency 100ms
    done
}

# $1: f32 or bf16. One picture a rank, so that the machine has little to compute.
config() {
    python3 - "$1" "$steps" >"$dir/$1.json" <<'END'
import json, sys
c = json.load(open('models/nano/train/nano.json'))
c.pop('init', None)
c.update(codec='models/nano/vae', log_every=1, checkpoint_every=100000,
         buckets=[{'size': '256x256', 'frames': 1, 'batch': 1, 'shard_clips': 32, 'shards': 1}])
c['optimizer'].update(steps=int(sys.argv[2]), gradients=sys.argv[1])
json.dump(c, sys.stdout)
END
}
config f32
config bf16
build/sora train latents "$dir/f32.json" --out "$dir/first" --threads 1 >/dev/null 2>&1 || { echo "bench/network.sh: no latents" >&2; exit 1; }

# What of a step's computing is over before sending begins, and what of a link's rate is of use: fitted (docs/scaling.md).
head=0.75 best=0.78
printf 'ranks\tlink\tgradients\tMB\tseconds\tcompute\twaited\tshare\tpredicted\toff\n'
run() { # ranks link type whole computed
    limit "$2"
    rm -rf "$dir/run" && mkdir "$dir/run" && cp -r "$dir/first/latents" "$dir/run/"
    hosts=10.77.0.1
    for i in $(seq 2 "$1"); do hosts=$hosts,10.77.0.$i; done
    pause
    $before ip netns exec $net-0 unshare -u sh -c "hostname machine0; exec mpirun --mca plm_rsh_agent $dir/agent --leave-session-attached --mca btl tcp,self --mca mpi_yield_when_idle 1 \
        --mca btl_tcp_if_include eth0 --mca oob_tcp_if_include eth0 -n $1 -H $hosts \
        $root/build/sora train transformer $dir/$3.json --out $dir/run --threads 1" >"$dir/log" 2>&1 ||
        { unpause; grep -h '^sora' "$dir/log" >&2; tail -n 3 "$dir/log" >&2; return 1; }
    unpause
    # Without the first two steps: the order is learnt, kernels are made.
    awk -F'\t' 'NR > 3 { print $3 "\t" $4 "\t" $5 }' "$dir/run/team.tsv" |
        awk -v p="$1" -v link="$2" -v type="$3" -v whole="$4" -v computed="$5" -v head=$head -v best=$best -f "$root/bench/network.awk"
}
for ranks in ${RANKS:-2 4}; do
    for type in f32 bf16; do
        line=$(run $ranks none $type) || exit 1
        echo "$line"
        for link in 1gbit 100mbit; do
            run $ranks $link $type $(echo "$line" | cut -f 5,6) || exit 1
        done
    done
done
