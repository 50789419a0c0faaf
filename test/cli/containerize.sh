#!/usr/bin/env bash
# flox containerize: an environment as an image that an ordinary containerd runs with runc, the same bytes each time.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_catalog
publish_tool hello 1.0
export XDG_STATE_HOME=$WORLD/state
mkdir "$WORLD/web"
cd "$WORLD/web"
laptop init -n web
laptop install hello
sed -i '/^\[vars\]/a COLOUR = "red"' .flox/env/manifest.toml
sed -i "/^\[hook\]/a on-activate = 'export FROM_HOOK=yes'" .flox/env/manifest.toml
cat >>.flox/env/manifest.toml <<'TOML'
[containerize.config]
cmd = ["sh", "-c", "hello; echo $COLOUR $FROM_HOOK $(pwd)"]
working-dir = "/tmp"
user = "web"
exposed-ports = ["8080"]
labels = { "org.example" = "x" }
stop-signal = "SIGINT"
TOML
laptop list >/dev/null

step "an image in a file, twice the same"
laptop containerize 2>"$WORLD/log" || die "$(cat "$WORLD/log")"
grep -q "web:latest is in web-container.tar" "$WORLD/log" || die "$(cat "$WORLD/log")"
laptop containerize -f - >"$WORLD/second.tar" 2>/dev/null
cmp web-container.tar "$WORLD/second.tar"
laptop push --owner acme >/dev/null
(cd "$WORLD" && laptop containerize -r acme/web:1 -f - 2>/dev/null) | cmp - web-container.tar

step "the same bytes from another store, on another file system, by another user, with another umask, home, clock and language"
laptop containerize --json -f "$WORLD/first.tar" >"$WORLD/first.json" 2>/dev/null
tools=$(jq -r .tools "$WORLD/first.json")
laptop publish --store-path "$tools" --name flox-tools --version 1.0 >"$WORLD/log" 2>&1 || die "$(cat "$WORLD/log")"
mkdir "$WORLD/elsewhere"
mount -t tmpfs -o mode=755 tmpfs "$WORLD/elsewhere"
cp -a "$WORLD/web" "$WORLD/elsewhere/project"
rm -rf "$WORLD/elsewhere/project/.flox"/{run,cache,log} "$WORLD/elsewhere/project"/*.tar
mkdir "$WORLD"/elsewhere/{root,home,tmp}
chown -R 65534:65534 "$WORLD/elsewhere"
elsewhere() {
  (cd "$WORLD/elsewhere/project" && umask 077 && env -u XDG_STATE_HOME -u XDG_CACHE_HOME HOME="$WORLD/elsewhere/home" TMPDIR="$WORLD/elsewhere/tmp" TZ=Asia/Tokyo LC_ALL=C.UTF-8 LANG=de_DE.UTF-8 \
    setpriv --reuid 65534 --regid 65534 --clear-groups flox --root "$WORLD/elsewhere/root" "$@")
}
elsewhere containerize --tools flox-tools -f image.tar >"$WORLD/log" 2>&1 || die "$(cat "$WORLD/log")"
cmp "$WORLD/first.tar" "$WORLD/elsewhere/project/image.tar"
elsewhere containerize --tools "$tools" -f - 2>"$WORLD/log" | cmp - "$WORLD/first.tar"

step "a machine with other programs makes other tools, and the same image if it is told which to take"
{ cat /etc/ssl/certs/ca-certificates.crt; echo "# one more"; } >"$WORLD/authorities"
other_machine() { unshare --mount sh -c 'mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && shift && exec "$@"' - "$WORLD/authorities" flox --root "$WORLD/other-machine" "$@"; }
other_machine containerize --json -f "$WORLD/other.tar" >"$WORLD/other.json" 2>"$WORLD/log" || die "$(cat "$WORLD/log")"
[ "$(jq -r .tools "$WORLD/other.json")" != "$tools" ] || die "the tools do not hold the machine's certificates"
[ "$(jq -r .digest "$WORLD/other.json")" != "$(jq -r .digest "$WORLD/first.json")" ] || die "the image does not hold its tools"
other_machine containerize --json --tools flox-tools@1.0 -f "$WORLD/other.tar" >"$WORLD/other.json" 2>"$WORLD/log" || die "$(cat "$WORLD/log")"
cmp "$WORLD/first.tar" "$WORLD/other.tar"
refused "has not flox and a shell in bin" laptop containerize --tools hello -f bad.tar

step "its layers are few, and their files root's and of one time"
python3 - web-container.tar <<'PY' || die "the archive is not as it should be"
import hashlib, json, sys, tarfile
archive = tarfile.open(sys.argv[1])
read = lambda name: archive.extractfile(name).read()
index = json.loads(read("index.json"))
manifest = json.loads(read("blobs/sha256/" + index["manifests"][0]["digest"][7:]))
assert 3 <= len(manifest["layers"]) <= 101, len(manifest["layers"])
assert [layer["digest"][7:] for layer in manifest["layers"]] == \
    [path.split("/")[-1] for path in json.loads(read("manifest.json"))[0]["Layers"]]
config = json.loads(read("blobs/sha256/" + manifest["config"]["digest"][7:]))
assert config["config"]["ExposedPorts"] == {"8080/tcp": {}} and config["config"]["StopSignal"] == "SIGINT", config
seen = set()
for layer, diff in zip(manifest["layers"], config["rootfs"]["diff_ids"]):
    name = "blobs/sha256/" + layer["digest"][7:]
    assert "sha256:" + hashlib.sha256(read(name)).hexdigest() == layer["digest"] == diff
    for entry in tarfile.open(fileobj=archive.extractfile(name)):
        assert (entry.uid, entry.gid, entry.mtime) == (0, 0, 1), entry.name
        assert not entry.name.startswith("/") and ".." not in entry.name.split("/"), entry.name
        assert entry.isdir() or entry.name not in seen, "twice: " + entry.name
        seen.add(entry.name)
PY

step "containerd and runc run it: activated, its hook run, as its user"
start_containerd
ctr -n test images import web-container.tar >/dev/null
run() { ctr -n test run --rm --runtime io.containerd.runc.v2 docker.io/library/web:latest "$@"; }
equal "$(run c1)" $'hello 1.0\nred yes /tmp'
equal "$(run c2 sh -c 'id -u; id -un' | paste -sd' ')" "$(run c3 sh -c 'id -u; id -un' | paste -sd' ')"
ctr -n test images ls | grepq docker.io/library/web:latest

step "to a runtime: what it says is shown, and its failure is ours"
mkdir "$WORLD/fake"
printf '#!/bin/sh\n[ "$1" = load ] && cat >%q && echo Loaded image: web:v2\n' "$WORLD/loaded.tar" >"$WORLD/fake/docker"
printf '#!/bin/sh\necho no space left >&2\nexit 3\n' >"$WORLD/fake/podman"
chmod +x "$WORLD"/fake/*
PATH=$WORLD/fake:$PATH laptop containerize --runtime docker --tag v2 --label org.example=y --label more=a=b 2>"$WORLD/log" || die "$(cat "$WORLD/log")"
grep -q "Loaded image" "$WORLD/log"
tar -xOf "$WORLD/loaded.tar" manifest.json | jq -e '.[0].RepoTags == ["web:v2"]' >/dev/null
config=$(tar -xOf "$WORLD/loaded.tar" manifest.json | jq -r '.[0].Config')
equal "$(tar -xOf "$WORLD/loaded.tar" "$config" | jq -cS .config.Labels)" '{"more":"a=b","org.example":"y"}'
PATH=$WORLD/fake:$PATH refused "podman load ended with 3" laptop containerize --runtime podman

step "what cannot be an image is refused, and no file is left"
refused "cannot be the name of an image" laptop containerize --name 'Web/../x' -f bad.tar
refused "'x' is not KEY=VALUE" laptop containerize --label x -f bad.tar
refused "'a' has two values" laptop containerize --label a=1 --label a=2 -f bad.tar
refused "cannot be the tag" laptop containerize --tag '-x' -f bad.tar
refused "no ordinary file" laptop containerize -f /dev/null
[ -c /dev/null ] || die "/dev/null was replaced"
sed -i 's/^stop-signal = .*/stop-sgnal = "SIGINT"/' .flox/env/manifest.toml
refused "unknown key 'stop-sgnal' in [containerize.config]" laptop containerize -f bad.tar
[ -z "$(find . -maxdepth 1 -name '*bad.tar*')" ] || die "a file was left"
