#!/usr/bin/env bash
# What a stranger can make flox-catalog spend: two thousand slow connections of every kind do not keep /healthz from
# answering and cost little memory; no request becomes much memory, and none is read on past its limits.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"
ceiling=$((64 * 1024))  # KiB
many=2000
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 10000 ] || { echo "the limit of open files is below 10000 (ulimit -Hn)"; exit 77; }

# hold KIND…: opens $many connections of these kinds in turn, says "held", and lets go when its input ends.
hold() {
  python3 - "${url#http://127.0.0.1:}" $many "$@" 3<&0 <<'PY'
import os, resource, selectors, socket, sys
port, many, kinds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard != resource.RLIM_INFINITY and hard < 100000 else 100000, hard))
says = {
    "silent": b"",
    "head": b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 7000,
    "body": b"POST /api/v1/catalog/resolve HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{",
    "chunks": b"POST /api/v1/catalog/resolve HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;",
    "reader": b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50,
    "idle": b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
}
held = []
for i in range(many):
    one = socket.create_connection(("127.0.0.1", port), timeout=60)
    try:
        one.sendall(says[kinds[i % len(kinds)]])
    except OSError:
        pass  # it has made room
    held.append(one)
print("held", flush=True)
os.read(3, 1)
PY
}
holder=
let_go() { [ -z "$holder" ] || { exec 9>&-; wait "$holder" || true; holder=; }; }
with_held() {  # KIND…
  rm -f "$dir/let-go" "$dir/held"
  mkfifo "$dir/let-go"
  hold "$@" <"$dir/let-go" >"$dir/held" &
  holder=$!
  exec 9>"$dir/let-go"
  wait_for_process $holder 120 "the connections" test -s "$dir/held"
}
healthy() {  # WHEN
  local answer
  answer=$(curl -s -m 30 -o /dev/null -w '%{http_code} %{time_total}' "$url/healthz") || die "$1: /healthz did not answer"
  echo "$1: /healthz $answer s, $(($(rss) / 1024)) MiB" >&2
  equal "${answer% *}" 200
  [ "$(rss)" -le $ceiling ] || die "$1: flox-catalog holds $(rss) KiB, more than $ceiling"
}

start_catalog
healthy "at rest"

for kind in silent head body chunks reader idle "silent head body chunks reader idle"; do
  step "$many connections: $kind"
  # shellcheck disable=SC2086  # several kinds are several words
  with_held $kind
  healthy "$many connections ($kind)"
  equal "$(ask GET /readyz)" 200
  let_go
done

step "a head that comes line by line is refused at its limit"
head=$(python3 - "${url##*:}" <<'PY'
import select, socket, sys
one = socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=60)
one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
one.sendall(b"GET / HTTP/1.1\r\n" + b"X: ".ljust(1005, b"a") + b"\r\nX")  # each piece ends with the next line's first byte
for i in range(1000):
    if select.select([one], [], [], 0.005)[0]: break
    one.sendall(b": ".ljust(1021, b"a") + b"\r\nX")
print(i, one.recv(12).decode())
PY
)
equal "${head#* }" "HTTP/1.1 431"
[ "${head%% *}" -le 30 ] || die "the server took ${head%% *} KiB of a head"

step "a request cannot have more compared than a limit"
conditions=$(printf '<1,%.0s' {1..17})
equal "$(resolve "{\"attr_path\":\"web\",\"systems\":[\"x86_64-linux\"],\"version\":\"$conditions\"}")" 400
contains "$(answer .detail)" "more than 16 conditions"

step "more connections than there may be: the slow ones make room"
stop_catalog
start_catalog --max-connections 100 --max-connections-per-peer 60
with_held head body silent
healthy "$many connections, 100 allowed"
[ "$(find /proc/$catalog/fd -lname 'socket:*' | wc -l)" -le 120 ] || die "there are more connections than allowed"
let_go
contains "$(curl -fs "$url/metrics" | grep evicted)" flox_catalog_http_connections_evicted_total

step "with too few descriptors, it neither stops nor spins"
stop_catalog
rm -f "$dir/port"
(ulimit -n 64; exec flox-catalog --listen 127.0.0.1:0 --data "$dir/data" --port-file "$dir/port" 2>>"$dir/log") &
catalog=$!
wait_for_process $catalog 20 "the start of flox-catalog" test -s "$dir/port"
url=http://127.0.0.1:$(cat "$dir/port")
with_held silent head
healthy "$many connections, 64 files"
ticks() { awk '{ print $14 + $15 }' "/proc/$catalog/stat"; }
before=$(ticks)
sleep 2  # the time that is measured, not waited for
used=$(($(ticks) - before))
[ $used -lt 100 ] || die "it took $used ticks of the processor in 2 s (a busy loop takes 200)"
let_go
stop_catalog
start_catalog

step "a request does not become a multiple of itself"
python3 - >"$dir/systems" <<'PY'
import json
print(json.dumps({"items": [{"descriptors": [{"attr_path": "x" * 100, "systems": ["x86_64-linux"] * 20000}]}]}))
PY
equal "$(ask POST /api/v1/catalog/resolve --data-binary "@$dir/systems")" 400
contains "$(answer .detail)" "'systems'"
python3 - >"$dir/names" <<'PY'
import json
print(json.dumps({"items": [{"descriptors": [{"attr_path": "y" * 255, "install_id": "i" * 255, "systems": ["a%d-linux" % i for i in range(16)]}] * 1000}]}))
PY
equal "$(ask POST /api/v1/catalog/resolve --data-binary "@$dir/names")" 400
for refused in '"descriptors":[{"attr_path":"'"$(printf 'a%.0s' {1..300})"'","systems":[]}]' '"descriptors":[{"attr_path":"a","systems":["/etc/passwd"]}]'; do
  equal "$(ask POST /api/v1/catalog/resolve -d "{\"items\":[{$refused}]}")" 400
done
head -c 2000000 /dev/zero | tr '\0' '[' >"$dir/big"
equal "$(ask POST /api/v1/catalog/resolve --data-binary "@$dir/big")" 413
equal "$(ask GET "/api/v1/catalog/search?search_term=$(printf 'a%.0s' {1..300})")" 400
equal "$(ask GET "/api/v1/catalog/packages/$(printf 'a%.0s' {1..3000})")" 404
equal "$(ask GET "/$(printf 'a%.0s' {1..5000})")" 414
equal "$(ask GET / -H "X: $(printf 'a%.0s' {1..9000})")" 431
# Not read: nobody would know what to do with it.
sent=$(ask POST /nothing -H Expect: --data-binary "@$dir/big")
equal "$sent" 404
[ "$(stat -c %s "$dir/answer")" -lt 2000 ] || die "an answer repeats the request"
[ "$(peak_rss)" -le $ceiling ] || die "flox-catalog held $(peak_rss) KiB at its peak, more than $ceiling"

step "uploads have a largest size, and all together too; an upload that is given up leaves nothing"
stop_catalog
start_catalog --max-upload 1M --max-store-bytes 1500K
name=nar/$(printf '0%.0s' {1..52}).nar
truncate -s 2M "$dir/large"
equal "$(put "$name" "$dir/large")" 413
head -c 900K /dev/urandom >"$dir/first"
equal "$(put "nar/$(base32_hash "$dir/first").nar" "$dir/first")" 201
head -c 900K /dev/urandom >"$dir/second"
equal "$(put "nar/$(base32_hash "$dir/second").nar" "$dir/second")" 507
contains "$(answer .detail)" "has no space left"
none_is_left() { [ "$(spooled)" = 0 ]; }
wait_until 20 "the end of the uploads" none_is_left
step "a NAR that nobody published is removed in time"
# As if it had been uploaded three hours ago, by the file and by the record that catalogs with the same cache share.
touch -d '-3 hours' "$dir/data/cache/nar/"*
sqlite3 "$dir/data/catalog.sqlite" 'update nars set used_at = used_at - 3 * 3600'
stop_catalog
start_catalog --orphan-age 2
orphan_is_gone() { [ -z "$(find "$dir/data/cache/nar" -type f)" ]; }
wait_until 20 "the end of the orphan" orphan_is_gone
contains "$(cat "$dir/log")" "that no narinfo names"
