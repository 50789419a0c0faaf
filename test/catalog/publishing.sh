#!/usr/bin/env bash
# The catalog: what is published is found, by flox and by real Nix; what does not prove itself is refused; a restart
# keeps everything.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/backends.sh"
each_backend "$@"
enter_world "$@"
start_backend "$WORLD/backend"
start_catalog
publish_tool hello 1.0
path=$(flox show hello --json | jq -r '.[0].outputs.out')
digest=$(basename "$path" | cut -c1-32)
token=$FLOX_CATALOG_TOKEN
narinfo=$(curl -fs "$CATALOG_URL/cache/$digest.narinfo")
nar=$(sed -n 's/^URL: //p' <<<"$narinfo")

step "packages are found by name and by part of it"
contains "$(flox search hel)" "Says hello 1.0"
contains "$(flox show hello)" "Signed:   demo-1"
contains "$(flox show hello)" "Latest:   hello@1.0"
refused "Did you mean hello" flox show helo
refused "no package matches" flox search nothing-like-it
refused "the catalog has no such package" flox show nothing-like-it

step "real Nix copies from the cache, and checks our signature"
export NIX_CONFIG="experimental-features = nix-command"
nix_copy() { XDG_CACHE_HOME=$WORLD/nix-cache nix copy --from "$CATALOG_URL/cache" --to "$WORLD/$1" --option trusted-public-keys "$2" "$path"; }
nix_copy with-key "$PUBLIC_KEY"
[ -x "$WORLD/with-key$path/bin/hello" ] || die "nix copy left no $path"
XDG_CACHE_HOME=$WORLD/nix-cache nix-store --store "$WORLD/with-key" --verify --check-contents

put() { curl -s -o "$WORLD/answer" -w '%{http_code}' -X PUT -H "Authorization: Bearer $3" --data-binary "@$2" "$CATALOG_URL/cache/$1"; }
answered() { [ "$(cat "$WORLD/answer" | jq -r .detail)" != null ] && contains "$(cat "$WORLD/answer")" "$1"; }

step "what does not prove itself is refused"
echo "$narinfo" >"$WORLD/narinfo"
equal "$(put "$digest.narinfo" "$WORLD/narinfo" wrong-token)" 403
grep -v '^Sig:' "$WORLD/narinfo" >"$WORLD/unsigned"
equal "$(put "$digest.narinfo" "$WORLD/unsigned" "$token")" 403
answered "no signature"
sed 's/^FileSize: .*/FileSize: 7/' "$WORLD/narinfo" >"$WORLD/lying"
equal "$(put "$digest.narinfo" "$WORLD/lying" "$token")" 403
{ curl -fsL "$CATALOG_URL/cache/$nar" && echo more; } >"$WORLD/tampered"
equal "$(put "$nar" "$WORLD/tampered" "$token")" 403
answered "not what its name says"
for name in ../../etc/passwd nar/../x.narinfo nar/%2e%2e%2fx .hidden; do
  equal "$(put "$name" "$WORLD/narinfo" "$token")" "$(case $name in ../*) echo 404 ;; nar/../*) echo 400 ;; *) echo 400 ;; esac)"
done
equal "$(curl -s -o /dev/null -w '%{http_code}' --path-as-is "$CATALOG_URL/cache/../catalog.sqlite")" 404
refused "publishing needs the catalog's token" env FLOX_CATALOG_TOKEN=wrong flox --root "$LAPTOP_ROOT" publish -d "$WORLD/tools/hello-1.0" hello

step "a store path is published by its name, for a CPU level that there is"
publish_path() { flox --root "$LAPTOP_ROOT" publish --store-path "$path" --name hello --version "$1" --variant "$2"; }
level=$([ "$(uname -m)" = x86_64 ] && echo x86-64-v2 || echo armv8-a)
publish_path 1.1-rc1 "$level"
contains "$(flox show hello)" "hello@1.1-rc1 ($(uname -m)-linux $level only)"
contains "$(flox show hello)" "Latest:   hello@1.0"
refused "is not a CPU level" publish_path 1.2 avx2

step "a published version never changes"
sed -i 's/Says/Tells/; s/echo \\"/echo \\"changed /; s/%s %s/changed %s %s/' "$WORLD/tools/hello-1.0/.flox/env/manifest.toml"
flox --root "$LAPTOP_ROOT" build -d "$WORLD/tools/hello-1.0" --quiet
refused "Raise the version" flox --root "$LAPTOP_ROOT" publish -d "$WORLD/tools/hello-1.0" hello
equal "$(flox show hello --json | jq -r '.[] | select(.version == "1.0").outputs.out')" "$path"

step "a restart keeps what was published"
stop_server catalog
rm "$WORLD/catalog.port"
start_server catalog flox-catalog --listen "${CATALOG_URL#http://}" --data "$WORLD/catalog" "${CATALOG_OPTIONS[@]}" --trusted-key "$PUBLIC_KEY" --port-file "$WORLD/catalog.port"
wait_until 10 "flox-catalog to listen again" test -s "$WORLD/catalog.port"
equal "$(flox show hello --json | jq -r '.[] | select(.version == "1.0").outputs.out')" "$path"
step "without a token file it is read-only"
refused "publishing needs the catalog's token" flox --root "$LAPTOP_ROOT" publish -d "$WORLD/tools/hello-1.0" hello
