#!/usr/bin/env bash
# floxd as containerd's plugin when it is slow, frozen or gone: ordinary pods start; pods that name an environment start with it or not
# at all, if they say that they need the plugin.
# prepare: containerd2
. "$(dirname "$0")/../shim/suites.sh"
[ -n "${FLOX_WORLD_ENTERED:-}" ] || need_containerd2
enter_world "$@"
. "$PROJECT/test/node/nri_support.sh"
start_catalog
publish_tool hello 1.0
publish_tool other 1.0
publish_tool third 1.0
start_nri_node
NEEDED=required-plugins.noderesource.dev='["flox"]'
ordinary_starts() {
  new_pod "ordinary$1" ""
  start_in_pod "ordinary$1" 'echo ran'
  wait_until 20 "its output" said "$id" ran
}

step "what cannot be fetched in containerd's time is an error that says so; ordinary pods do not wait; the next attempt finds it"
kill -STOP "$(cat "$WORLD/net-catalog.pid")"
new_pod slow "" flox.dev/environment=hello
ONCE=1 refused "not all on this node yet" start_in_pod slow1 hello
ordinary_starts 1
use_pod slow
ONCE=1 refused "not all on this node yet" start_in_pod slow2 hello
kill -CONT "$(cat "$WORLD/net-catalog.pid")"
start_in_pod slow3 hello
wait_until 20 "its output" said "$id" "hello 1.0"
plugged_in || die "containerd has given the plugin up"
[ "$(metric 'flox_nri_containers_total{outcome="waiting"}')" -ge 2 ] || die "it was not counted"

step "floxd is frozen: an ordinary pod starts after containerd's patience; one that needs the plugin does not start"
new_pod frozen "" flox.dev/environment=other "$NEEDED"
kill -STOP "$(cat "$WORLD/floxd.pid")"
ordinary_starts 2
use_pod frozen
refused 'required plugin' start_in_pod frozen1 other
kill -CONT "$(cat "$WORLD/floxd.pid")"
thawed() { start_in_pod frozen2 other; }
wait_until 20 "floxd to be a plugin again" thawed
wait_until 20 "its output" said "$id" "other 1.0"

step "the one container that it was asked about when it froze is made without packages: floxd sees that when it is back"
unprepared() { [ "$(metric flox_nri_unprepared_containers)" = 1 ]; }
wait_until 20 "containerd to have floxd as its plugin" plugged_in
kill -STOP "$(cat "$WORLD/floxd.pid")"
start_in_pod freezing 'other || sleep 1000'
kill -CONT "$(cat "$WORLD/floxd.pid")"
wait_until 20 "floxd to see the container without its packages" unprepared
grep -q 'team-a/frozen/freezing was started without its packages' "$WORLD/logs/floxd.log" || die "it was not logged"
crictl rm -f "$id" >/dev/null

step "floxd is killed: the same, and a pod that does not say what it needs is found when floxd is back"
kill -KILL "$(cat "$WORLD/floxd.pid")"
wait "$(cat "$WORLD/floxd.pid")" 2>/dev/null || true
new_pod needs "" flox.dev/environment=third "$NEEDED"
refused 'required plugin' start_in_pod killed third
ordinary_starts 3
new_pod silent "" flox.dev/environment=third
start_in_pod silent 'third || sleep 1000'
silent=$id
start_plugin
wait_until 20 "floxd to see the container without its packages" unprepared
grep -q 'team-a/silent/silent was started without its packages' "$WORLD/logs/floxd.log" || die "it was not logged"
crictl rm -f "$silent" >/dev/null
use_pod needs
wait_until 20 "containerd to have the plugin again" start_in_pod needs third
wait_until 20 "its output" said "$id" "third 1.0"

step "killed while a container is being made: no pod is stuck"
use_pod silent
for i in 1 2 3; do
  (ONCE=1 start_in_pod "race$i" third >/dev/null 2>&1 || true) &
  racer=$!
  kill -KILL "$(cat "$WORLD/floxd.pid")"
  wait "$(cat "$WORLD/floxd.pid")" 2>/dev/null || true
  wait $racer
  start_plugin
done
start_in_pod after third
wait_until 20 "its output" said "$id" "third 1.0"

step "a socket of somebody else is not believed"
stop_server floxd
cat >"$WORLD/impostor.py" <<'PY'
import os, socket, sys
listening = socket.socket(socket.AF_UNIX)
listening.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
if len(sys.argv) > 3: os.setuid(int(sys.argv[3]))  # before listen(2): whose the socket is, is said then
listening.listen()
answers = [b"", b"\0\0\0\1", b"\0\0\0\1\xff\xff\xff\xff" + b"x" * 100, b"\0\0\0\1\0\0\0\x0a" + b"\xff\xff\xff\xff\0\0\0\1\1\0",
           b"\0\0\0\7\0\0\0\5hello" * 1000 + b"\0\0\0\2\0\0\0\x0c" + b"\0\0\0\2\0\0\0\1\2\0\x12\0", os.urandom(5000)]
count = 0
while True:
    peer, _ = listening.accept()
    peer.settimeout(1)
    try:
        peer.sendall(answers[count % len(answers)])
        peer.recv(65536)
    except OSError:
        pass
    peer.close()
    count += 1
    open(sys.argv[2], "w").write(str(count))
PY
mkdir -m 777 "$WORLD/strangers"
start_server stranger python3 "$WORLD/impostor.py" "$WORLD/stranger.sock" "$WORLD/strangers/count" 1234
wait_until 10 "the stranger" test -S "$WORLD/stranger.sock"
start_image_floxd FLOX_NRI_SOCKET="$WORLD/stranger.sock"
wait_until 10 "the refusal" grep -q "is served by user" "$WORLD/logs/floxd.log"
stop_server floxd

step "a peer that sends too much, halves, nonsense, or closes: floxd goes on, and tries again"
start_server impostor python3 "$WORLD/impostor.py" "$WORLD/impostor.sock" "$WORLD/impostors"
wait_until 10 "the impostor" test -S "$WORLD/impostor.sock"
start_image_floxd FLOX_NRI_SOCKET="$WORLD/impostor.sock"
often() { [ "$(cat "$WORLD/impostors")" -ge 12 ]; }
wait_until 60 "twelve attempts" often
in_net curl -fs http://127.0.0.1:9808/readyz >/dev/null
equal "$(metric flox_nri_connected)" 0
[ "$(ls "/proc/$(cat "$WORLD/floxd.pid")/fd" | wc -l)" -lt 100 ] || die "descriptors leak"
