# A virtual machine with a Debian 12 and systemd that becomes a node from the bundle. Sourced by tests of it, never run. Such a
# test runs twice: here it prepares a catalog and a bundle, then itself is the machine's command.
#
#   in_machine                  whether this is the machine
#   need_machine                skips the test where there can be none
#   prepare_machine             in a world: a catalog with hello 1.0 and the bundle, in $WORLD/bundle.tar
#   run_in_machine [OPTION…]    runs this test in the machine
#   begin_node                  in the machine: its containerd with systemd's cgroups, the catalog; FLOX_* are gone
#   install_node [DIRECTORY]    the bundle's flox node install (or that of the flox in DIRECTORY), as on a real node
#   cri VERB…                   asks containerd, as test/node/cri.py says
#   start_pod NAME              prints the ids of a pod and of its container, which says what hello says
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
in_machine() { [ -n "${FLOX_TEST_IN_MACHINE:-}" ]; }

need_machine() {
  local missing code=0
  missing=$("$PROJECT/script/vm" --systemd --check) || code=$?
  [ $code = 0 ] || { echo "$missing"; exit $code; }
  /usr/bin/python3 -c 'import grpc' 2>/dev/null || { echo "needs python3-grpcio (script/bootstrap installs it)"; exit 77; }
}
prepare_machine() {
  start_catalog
  publish_tool hello 1.0
  FLOX_ROOT=$WORLD/bundle-store flox node bundle --output "$WORLD/bundle.tar" >"$WORLD/logs/bundle.log" 2>&1 ||
    { tail -5 "$WORLD/logs/bundle.log" >&2; die "no bundle was made"; }
  stop_server catalog
  protoc -I "$PROJECT/src/kube/cri" --python_out "$WORLD" cri.proto
}
run_in_machine() {
  FLOX_TEST_IN_MACHINE=1 FLOX_TEST_PREPARED=$WORLD FLOX_TEST_KEY=$PUBLIC_KEY "$PROJECT/script/vm" --systemd --limit 850 "$@" "$(realpath "$0")"
}

# --- in the machine
if in_machine; then
  PREPARED=/host$FLOX_TEST_PREPARED
  NODE_CATALOG=http://127.0.0.1:8590
  HOST_LIBRARIES=/host/usr/lib/x86_64-linux-gnu:/host/lib/x86_64-linux-gnu  # the Debian of the machine has few of its own
  export WORLD=/tmp/world PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
  mkdir -p "$WORLD/logs"
  for name in ${!FLOX_*}; do [[ $name == FLOX_TEST_* ]] || unset "$name"; done
  show_trouble() { journalctl --no-pager -q -n 60 -o short-monotonic >&2; systemctl --no-pager --failed >&2; }
  step "up after $(ps -o etimes= -p 1 | tr -d ' ') s"
fi

begin_node() {
  cat >/etc/containerd/config.toml <<'TOML'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true  # namespaces may lack CAP_SYS_RESOURCE
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
TOML
  systemctl restart containerd
  cp -r "$PREPARED/catalog" /tmp/catalog
  cp "$PREPARED/token" /tmp/token
  chmod 600 /tmp/token
  systemd-run --quiet --unit catalog -E LD_LIBRARY_PATH="$HOST_LIBRARIES" \
    "$BUILD_DIR/bin/flox-catalog" --listen "${NODE_CATALOG#http://}" --data /tmp/catalog --token-file /tmp/token --trusted-key "$FLOX_TEST_KEY"
  wait_until 60 "the catalog" curl -fs "$NODE_CATALOG/readyz"
}
unpack_bundle() { tar -C / -xpf "$PREPARED/bundle.tar"; }
install_node() {
  "${1:-/opt/flox/bin}/flox" node install --catalog-url "$NODE_CATALOG" --trusted-key "$FLOX_TEST_KEY" --trust-from "$PREPARED/trust" --sandbox-image flox.dev/pause:1.0.0
}
cri() {
  LD_LIBRARY_PATH=$HOST_LIBRARIES PYTHONHOME=/host/usr PYTHONPATH=$PREPARED:/host/usr/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 \
    /host/usr/bin/python3 "$PROJECT/test/node/cri.py" "$@"
}
start_pod() {
  local pod=$WORLD/$1-pod.json container=$WORLD/$1.json sandbox id
  mkdir -p "/var/log/pods/$1"
  cat >"$pod" <<JSON
{ "metadata": { "name": "$1", "namespace": "shop", "uid": "uid-$1", "attempt": 1 }, "log_directory": "/var/log/pods/$1",
  "annotations": { "flox.dev/environment": "hello" },
  "linux": { "cgroup_parent": "kubepods-besteffort-pod$1.slice", "security_context": { "namespace_options": { "network": 2 } } } }
JSON
  cat >"$container" <<JSON
{ "metadata": { "name": "main" }, "image": { "image": "ghcr.io/flox/flox:latest" }, "log_path": "main.log",
  "command": ["sh", "-c", "hello; exec sleep 100000"], "linux": {} }
JSON
  sandbox=$(cri runp flox "$pod") && id=$(cri create "$sandbox" "$container" "$pod") && cri start "$id" || return 1
  echo "$sandbox $id"
}
pod_says() { [ "$(cut -d' ' -f4- "/var/log/pods/$1/main.log")" = "$2" ]; }
remove_pods() { local pods; pods=$(cri pods) && { [ -z "$pods" ] || cri rmp $pods; }; }
pid_of() { ctr -n k8s.io tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
floxd_pid() {
  local pid
  pid=$(systemctl show -P MainPID floxd)
  [ "$pid" -gt 0 ] || die "floxd does not run"  # 0 is everybody to kill(2)
  echo "$pid"
}
