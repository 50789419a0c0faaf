# A catalog with something of everything in it, and the look of it, for tests that move catalogs. Sourced after support.sh by tests
# of flox-catalog, never run.
#
#   fill_catalog      owner acme with a signed package hello in two versions, and its environment web in two generations;
#                     a nobody's package; a private owner with a package. Needs a running catalog with key-1
#   look              all that clients see of the running catalog, as one text: compare two
#   trusted_by_node   the package and the environment as a machine takes them that trusts acme's root, and nothing else
# What the tests themselves need stays where it is.
export XDG_CACHE_HOME=${XDG_CACHE_HOME:-$HOME/.cache}
export HOME=$dir FLOX_CATALOG_TOKEN_FILE=$dir/token FLOX_TRUST_DIR=$dir/trust FLOX_TRUST_STATE_DIR=$dir/state FLOX_ALLOW_UNSIGNED=false
export FLOX_SIGNING_PRIVATE_KEY=$dir/key-1
laptop() { FLOX_CATALOG_URL=$url flox --root "$dir/laptop" "$@"; }

# publish_file NAME VERSION [OPTION…]: a package with one file.
publish_file() {
  rm -rf "$dir/tree"
  mkdir -p "$dir/tree/share/$1"
  echo "$1 $2" >"$dir/tree/share/$1/version"
  local path
  path=$(laptop store add --name "$1" "$dir/tree" 2>>"$dir/published")
  laptop publish --store-path "$path" --name "$1" --version "$2" "${@:3}" >>"$dir/published" 2>&1 || die "publishing $1 $2: $(cat "$dir/published")"
}
publish_with_token() {  # TOKEN NAME VERSION OPTIONS…
  (umask 077; echo "$1" >"$dir/other-token"); FLOX_CATALOG_TOKEN_FILE=$dir/other-token publish_file "${@:2}"
}
fill_catalog() {
  export FLOX_CATALOG_URL=$url
  flox trust init acme >"$dir/said" 2>&1 && flox trust publish acme 2>"$dir/said" || die "$(cat "$dir/said")"
  publish_file hello 1.0 --owner acme
  rm -rf "$dir/env"
  laptop init -d "$dir/env" -n web >"$dir/said" 2>&1
  laptop install -d "$dir/env" hello >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  laptop push -d "$dir/env" --owner acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  publish_file hello 1.1 --owner acme
  laptop uninstall -d "$dir/env" hello >"$dir/said" 2>&1 && laptop install -d "$dir/env" hello >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  laptop push -d "$dir/env" --owner acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  publish_file stray 1.0
  equal "$(ask POST /api/v1/owners -H "Authorization: Bearer $token" -d '{"name":"secret","private":true}')" 201
  equal "$(ask POST /api/v1/owners/secret/members -H "Authorization: Bearer $token" -d '{"user":"eve@example.org","role":"publish"}')" 201
  equal "$(ask POST /api/v1/auth/tokens -H "Authorization: Bearer $token" -d '{"owner":"secret","scope":"publish"}')" 201
  secret_token=$(answer .token)
  publish_with_token "$secret_token" hidden 1.0
}
look() {
  local name path
  for name in hello stray hidden; do
    curl -s -H "Authorization: Bearer $token" "$url/api/v1/catalog/packages/$name" | jq -S .
    curl -s "$url/api/v1/catalog/packages/$name" | jq -S .
  done
  curl -s "$url/api/v1/catalog/search?search_term=" | jq -S .
  for name in 1 2; do curl -s "$url/api/v1/environments/acme/web?generation=$name" | jq -S 'del(.evidence[].timestamp)'; done
  curl -s "$url/api/v1/trust/acme/root" "$url/api/v1/trust/acme/targets"
  curl -s -H "Authorization: Bearer $token" "$url/api/v1/owners/secret" | jq -S .
  for path in $(curl -s -H "Authorization: Bearer $token" "$url/api/v1/catalog/packages/hello" "$url/api/v1/catalog/packages/hidden" | jq -r '.items[].outputs.out'); do
    name=$(basename "$path" | cut -c1-32)
    echo "$path: $(curl -s -o /dev/null -w '%{http_code}' "$url/cache/$name.narinfo")"
    curl -sL -H "Authorization: Bearer $token" "$url/cache/$name.narinfo"
    curl -sL -H "Authorization: Bearer $token" "$url/cache/$(curl -sL -H "Authorization: Bearer $token" "$url/cache/$name.narinfo" | sed -n 's/^URL: //p')" | sha256sum
  done
}
# A machine of its own each time, but for what it has seen of acme.
trusted_by_node() {
  rm -rf "$dir/node" "$dir/checked-out"
  mkdir -p "$dir/node-trust/acme"
  [ -e "$dir/node-trust/acme/root.json" ] || cp "$dir/trust/acme/root.json" "$dir/node-trust/acme/"
  (
    unset FLOX_CATALOG_TOKEN_FILE FLOX_SIGNING_PRIVATE_KEY
    export FLOX_CATALOG_URL=$url FLOX_TRUST_DIR=$dir/node-trust FLOX_TRUST_STATE_DIR=$dir/node-state FLOX_TRUSTED_KEYS=$public_key
    flox --root "$dir/node" pull "acme/web${1:-}" -d "$dir/checked-out" && flox --root "$dir/node" activate -d "$dir/checked-out" -- true
  ) >"$dir/said" 2>&1 || { cat "$dir/said"; return 1; }
}
