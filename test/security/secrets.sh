#!/usr/bin/env bash
# Where secrets do not appear: in errors, in logs, in arguments, in the environment of what flox starts, at other
# servers than theirs; and what a file of secrets must be like. The catalogs here are hostile or strangers.
. "$(dirname "$0")/../../script/lib.sh"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
STARTED=()
trap '[ ${#STARTED[@]} = 0 ] || kill "${STARTED[@]}" 2>/dev/null; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG FLOX_SIGNING_PRIVATE_KEY FLOX_CATALOG_TOKEN NETRC
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
unset "${!AWS_@}"
export HOME=$WORK/home XDG_CACHE_HOME=$WORK/cache FLOX_POD_SOCKET=$WORK/no-pod.sock
mkdir -p "$HOME"
contains() { case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac; }
lacks() { case $1 in *"$2"*) die "'$2' is in: $1" ;; esac; }
equal() { [ "$1" = "$2" ] || die "expected '$2', got '$1'"; }
# refused TEXT COMMAND…: the command must fail, say TEXT, and no secret. What it said is in $OUTPUT.
refused() {
  local text=$1
  shift
  ! OUTPUT=$("$@" 2>&1) || die "should have been refused: $*"
  contains "$OUTPUT" "$text"
  lacks "$OUTPUT" s3cret
}

step "a server that records what it is asked"
WWW=$WORK/www
mkdir -p "$WWW"
PORT=$(free_port) OTHER=$(free_port)
python3 "$PROJECT/test/security/http_server.py" "$WWW" "127.0.0.1:$PORT" "127.0.0.1:$OTHER" 2>"$WORK/server.log" &
STARTED+=($!)
for ((i = 0; i < 600; i++)); do [ ! -e "$WWW/ready" ] || break; sleep 0.1; done
[ -e "$WWW/ready" ] || die "the server did not start: $(<"$WORK/server.log")"
HERE=http://127.0.0.1:$PORT
rules() { printf '%s\n' "$1" >"$WWW/rules.json"; }
mkdir -p "$WORK/site" && echo "the site" >"$WORK/site/index.html"
SITE=$(flox store add --root "$WORK/root" "$WORK/site" --name site)
export FLOX_ROOT=$WORK/root

step "keys are made for their owner only, over nothing, and through no link"
(umask 000 && flox store keygen test-1 --out "$WORK/key" >"$WORK/key.pub")
equal "$(stat -c %a "$WORK/key")" 600
refused "exists already" flox store keygen test-1 --out "$WORK/key"
ln -s "$WORK/elsewhere" "$WORK/link"
refused "" flox store keygen test-1 --out "$WORK/link"
[ ! -e "$WORK/elsewhere" ] || die "a key was written through a link"

step "a key that others may read signs nothing"
for mode in 644 640 660 602; do
  chmod $mode "$WORK/key"
  refused "chmod 600" flox store sign --key "$WORK/key" "$SITE"
  refused "chmod 600" flox store copy --to "file://$WORK/copy" --key "$WORK/key" "$SITE"
  refused "chmod 600" flox store serve --listen 127.0.0.1:0 --key "$WORK/key"
  refused "chmod 600" env FLOX_CATALOG_URL="$HERE" flox publish --store-path "$SITE" --name site --version 1 --signing-private-key "$WORK/key"
done
chmod 600 "$WORK/key"
flox store sign --key "$WORK/key" "$SITE" >/dev/null
refused "not a regular file" flox store sign --key /dev/null "$SITE"
mkfifo "$WORK/fifo" && chmod 600 "$WORK/fifo"
refused "not a regular file" timeout 60 flox store sign --key "$WORK/fifo" "$SITE"
printf 'test-1:s3cret-that-is-no-key\n' >"$WORK/bad" && chmod 600 "$WORK/bad"
refused "test-1" flox store sign --key "$WORK/bad" "$SITE"

step "a token is no argument; a file that holds one is its owner's"
export FLOX_CATALOG_URL=$HERE FLOX_SIGNING_PRIVATE_KEY=$WORK/key
publish() { flox publish --store-path "$SITE" --name site --version 1 "$@"; }
refused "--token-file" publish --token s3cret
refused "--token-file" publish --token=s3cret
refused "--token-file" flox import deb hello --publish --token s3cret
lacks "$(flox publish --help)" "--token "
echo tok-s3cret >"$WORK/token"
chmod 644 "$WORK/token"
refused "chmod 600" publish --token-file "$WORK/token"
refused "chmod 600" env FLOX_CATALOG_TOKEN_FILE="$WORK/token" flox publish --store-path "$SITE" --name site --version 1
refused "chmod 600" flox store realise --cache "$HERE?token-file=$WORK/token" --trusted-key "$(<"$WORK/key.pub")" /nix/store/00000000000000000000000000000000-x
chmod 600 "$WORK/token"
printf 'two\nlines-s3cret' >"$WORK/lines" && chmod 600 "$WORK/lines"
refused "line break" publish --token-file "$WORK/lines"
printf 'catalog_token = "tok-s3cret"\n' >"$WORK/config.toml" && chmod 644 "$WORK/config.toml"
refused "catalog_token_file" env FLOX_CONFIG="$WORK/config.toml" flox config
chmod 600 "$WORK/config.toml"
lacks "$(FLOX_CONFIG=$WORK/config.toml flox config)" s3cret

step "the token goes to the catalog, and to nobody whose name begins like the catalog's"
seen() { jq -r 'select(.server == "127.0.0.1:'"$1"'") | .headers.authorization // "-"' "$WWW/requests.log" | sort -u; }
: >"$WWW/requests.log"
rules '{" /cache/nar": {"status": 201}}'
publish --token-file "$WORK/token" >"$WORK/log" 2>&1 || true  # what answers is no catalog; it is asked first
contains "$(seen "$PORT")" "Bearer tok-s3cret"
lacks "$(cat "$WORK/log")" s3cret
: >"$WWW/requests.log"
FLOX_CATALOG_URL=http://127.0.0.1:${OTHER%?} FLOX_CATALOG_TOKEN=tok-s3cret \
  flox store copy --to "http://127.0.0.1:$OTHER/x" --key "$WORK/key" "$SITE" >"$WORK/log" 2>&1 || true
equal "$(seen "$OTHER")" "-"
lacks "$(cat "$WORK/log")" s3cret

step "logins in URLs are in no message"
LOGIN=http://me:url-s3cret@127.0.0.1:$PORT
rules '{" /nix-cache-info": {"status": 401}, " /api/v1/catalog/search": {"status": 401}}'
refused "127.0.0.1:$PORT" flox store realise --cache "$LOGIN" --trusted-key "$(<"$WORK/key.pub")" /nix/store/00000000000000000000000000000000-x
refused "401" env FLOX_CATALOG_URL="$LOGIN" flox search x
refused "127.0.0.1:1" env FLOX_CATALOG_URL=http://me:url-s3cret@127.0.0.1:1 flox search x
refused "" env FLOX_CATALOG_URL=http://me:url-s3cret@127.0.0.1:port flox search x
OUTPUT=$(FLOX_CATALOG_URL=$LOGIN FLOX_CACHES=$LOGIN flox config; FLOX_CATALOG_URL=$LOGIN FLOX_CACHES=$LOGIN flox config --json)
contains "$OUTPUT" "***@127.0.0.1:$PORT"
lacks "$OUTPUT" s3cret

step "netrc and AWS's files are others' files: who else may read them is said, once"
printf 'machine 127.0.0.1 login me password net-s3cret\n' >"$WORK/netrc" && chmod 644 "$WORK/netrc"
refused "chmod 600 $WORK/netrc" env NETRC="$WORK/netrc" flox search x
equal "$(grep -c "chmod 600" <<<"$OUTPUT")" 1
chmod 600 "$WORK/netrc"
: >"$WWW/requests.log"
refused "401" env NETRC="$WORK/netrc" flox search x
lacks "$OUTPUT" chmod
contains "$(seen "$PORT")" "Basic $(printf me:net-s3cret | base64)"
printf '[default]\naws_access_key_id = A\naws_secret_access_key = key-s3cret\n' >"$WORK/credentials" && chmod 644 "$WORK/credentials"
refused "chmod 600 $WORK/credentials" env AWS_SHARED_CREDENTIALS_FILE="$WORK/credentials" \
  flox store realise --cache "s3://b?endpoint=$HERE" --trusted-key "$(<"$WORK/key.pub")" /nix/store/00000000000000000000000000000000-x
refused "not a regular file" env NETRC=/dev/null flox search x

step "a hostile catalog moves no cursor, ends no program and repeats no stranger's words"
build() {  # DESCRIPTION VERSION
  printf '{"items":[{"name":"web","version":"%s","system":"%s","description":"%s","license":"%s","signer":"%s","outputs":{"out":"/nix/store/00000000000000000000000000000000-web"},"closure_size":1}]}' \
    "$2" "$(uname -m)-linux" "$1" "$1" "$1"
}
# catalog BODY: what the catalog answers to search and show.
catalog() { jq -n --arg body "$1" '{" /api/v1/catalog/search": {body: $body}, " /api/v1/catalog/packages/web": {body: $body}}' >"$WWW/rules.json"; }
catalog "$(build 'a\u001b]0;title\u0007\u001b[2J\r\u009b31m\u202eb' 1.0)"
for command in "search web" "show web"; do
  # shellcheck disable=SC2086 # a command and its argument
  OUTPUT=$(flox $command)
  contains "$OUTPUT" title
  for control in $'\033' $'\007' $'\r' $'\u009b' $'\u202e'; do lacks "$OUTPUT" "$control"; done
done
catalog "$(build x '1.0\u001b[31m')"
refused "not a catalog" flox show web
lacks "$OUTPUT" $'\033'
catalog "$(printf '[%.0s' {1..100000})"
refused "not a catalog" flox search web
for body in '{"items":[[]]}' '{"items":{}}' '[]' 'null' '{"items":[{"name":5}]}' 'x' '{"items":[{"name":"web","version":"1","system":"s","outputs":{"out":"x"}}]}' \
  "$(build "$(printf 'x%.0s' {1..5000})" 1.0)"; do
  catalog "$body"
  refused "Check FLOX_CATALOG_URL" flox search web
  lacks "$OUTPUT" "json.exception"
done
rules '{" /api/v1/catalog/search": {"body": "0123456789", "repeat": 2000000}}'
refused "larger than 16777216 bytes" flox search web
rules '{" /api/v1/catalog/search": {"status": 500, "body": "ami-s3cret"}}'
refused "answered 500" flox search web

step "a name in a signature is anybody's: what counts is the key"
build_of() { build x 1.0 | sed "s|/nix/store/0*-web|$SITE|; s|\"signer\":\"x\"|\"signer\":\"test-1\"|"; }
catalog "$(build_of)"
flox store keygen test-1 --out "$WORK/forged" >/dev/null
flox store add --root "$WORK/forger" "$WORK/site" --name site >/dev/null
for signer in forged key; do
  rm -rf "$WWW/cache"
  flox store copy --root "$WORK/forger" --to "file://$WWW/cache" --key "$WORK/$signer" "$SITE" >/dev/null
  OUTPUT=$(FLOX_TRUSTED_KEYS=$(<"$WORK/key.pub") flox show web)
  if [ $signer = key ]; then contains "$OUTPUT" "Signed:   test-1"; else contains "$OUTPUT" "Signed:   by no key that you trust"; fi
done

step "what flox starts has no token in its environment: commands, hooks, builds"
export FLOX_CATALOG_TOKEN=tok-s3cret
mkdir -p "$WORK/project"
cd "$WORK/project"
flox init -n web >/dev/null 2>&1
cat >.flox/env/manifest.toml <<TOML
schema-version = "1.10.0"
[hook]
on-activate = "env >$WORK/hook-environment"
[build.thing]
version = "1"
command = "env >$WORK/build-environment; mkdir -p \$out && echo x >\$out/x"
TOML
rules '{}'
flox activate -c "env >$WORK/command-environment" >"$WORK/log" 2>&1 || die "activate: $(<"$WORK/log")"
flox build thing >"$WORK/log" 2>&1 || die "build: $(<"$WORK/log")"
for what in hook command build; do
  contains "$(<"$WORK/$what-environment")" "HOME=$HOME"
  lacks "$(<"$WORK/$what-environment")" s3cret
done
