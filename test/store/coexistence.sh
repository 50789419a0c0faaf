#!/usr/bin/env bash
# Nix and we at the same time on one store: both add, query, verify, optimise and collect garbage, for a while. What is
# rooted stays, what is valid has its files, and in the end both find the store clean.
. "$(dirname "$0")/support.sh"
ROOT=$WORK/store
STATE=$ROOT/nix/var/nix
SECONDS_OF_IT=${SECONDS_OF_IT:-12}
store() { flox --root "$ROOT" store "$@"; }
nix_store() { nix-store --store "$ROOT" "$@"; }

step "a closure in a cache, to be realised again and again"
make_trees 40 20000
KEY=$(flox store keygen test-1 --out "$WORK/key")
parts=$(flox --root "$WORK/publisher" store add "$WORK"/trees/*)
mkdir "$WORK/whole" && echo "$parts" >"$WORK/whole/references"
WHOLE=$(flox --root "$WORK/publisher" store add "$WORK/whole" --scan)
flox --root "$WORK/publisher" store copy --to "file://$WORK/cache" --key "$WORK/key" "$WHOLE" >/dev/null
store roots >/dev/null  # makes the store
mkdir -p "$WORK/made" "$WORK/roots" "$WORK/logs"

# keep PATH: roots the path as Nix does it, and notes that it must be there from now on. It may be gone already.
keep() {
  local link=$STATE/gcroots/kept-$BASHPID-$RANDOM$RANDOM
  nix_store --realise "$1" --add-root "$link" >/dev/null 2>&1 && [ -e "$ROOT$1" ] && echo "$1" >>"$WORK/roots/$BASHPID"
  true
}
# actor NAME COMMAND…: repeats the command until the time is over; counts how often it went well and how often not.
actor() {
  local name=$1 end=$((SECONDS + SECONDS_OF_IT)) good=0 bad=0
  shift
  while [ $SECONDS -lt $end ]; do
    if "$@" >"$WORK/logs/$name.last" 2>&1; then good=$((good + 1)); else
      bad=$((bad + 1))
      cat "$WORK/logs/$name.last" >>"$WORK/logs/$name.failed"
    fi
  done
  echo "$good $bad" >"$WORK/logs/$name.count"
}
fresh_file() { { head -c 3000 /dev/urandom | base64; cat "$WORK/trees/7/share/data"; } >"$1"; }
we_add() { fresh_file "$WORK/made/ours" && path=$(store add "$WORK/made/ours") && keep "$path"; }
nix_adds() { fresh_file "$WORK/made/nixs" && path=$(nix_store --add "$WORK/made/nixs") && keep "$path"; }
we_realise() { store realise --cache "file://$WORK/cache" --trusted-key "$KEY" "$WHOLE"; }
we_look_after_it() { store gc -q && store optimise && store verify && store closure "$WHOLE"; }

step "everybody at once"
actor we-add we_add & STARTED+=($!)
actor nix-add nix_adds & STARTED+=($!)
actor we-realise we_realise & STARTED+=($!)
actor we-collect store gc -q & STARTED+=($!)
actor nix-collect nix_store --gc & STARTED+=($!)
actor we-optimise store optimise & STARTED+=($!)
actor nix-optimise nix_store --optimise & STARTED+=($!)
actor we-verify store verify & STARTED+=($!)
actor nix-verify nix_store --verify & STARTED+=($!)
wait "${STARTED[@]}" || die "an actor fell over"
STARTED=()
for file in "$WORK"/logs/*.count; do
  read -r good bad <"$file"
  name=$(basename "$file" .count)
  step "$name: $good times, $bad of them in vain"
  [ "$good" -gt 0 ] || die "$name never went well: $(tail -5 "$WORK/logs/$name.failed")"
done
# Nothing that Nix does meanwhile may make these fail.
for name in we-add we-collect we-optimise we-verify; do
  [ ! -e "$WORK/logs/$name.failed" ] || die "$name: $(tail -5 "$WORK/logs/$name.failed")"
done

step "what was rooted is there, and everything is as it was registered"
kept=$(cat "$WORK"/roots/* | sort -u)
[ -n "$kept" ] || die "nothing was ever rooted"
for path in $kept; do [ -e "$ROOT$path" ] || die "$path was rooted and is gone"; done
equal "$(printf '%s\n' $kept | xargs flox --root "$ROOT" store info --json | jq length)" "$(wc -l <<<"$kept")" "rooted paths that are valid"
clean "$ROOT"
nix_store --gc >/dev/null 2>&1 || die "Nix cannot collect what is left"
clean "$ROOT"
for path in $kept; do [ -e "$ROOT$path" ] || die "$path was rooted and is gone"; done
