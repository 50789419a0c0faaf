# A catalog without a store: what is uploaded is made here. Sourced after lib.sh by tests of flox-catalog, never run.
#
# On top of test/catalog/backends.sh: a script that begins with each_backend "$@" runs on both backends, others on SQLite and a
# directory.
#
#   start_catalog [OPTIONS…]   a fresh or restarted catalog over $dir/data; $url, $catalog (its pid), $dir/log; $catalog_port: where it listens
#   stop_catalog [SIGNAL]      its exit code in $code
#   ask METHOD PATH [CURL…]    gives the status; the answer is in $dir/answer, a member of it: answer .detail
#   put NAME FILE              uploads a file of the cache
#   make_key NAME              key $dir/NAME, gives its public key
#   make_path DIGIT [NAME]     a NAR of random bytes, uploaded: $path $digest $hash $nar
#   narinfo [KEY FILE…]        the narinfo of that path, signed
#   publisher COMMAND…         a command of who publishes: with the operator's token, key-1 (its public half in $key), and a home, store and
#                              trust of its own in $dir; $FLOX_OWNER is the test's to say. At $catalog_url, if that is not the catalog itself
#   metric NAME                a value of /metrics
. "$PROJECT/test/catalog/backends.sh"
. "$PROJECT/test/metrics.sh"
dir=$(mktemp -d -p "$(memory_place)")  # databases: PostgreSQL copies one for each
data=$dir/data
catalog=
token=sesame
(umask 077 && echo $token >"$dir/token")

stop_catalog() {
  [ -z "$catalog" ] || { kill "-${1:-TERM}" "$catalog" && wait "$catalog" || code=$?; }
  catalog=
}
trap 'stop_catalog; stop_backend; rm -rf "$dir"' EXIT
trap 'exit 1' TERM INT
# What wait_until shows if it waits in vain.
show_trouble() { tail -n 5 "$dir/log" >&2 || true; }

start_catalog() {
  [ -n "${backend_dir:-}" ] || start_backend "$dir/backend"
  rm -f "$dir/port"
  flox-catalog --listen "127.0.0.1:${catalog_port:-0}" --data "$data" "${CATALOG_OPTIONS[@]}" --token-file "$dir/token" --port-file "$dir/port" "$@" 2>>"$dir/log" &
  catalog=$!
  wait_for_process $catalog 20 "the start of flox-catalog" test -s "$dir/port"
  url=http://127.0.0.1:$(cat "$dir/port")
}
ask() {
  local method=$1 path=$2
  shift 2
  curl -s --path-as-is -m 60 -o "$dir/answer" -w '%{http_code}' -X "$method" "$@" "$url$path"
}
answer() { jq -r "$1" "$dir/answer"; }
put() { ask PUT "/cache/$1" -H "Authorization: Bearer $token" --upload-file "$2"; }
record() { ask POST "/api/v1/catalog/packages/$1/builds" -H "Authorization: Bearer $token" -d "$2"; }
resolve() { ask POST /api/v1/catalog/resolve -d "{\"items\":[{\"descriptors\":[$1]}]}"; }
metric() { metric_of "$url/metrics" "$1"; }
# Memory that the catalog holds, KiB.
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$catalog/status"; }
peak_rss() { awk '/^VmHWM/ { print $2 }' "/proc/$catalog/status"; }

make_key() { flox store keygen "$1" --out "$dir/$1"; }
publisher() {
  mkdir -p "$dir/home"
  env HOME="$dir/home" FLOX_ALLOW_UNSIGNED=false FLOX_TRUST_DIR="$dir/trust" FLOX_TRUST_STATE_DIR="$dir/trust-state" FLOX_CATALOG_URL="${catalog_url:-$url}" \
    FLOX_CATALOG_TOKEN="$token" FLOX_SIGNING_PRIVATE_KEY="$dir/key-1" FLOX_TRUSTED_KEYS="$key" FLOX_ROOT="$dir/laptop" "$@"
}
# sign KEY_FILE PATH HASH SIZE: a signature as Nix makes it, of a path without references.
sign() {
  python3 - "$@" <<'PY'
import base64, subprocess, sys, tempfile
key, path, digest, size = sys.argv[1:]
name, secret = open(key).read().strip().split(":", 1)
der = bytes.fromhex("302e020100300506032b657004220420") + base64.b64decode(secret)[:32]  # RFC 8410, section 7
with tempfile.NamedTemporaryFile() as pem, tempfile.NamedTemporaryFile() as text:
    pem.write(b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n")
    text.write(f"1;{path};sha256:{digest};{size};".encode())
    pem.flush(), text.flush()
    made = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", pem.name, "-in", text.name], check=True, capture_output=True)
print(name + ":" + base64.b64encode(made.stdout).decode())
PY
}
# The SHA-256 of a file in Nix's base-32.
base32_hash() {
  python3 - "$1" <<'PY'
import hashlib, sys
digest = hashlib.sha256(open(sys.argv[1], "rb").read()).digest()
number = int.from_bytes(digest, "little")
print("".join("0123456789abcdfghijklmnpqrsvwxyz"[number >> 5 * i & 31] for i in reversed(range(52))))
PY
}
make_path() {
  digest=$(printf "$1%.0s" {1..32})
  path=/nix/store/$digest-${2:-web}
  head -c 5000 /dev/urandom >"$dir/nar"
  hash=$(base32_hash "$dir/nar")
  nar=nar/$hash.nar
  equal "$(put "$nar" "$dir/nar")" 201
}
narinfo() {
  printf '%s\n' "StorePath: $path" "URL: $nar" "Compression: none" "FileHash: sha256:$hash" "FileSize: 5000" \
    "NarHash: sha256:$hash" "NarSize: 5000" "References: "
  local key
  for key in "$@"; do echo "Sig: $(sign "$dir/$key" "$path" "$hash" 5000)"; done
}
# profile_of PATH [FILE]: a start profile of a package, of which starts have read the beginning of a file.
profile_of() { jq -jnc --arg p "$(basename "$1")" --arg f "${2:-bin/web}" '{packages: [$p], paths: [{path: $p, ranges: [[$f, 0, 4096]]}], version: 1}'; }
build() { jq -nc --arg v "$1" --arg p "$path" --arg s "${2:-key-1}" '{name:"web",version:$v,system:"x86_64-linux",signer:$s,outputs:{out:$p}}'; }
