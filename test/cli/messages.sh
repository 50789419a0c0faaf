#!/usr/bin/env bash
# Messages are our own, whatever a file holds or the system refuses: none has the words of C++ or of a library's exceptions.
. "$(dirname "$0")/support.sh"

# plain COMMAND…: fails, with a message that a stranger can read.
plain() {
  local code=0
  output=$("$@" 2>&1 </dev/null) || code=$?
  [ $code = 1 ] || [ $code = 2 ] || die "expected exit code 1 or 2, got $code: $*: $output"
  [ -n "$output" ] || die "$*: no message"
  if grep -E '\[json\.exception|filesystem error|std::|CLI::|basic_string|YAML::|boost|nlohmann|terminate called' <<<"$output"; then
    die "$*: a message for programmers: $output"
  fi
}

step "files where directories are wanted, and directories where files are"
echo x >"$WORK/file"
mkdir "$WORK/directory"
plain flox --root "$WORK/file" store gc
plain flox --root "$WORK/file/x" store roots
plain flox init -d "$WORK/file/x"
plain flox list -d "$WORK/file"
plain flox activate -d "$WORK/missing" -- true
plain flox pull a/b --dir "$WORK/file/x"
plain flox store add "$WORK/missing"
plain flox store keygen k-1 --out "$WORK/directory"
plain flox store keygen k-1 --out "$WORK/file/x"
plain flox store sign --key "$WORK/directory" /nix/store/00000000000000000000000000000000-x
plain flox store copy --to "file://$WORK/file/x" --key "$WORK/missing" /nix/store/00000000000000000000000000000000-x
plain flox node install --target "$WORK/file"
plain flox node images --output "$WORK/file/x" --pause "$WORK/missing"
plain flox kube --state "$WORK/file/x" ps
plain flox kube play "$WORK/missing.yaml"
plain flox kube play -k "$WORK/file"
plain flox-catalog --data "$WORK/file/x"
plain flox-catalog --listen nowhere --data "$WORK/data"
plain flox-catalog --token-file "$WORK/directory" --data "$WORK/data"
plain floxd --root "$WORK/file/x" --node-socket "$WORK/node.sock" --pod-socket-dir "$WORK/pods"
plain ticket-processor enrich "$WORK/directory"
plain ticket-processor --backend "local:$WORK/file" --once

step "JSON, TOML and YAML of another form"
flox init -n web -d "$WORK/directory" 2>/dev/null
cd "$WORK/directory"
for lock in '[]' '{"lockfile-version": "1"}' '{"lockfile-version": 1, "manifest": [], "packages": {}}' \
  '{"lockfile-version": 1, "packages": [1]}' '{"lockfile-version": 1, "packages": [{"install_id": 7}]}' '{'; do
  echo "$lock" >.flox/env/manifest.lock
  output=$(flox list 2>&1) || plain flox list
done
rm .flox/env/manifest.lock
for env in '[]' '{"name": 7}' '{' '{"name": null, "version": 1}'; do
  echo "$env" >.flox/env.json
  plain flox list
done
echo '{"name": "web", "version": 1}' >.flox/env.json
for manifest in 'install = 7' 'schema-version = 7' '[install]
x = 7' '[install]
x.pkg-path = ["a"]' '[vars]
A = 1' '[build]
x = "y"' '['; do
  echo "$manifest" >.flox/env/manifest.toml
  plain flox list
  plain flox activate -- true
done
for result in '[]' '{"name": 7}' '{"name": "web", "version": "1", "outputs": []}' '{'; do
  echo "$result" >result-web.json
  plain flox publish web --catalog http://127.0.0.1:1
done
for config in 'caches = 7' 'catalog_url = ["x"]' 'node_socket = 1' '['; do
  echo "$config" >"$FLOX_CONFIG"
  plain flox list
done
: >"$FLOX_CONFIG"
for manifest in '[]' 'a: b' 'kind: 7' '{kind: Pod, apiVersion: v1, metadata: 7}' '{kind: Pod, apiVersion: v1, metadata: {name: x}, spec: []}' \
  '{kind: Deployment, apiVersion: apps/v1, metadata: {name: x}, spec: {replicas: many}}' '{kind: Pod, apiVersion: v1, metadata: {name: [x]}}' '{a'; do
  echo "$manifest" >"$WORK/pod.yaml"
  plain flox kube play "$WORK/pod.yaml"
done
for ticket in '[]' '{"ticket_id": 7}' '{'; do
  echo "$ticket" >"$WORK/ticket.json"
  plain ticket-processor enrich "$WORK/ticket.json"
done

step "what is written wrongly on the command line"
plain flox store gc --max-freed many
plain flox store gc --keep-newer soon
plain flox store realise --memory much /nix/store/00000000000000000000000000000000-x
plain flox store info nonsense
plain flox store copy --from ftp://x /nix/store/00000000000000000000000000000000-x
plain flox store realise --cache http:// --trusted-key x /nix/store/00000000000000000000000000000000-x
plain flox store serve --listen nowhere
plain flox pull nonsense
plain flox kube exec web -- true
plain flox kube set env web x
plain flox kube play --env x "$WORK/pod.yaml"
plain flox kube logs -l x
plain flox-catalog --max-upload big
plain floxd --metrics nowhere --node-socket "$WORK/node.sock" --pod-socket-dir "$WORK/pods"
plain ticket-generator --count -1
