#!/usr/bin/env bash
# Keys that never leave a PKCS#11 token: root and publisher keys made in SoftHSM, which deploy/signing/pkcs11-sign asks to sign.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"
module=/usr/lib/softhsm/libsofthsm2.so
export FLOX_ALLOW_UNSIGNED=false FLOX_OWNER=acme HOME=$dir FLOX_ROOT=$dir/root FLOX_TRUST_DIR=$dir/trust FLOX_TRUST_STATE_DIR=$dir/state
export FLOX_CATALOG_TOKEN_FILE=$dir/token SOFTHSM2_CONF=$dir/softhsm.conf
umask 077
mkdir "$dir/tokens"
echo "directories.tokendir = $dir/tokens" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label acme --so-pin 1234 --pin 5678 >"$dir/said"
token() { pkcs11-tool --module $module --login --pin 5678 "$@" 2>"$dir/said-token"; }
(umask 077; echo 5678 >"$dir/pin")
export PKCS11_PIN_FILE=$dir/pin
sign="$PROJECT/deploy/signing/pkcs11-sign $module"
# make ID NAME: a key in the token; its public half as flox has it.
make() {
  token --keypairgen --key-type EC:edwards25519 --label "$2" --id "$1" >"$dir/said"
  token --read-object --type pubkey --id "$1" -o "$dir/$2.pem" >"$dir/said"
  echo "$2:$(openssl pkey -pubin -in "$dir/$2.pem" -outform DER | tail -c 32 | base64)"
}
root=$(make 01 hsm-root-1)
publisher=$(make 02 hsm-web-1)
make_key cache-1 >"$dir/cache.pub"
start_catalog --trusted-key "$(cat "$dir/cache.pub")"
export FLOX_CATALOG_URL=$url FLOX_SIGNING_PRIVATE_KEY=$dir/cache-1

step "the root key goes into the token, and the one in the file counts no more"
flox trust init acme --signing-key "$publisher" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
flox trust rotate acme root --new "$root" --signer "exec:$sign 01" 2>"$dir/said" || die "$(cat "$dir/said")"
equal "$(flox trust show acme --json | jq -r '.root.version, (.roles[] | select(.role == "root") | .keys[].name)' | paste -sd' ')" "2 hsm-root-1"
rm "$dir/trust/acme/keys/root-1"
flox trust renew acme --signer "exec:$sign 01" 2>"$dir/said"
equal "$(flox trust show acme --json | jq '[.root.version, (.pending | length)] | join(" ")')" '"3 0"'
flox trust publish acme 2>"$dir/said"

step "a publisher's key in the token signs a package; the wrong key, and a token without its PIN, sign nothing"
echo web >"$dir/file"
path=$(flox store add --name web-1.0 "$dir/file")
publish() { flox publish --store-path "$path" --name web --version 1.0 "$@"; }
refused "acme has not delegated packages/web to the command" publish --metadata-key "exec:$sign 01"
refused "no token has a key with the ID 09" publish --metadata-key "exec:$sign 09"
refused "the catalog has no such package" flox show web
echo 0000 >"$dir/pin"
refused "CKR_PIN_INCORRECT" publish --metadata-key "exec:$sign 02"
echo 5678 >"$dir/pin"
publish --metadata-key "exec:$sign 02" 2>"$dir/said"
contains "$(flox show web)" "signed by hsm-web-1"

step "the program that signs does not get the catalog's token"
cat >"$dir/spy" <<SH
#!/bin/sh
env >"$dir/seen"
exec $sign 02
SH
chmod +x "$dir/spy"
FLOX_CATALOG_TOKEN=$token flox publish --store-path "$path" --name web --version 1.1 --metadata-key "exec:$dir/spy" 2>"$dir/said"
grep -q ^PATH= "$dir/seen" && ! grep -qF "$token" "$dir/seen" || die "$(cat "$dir/seen")"
