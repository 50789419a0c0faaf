#!/usr/bin/env bash
# flox node install, doctor and uninstall on a machine as Debian makes it, and on one with containerd 2.x: what install
# sets up runs a pod, with no network and imagePullPolicy Always; doctor sees what is wrong before and nothing after;
# uninstall leaves every file as it was.
# prepare: containerd2
# ctest: COST 180
. "$(dirname "$0")/../shim/suites.sh"
. "$PROJECT/script/cluster-world.sh"
export FLOX_ALLOW_UNSIGNED=false  # doctor finds nothing to warn of
[ -n "${FLOX_WORLD_ENTERED:-}" ] || need_containerd2
enter_world "$@"

CONTAINERD2=$FLOX_TEST_CONTAINERD
on_machine() { on_node "$NODE" "$@"; }
# Every file that an installation may touch, with its mode, owner and content.
files() { on_machine sh -c 'find /etc /usr/local/bin /usr/local/sbin /usr/local/share /usr/local/lib/systemd /var/lib/flox -printf "%p %y %m %u:%g %l\n" -type f -exec sha256sum {} + 2>/dev/null | sort'; }
same_files() { diff <(echo "$BEFORE") <(files) || die "$1: files differ"; }
# doctor_says CODE TEXT…: its exit code, and texts of its findings.
doctor_says() {
  local code=0 said wanted=$1 text
  shift
  said=$(on_machine "$BUILD_DIR/bin/flox" node doctor --json) || code=$?
  [ $code = "$wanted" ] || die "doctor ended with $code, not $wanted: $said"
  for text in "$@"; do contains "$(jq -r '.findings[] | .subject + ": " + .text + " → " + .advice' <<<"$said")" "$text"; done
}
restart_containerd() {
  stop_on_node $NODE containerd
  start_on_node "$NODE" containerd containerd
  wait_until 20 "containerd of node-$NODE" on_machine ctr version
}
install_options=(--trusted-key "$(flox store keygen node-1 --out "$WORLD/key")" --sandbox-image flox.dev/pause:1.0.0)

start_catalog
publish_tool hello 1.0
make_network
serve_catalog
install_options=(--catalog-url "$CLUSTER_CATALOG_URL" --trusted-key "$PUBLIC_KEY" --trust-from "$FLOX_TRUST_DIR" --sandbox-image flox.dev/pause:1.0.0)

for release in 1.6 2.x; do
  step "containerd $release: a machine without flox"
  case $release in 1.6) NODE=1 FLOX_TEST_CONTAINERD='' ;; 2.x) NODE=2 FLOX_TEST_CONTAINERD=$CONTAINERD2 ;; esac
  boot_node $NODE
  [ $NODE = 1 ] || cp -a "$WORLD/node-1/disk/nix/." "$WORLD/node-$NODE/disk/nix/"
  on_machine cp "$BUILD_DIR/bin/flox" /tmp/flox-$NODE  # no other programs beside it
  refused "is not there" on_machine /tmp/flox-$NODE node install
  restart_containerd
  BEFORE=$(files)
  installer=("$BUILD_DIR/bin/flox" node)
  code=0
  said=$(on_machine "${installer[@]}" doctor) || code=$?
  equal $code 2
  contains "$said" "no [plugins."
  contains "$said" "does not run imageless pods yet"
  refused "did not set this node up" on_machine "${installer[@]}" uninstall
  diff=$(on_machine "${installer[@]}" install "${install_options[@]}" --dry-run)
  contains "$diff" "+++ /etc/containerd/config.toml"
  contains "$diff" "runtimes.flox]"
  contains "$diff" "+++ /usr/local/share/man/man1/  ("
  case $diff in *"NAME"*) die "the dry run shows manual pages" ;; esac
  same_files "a dry run"

  step "containerd $release: installed"
  on_machine "${installer[@]}" install "${install_options[@]}"
  AFTER=$(files)
  for page in man/man1/flox.1 man/man1/flox-node-install.1 man/man8/floxd.8 bash-completion/completions/flox zsh/site-functions/_floxd; do
    on_machine cmp "/usr/local/share/$page" "$BUILD_DIR/share/$page"
  done
  contains "$(on_machine flox node install "${install_options[@]}")" "nothing had to change"
  diff <(echo "$AFTER") <(files) || die "the second installation changed files"
  doctor_says 2 "floxd: does not answer" "containerd: /etc/containerd/config.toml is younger than the containerd that runs → restart containerd"
  start_on_node $NODE floxd floxd
  wait_until 20 "floxd" on_machine curl -fs http://127.0.0.1:9808/readyz
  restart_containerd
  doctor_says 0 "containerd: /etc/containerd/config.toml has the handler flox" "shim: /usr/local/bin/containerd-shim-flox-v1 runs"
  on_machine flox node doctor

  step "containerd $release: the stub images can be pulled without a network, and others are asked of their own registries"
  for image in ghcr.io/flox/flox:latest flox.dev/pause:1.0.0 docker.io/flox/empty:1.0.0; do
    on_machine ctr -n k8s.io images rm $image >/dev/null
    on_machine "$CONTAINERD2/crictl" --runtime-endpoint unix:///run/containerd/containerd.sock pull $image
  done
  # 2.x tries for most of a minute.
  [ $release != 1.6 ] || refused "dial tcp" on_machine "$CONTAINERD2/crictl" --runtime-endpoint unix:///run/containerd/containerd.sock pull ghcr.io/flox/other:latest

  step "containerd $release: an environment is an image, for containerd alone, and its key is root's alone"
  on_machine "$CONTAINERD2/crictl" --runtime-endpoint unix:///run/containerd/containerd.sock pull flox.local/hello:1.0
  equal "$(on_machine ctr -n k8s.io run --rm --runtime /usr/local/bin/containerd-shim-flox-v1 flox.local/hello:1.0 as-image)" "hello 1.0"
  equal "$(on_machine curl -s -o /dev/null -w '%{http_code}' 'http://127.0.0.1:9809/v2/hello/manifests/1.0?ns=flox.local')" 403
  equal "$(on_machine stat -c '%a %u' /etc/flox/registry.key /etc/containerd/certs.d/flox.local/hosts.toml | sort -u)" "600 0"

  contains "$(on_machine ls /nix/var/nix/gcroots/flox)" image-

  step "containerd $release: a pod under the handler"
  cat >"$WORLD/pod.yaml" <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: greeter, annotations: { flox.dev/environment: hello } }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers: [{ name: main, image: "ghcr.io/flox/flox:latest", command: [sh, -c, "hello; sleep 600"] }]
YAML
  play() { on_machine env FLOX_KUBE_STATE=/run/flox-kube FLOX_KUBE_CGROUP_PARENT=$CGROUP_PARENT CONTAINERD_ADDRESS=/run/containerd/containerd.sock "$BUILD_DIR/bin/flox-kube" "$@"; }
  play play "$PROJECT/deploy/base/runtime-class.yaml" "$WORLD/pod.yaml"
  greeted() { [ "$(play logs greeter)" = "hello 1.0" ]; }
  wait_until 30 "the pod's greeting" greeted
  refused "1 of this node's pods use flox: default/greeter" on_machine flox node uninstall
  play down --all >/dev/null 2>&1

  step "containerd $release: taken back"
  no_shims() { ! pgrep -f containerd-shim-flox-v1 >/dev/null; }
  wait_until 20 "the shim to end" no_shims
  contains "$(on_machine flox node uninstall --dry-run)" "-[plugins."
  refused "floxd still runs" on_machine flox node uninstall
  stop_on_node $NODE floxd
  diff <(echo "$AFTER") <(files | grep -v /var/lib/flox/) | grep '^>' && die "the dry run of uninstall changed files"
  on_machine flox node uninstall
  same_files "uninstall"
  [ -z "$(on_machine sh -c 'ls /nix/var/nix/gcroots/flox 2>/dev/null | grep ^image-')" ] || die "uninstall left leases of images"
  restart_containerd  # with the configuration as it was
done

step "other people's configurations"
NODE=1 FLOX_TEST_CONTAINERD=''
config() { on_machine sh -c 'cat >/etc/containerd/config.toml'; }
check() {  # WHAT: install, containerd takes the result, uninstall
  BEFORE=$(files)
  on_machine "${installer[@]}" install "${install_options[@]}" "${@:2}" >/dev/null
  restart_containerd
  on_machine ctr plugins ls | grepq 'cri .* ok' || die "$1: CRI does not load"
  doctor_says 2 "containerd: /etc/containerd/config.toml has the handler flox"  # floxd runs no more
  on_machine "${installer[@]}" uninstall >/dev/null
  same_files "$1"
}
on_machine containerd config default | config
check "containerd config default" --default-runtime
{ distribution_config; printf '%s\n' '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.flox]' '  runtime_type = "io.containerd.runc.v2"' \
  '  runtime_engine = "/usr/local/bin/containerd-shim-flox-v1"' '  runtime_root = ""'; } | config
doctor_says 2 "names the shim in runtime_engine, as the guide has it: containerd 1.x does not load CRI with that, 2.x ignores it → Run 'flox node install' to correct it"
check "the guide's snippet"
{ distribution_config; printf '%s\n' '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]' '  runtime_type = "io.containerd.runc.v2"' \
  '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]' '  SystemdCgroup = true'; } | config
check "systemd's cgroups"
on_machine rm /etc/containerd/config.toml
check "no configuration"
echo 'version = = 2' | config
BEFORE=$(files)
refused "/etc/containerd/config.toml:1:" on_machine "${installer[@]}" install "${install_options[@]}"
same_files "a broken configuration"

step "what others changed meanwhile stays"
distribution_config | config
on_machine "${installer[@]}" install "${install_options[@]}" >/dev/null
on_machine sh -c 'printf "[debug]\n  level = \"warn\"\n" >>/etc/containerd/config.toml'
on_machine "${installer[@]}" uninstall >/dev/null
diff <(distribution_config; printf '[debug]\n  level = "warn"\n') <(on_machine cat /etc/containerd/config.toml) || die "the others' edit is gone, or ours is not"
