#!/usr/bin/env bash
# Signed metadata as python-tuf has it: each file that flox trust makes is one that python-tuf reads, keeps and verifies; and what
# python-tuf signs we verify, unless it is expired, rolled back, signed by too few, by a key outside its pattern or by a revoked one,
# or its chain of roots is broken.
# builds: flox verify_evidence
venv=$("$(dirname "$0")/../../script/tuf-venv") || { echo "python-tuf is not available: PyPI cannot be reached"; exit 77; }
. "$(dirname "$0")/../cli/support.sh"
oracle() { "$venv/bin/python" "$PROJECT/test/security/tuf/owner.py" "$@"; }
equal() { [ "$1" = "$2" ] || die "expected '$2', got '$1'"; }
export FLOX_TRUST_DIR=$WORK/trust FLOX_TRUST_STATE_DIR=$WORK/state
umask 077
for name in alice bob carol root-b web catalog catalog-2; do flox store keygen $name-1 --out "$WORK/$name" >"$WORK/$name.pub"; done
pub() { cat "$WORK/$1.pub"; }
repository=$FLOX_TRUST_DIR/acme/repository

step "what flox trust init makes is what python-tuf reads"
ends 0 flox trust init acme --catalog-key "$(pub catalog)" --signing-key "$(pub alice)"
equal "$(oracle check "$repository")" "1 roots, targets 1, roles publishers=1/1:packages/*,environments/*"

step "and so after every change"
ends 0 flox trust add-key acme web "$(pub web)" --paths 'web-*' environments/site --terminating
ends 0 flox trust add-key acme publishers "$(pub bob)" --threshold 2
equal "$(oracle check "$repository")" "1 roots, targets 3, roles web=1/1:packages/web-*,environments/web-*,environments/site publishers=2/2:packages/*,environments/*"
ends 0 flox trust rotate acme root
ends 0 flox trust rotate acme targets
ends 0 flox trust rotate acme timestamp --new "$(pub catalog-2)"
ends 0 flox trust rotate acme publishers --old bob-1 --new "$(pub carol)"
ends 0 flox trust renew acme --life 30d
ends 0 flox trust revoke acme web-1
equal "$(oracle check "$repository")" "5 roots, targets 7, roles publishers=2/2:packages/*,environments/*"

step "of two holders of root keys each signs on their own machine"
ends 0 flox trust init team --catalog-key "$(pub catalog)" --signing-key "$(pub alice)" --root-key "$(pub root-b)" --threshold 2
says "it lacks root-b-1"
cp "$FLOX_TRUST_DIR/team/repository/pending/1.root.json" "$WORK/1.root.json"
ends 0 env FLOX_TRUST_DIR="$WORK/b-trust" flox trust sign "$WORK/1.root.json" --signer "$WORK/root-b"
ends 0 flox trust sign "$WORK/1.root.json"
equal "$(oracle check "$FLOX_TRUST_DIR/team/repository")" "1 roots, targets 1, roles publishers=1/1:packages/*,environments/*"

step "patterns cover the same names"
for case in 'packages/*=packages/hello' 'packages/*=environments/hello' '*/web=environments/web' 'packages/we?=packages/web' \
  'packages/we?=packages/we' 'packages/web-*=packages/web' 'packages/*b*=packages/abc' 'packages/a.c=packages/abc'; do
  pattern=${case%=*} name=${case#*=}
  ends 0 flox trust init "p-$RANDOM$RANDOM" --catalog-key "$(pub catalog)" --signing-key "$(pub alice)" --paths "$pattern"
  owner=$(basename "$(ls -td "$FLOX_TRUST_DIR"/p-* | head -1)")
  # A file of that name: flox trust sign takes the key if its role covers the name.
  printf '{"signatures":[],"signed":{"_type":"targets","spec_version":"1.0.31","owner":"%s","version":1,"expires":"2030-01-01T00:00:00Z","name":"%s","targets":{}}}' \
    "$owner" "$name" >"$WORK/name.json"
  ours=no
  ! flox trust sign "$WORK/name.json" --signer "$WORK/alice" 2>"$WORK/message" || ours=yes
  equal "$case $ours" "$case $(oracle covers "$pattern" "$name")"
  rm -r "${FLOX_TRUST_DIR:?}/$owner"
done

# verifies NAME [CHANGE…]: an answer that python-tuf has made, in a world that trusts its root.
fresh() { rm -rf "$WORK/t" "$WORK/s"; }
verifies() {
  local directory=$WORK/answer
  rm -rf "$directory"
  oracle make "$directory" "$@"
  [ -e "$WORK/t/acme/root.json" ] || FLOX_TRUST_DIR=$WORK/t FLOX_TRUST_STATE_DIR=$WORK/s flox trust accept acme "$directory/root.json" >"$WORK/accepted"
  code=0
  output=$("$BUILD_DIR/unit/verify_evidence" "$WORK/t" "$WORK/s" "$directory/evidence.json" "$directory/record.json" 2>&1) || code=$?
}
takes() { verifies "$@"; [ $code = 0 ] || die "$*: $output"; }
refuses() { local text=$1; shift; verifies "$@"; [ $code = 1 ] || die "taken: $*: $output"; says "$text"; }

step "what python-tuf has signed is verified"
fresh
takes
says "packages/hello version 3, signed by"
says "(role publishers of acme)"
fresh
takes threshold-met
fresh
takes rotated-root
says "packages/hello version 3"

step "what is expired, too little signed, out of its pattern or revoked is refused with what to do"
fresh
refuses "timestamp.json of acme: version 7 expired at" expired-timestamp
says "Check this machine's clock"
refuses "packages/hello of acme: version 3 expired at" expired-name
refuses "is not signed by keys that acme has delegated it to" threshold
says "It may be signed by 2 of"
refuses "is not signed by keys that acme has delegated it to" outside-pattern
says "acme has delegated this name to nobody: flox trust add-key does."
refuses "root of version 1 needs" broken-chain
takes
refuses "is not signed by keys that acme has delegated it to" revoked

step "what is older than what was seen is refused, also by the next process"
takes newer
refuses "is older than version 8, which was seen here before"

step "a root that others could have written is no root"
chmod 666 "$WORK/t/acme/root.json"
refuses "others than its owner may write to" newer
says "chmod go-w"
