#!/usr/bin/env bash
# The files under deploy/ are the guide's YAML blocks, byte for byte.
set -euo pipefail
project=$(cd "$(dirname "$0")/../.." && pwd)
guide=${FLOX_GUIDE:-$project/../shared/seed/imageless-kubernetes-guide.md}
[ -r "$guide" ] || { echo "the guide is not here ($guide); set FLOX_GUIDE to its path"; exit 77; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
# Every ```yaml block as a file of its own: 1, 2, …; the heredoc of the preloader Job as "heredoc".
awk -v dir="$dir" '
  /^```yaml$/ { n++; file = dir "/" n; inside = 1; next }
  /^```$/     { inside = 0 }
  inside      { print > file }
  /^EOF$/     { here = 0 }
  here        { print > (dir "/heredoc") }
  /^kubectl apply -f - << .EOF.$/ { here = 1 }
' "$guide"

failed=0
same() {  # same FILE BLOCK
  if ! diff -u "$dir/$2" "$project/deploy/$1" >&2; then
    echo "deploy/$1 differs from the guide's block $2" >&2
    failed=1
  fi
}
same base/runtime-class.yaml 1
same base/ticket-processor-deployment.yaml 2
same base/ticket-processor-config.yaml 3
same base/model-cache-pvc.yaml 4
same base/service-account.yaml 5
same overlays/avx2/guide-fragment.yaml 6
same overlays/avx512/guide-fragment.yaml 7
same base/hpa.yaml 8
tail -n +6 "$project/deploy/overlays/prometheus/annotations.yaml" | diff -u "$dir/9" - >&2 || failed=1  # below its header
same base/fluent-bit-config.yaml 10
same base/model-preloader-job.yaml heredoc
[ "$(find "$dir" -type f | wc -l)" = 11 ] || { echo "the guide has other blocks than this test knows" >&2; failed=1; }
exit $failed
