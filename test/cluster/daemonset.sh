#!/usr/bin/env bash
# The chart: a DaemonSet sets a labelled node up from one image that is all it needs, runs floxd there, and another takes
# it back; the node's files are then as they were. deploy/node has the same without Helm.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
export FLOX_ALLOW_UNSIGNED=false  # doctor finds nothing to warn of
need_kubernetes
enter_world "$@"

files() { on_node 1 sh -c 'find /etc /usr/local/bin /usr/local/share /opt /var/lib/flox -printf "%p %y %m %u:%g %l\n" -type f -exec sha256sum {} + 2>/dev/null | grep -v "^/etc/cni\|/etc/containerd " | sort'; }

start_catalog
publish_tool hello 1.0
FLOX_ROOT=$WORLD/bundle-store flox node bundle --image "$WORLD/node.tar" --output "$WORLD/node-bundle.tar"

step "the bundle runs in a root directory with nothing else in it"
mkdir "$WORLD/empty"
tar -C "$WORLD/empty" -xpf "$WORLD/node-bundle.tar"
for program in "flox --version" "floxd --help" "containerd-shim-flox-v1 -v"; do chroot "$WORLD/empty" /opt/flox/bin/$program >/dev/null; done
pages="$WORLD/empty$(readlink "$WORLD/empty/opt/flox/share")"
for program in flox floxd; do "$program" manual "$WORLD/share"; done
for page in man/man1/flox-node-install.1 man/man8/floxd.8 fish/vendor_completions.d/flox.fish; do cmp "$pages/$page" "$WORLD/share/$page"; done
victim=$(find "$WORLD/empty/nix/store" -name 'libz.so.1.*' | head -1)
chmod u+w "$victim"
echo more >>"$victim"
mkdir "$WORLD/empty/other"
refused "does not have the hash that the bundle lists" chroot "$WORLD/empty" /opt/flox/bin/flox node unpack --to /other
[ -z "$(ls -d "$WORLD"/empty/other/nix/store/*-flox-* 2>/dev/null)" ] || die "a damaged bundle was unpacked"
rm -rf "$WORLD/empty"

step "a cluster whose node has no flox"
start_control_plane
serve_catalog
join_bare_node
BEFORE=$(files)

step "installed by the DaemonSet"
values=(-n flox-system --set-string "catalogUrl=$CLUSTER_CATALOG_URL" --set-string "trustedKey=$PUBLIC_KEY" --set-file "trustedRoot=$FLOX_TRUST_DIR/demo/root.json")
chart() { in_net helm "$@" flox "$PROJECT/deploy/charts/flox" "${values[@]}"; }
refused "image.digest pins the image" chart template
DIGEST=sha256:$(printf '%064d' 7)
contains "$(chart template --set image.digest="$DIGEST")" "image: flox.dev/node@$DIGEST"
values+=(--set image.allowTag=true)
refused "catalogUrl says where packages come from" in_net helm template flox "$PROJECT/deploy/charts/flox" --set image.allowTag=true
# same_daemonset FILE [VALUE]: what Helm makes is what stands in the file.
as_json() { kubectl create --dry-run=client -o json -f - | jq -S 'select(.kind == "DaemonSet") | del(.metadata.annotations, .metadata.labels)'; }
same_daemonset() { diff <(as_json <"$PROJECT/deploy/node/$1") <(chart template --show-only templates/node.yaml "${@:2}" | as_json) || die "the chart and deploy/node/$1 differ"; }
same_daemonset daemonset.yaml
same_daemonset uninstall.yaml --set uninstall=true
chart install --create-namespace >/dev/null
kubectl label node node-1 flox.dev/install=true flox.dev/runtime=installed >/dev/null
daemons() { [ "$(jsonpath flox-system daemonset/"$1" '{.status.numberReady}')" = 1 ]; }
wait_until 90 "the DaemonSet's pod" daemons flox-node
kubectl logs -n flox-system daemonset/flox-node -c install
# What systemd does elsewhere.
stop_on_node 1 containerd
start_node_containerd 1
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: greeter, annotations: { flox.dev/environment: hello } }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "ghcr.io/flox/flox:latest", command: [sh, -c, "hello; sleep 600"] }]
YAML
wait_until 60 "an imageless pod" kubectl wait --for=condition=Ready pod/greeter --timeout=1s
equal "$(kubectl logs greeter)" "hello 1.0"
on_node 1 flox node doctor

step "taken back, once no pod uses it"
chart upgrade --set uninstall=true >/dev/null
refuses() { [[ $(kubectl get pods -n flox-system -o yaml) == *"use flox: default/greeter"* ]]; }
wait_until 60 "the uninstaller's refusal" refuses
kubectl delete pod greeter --timeout=30s >/dev/null
wait_until 120 "the uninstaller" daemons flox-node-uninstall
in_net helm uninstall flox -n flox-system >/dev/null
diff <(echo "$BEFORE") <(files) || die "the node's files are not as they were"
