#!/usr/bin/env bash
# Kubernetes' own test of container runtimes (critest), under containerd 1.6 and 2.x: with the handler flox, every
# test must pass that passes with runc's own shim.
# prepare: containerd2
# ctest: COST 140
. "$(dirname "$0")/suites.sh"

# Left out, each with its reason. critest labels exactly the tests that pull from registries as serial.
LEFT_OUT=(-ginkgo.label-filter '!Serial' -ginkgo.skip 'should support MaskedPaths')
WHY_LEFT_OUT="tests that pull from registries (none can be reached); MaskedPaths (masks /bin/ls, which Debian's busybox never executes)"
# Of about 100 tests, how many must at least have run and passed with runc for the comparison to say something.
AT_LEAST=70

# run RELEASE HANDLER RESULTS: one run in a world of its own; critest's report goes to RESULTS/RELEASE-HANDLER.json.
run() {
  local release=$1 handler=$2 results=$3
  mkdir -p "$results"
  import_images
  import_layout "$CRI_IMAGES" k8s.io
  wait_until 20 "CRI to be ready" in_net "$SUITES/crictl" -r "unix://$CONTAINERD_ADDRESS" info
  in_net "$SUITES/critest" -config /dev/null -runtime-endpoint "unix://$CONTAINERD_ADDRESS" -image-endpoint "unix://$CONTAINERD_ADDRESS" \
    -runtime-handler "$handler" -ginkgo.no-color "${LEFT_OUT[@]}" -ginkgo.json-report "$results/$release-$handler.json" \
    >"$results/$release-$handler.log" 2>&1 || true  # the report says what failed
  [ -s "$results/$release-$handler.json" ] || { tail -20 "$results/$release-$handler.log"; die "critest did not report"; }
  [ "$handler" = runc ] || equal "$(pgrep -f "containerd-shim-flox.* -namespace k8s.io " | wc -l)" 0
}

if [ "${1:-}" = run ]; then
  [ "$2" = 2.x ] && export FLOX_TEST_CONTAINERD=$SUITES || unset FLOX_TEST_CONTAINERD
  . "$PROJECT/test/shim/support.sh"
  . "$PROJECT/test/shim/images.sh"
  run "${@:2}"
  exit 0
fi

need_containerd2
. "$PROJECT/test/shim/cri_images.sh"
dir=$(mktemp -d)
trap 'rm -rf "$dir"; rmdir /sys/fs/cgroup/*/k8s.io /sys/fs/cgroup/k8s.io 2>/dev/null || true' EXIT
step "making the images that critest asks for"
make_cri_images "$dir"
export CRI_IMAGES=$dir/layout SUITES=$FLOX_TEST_CONTAINERD

step "critest $(cd "$PROJECT/test/containerd2" && sed -n 's/.*cri-tools //p' go.mod), four worlds at once. Left out: $WHY_LEFT_OUT"
pids=()
for release in 1.6 2.x; do
  for handler in runc flox; do
    # With an IPC namespace of its own: critest makes shared memory on the host, and leaves it.
    unshare --ipc "$0" run $release $handler "$dir/results" >"$dir/$release-$handler.out" 2>&1 &
    pids+=($!)
  done
done
failed=false
for pid in "${pids[@]}"; do wait "$pid" || failed=true; done
$failed && { cat "$dir"/*.out >&2; die "not every run came to its end"; }

# names RELEASE HANDLER STATE: the tests that ended so, one a line.
names() {
  jq -r --arg state "$3" '.[0].SpecReports[] | select(.LeafNodeType == "It" and .State == $state) |
    (.ContainerHierarchyTexts[1:] + [.LeafNodeText] | join(" "))' "$dir/results/$1-$2.json" | sort
}
count() { names "$@" | wc -l; }
reason() { jq -r --arg state "$3" '.[0].SpecReports[] | select(.State == $state) | .Failure.Message // "" | select(. != "") | split("\n")[0]' "$dir/results/$1-$2.json" | sort | uniq -c; }
worse=false
for release in 1.6 2.x; do
  for handler in runc flox; do
    step "containerd $release, $handler: $(count $release $handler passed) passed, $(count $release $handler failed) failed, $(count $release $handler skipped) skipped"
  done
  [ "$(count $release runc passed)" -ge $AT_LEAST ] || { reason $release runc failed >&2; die "fewer than $AT_LEAST tests pass with runc's shim: the comparison says nothing"; }
  names $release runc failed | sed "s/^/         fails with runc's shim: /" >&2
  reason $release runc skipped | sed 's/^ */         skips itself: /' >&2
  for handler in runc flox; do names $release $handler passed >"$dir/$handler"; done
  passes_too "containerd $release" "$dir/runc" "$dir/flox" && continue
  worse=true
  jq -r '.[0].SpecReports[] | select(.State == "failed") | .LeafNodeText + ": " + .Failure.Message' "$dir/results/$release-flox.json" >&2
done
! $worse
