#!/usr/bin/env bash
# What a pod's author writes into annotations is understood as meant or refused, and no spec harms the shim.
. "$(dirname "$0")/../shim/support.sh"
. "$PROJECT/test/shim/fake_node.sh"

n=0
# annotated NAME=VALUE… -- COMMAND…
annotated() {
  local options=()
  while [ "$1" != -- ]; do options+=(--annotation "$1"); shift; done
  n=$((n + 1))
  run_container --rm "${options[@]}" "c$n" "${@:2}"
}
web=flox.dev/environment=acme/web

step "a misspelt annotation is refused, with the one that was meant: it would show the container more, or less, than was meant"
refused "Did you mean flox.dev/store-view?" annotated $web flox.dev/storeview=closure -- tool
refused "Did you mean flox.dev/store-view?" annotated $web flox.dev/store_view=closure -- tool
refused "Did you mean flox.dev/store-view?" annotated $web flox.dev/Store-View=closure -- tool
refused "Did you mean flox.dev/nix-mutable?" annotated $web flox.dev/nix-mutabel=false -- tool
refused "Did you mean flox.dev/environment?" annotated flox.dev/enviroment=acme/web -- tool
refused "Use one of flox.dev/activate-mode" annotated $web flox.dev/privileged=true -- tool
refused "unknown annotation flox.dev/environment.a/b" annotated $web flox.dev/environment.a/b=x -- tool
refused "unknown annotation flox.dev/environment." annotated $web flox.dev/environment.=x -- tool

step "a value is one of those that there are"
refused 'flox.dev/store-view is "Closure"' annotated $web flox.dev/store-view=Closure -- tool
refused 'flox.dev/store-view is "closure "' annotated $web "flox.dev/store-view=closure " -- tool
refused 'flox.dev/nix-mutable is "yes"' annotated $web flox.dev/nix-mutable=yes -- tool
refused 'flox.dev/activate-mode is "fast"' annotated $web flox.dev/activate-mode=fast -- tool
refused 'flox.dev/skip-containers is "a;b"' annotated $web "flox.dev/skip-containers=a;b" -- tool
refused "of at most 512 printable characters" annotated "flox.dev/environment=$(printf 'x%.0s' {1..513})" -- tool
refused "of at most 512 printable characters" annotated $'flox.dev/environment=acme/web\nacme/other' -- tool
refused "of at most 512 printable characters" annotated "flox.dev/environment=acme/wéb" -- tool
equal "$(grep -c prepare "$ASKED")" 0
expect_nothing_left

step "those that exist work, and other people's are theirs"
equal "$(annotated $web flox.dev/store-view=node flox.dev/activate-mode=run flox.dev/skip-containers=a,b \
  flox.dev/skip-containers-exec= flox.dev/environment.other=acme/x flox.devel/x=y example.com/flox.dev=z -- tool)" "tool of the environment"

step "a spec that is nested, endless or ambiguous is an error of the shim, not its end"
hostile=$WORLD/hostile
mkdir -p "$hostile"
start_refuses() {  # TEXT: `start` in a bundle with that config.json
  local code=0 output
  output=$(cd "$hostile" && "$SHIM" -namespace n -id hostile -address "$CONTAINERD_ADDRESS" start 2>&1 </dev/null) || code=$?
  equal "$code" 1
  contains "$output" "$1"
}
python3 -c 'print("{\"a\":" + "[" * 1000000)' >"$hostile/config.json"
start_refuses "nested more than 64 levels deep"
python3 -c 'print("{\"process\":" + "{\"a\":" * 1000000 + "1" + "}" * 1000001)' >"$hostile/config.json"
start_refuses "nested more than 64 levels deep"
python3 -c 'print("{\"annotations\":{" + ",".join("\"k%d\":\"\"" % i for i in range(200000)) + "}}")' >"$hostile/config.json"
start_refuses "more than 131072 members and elements"
python3 -c 'print("{\"a\":\"" + "x" * (17 << 20) + "\"}")' >"$hostile/config.json"
start_refuses "config.json"
echo '{"annotations":{"io.kubernetes.cri.sandbox-id":"a"},"annotations":{"io.kubernetes.cri.sandbox-id":"b"}}' >"$hostile/config.json"
start_refuses "'annotations' stands twice"
rm "$hostile/config.json"
mkfifo "$hostile/config.json"
start_refuses "config.json"
rm "$hostile/config.json"
ln -s /etc/shadow "$hostile/config.json"
start_refuses "config.json"

step "an exec's process likewise; the shim serves on"
ours -d box sleep 1000
for text in '"[" * 1000000' '"{\"args\":" * 100000' '"{\"args\":[" + "\"a\"," * 200000 + "\"a\"]}"' '"{\"args\":[\"a\"],\"args\":[\"b\"]}"' '"{" * 2'; do
  python3 -c "print($text)" >"$WORLD/process.json"
  output=$(call box Exec id=box exec_id=e1 spec="$WORLD/process.json") || true
  contains "$output" "the process:"
done
for id in ../e e/f .. .; do contains "$(call box Exec id=box exec_id=$id spec="$WORLD/process.json" || true)" "InvalidArgument"; done
equal "$(ctr task exec --exec-id e2 box tool)" "tool of the environment"
end_container box

step "an id is never a path"
for id in ../x a/b .. .; do
  refused "cannot be a file name" "$SHIM" -namespace n -id $id -address "$CONTAINERD_ADDRESS" delete
done
expect_nothing_left
