#!/usr/bin/env bash
# `flox import nix` and `flox import lock`: what Debian's Nix built becomes packages of a catalog, which a node fetches by name;
# signatures of strangers, damaged paths and flakes without Nix are refused, and nothing of them stays.
. "$(dirname "$0")/../lib.sh"
command -v nix >/dev/null || { echo "needs nix (package nix-bin)"; exit 77; }
enter_world "$@"
# Nix of Debian 12 keeps narinfos in a cache of its own; builders are Nix's own, so that none of this machine's programs is needed.
export XDG_CACHE_HOME=$WORLD/cache
export NIX_CONFIG=$'experimental-features = nix-command flakes\nbuild-users-group =\nsandbox = false\nsubstitute = false\nnarinfo-cache-negative-ttl = 0'
unset FLOX_CACHES FLOX_TRUSTED_KEYS
start_catalog
NIX_ROOT=$WORLD/nix-machine CACHE=$WORLD/nix-cache
in_nix() { nix --store "$NIX_ROOT" "$@"; }

step "a store path that Nix made, taken from its store, is a package that a node fetches by its name"
mkdir -p "$WORLD/words/share" && echo forty-two >"$WORLD/words/share/words"
WORDS=$(in_nix store add-path "$WORLD/words" --name words-2.0)
laptop import deb busybox-static --no-smoke-run --json -q >"$WORLD/busybox.json"
mkdir -p "$WORLD/busybox/bin" && cp "$LAPTOP_ROOT$(jq -r '.[0].outputs.out' "$WORLD/busybox.json")/bin/busybox" "$WORLD/busybox/bin/busybox"
# A derivation: its builder is the program that it copies itself.
BUSYBOX=$(in_nix store add-path "$WORLD/busybox" --name busybox)
cat >"$WORLD/answer.nix" <<NIX
derivation {
  name = "answer-1.5"; system = builtins.currentSystem; outputs = [ "out" "doc" ];
  builder = "\${builtins.storePath "$BUSYBOX"}/bin/busybox";
  args = [ "sh" "-c" ''
    \$box mkdir -p \$out/bin \$doc/share
    echo manual >\$doc/share/manual
    printf '#!%s sh\nread -r word <$WORDS/share/words; echo "the answer: \$word"\n' \$box >\$out/bin/answer
    \$box chmod +x \$out/bin/answer
  '' ];
  box = "\${builtins.storePath "$BUSYBOX"}/bin/busybox"; words = builtins.storePath "$WORDS";
}
NIX
nix-build --store "$NIX_ROOT" "$WORLD/answer.nix" -A out --no-out-link >"$WORLD/built" 2>"$WORLD/logs/nix-build.log" || { cat "$WORLD/logs/nix-build.log" >&2; die "nix-build failed"; }
OUT=$(cat "$WORLD/built")
DOC=$(nix-store --store "$NIX_ROOT" -q --outputs "$(nix-store --store "$NIX_ROOT" -q --deriver "$OUT")" | grep -e -doc)
ln -s "$OUT" "$WORLD/result"
refused "does not have it" laptop import nix "$WORLD/result"
laptop import nix "$WORLD/result" --output "doc=$DOC" --description "Says it" --license MIT --nix-store "$NIX_ROOT" --publish --json >"$WORLD/imported.json" 2>"$WORLD/logs/import.log" ||
  { cat "$WORLD/logs/import.log" >&2; die "it was not imported"; }
equal "$(jq -r '.[0] | .name + " " + .version + " " + .license' "$WORLD/imported.json")" "answer 1.5 MIT"
equal "$(jq -r '.[0].outputs | keys | join(" ")' "$WORLD/imported.json")" "doc out"
equal "$(jq -c '.[0].programs' "$WORLD/imported.json")" '[{"detail":"","program":"bin/answer","verdict":"ran"}]'
equal "$(laptop store closure "$OUT" | sort)" "$(nix-store --store "$NIX_ROOT" -qR "$OUT" | sort)"
contains "$(cat "$WORLD/logs/import.log")" "with provenance"
node() { flox --root "$NODE_ROOT" "$@"; }
mkdir "$WORLD/app" && (cd "$WORLD/app" && node init -n app && node install answer) >"$WORLD/logs/install.log" 2>&1 || { cat "$WORLD/logs/install.log" >&2; die "the node cannot install it"; }
equal "$(cd "$WORLD/app" && node activate -- answer)" "the answer: forty-two"
nix-store --store "$NODE_ROOT" --verify --check-contents >"$WORLD/logs/verify.log" 2>&1 && ! grep -q error "$WORLD/logs/verify.log" || die "Nix finds something wrong: $(cat "$WORLD/logs/verify.log")"

step "the same path from a cache: signed by a trusted key, or not at all"
SIGNER=$(laptop store keygen other-1 --out "$WORLD/other.key")
nix copy --from "$NIX_ROOT" --to "file://$CACHE?secret-key=$WORLD/other.key" --no-check-sigs "$OUT"
sed -i '/^CA:/d' "$CACHE"/*.narinfo  # so that the signature is what counts
third() { flox --root "$WORLD/third" "$@"; }
refused "whom we do not trust" third import nix "$OUT" --from "file://$CACHE"
[ -z "$(ls "$WORLD/third/nix/store")" ] || die "something of it stayed: $(ls "$WORLD/third/nix/store")"
third import nix "$OUT" --from "file://$CACHE" --trusted-key "$SIGNER" >"$WORLD/third.out" 2>&1 || die "$(cat "$WORLD/third.out")"
equal "$(third store closure "$OUT" | sort)" "$(nix-store --store "$NIX_ROOT" -qR "$OUT" | sort)"

step "what is no store path, has no version, or has a name that no catalog takes"
refused "neither a store path nor a link to one" laptop import nix /etc/passwd
refused "has no version" laptop import nix "$BUSYBOX" --nix-store "$NIX_ROOT"
refused "'name'" laptop import nix "$BUSYBOX" --name ../x --version 1 --nix-store "$NIX_ROOT"
refused "is not the root of a Nix store" flox --root "$WORLD/seventh" import nix "$BUSYBOX" --version 1 --nix-store "$WORLD"

step "a damaged path is not taken"
chmod u+w "$NIX_ROOT$WORDS/share" "$NIX_ROOT$WORDS/share/words" && echo forty-six >"$NIX_ROOT$WORDS/share/words"
refused "hash mismatch" flox --root "$WORLD/fourth" import nix "$OUT" --nix-store "$NIX_ROOT"
[ -z "$(ls "$WORLD/fourth/nix/store")" ] || die "something of it stayed"
echo forty-two >"$NIX_ROOT$WORDS/share/words"

step "an output of a flake, by the nix at hand"
mkdir "$WORLD/flake" && cp -r "$WORLD/busybox" "$WORLD/flake/busybox" && cat >"$WORLD/flake/flake.nix" <<NIX
{
  outputs = { self }: {
    packages.$(uname -m)-linux.said = (derivation {
      name = "said-0.3"; system = "$(uname -m)-linux"; builder = "\${./busybox}/bin/busybox"; args = [ "sh" "-c" "echo forty-two >\$out" ];
    }) // { pname = "said"; version = "0.3"; meta = { description = "A word"; license.spdxId = "MIT"; }; };
  };
}
NIX
laptop import nix "path:$WORLD/flake#said" --json >"$WORLD/flake.json" 2>"$WORLD/logs/flake.log" || { cat "$WORLD/logs/flake.log" >&2; die "the flake was not imported"; }
equal "$(jq -r '.[0] | .name + " " + .version + " " + .license + " " + .description' "$WORLD/flake.json")" "said 0.3 MIT A word"
equal "$(cat "$LAPTOP_ROOT$(jq -r '.[0].outputs.out' "$WORLD/flake.json")")" forty-two
mkdir "$WORLD/no-nix" && ln -s "$(type -P flox)" "$WORLD/no-nix/flox"
refused "there is no nix here to evaluate it" env PATH="$WORLD/no-nix" flox --root "$LAPTOP_ROOT" import nix nixpkgs#hello
refused "evaluating path:$WORLD/flake#other" laptop import nix "path:$WORLD/flake#other"

step "the packages of a lock, into a catalog that does not have them"
cat >"$WORLD/manifest.lock" <<JSON
{ "lockfile-version": 1, "manifest": { "version": 1, "install": { "ans": { "pkg-path": "pythonPackages.answer" } } }, "packages": [
  { "attr_path": "pythonPackages.answer", "install_id": "ans", "version": "1.5", "system": "$(uname -m)-linux", "group": "toplevel", "priority": 5,
    "description": "Says it", "license": "MIT", "outputs": { "out": "$OUT", "doc": "$DOC" }, "outputs_to_install": ["out"] },
  { "attr_path": "pythonPackages.answer", "install_id": "ans", "version": "1.5", "system": "aarch64-darwin", "group": "toplevel", "priority": 5,
    "outputs": { "out": "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-answer" } } ] }
JSON
import_lock() { flox --root "$WORLD/fifth" import lock "$WORLD/manifest.lock" "$@"; }
refused "whom we do not trust" import_lock --from "file://$CACHE"
import_lock --from "file://$CACHE" --trusted-key "$SIGNER" --publish >"$WORLD/lock.out" 2>&1 || die "$(cat "$WORLD/lock.out")"
contains "$(cat "$WORLD/lock.out")" "left out: 1 output of pythonPackages.answer that the lock does not install"
contains "$(cat "$WORLD/lock.out")" "left out: 1 package for aarch64-darwin"
equal "$(laptop show pythonPackages.answer --json | jq -r '.[0] | .version + " " + .outputs.out')" "1.5 $OUT"
refused "has no package for riscv64-linux" import_lock --system riscv64-linux
sed 's|pythonPackages.answer", "install_id|../answer", "install_id|' "$WORLD/manifest.lock" >"$WORLD/hostile.lock"
refused "package 'ans'" flox --root "$WORLD/fifth" import lock "$WORLD/hostile.lock"
sed "s|$OUT|/etc/passwd|" "$WORLD/manifest.lock" >"$WORLD/hostile.lock"
refused "hostile.lock" flox --root "$WORLD/fifth" import lock "$WORLD/hostile.lock"

step "two imports of one path at once end in one path"
importers=()
for i in 1 2 3; do
  flox --root "$WORLD/sixth" import nix "$OUT" --nix-store "$NIX_ROOT" --no-smoke-run -q >"$WORLD/logs/at-once-$i.log" 2>&1 &
  importers+=($!)
done
for importer in "${importers[@]}"; do wait "$importer" || die "one failed: $(cat "$WORLD"/logs/at-once-*.log)"; done
for i in 1 2 3; do contains "$(cat "$WORLD/logs/at-once-$i.log")" "$OUT"; done
equal "$(ls "$WORLD/sixth/nix/store" | wc -l)" "$(nix-store --store "$NIX_ROOT" -qR "$OUT" | wc -l)"
echo ok
