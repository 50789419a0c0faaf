#!/usr/bin/env bash
# The programs for aarch64, which this machine has compiled and qemu runs: each starts; flox searches a catalog; one manifest gives each
# architecture its own build of a package; ticket-processor enriches tickets as this machine's does.
# prepare: minilm-model bart-vocabulary
. "$(dirname "$0")/../lib.sh"
[ "$(uname -m)" = x86_64 ] || { echo "needs x86_64: elsewhere there is nothing to compare with"; exit 77; }
programs=$BUILD_DIR/aarch64/bin
for program in flox floxd flox-catalog containerd-shim-flox-v1 flox-kube kubectl-flox ticket-processor ticket-generator; do
  [ -x "$programs/$program" ] || { echo "needs $program for aarch64: script/build --preset aarch64 programs (an hour on two cores)"; exit 77; }
done
. "$PROJECT/test/env/architectures/published.sh"
enter_world "$@"
arm() { "$PROJECT/script/arm64-run" "$@"; }
arm true 2>"$WORLD/arm.log" || { code=$?; cat "$WORLD/arm.log"; [ $code != 77 ] || exit 77; die "no program can be run with qemu"; }

step "each is of aarch64, starts, and says its version"
for program in flox floxd flox-catalog flox-kube kubectl-flox ticket-processor ticket-generator; do
  readelf -h "$programs/$program" | grepq "Machine: *AArch64" || die "$program is not of aarch64"
  equal "$(arm "$programs/$program" --version)" "$("$BUILD_DIR/bin/$program" --version)"
  equal "$(arm "$programs/$program" --help)" "$("$BUILD_DIR/bin/$program" --help)"
done
contains "$(arm "$programs/containerd-shim-flox-v1" -v)" "$("$BUILD_DIR/bin/containerd-shim-flox-v1" -v | head -1)"

step "flox searches a catalog; of a package for both architectures each activates its own build, by one lock"
start_catalog
publish_said
there() { arm env HOME="$WORLD/arm-home" "$programs/flox" --root "$WORLD/node-arm" "$@"; }
mkdir -p "$WORLD/arm-home"
equal "$(there search said)" "$(node search said)"
lock_said
equal "$(node activate -- /bin/sh -c "$SAID")" "made for x86_64-linux"
# The shell is this machine's: what counts is the environment that flox for aarch64 makes of the same lock.
equal "$(there activate -- /bin/sh -c "$SAID")" "made for aarch64-linux"
equal "$(ls "$WORLD/node-arm/nix/store" | grep -c -- '-said-1.0$')" 1
cd "$WORLD"

step "ticket-processor enriches a ticket as this machine's does"
. "$PROJECT/test/ticket/models.sh"
make_models "$WORLD/models" "$WORLD"
for name in $(compgen -e | grep -E '^(AWS|SQS|S3|DYNAMODB|TICKET|HF)_' || true); do unset "$name"; done
export METRICS_PORT=0 SQS_POLL_INTERVAL=0 MODEL_CACHE_DIR=$WORLD/models TICKET_THREADS=1
enrich() {  # enrich NAME COMMAND…: the objects of a worker with a place of its own
  local name=$1
  shift
  export TICKET_BACKEND=local:$WORLD/$name
  ticket-generator --create-resources --count 2 --seed 3 >"$WORLD/logs/generated" 2>&1 || { cat "$WORLD/logs/generated"; die "no tickets"; }
  "$@" --until-empty >"$WORLD/logs/$name.log" 2>&1 || { tail -5 "$WORLD/logs/$name.log"; die "$name: the worker failed"; }
  find "$WORLD/$name/buckets/tickets-enriched" -type f -name '[!.]*' -print0 | sort -z | xargs -0 cat |
    jq -s 'map(del(.created_at) | .enrichment |= del(.processed_at) | .enrichment.embedding |= map(. * 1000 | round) | .enrichment.sentiment_confidence |= (. * 1000 | round))'
}
enrich native ticket-processor >native.json
enrich aarch64 arm "$programs/ticket-processor" >aarch64.json
grep -q 'aarch64' "$WORLD/logs/aarch64.log" || die "its log names no level of aarch64"
equal "$(jq length aarch64.json)" 2
diff native.json aarch64.json || die "the tickets are enriched otherwise"
