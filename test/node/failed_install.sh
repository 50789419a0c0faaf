#!/usr/bin/env bash
# flox node install whose closure cannot be made, as on a full disk: no file of the node has changed, and its own closures
# are those from before.
. "$(dirname "$0")/../store/support.sh"
NODE=$WORK/node-root
mkdir -p "$NODE/etc/containerd" "$NODE/opt/flox" "$NODE/nix/var/nix/gcroots"
echo 'version = 2' >"$NODE/etc/containerd/config.toml"
before=/nix/store/$(printf '1%.0s' {1..32})-before
ln -s "$before" "$NODE/nix/var/nix/gcroots/flox-runtime"
missing=/nix/store/$(printf '0%.0s' {1..32})-missing
cat >"$NODE/opt/flox/bundle.json" <<JSON
{"programs": "$missing", "runtime": "$missing", "closure": [{"path": "$missing", "narHash": "sha256:$(printf '0%.0s' {1..52})",
 "narSize": 1, "references": [], "ca": ""}]}
JSON
files() { (cd "$NODE" && find . -path ./nix -prune -o -printf '%p %y %m\n' -type f -exec sha256sum {} + | sort); }

step "a bundle that lacks a path"
BEFORE=$(files)
refused "adding the bundle's paths to the store" flox node install --target "$NODE" --no-service --catalog-url http://127.0.0.1:1 --allow-unsigned
diff <(echo "$BEFORE") <(files) || die "files have changed"
equal "$(readlink "$NODE/nix/var/nix/gcroots/flox-runtime")" "$before" "the runtime"
equal "$(ls "$NODE/nix/var/nix/gcroots" | grep flox-)" flox-runtime "the node's closures"
