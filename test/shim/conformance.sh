#!/usr/bin/env bash
# containerd's own integration tests of its client, under containerd 1.6 and 2.x: with our shim, every test must pass
# that passes with runc's. The tests are those of 2.x for both daemons: 1.6's are in no module that can be had.
# prepare: containerd2
# ctest: COST 120
. "$(dirname "$0")/suites.sh"

# Left out, each with its reason.
LEFT_OUT='^(TestImage|TestExport|TestImport|TestConvert|TestSnapshot|TestLease|TestTransfer|TestContent|TestMigration|TestMount'
LEFT_OUT+='|TestRestartMonitor|TestContainerRestartPolicy|TestBindLowPortNonOpt$'
WHY_LEFT_OUT="tests of images, content, snapshots, leases and of containerd's restart monitor (no shim has a part in them);
         Issue10589 with 1.6 (whose own shim has that bug, and hangs); BindLowPortNonOpt (waits forever for Debian's nc, which as first process ignores SIGTERM); checkpoints (-no-criu: where
         criu fails they leave shims behind for which the suite waits)"
# The reference shim of 1.6 hangs in this one: it has the bug.
declare -A LEFT_OUT_TOO=([1.6]='|TestIssue10589$' [2.x]='')
# How many must at least pass with runc's shim for the comparison to say something.
AT_LEAST=65
# With this name clients send our shim the options that they send to runc's, and it still leads to containerd-shim-flox-v1.
declare -A RUNTIMES=([runc]=io.containerd.runc.v2 [flox]=io.containerd.runc.flox.v1)

# The suite pulls, before its first test, from registries that are fixed in its code: here, in the world's network, a
# registry of ours answers for them.
start_layout_registry() {
  local names=(ghcr.io registry.k8s.io)
  mkdir -p "$ROOTFS"/{etc,run}
  printf '#!/bin/sh\nexec sh "$@"\n' >"$ROOTFS/bin/bash"
  chmod +x "$ROOTFS/bin/bash"
  printf '%s\n' root:x:0:0:root:/root:/bin/sh sys:x:3:3::/:/bin/sh www-data:x:33:33::/:/bin/sh >"$ROOTFS/etc/passwd"
  printf '%s\n' root:x:0: sys:x:3: www-data:x:33: >"$ROOTFS/etc/group"
  make_image "$WORLD/layout" "$ROOTFS" '{"Cmd": ["sh"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}' ghcr.io/containerd/busybox:1.36 \
    ghcr.io/containerd/alpine:3.14.0 ghcr.io/containerd/volume-copy-up:2.2 ghcr.io/containerd/volume-ownership:2.1 registry.k8s.io/pause:3.10.2
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=registry \
    -addext "subjectAltName=$(printf 'DNS:%s,' "${names[@]}" | sed 's/,$//')" -keyout "$WORLD/tls.key" -out "$WORLD/tls.crt" 2>/dev/null
  { cat /etc/hosts; echo "127.0.0.1 ${names[*]}"; } >"$WORLD/hosts"
  mount --bind "$WORLD/hosts" /etc/hosts
  start_server registry in_net python3 "$PROJECT/test/shim/registry.py" "$WORLD/layout" "$WORLD/tls.crt" "$WORLD/tls.key"
  export SSL_CERT_FILE=$WORLD/tls.crt
  wait_until 10 "the registry" in_net curl -fs --cacert "$WORLD/tls.crt" "https://${names[0]}/v2/"
}

# The suite starts Debian's containerd through this, and takes it for an error that devmapper is not configured.
wrap_debians_containerd() {
  mkdir -p "$WORLD/bin"
  cat >"$WORLD/bin/containerd" <<'WRAPPER'
#!/bin/bash
for ((i = 1; i < $#; ++i)); do
  case ${!i} in -c | --config) next=$((i + 1)) config=${!next} ;; esac
done
grep -q disabled_plugins "$config" || sed -i 's/^version = 2$/&\ndisabled_plugins = ["io.containerd.snapshotter.v1.devmapper"]/' "$config"
exec /usr/bin/containerd "$@"
WRAPPER
  chmod +x "$WORLD/bin/containerd"
  export PATH="$WORLD/bin:$PATH"
}

# run RELEASE RUNTIME RESULTS: one run in a world of its own; the suite's output goes to RESULTS/RELEASE-RUNTIME.log.
run() {
  local release=$1 runtime=$2 results=$3
  mkdir -p "$results" "$WORLD/var-lib"
  start_layout_registry
  [ "$release" = 2.x ] || wrap_debians_containerd
  export PATH="$PATH:$SUITES"  # runc-fp
  stop_server containerd  # the suite starts its own, below /run and /var/lib
  mount --bind "$WORLD/var-lib" /var/lib
  cd "$WORLD"
  TMPDIR=$WORLD TEST_RUNTIME=${RUNTIMES[$runtime]} in_net "$PROJECT/test/shim/conformance.sh" suite "$LEFT_OUT${LEFT_OUT_TOO[$release]})" "$results/$release-$runtime.log"
}
# in_net runs programs only: this script again, which then has the function in_own_cgroups.
suite() {
  in_own_cgroups "$SUITES/client.test" -test.root -test.v -no-criu -test.skip "$1" -test.timeout $((120 * PATIENCE))s >"$2" 2>&1 ||
    true  # its output says what failed
  grep -q '^\(PASS\|FAIL\)$' "$2" || { grep -E '^(panic|\s+Test)|failed' "$2" | head -20; die "the suite did not come to its end"; }
}

case ${1:-} in
  suite) suite "$2" "$3"; exit 0 ;;
  run)
    [ "$2" = 2.x ] && export FLOX_TEST_CONTAINERD=$SUITES || unset FLOX_TEST_CONTAINERD
    . "$PROJECT/test/shim/support.sh"
    . "$PROJECT/test/shim/images.sh"
    run "${@:2}"
    exit 0
    ;;
esac

need_containerd2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export SUITES=$FLOX_TEST_CONTAINERD
step "containerd's client tests, four worlds at once. Left out: $WHY_LEFT_OUT"
pids=()
for release in 1.6 2.x; do
  for runtime in runc flox; do
    "$0" run $release $runtime "$dir/results" >"$dir/$release-$runtime.out" 2>&1 &
    pids+=($!)
  done
done
ended=true
for pid in "${pids[@]}"; do wait "$pid" || ended=false; done
$ended || { cat "$dir"/*.out >&2; die "not every run came to its end"; }

# names RELEASE RUNTIME RESULT: the tests, and parts of tests, that ended so, one a line.
names() { sed -n "s/^ *--- $3: \([^ ]*\) .*/\1/p" "$dir/results/$1-$2.log" | sort -u; }
count() { names "$@" | grep -vc / || true; }
worse=false
for release in 1.6 2.x; do
  for runtime in runc flox; do
    step "containerd $release, $runtime: $(count $release $runtime PASS) passed, $(count $release $runtime FAIL) failed, $(count $release $runtime SKIP) skipped"
    names $release $runtime PASS >"$dir/$runtime"
  done
  [ "$(count $release runc PASS)" -ge $AT_LEAST ] || die "fewer than $AT_LEAST tests pass with runc's shim: the comparison says nothing"
  names $release runc FAIL | grep -v / | sed "s/^/         fails with runc's shim: /" >&2 || true
  comm -23 <(names $release runc FAIL) <(names $release flox FAIL) | sed 's/^/         … and not with ours: /' >&2
  passes_too "containerd $release" "$dir/runc" "$dir/flox" && continue
  worse=true
  grep -E '_test\.go:' "$dir/results/$release-flox.log" | head -40 >&2
done
! $worse
