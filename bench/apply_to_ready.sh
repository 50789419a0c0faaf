#!/usr/bin/env bash
# From a changed program to a ready pod on a real Kubernetes, by stage: published as a package and run without an image, or
# made an image of which only the last layer is new, pushed to Debian's docker-registry on the same machine and pulled.
# Both have everything but the change on the node already.
. "$(dirname "$0")/../test/cluster/support.sh"
. "$PROJECT/test/shim/images.sh"
RUNS=${RUNS:-5}
need_kubernetes
enter_world "$@"
REGISTRY=$CONTROL_PLANE:5000

start_catalog
flox --root "$LAPTOP_ROOT" import deb python3 --publish >&2
make_ticket_environment
start_cluster 1
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
start_registry
on_node 1 sh -c "mkdir -p /etc/containerd/certs.d/$REGISTRY; printf '[host.\"http://$REGISTRY\"]\n' >/etc/containerd/certs.d/$REGISTRY/hosts.toml"

now() { date +%s%3N; }
# ready NAME CLASS IMAGE ANNOTATION: applies the pod and ends when it is ready.
ready() {
  kubectl apply -f - >/dev/null <<YAML
apiVersion: v1
kind: Pod
metadata: { name: "$1", annotations: { $4 } }
spec: { $2 terminationGracePeriodSeconds: 0, containers: [{ name: main, image: "$3", command: [python, -c, "import subprocess, time; subprocess.run(['ticket-processor', '--version']); time.sleep(600)"] }] }
YAML
  applied=$(now)
  kubectl wait --for=condition=Ready "pod/$1" --timeout=60s >/dev/null
  done=$(now)
  kubectl delete pod "$1" --wait=false >/dev/null
}

imageless() {  # VERSION
  local built published applied done start
  build_ticket_processor "$1" >/dev/null 2>&1
  built=$(now)
  publish_ticket_processor >/dev/null 2>&1
  published=$(now)
  ready "package-${1//./-}" "runtimeClassName: flox," ghcr.io/flox/flox:latest "flox.dev/environment: ticket-processor@$1"
  echo "$((published - built)) $((applied - published)) $((done - applied)) $((done - built))" >>"$WORLD/imageless"
}
# The image's layers: everything that the program needs, and the program. Where files lie is the same in both.
image() {  # VERSION
  local began packing packed pushed applied done path base=$WORLD/base top=$WORLD/top
  path=$(readlink -f "$TICKET_ENV/result-ticket-processor")
  path=/nix/store/${path##*/}
  rm -rf "$top"
  mkdir -p "$top/nix/store" "$top/bin"
  if [ ! -d "$base" ]; then
    mkdir -p "$base/nix/store" "$base/tmp"
    chmod 1777 "$base/tmp"
    for dependency in $(flox --root "$LAPTOP_ROOT" store closure "$path" --json | jq -r '.[].path // .[]'); do
      [ "$dependency" = "$path" ] || cp -a "$LAPTOP_ROOT$dependency" "$base/nix/store/"
    done
  fi
  cp -a "$LAPTOP_ROOT$path" "$top/nix/store/"
  ln -s "$path/bin/"{ticket-processor,python} "$top/bin/"
  # A builder has the unchanged layer in its cache: what it packs is the other one.
  began=$(now)
  tar -C "$top" -c . | gzip -n1 >"$WORLD/packed"
  packing=$(($(now) - began))
  make_image "$WORLD/layout-$1" "$base:$top" '{"Env": ["PATH=/bin"]}' "$REGISTRY/ticket:$1"
  packed=$(now)
  push_image "$WORLD/layout-$1" ticket "$1"
  pushed=$(now)
  ready "image-${1//./-}" "" "$REGISTRY/ticket:$1" ""
  echo "$((packing + pushed - packed)) $((applied - pushed)) $((done - applied)) $((packing + done - packed))" >>"$WORLD/image"
}

for ((run = 0; run <= RUNS; run++)); do
  step "version 0.1.$run"
  imageless "0.1.$run"
  image "0.1.$run"
done
for kind in imageless image; do sed -i 1d "$WORLD/$kind"; done  # the first had everything to fetch

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
printf '\nFrom a built program to a ready pod, milliseconds, medians of %s\n  %-12s %10s %8s %8s %8s\n' "$RUNS" "" publish apply ready all
for kind in imageless image; do
  printf '  %-12s' $kind
  for column in 1 2 3 4; do printf ' %*s' $((column == 1 ? 10 : 8)) "$(cut -d' ' -f$column "$WORLD/$kind" | median)"; done
  echo
done
awk -v a="$(cut -d' ' -f4 "$WORLD/imageless" | median)" -v b="$(cut -d' ' -f4 "$WORLD/image" | median)" 'BEGIN { printf "  ratio %.2f (publishing an image is packing and pushing its last layer; its build and ours are left out)\n", a / b }'
