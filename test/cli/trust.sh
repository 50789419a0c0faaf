#!/usr/bin/env bash
# flox trust: each command whole or not at all, and a message that says what to do.
# builds: flox
. "$(dirname "$0")/support.sh"
export FLOX_TRUST_DIR=$WORK/trust FLOX_TRUST_STATE_DIR=$WORK/state
umask 077
for name in alice bob catalog; do flox store keygen $name-1 --out "$WORK/$name" >"$WORK/$name.pub"; done
pub() { cat "$WORK/$1.pub"; }
show() { flox trust show acme --json | jq -r "$1"; }
tree() { find "$WORK/trust" -type f -printf '%P %m ' -exec sha256sum {} + 2>/dev/null | sort; }

step "for the first time: nothing is there, and reading makes nothing"
ends 0 flox trust show
says "No owner is trusted on this machine"
ends 1 flox trust show acme
says "flox trust init acme"
for command in "add-key acme web x-1:abc" "rotate acme root" "revoke acme alice-1" "renew acme"; do
  # shellcheck disable=SC2086  # words
  ends 1 flox trust $command
  says "flox trust init acme"
done
[ ! -e "$WORK/trust" ] || die "reading made $WORK/trust"

step "init"
ends 1 flox trust init acme
says "FLOX_SIGNING_PRIVATE_KEY"
ends 1 flox trust init ../acme --signing-key "$(pub alice)" --catalog-key "$(pub catalog)"
ends 1 flox trust init acme --signing-key "$(pub alice)" --catalog-key "$(pub catalog)" --threshold 2
says "--root-key"
[ ! -e "$WORK/trust/acme" ] || die "a failed init left something"
fingerprint=$(FLOX_SIGNING_PRIVATE_KEY=$WORK/alice flox trust init acme --catalog-key "$(pub catalog)" 2>"$WORK/log")
grep -q "root-1 to a safe place" "$WORK/log" || die "$(cat "$WORK/log")"
equal "$(show .fingerprint)" "$fingerprint"
equal "$(show .trusted)" true
equal "$(stat -c %a "$WORK"/trust/acme/keys "$WORK"/trust/acme/keys/* | sort -u | paste -sd' ')" "600 700"
ends 0 flox trust show acme
says "publishers"
says "may sign packages/*, environments/*"
before=$(tree)
ends 1 flox trust init acme --signing-key "$(pub alice)" --catalog-key "$(pub catalog)"
says "already"
equal "$(tree)" "$before"

step "add-key, rotate, revoke"
ends 1 flox trust add-key acme web "$(pub bob)"
says "--paths"
ends 1 flox trust add-key acme web "$(pub bob)" --paths '../x'
ends 1 flox trust add-key acme web nonsense --paths x
says "neither a public key nor a file"
equal "$(tree)" "$before"
ends 0 flox trust add-key acme web "$WORK/bob.pub" --paths 'web-*'
equal "$(show '.roles[] | select(.role == "web") | .paths | join(" ")')" "packages/web-* environments/web-*"
equal "$(show .targets.version)" 2
ends 1 flox trust rotate acme publishers
says "--new"
ends 1 flox trust rotate acme nobody
ends 0 flox trust rotate acme root
equal "$(show .root.version)" 2
equal "$(show '.roles[] | select(.role == "root") | .keys[0].name')" root-2
ends 1 flox trust revoke acme root-2
says "flox trust rotate acme root"
ends 1 flox trust revoke acme nobody-1
says "Name one of"
ends 0 flox trust revoke acme bob-1
says "publish it again"
equal "$(show '[.roles[].role] | join(" ")')" "root targets timestamp publishers"

step "a root key that was taken to a safe place is asked for, and nothing changes without it"
mkdir "$WORK/safe"
mv "$WORK"/trust/acme/keys/root-* "$WORK/safe/"
ends 0 flox trust renew acme
says "it lacks root-2"
says "flox trust sign FILE"
equal "$(show .root.version)" 2
equal "$(show '.pending | length')" 2
ends 1 flox trust add-key acme web "$(pub bob)" --paths 'web-*'
says "waits for signatures"
file=$(show '.pending[0].file')
ends 1 flox trust sign "$file" --signer "$WORK/bob"
says "Pass one of these with --signer: root-2"
ends 0 flox trust sign "$file" --signer "$WORK/safe/root-2"
equal "$(show .root.version)" 3
equal "$(show '.pending | length')" 0
ends 1 flox trust sign "$WORK/alice.pub" --signer "$WORK/bob"

step "an external signer: a command that gets the message and answers in hexadecimal"
cat >"$WORK/hsm" <<'PYTHON'
#!/usr/bin/python3
# Signs with the seed of a key file by openssl, as a token would.
import base64, subprocess, sys, tempfile
seed = base64.b64decode(open(sys.argv[1]).read().strip().split(":")[1])[:32]
der = bytes.fromhex("302e020100300506032b657004220420") + seed
with tempfile.NamedTemporaryFile() as key, tempfile.NamedTemporaryFile() as message:
    key.write(der); key.flush()
    message.write(sys.stdin.buffer.read()); message.flush()
    print(subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key.name, "-keyform", "DER", "-in", message.name],
                         check=True, stdout=subprocess.PIPE).stdout.hex())
PYTHON
chmod +x "$WORK/hsm"
ends 0 flox trust renew acme --signer "exec:$WORK/hsm $WORK/safe/root-2"
equal "$(show .root.version)" 4
ends 1 flox trust renew acme --signer "exec:echo no card >&2; exit 3"
says "exit code 3: no card"
equal "$(show .root.version)" 4

step "two changes at the same moment: both are made, one after the other"
mv "$WORK"/safe/root-2 "$WORK/trust/acme/keys/"
for n in 1 2 3 4; do flox trust renew acme 2>"$WORK/log-$n" & pids="${pids:-} $!"; done
for pid in $pids; do wait "$pid" || die "a renewal failed: $(cat "$WORK"/log-?)"; done
equal "$(show .root.version)" 8

step "another machine trusts the owner, by the fingerprint that the owner tells"
export FLOX_TRUST_DIR=$WORK/node FLOX_TRUST_STATE_DIR=$WORK/node-state
roots=$WORK/trust/acme/repository
ends 2 flox trust accept acme
ends 1 flox trust accept acme "$roots/1.root.json" --fingerprint "${fingerprint/[0-9]/x}"
says "Ask the owner which one is right"
[ ! -e "$WORK/node" ] || die "a refused root left something"
ends 0 flox trust accept acme "$roots/1.root.json" --fingerprint "$fingerprint" --packages 'acme-*' hello
says "the packages acme-*, hello"
equal "$(show .packages[0])" 'acme-*'
ends 1 flox trust accept acme "$roots/4.root.json"
says "Pass the versions between them"
ends 0 flox trust accept acme "$roots"/{2,3,4}.root.json
equal "$(show .root.version)" 4
equal "$(show '.packages | length')" 2
ends 1 flox trust accept acme "$roots/2.root.json"
says "is older than version 4"
ends 1 flox trust accept other "$roots/1.root.json"
says "is of the owner 'acme'"
ends 1 flox trust add-key acme web "$(pub bob)" --paths 'web-*'
says "the metadata of acme is not kept here"
# An impostor of the same name.
ends 0 env FLOX_TRUST_DIR="$WORK/evil" flox trust init acme --signing-key "$(pub bob)" --catalog-key "$(pub catalog)"
ends 1 flox trust accept acme "$WORK/evil/acme/root.json"
equal "$(show .root.version)" 4

step "files of strangers"
echo '{"signed": {"_type": "root"}}' >"$WORK/bad.json"
ends 1 flox trust accept other "$WORK/bad.json"
says "bad.json: signed: member"
ends 1 flox trust sign "$WORK/bad.json"
head -c 300000 /dev/zero | tr '\0' ' ' >"$WORK/big.json"
ends 1 flox trust accept other "$WORK/big.json"
sed 's/"threshold":1/"threshold":0/' "$roots/1.root.json" >"$WORK/bad.json"
ends 1 flox trust accept other "$WORK/bad.json"
says "threshold"
