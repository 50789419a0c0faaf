#!/usr/bin/env bash
# Imageless containers under plain containerd: activated from a package, sharing one store; and what is said when a
# package, a signature, the catalog or floxd is not there. Nothing is left behind.
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_containerd
start_catalog
publish_tool hello 0.9
publish_tool hello 1.0
start_floxd
import_images

container() { ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" "$@"; }
run_package() {  # PACKAGE ID COMMAND…
  local package=$1
  shift
  container --annotation "flox.dev/environment=$package" docker.io/flox/empty:1.0.0 "$@"
}
leases() { ls "$NODE_ROOT/nix/var/nix/gcroots/flox" 2>/dev/null | wc -l; }
no_leases() { [ "$(leases)" = 0 ]; }

step "a container runs a package that an annotation names"
equal "$(run_package hello a1 hello)" "hello 1.0"
equal "$(run_package hello@0.9 a2 hello)" "hello 0.9"
equal "$(container --annotation flox.dev/environment=hello --env FLOX_PACKAGE_VERSION=0.9 docker.io/flox/empty:1.0.0 a3 hello)" "hello 0.9"
code=0
run_package hello a4 /bin/sh -c 'exit 5' || code=$?
equal $code 5

step "its store is shared, read-only, and stored once"
path=$(flox show hello --json | jq -r '.[0].outputs.out')
for id in b1 b2; do equal "$(run_package hello $id stat -c %i "$path/bin/hello")" "$(stat -c %i "$NODE_ROOT$path/bin/hello")"; done
refused "Read-only file system" run_package hello b3 touch /nix/store/x

step "an exec runs inside the activation too"
ctr -n k8s.io run -d --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation flox.dev/environment=hello docker.io/flox/empty:1.0.0 c1 sleep 1000
equal "$(ctr -n k8s.io task exec --exec-id e1 c1 hello)" "hello 1.0"
equal "$(leases)" 1
ctr -n k8s.io task kill -s KILL c1
wait_until 10 "the container to stop" sh -c "ctr -n k8s.io task ls | grep -q 'c1.*STOPPED'"
ctr -n k8s.io task delete c1 >/dev/null 2>&1 || true
ctr -n k8s.io container delete c1
wait_until 10 "the lease to end" no_leases

step "what is wrong is the container's error"
refused "the catalog has no such package" run_package nonsense d1 hello
refused "published versions: 1.0, 0.9" run_package hello@7 d2 hello
refused "the catalog has no environment acme/web" run_package acme/web d3 hello

step "an environment of several packages, pushed by its owner, in its latest generation and in an earlier one"
mkdir "$WORLD/web"
(
  cd "$WORLD/web"
  laptop init -n web
  laptop install hello@0.9
  sed -i '/^\[vars\]/a COLOUR = "blue"' .flox/env/manifest.toml
  laptop push --owner acme
  laptop install busybox-static
  sed -i 's/blue/red/' .flox/env/manifest.toml
  contains "$(laptop push --owner acme)" "acme/web is at generation 2"
  contains "$(laptop push --owner acme)" "acme/web is at generation 2"
) 2>&1
contains "$(run_package acme/web e8 sh -c 'hello; echo $COLOUR')" $'hello 0.9\nred'
contains "$(run_package acme/web:1 e9 sh -c 'hello; echo $COLOUR')" $'hello 0.9\nblue'
refused "has no generation 3" run_package acme/web:3 e10 hello
refused "is not a generation" run_package acme/web:x e11 hello
(cd "$WORLD" && flox pull acme/web:1 -d pulled) >/dev/null
contains "$(cat "$WORLD/pulled/.flox/env/manifest.toml")" blue
flox init -d "$WORLD/stray" -n stray 2>/dev/null
refused "no owner given" flox push -d "$WORLD/stray"

step "hooks and services of an environment run around the container's command, and end with it"
mkdir -m 777 "$WORLD/shared"
(
  cd "$WORLD/web"
  sed -i "/^\[hook\]/a on-activate = 'export HOOKED=yes; [ -e /nonsense ] \&\& echo never'" .flox/env/manifest.toml
  laptop push --owner acme
) >&2
contains "$(run_package acme/web h1 sh -c 'echo "hooked: $HOOKED"')" "hooked: yes"
(
  cd "$WORLD/web"
  sed -i "/^\[hook\]/a on-deactivate = 'echo \$HOOKED >/shared/deactivated'" .flox/env/manifest.toml
  cat >>.flox/env/manifest.toml <<'TOML'
[services]
auto-start = true
[services.side]
command = "trap 'echo down >/shared/down; exit' TERM; echo $COLOUR $HOOKED >/shared/up; while :; do sleep 0.1; done"
TOML
  laptop push --owner acme
) >&2
code=0
output=$(container --mount "type=bind,src=$WORLD/shared,dst=/shared,options=rbind:rw" --annotation flox.dev/environment=acme/web \
  docker.io/flox/empty:1.0.0 h2 sh -c 'until [ -s /shared/up ]; do sleep 0.1; done; flox services status; flox services restart side; exit 7' 2>&1) || code=$?
equal $code 7
contains "$output" Running
contains "$output" "Service 'side' restarted."
equal "$(cat "$WORLD/shared/up" "$WORLD/shared/down" "$WORLD/shared/deactivated" | xargs)" "red yes down yes"
(cd "$WORLD/web" && sed -i "s/^on-activate = .*/on-activate = 'exit 0'/; /^on-deactivate/d; /^\[services/,\$d" .flox/env/manifest.toml && laptop push --owner acme) >&2
refused "hook.on-activate ended its shell: the command is not started" run_package acme/web h3 touch /tmp/never

step "an unsigned or foreign path is refused, and nothing of it is left"
publish_tool foreign 1.0
foreign=$(flox show foreign --json | jq -r '.[0].outputs.out')
sed -i 's/^Sig: demo-1:/Sig: nobody-1:/' "$WORLD/catalog/cache/$(basename "$foreign" | cut -c1-32).narinfo"
refused "signed by nobody-1, whom we do not trust" run_package foreign e1 foreign
[ ! -e "$NODE_ROOT$foreign" ] || die "an untrusted path is in the store"
publish_tool tampered 1.0
tampered=$(flox show tampered --json | jq -r '.[0].outputs.out')
narinfo=$WORLD/catalog/cache/$(basename "$tampered" | cut -c1-32).narinfo
nar=$WORLD/catalog/cache/$(sed -n 's/^URL: //p' "$narinfo")
zstd -dcq "$nar" | sed 's/echo/ECHO/' >"$WORLD/tampered.nar"
zstd -qf "$WORLD/tampered.nar" -o "$nar"
refused "hash" run_package tampered e2 tampered
[ ! -e "$NODE_ROOT$tampered" ] || die "a tampered path is in the store"

step "with the catalog down, what is here still runs by lock; a new name says what is missing"
stop_server catalog
refused "cannot be reached" run_package hello f1 hello

step "with floxd down, the container says so; with floxd back, it runs"
stop_server floxd
refused "$FLOX_NODE_SOCKET" run_package hello g1 hello
rm "$WORLD/catalog.port"
start_server catalog flox-catalog --listen "${CATALOG_URL#http://}" --data "$WORLD/catalog" --trusted-key "$PUBLIC_KEY" --port-file "$WORLD/catalog.port"
wait_until 10 "flox-catalog to listen again" test -s "$WORLD/catalog.port"
start_floxd
equal "$(run_package hello g2 hello)" "hello 1.0"

step "one floxd a store"
refused "another floxd serves the store" floxd --root "$NODE_ROOT" --node-socket "$WORLD/second.sock" --pod-socket-dir "$WORLD/second" --metrics 127.0.0.1:0

step "ordinary containers pass untouched, without floxd"
stop_server floxd
mkdir -p "$WORLD/rootfs/bin"
cp /bin/busybox "$WORLD/rootfs/bin/"
equal "$(container --rootfs "$WORLD/rootfs" h1 /bin/busybox ls /)" "$(printf 'bin\ndev\nproc\nsys\nrun\n' | sort)"
[ -z "$(ctr -n k8s.io task ls -q)" ] || die "tasks are left: $(ctr -n k8s.io task ls)"
