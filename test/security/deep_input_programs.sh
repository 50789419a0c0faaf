#!/usr/bin/env bash
# Every program, and every file, answer and variable through which a text gets into it: nested a million levels, of 1 GB, or
# without an end. Each ends with exit code 1 or 2 and an error of one line that says where, and never by a signal; the
# daemons live on. The ticket-processor's own sinks are in deep_input_ticket.sh.
. "$(dirname "$0")/../lib.sh"
need_root
WORK=$(mktemp -d)
declare -a STARTED=()
trap 'for pid in "${STARTED[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done; rm -rf "$WORK"' EXIT
for name in $(compgen -e | grep -E '^_?(FLOX|AWS|HF|TICKET|CONTAINER)' | grep -vx 'FLOX_BUILD_DIR' || true); do unset "$name"; done
export HOME=$WORK/home XDG_CACHE_HOME=$WORK/home/cache FLOX_KUBE_STATE=$WORK/kube AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b
mkdir -p "$HOME"
FLOX=(flox --root "$WORK/root")
found=0 cases=0

finding() { found=$((found + 1)); printf 'FOUND: %s\n' "$*"; }

# refuses NAME PATTERN COMMAND…: ends with 1 or 2 and says so once, in a line with PATTERN.
refuses() {
  local name=$1 pattern=$2 code=0
  shift 2
  cases=$((cases + 1))
  prlimit --as=1500000000 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || code=$?
  if [ $code -ge 128 ]; then
    finding "$name: ended by signal $((code - 128))"
  elif [ $code != 1 ] && [ $code != 2 ]; then
    finding "$name: exit code $code"
  elif [ "$(grep -c 'ERROR' "$WORK/err")" != 1 ]; then
    finding "$name: not one line of error: $(head -c 500 "$WORK/err")"
  elif ! grep 'ERROR' "$WORK/err" | grepq -E -- "$pattern"; then
    finding "$name: no '$pattern' in: $(head -c 500 "$WORK/err")"
  elif [ "$(stat -c %s "$WORK/err")" -gt 4000 ]; then
    finding "$name: an error of $(stat -c %s "$WORK/err") bytes"
  fi
}
# goes_on NAME COMMAND…: does its work all the same.
goes_on() {
  local name=$1 code=0
  shift
  cases=$((cases + 1))
  prlimit --as=1500000000 "$@" >"$WORK/out" 2>"$WORK/err" </dev/null || code=$?
  [ $code = 0 ] || finding "$name: exit code $code: $(head -c 500 "$WORK/err")"
}
PLACE=':[0-9]+:[0-9]+: '
LIMIT='(more|larger) than [0-9]+ bytes|over the limit'

step "texts"
python3 - "$WORK" <<'PYTHON'
import os, sys

work, million = sys.argv[1], 1_000_000
deep = 250_000  # levels that fit into the 1 MiB that a TOML file may have
def put(name, text):
    with open(f"{work}/{name}", "w") as file:
        file.write(text)
# 3.5 MB, which fit into the 4 MiB that a lock may have, as the others do.
values = {"list": "[" * million, "object": '{"a":' * 700_000, "closed": "[" * million + "]" * million}
for shape, value in values.items():
    put(f"{shape}.json", value)
    put(f"{shape}.lock", '{"lockfile-version":1,"manifest":{"version":1,"vars":%s},"packages":[]}' % value)
    put(f"{shape}.package.lock", '{"lockfile-version":1,"manifest":{"version":1},"packages":[{"install_id":"a","x":%s}]}' % value)
for shape, value in {"array": "a = " + "[" * deep, "inline": "a = " + "{a=" * deep, "dots": "a." * deep + "a = 1",
                     "header": "[" + "a." * deep + "a]", "headers": "[[a" + ".a" * deep + "]]",
                     "closed": "a = " + "[" * deep + "]" * deep, "large": "a = " + "[" * 2 * million}.items():
    put(f"{shape}.toml", "version = 1\n" + value + "\n")
pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: %s}\nspec: {containers: [{name: c, image: i}]}\n"
for shape, value in {"flow": "[" * million, "flow-map": "{a: " * million, "closed": "[" * million + "]" * million}.items():
    put(f"{shape}.yaml", value)
    put(f"{shape}.pod.yaml", pod % value)
put("block.yaml", "- " * million + "a\n")
put("keys.yaml", "".join(" " * level + "a:\n" for level in range(3000)))
put("anchors.yaml", "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{','.join([f'*a{i-1}'] * 10)}]\n" for i in range(1, 12)))
os.makedirs(f"{work}/huge")
with open(f"{work}/huge/file", "w") as file:
    file.truncate(1 << 30)
PYTHON

environment() {  # DIRECTORY: an environment without packages
  rm -rf "$1"
  mkdir "$1"
  (cd "$1" && "${FLOX[@]}" init -n web >/dev/null 2>&1) || die "flox init failed"
}

step "environments: lock, manifest, pointer"
for shape in list object closed; do
  for lock in "$shape.json" "$shape.lock" "$shape.package.lock"; do
    environment "$WORK/env"
    cp "$WORK/$lock" "$WORK/env/.flox/env/manifest.lock"
    refuses "flox list, manifest.lock = $lock" "$PLACE" "${FLOX[@]}" list -d "$WORK/env"
    refuses "flox activate, manifest.lock = $lock" "$PLACE" "${FLOX[@]}" activate -d "$WORK/env" -- true
  done
  environment "$WORK/env"
  head -c 60000 "$WORK/$shape.json" >"$WORK/env/.flox/env.json"  # of the 64 KiB that it may have
  refuses "flox list, env.json = $shape" "$PLACE" "${FLOX[@]}" list -d "$WORK/env"
done
for shape in array inline dots header headers closed large; do
  environment "$WORK/env"
  cp "$WORK/$shape.toml" "$WORK/env/.flox/env/manifest.toml"
  refuses "flox build, manifest.toml = $shape" "$PLACE|$LIMIT" env -C "$WORK/env" "${FLOX[@]}" build
  refuses "flox activate, manifest.toml = $shape" "$PLACE|$LIMIT" "${FLOX[@]}" activate -d "$WORK/env" -- true
done
for file in env.json env/manifest.lock env/manifest.toml; do
  environment "$WORK/env"
  cp --sparse=always "$WORK/huge/file" "$WORK/env/.flox/$file"
  refuses "flox activate, $file of 1 GB" "$LIMIT" "${FLOX[@]}" activate -d "$WORK/env" -- true
done

step "configuration"
for shape in array inline dots header headers closed large; do
  refuses "flox config, FLOX_CONFIG = $shape" "$PLACE|$LIMIT" env FLOX_CONFIG="$WORK/$shape.toml" "${FLOX[@]}" list -d "$WORK/env"
  refuses "floxd, FLOX_CONFIG = $shape" "$PLACE|$LIMIT" env FLOX_CONFIG="$WORK/$shape.toml" floxd --root "$WORK/root" --node-socket "$WORK/none.sock"
done
for file in "$WORK/huge/file" /dev/zero; do
  refuses "flox list, FLOX_CONFIG = $file" "$LIMIT" env FLOX_CONFIG="$file" "${FLOX[@]}" list -d "$WORK/env"
  refuses "floxd, FLOX_CONFIG = $file" "$LIMIT" env FLOX_CONFIG="$file" floxd --root "$WORK/root" --node-socket "$WORK/none.sock"
done

step "a variable that says which environments are active"
environment "$WORK/env"
goes_on "flox activate, variable" env _FLOX_ACTIVE_ENVIRONMENTS="$(head -c 120000 "$WORK/list.json")" "${FLOX[@]}" activate -d "$WORK/env" -- true
goes_on "flox activate, variable of objects" env _FLOX_ACTIVE_ENVIRONMENTS="$(head -c 120000 "$WORK/object.json")" "${FLOX[@]}" activate -d "$WORK/env" -- true

step "a catalog, an AWS and a hub that answer so"
python3 - "$WORK" <<'PYTHON' &
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        _, status, shape = self.path.split("/")[:3]
        body = open(f"{sys.argv[1]}/{shape}.json", "rb").read() if shape != "endless" else b"[" * 4096
        self.send_response(int(status))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body) if shape != "endless" else 1 << 30))
        self.end_headers()
        if self.command != "HEAD":
            try:
                self.wfile.write(body)
                while shape == "endless":
                    self.wfile.write(body)
            except OSError:
                pass  # the client has had enough
    do_GET = do_POST = do_PUT = do_HEAD = answer
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[1] + "/port", "w").write(str(server.server_address[1]))
server.serve_forever()
PYTHON
STARTED+=("$!")
disown
wait_until 20 "the server" test -s "$WORK/port"
answers=http://127.0.0.1:$(cat "$WORK/port")
for answer in 200/list 200/object 200/closed 500/list 404/object 200/endless; do
  for command in "search a" "show a" "install -d $WORK/env a" "pull me/web -d $WORK/pulled"; do
    # shellcheck disable=SC2086  # a command with its arguments
    refuses "flox $command, the catalog answers $answer" . env FLOX_CATALOG_URL="$answers/$answer" "${FLOX[@]}" $command
  done
  [ ! -e "$WORK/pulled" ] || finding "flox pull left $WORK/pulled"
  AWS_ENDPOINT_URL=$answers/$answer AWS_MAX_ATTEMPTS=1 refuses "ticket-generator, AWS answers $answer" . ticket-generator --create-resources --count 1
  HF_ENDPOINT=$answers/$answer MODEL_CACHE_DIR=$WORK/models refuses "ticket-processor preload-models, the hub answers $answer" . ticket-processor preload-models org/model
  cases=$((cases - 2))
done

step "manifests of Kubernetes"
for file in "$WORK"/*.yaml; do
  refuses "flox-kube play $(basename "$file")" "$PLACE|$(basename "$file")" flox-kube play "$file"
done
refuses "flox-kube play, 1 GB" "$LIMIT" flox-kube play "$WORK/huge/file"
refuses "flox-kube play, no end" "$LIMIT" flox-kube play /dev/zero
mkdir "$WORK/kustomize"
for file in "$WORK"/*.yaml; do
  cp "$file" "$WORK/kustomize/kustomization.yaml"
  refuses "flox-kube play -k $(basename "$file")" . flox-kube play -k "$WORK/kustomize"
done

step "a node's files: containerd's configuration, floxd's records"
for shape in array inline dots header closed; do
  mkdir -p "$WORK/node/etc/containerd"
  cp "$WORK/$shape.toml" "$WORK/node/etc/containerd/config.toml"
  refuses "flox node install, config.toml = $shape" . "${FLOX[@]}" node install --dry-run --target "$WORK/node" --no-service --catalog-url "$answers"
done
# The record of its containers is floxd's own: whatever became of it, the node's pods start.
runtime=/nix/store/$(printf '0%.0s' {1..32})-flox-runtime-0
for record in list.json object.json closed.json huge/file; do
  root=$WORK/floxd-${record%%[./]*}
  mkdir -p "$root/var/lib/flox" "$root/run"
  cp --sparse=always "$WORK/$record" "$root/var/lib/flox/containers.json"
  cases=$((cases + 1))
  prlimit --as=4000000000 floxd --root "$root" --runtime "$runtime" --node-socket "$root/run/node.sock" --pod-socket-dir "$root/run/pod" \
    --catalog-url "$answers/200/list" --metrics 127.0.0.1:0 --registry '' >"$WORK/floxd.log" 2>&1 </dev/null &
  pid=$!
  STARTED+=("$pid")
  serving() { ! kill -0 "$pid" 2>/dev/null || { [ -S "$root/run/node.sock" ] && grep -q 'serving shims' "$WORK/floxd.log"; }; }
  wait_until 60 "floxd" serving
  code=0
  kill -TERM "$pid" 2>/dev/null || finding "floxd, containers.json = $record: ended by itself"
  wait "$pid" || code=$?
  [ $code = 0 ] || finding "floxd, containers.json = $record: exit code $code: $(tail -c 500 "$WORK/floxd.log")"
  grep -E "containers.json$PLACE|$LIMIT" "$WORK/floxd.log" | grepq 'running containers are unknown' || finding "floxd, containers.json = $record: nothing of it in the log: $(tail -c 500 "$WORK/floxd.log")"
done

step "bundles of containerd"
# `start` makes its socket in /run/containerd, so it has a /run of its own.
shim() {
  # shellcheck disable=SC2016  # for the inner shell
  unshare --mount sh -c 'mount -t tmpfs none /run && cd "$1" && shift && exec timeout 60 containerd-shim-flox-v1 "$@"' sh "$WORK/bundle" \
    -namespace t -id c -address "$WORK/none.sock" -bundle "$WORK/bundle" "$@"
}
export -f shim
export WORK
for record in list.json object.json closed.json huge/file; do
  rm -rf "$WORK/bundle"
  mkdir "$WORK/bundle"
  for file in config.json options.json runtime-options.json flox-options.json state.json; do cp --sparse=always "$WORK/$record" "$WORK/bundle/$file"; done
  refuses "containerd-shim-flox-v1 start, $record" "config.json" bash -c 'shim start'
  # What is left of a container is removed whatever its files say.
  goes_on "containerd-shim-flox-v1 delete, $record" bash -c 'shim delete'
  [ ! -e "$WORK/bundle/shim.pid" ] || kill -KILL "$(cat "$WORK/bundle/shim.pid")" 2>/dev/null || true
done

step "flox-catalog lives on"
echo token >"$WORK/token"
chmod 600 "$WORK/token"
flox-catalog --listen 127.0.0.1:0 --data "$WORK/catalog" --token-file "$WORK/token" --port-file "$WORK/catalog.port" >"$WORK/catalog.log" 2>&1 </dev/null &
CATALOG=$!
STARTED+=("$CATALOG")
disown
wait_until 30 "the catalog" test -s "$WORK/catalog.port"
catalog=http://127.0.0.1:$(cat "$WORK/catalog.port")
for path in catalog/resolve catalog/packages/a/builds environments/a/b environments/a/b/generations; do
  for shape in list object closed; do
    for bytes in 200000 900000 10000000; do
      cases=$((cases + 1))
      for method in POST PUT; do
        head -c "$bytes" "$WORK/$shape.json" |
          curl -s -o /dev/null -X $method -H 'Authorization: Bearer token' -H 'Content-Type: application/json' --data-binary @- "$catalog/api/v1/$path" || true
      done
      kill -0 "$CATALOG" 2>/dev/null || { finding "flox-catalog: ended by $method /api/v1/$path of $bytes bytes ($shape)"; break 3; }
    done
  done
done
curl -fsS -o /dev/null "$catalog/healthz" || finding "flox-catalog does not answer any more"

step "$cases cases"
[ $found = 0 ] || die "$found findings in $cases cases"
