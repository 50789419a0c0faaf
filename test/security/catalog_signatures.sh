#!/usr/bin/env bash
# Who signed a package is told by keys that the operator has registered, not by names that anybody can write.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"
export HOME=$dir
trusted=$(make_key key-1) limited=$(make_key limited)
mkdir "$dir/forger"
flox store keygen key-1 --out "$dir/forger/key-1" >/dev/null  # a key of the same name
flox store keygen stranger --out "$dir/stranger" >/dev/null
start_catalog --trusted-key "$trusted" --trusted-key "$limited tool-* libweb"
contains "$(cat "$dir/log")" "signatures are verified with the trusted keys key-1, limited"
# What the catalog says; flox itself believes the keys of its user only, and has none here.
show() { FLOX_TRUSTED_KEYS="" FLOX_CATALOG_URL=$url flox show "$1"; }

step "a forger's key of a registered name, a stranger's key, and signatures that are none are refused"
make_path 0
for bad in forger/key-1 stranger; do
  narinfo $bad >"$dir/narinfo"
  equal "$(put "$digest.narinfo" "$dir/narinfo")" 403
  contains "$(answer .detail)" "valid signature of a registered key"
  contains "$(answer .advice)" "--trusted-key"
done
for bad in "key-1:$(printf 'A%.0s' {1..86})==" key-1: key-1 : "key-1:%%%" "$(sign "$dir/key-1" "$path" "$hash" 4999)" "$(sign "$dir/key-1" /nix/store/11111111111111111111111111111111-web "$hash" 5000)"; do
  { narinfo; echo "Sig: $bad"; } >"$dir/narinfo"
  equal "$(put "$digest.narinfo" "$dir/narinfo")" 403
done
equal "$(ask GET "/cache/$digest.narinfo")" 404

step "of several signatures those stay that are valid"
{ narinfo forger/key-1 stranger key-1; echo "Sig: other-1:$(printf 'A%.0s' {1..86})=="; } >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
equal "$(curl -fs "$url/cache/$digest.narinfo" | grep -c ^Sig:)" 1
equal "$(curl -fs "$url/cache/$digest.narinfo" | sed -n 's/^Sig: //p')" "$(sign "$dir/key-1" "$path" "$hash" 5000)"

step "a record names a signer whose key signed"
for signer in stranger limited key-2 "key-1 "; do equal "$(record web "$(build 1.0 "$signer")")" 403; done
equal "$(record web "$(build 1.0)")" 201
contains "$(show web)" "(the catalog says key-1)"

step "a key signs only the packages that it is registered for"
make_path 1 tool
narinfo limited >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
for name in web libweb2 xtool-a; do
  equal "$(record $name "$(build 2.0 limited | jq -c --arg n $name '.name = $n')")" 403
  contains "$(answer .detail)" "not registered for this package"
done
for name in tool-a libweb; do equal "$(record $name "$(build 2.0 limited | jq -c --arg n $name '.name = $n')")" 201; done

step "without registered keys, nothing is said to be verified, whenever it was published"
stop_catalog
start_catalog
contains "$(cat "$dir/log")" "development mode: no --trusted-key is registered"
contains "$(show web)" "not verified"
if show web | grepq 'the catalog says key-1'; then die "an unverified signature is shown as one"; fi
make_path 2 forged
narinfo forger/key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
equal "$(record forged "$(build 1.0 | jq -c '.name = "forged"')")" 201
contains "$(show forged)" "not verified (claims key-1)"
{ narinfo forger/key-1; for n in $(seq 300); do echo "Sig: k-$n:$(printf 'A%.0s' {1..86})=="; done; } >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
[ "$(curl -fs "$url/cache/$digest.narinfo" | grep -c ^Sig:)" -le 16 ] || die "signatures pile up"

step "with the key registered again, what it signed is its, and what it did not sign is not"
stop_catalog
start_catalog --trusted-key "$trusted"
contains "$(show web)" "(the catalog says key-1)"
contains "$(show forged)" "not verified (claims key-1)"
contains "$(show libweb)" "not verified (claims limited)"

step "a key that cannot be one, and two of one name, are refused"
refused "public key" flox-catalog --listen 127.0.0.1:0 --data "$dir/data" --trusted-key nonsense
refused "given twice" flox-catalog --listen 127.0.0.1:0 --data "$dir/data" --trusted-key "$trusted" --trusted-key "$trusted web"

step "a token that others may read is refused, and one in an argument is not known"
chmod 644 "$dir/token"
refused "chmod 600" flox-catalog --listen 127.0.0.1:0 --data "$dir/data" --token-file "$dir/token"
refused "--token" flox-catalog --listen 127.0.0.1:0 --data "$dir/data" --token sesame
