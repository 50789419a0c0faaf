#!/usr/bin/env bash
# The catalog is killed at every single call of the system that a publication, a yank or a garbage collection makes, and
# then each of these calls fails instead: nothing is half visible, and the same command run again succeeds. On PostgreSQL and S3
# every so many calls (FAULT_STEP).
# prepare: moto-venv
# ctest: TIMEOUT 2400
# ctest: COST 360
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
each_backend "$@"
FAULT_STEP=${FAULT_STEP:-$([ "$BACKEND" = local ] && echo 1 || echo 29)}
cc -shared -fPIC -O1 -o "$dir/fault_at.so" "$PROJECT/test/catalog/fault_at.c" -ldl
export FAULT_AT=$dir/fault_at
key=$(make_key key-1)
export FLOX_OWNER=acme

# set_fault CALL ACTION: the counter begins at 0. calls: how many there were since.
set_fault() { python3 -c 'import struct, sys; open(sys.argv[1], "r+b").write(struct.pack("qqq", 0, int(sys.argv[2]), int(sys.argv[3])))' "$FAULT_AT" "$1" "$2"; }
calls() { python3 -c 'import struct, sys; print(struct.unpack("q", open(sys.argv[1], "rb").read(8))[0])' "$FAULT_AT"; }
head -c 24 /dev/zero >"$FAULT_AT"
start_watched() { LD_PRELOAD=$dir/fault_at.so start_catalog --trusted-key "$key" --online-key "$dir/online.key"; }
catalog_port=$(free_port)
start_backend "$dir/backend"  # before: PostgreSQL and S3 are to have no faults

# What is visible is whole: of each record all paths, of each path all that it refers to, of each NAR its bytes.
whole() {
  python3 - "$url" "$@" <<'PY'
import hashlib, json, sys, urllib.error, urllib.request
url, names = sys.argv[1], sys.argv[2:]
def get(path):
    try:
        with urllib.request.urlopen(url + path) as answer: return answer.read()
    except urllib.error.HTTPError as error:
        if error.code == 404: return None
        raise
alphabet = "0123456789abcdfghijklmnpqrsvwxyz"
def base32(digest):
    number = int.from_bytes(digest, "little")
    return "".join(alphabet[number >> 5 * i & 31] for i in reversed(range(52)))
def check(digest, by):
    text = get(f"/cache/{digest}.narinfo")
    assert text is not None, f"{by} needs {digest}, which is not there"
    lines = dict(line.split(": ", 1) for line in text.decode().splitlines() if not line.startswith("Sig"))
    nar = get("/cache/" + lines["URL"])
    assert nar is not None, f"{digest}: no {lines['URL']}"
    assert lines["URL"].split("/")[1].split(".")[0] == base32(hashlib.sha256(nar).digest()), f"{digest}: its NAR is damaged"
    for reference in lines["References"].split():
        if reference[:32] != digest: check(reference[:32], digest)
for name in names:
    builds = get(f"/api/v1/catalog/packages/{name}")
    for build in json.loads(builds)["items"] if builds else []:
        for path in build["outputs"].values(): check(path[11:43], f"{name} {build['version']}")
PY
}

# at_every_call ACTION PREPARE COMMAND CHECK: for N = 1, 2, …: PREPARE; then COMMAND while the N-th call is killed or fails;
# CHECK that all is whole; COMMAND again must succeed, and CHECK. Ends with the first N that COMMAND does not reach.
at_every_call() {
  local action=$1 prepare=$2 command=$3 check=$4 call reached=0
  for ((call = 1; ; call += FAULT_STEP)); do
    $prepare $call
    set_fault $call "$action"
    if $command >"$dir/said" 2>&1; then local done=1; else local done=0; fi
    local made
    made=$(calls)
    set_fault 0 0
    if [ "$made" -lt $call ]; then
      [ $done = 1 ] || die "$command failed without a fault: $(cat "$dir/said")"
      break
    fi
    reached=$call
    if [ "$action" = 0 ]; then
      wait "$catalog" 2>/dev/null || true
      catalog=
      start_watched
    fi
    # A call to PostgreSQL that fails on the way looks like a server that hangs: it is asked again after a second.
    local end=$((SECONDS + 30))
    until [ "$(ask GET /readyz)" = 200 ]; do [ $SECONDS -lt $end ] || die "call $call: it does not recover: $(cat "$dir/answer")"; sleep 0.1; done
    $check $call || die "call $call of $command: $(cat "$dir/said"; tail -5 "$dir/log")"
    $command >"$dir/said" 2>&1 || die "call $call: $command does not succeed when it is run again: $(cat "$dir/said"; tail -5 "$dir/log")"
    $check $call || die "call $call of $command, run again"
    [ "$(spooled)" = 0 ] || die "call $call: an upload is left"
  done
  [ "$made" -gt 10 ] || die "$command made only $made calls: is it watched?"
  echo "  $command: $reached calls, $([ "$action" = 0 ] && echo killed || echo failed)"
}

new_path() {
  number=$((number + 1))
  name=web-$number
  printf '%s' "content $number of $BACKEND" >"$dir/content"
  new=$(publisher flox store add --name "$name" "$dir/content")
}
number=0
publish() { publisher flox publish --store-path "$new" --name "$name" --version 1.0; }
# A record is there, signed and whole, or it is not there.
published_or_not() {
  whole "$name"
  [ "$(ask GET "/api/v1/catalog/packages/$name")" != 200 ] || publisher flox show "$name" 2>&1 | grep -q "packages/$name version .*, signed by key-1"
}

start_watched
publisher flox trust init acme >"$dir/said" 2>&1
publisher flox trust publish acme >>"$dir/said" 2>&1

step "publishing"
at_every_call 0 new_path publish published_or_not
at_every_call 1 new_path publish published_or_not

step "yanking"
# The version is yanked for that reason, as is signed, or it is not.
new_path 0
publish >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
reason=
change_reason() { reason="it breaks at $1 of $FAULT_STEP"; }
yank() { publisher flox yank "$name@1.0" --reason "$reason"; }
yanked_or_not() {
  publisher flox show "$name" >"$dir/shown" 2>&1
  grep -q "packages/$name version .*, signed by key-1" "$dir/shown" || return 1
  local said
  said=$(sed -n 's/^  Yanked:   //p' "$dir/shown")
  [ -z "$said" ] || [[ $said == "it breaks at "* ]]
}
at_every_call 0 change_reason yank yanked_or_not
contains "$(publisher flox show "$name")" "$reason"
at_every_call 1 change_reason yank yanked_or_not
contains "$(publisher flox show "$name")" "$reason"

step "collecting garbage"
# Of what is recorded all is there at every moment, and so is of each narinfo its NAR. What is not needed goes, with the run after
# at the latest.
if [ "$BACKEND" = local ]; then
  # A fresh one: a collection reads every path that there is.
  stop_catalog
  rm -rf "$data" "$dir/trust-state"
  start_watched
  publisher flox trust publish acme >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
fi
new_path
publish >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
kept=$name
garbage() {
  new_path
  publisher flox store copy --to "$url/cache?token-file=$dir/token" --key "$dir/key-1" "$new" >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
  sql "update nars set used_at = 0" >/dev/null
}
collect() { publisher flox catalog gc --grace 0; }
still_whole() {
  whole "$kept"
  [ "$(ask GET "/cache/${new:11:32}.narinfo")" != 200 ] || [ "$(ask HEAD "/cache/$(sed -n 's/^URL: //p' "$dir/answer")" -I)" = 200 ]
}
gone() { [ "$(ask GET "/cache/${new:11:32}.narinfo")" = 404 ] || die "what nothing needs is still there"; }
at_every_call 0 garbage collect still_whole
gone
at_every_call 1 garbage collect still_whole
gone

step "what was collected half is published again at once"
garbage
set_fault 6 0
collect >"$dir/said" 2>&1 || true
set_fault 0 0
kill -KILL "$catalog" 2>/dev/null || true
wait "$catalog" 2>/dev/null || true
catalog=
start_watched
publish >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
collect >"$dir/said" 2>&1 || die "$(cat "$dir/said")"
published_or_not || die "it is not whole"
