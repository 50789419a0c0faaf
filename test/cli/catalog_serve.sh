#!/usr/bin/env bash
# flox catalog serve: from nothing to an installed package with one command, and again with the same catalog.
# builds: flox flox-catalog
. "$(dirname "$0")/support.sh"
unset FLOX_CONFIG
export XDG_DATA_HOME=$WORK/data XDG_CONFIG_HOME=$WORK/config
own=$XDG_DATA_HOME/flox/catalog
config=$XDG_CONFIG_HOME/flox/config.toml

show_trouble() { tail -n 5 "$WORK/log" >&2; }
# serve OPTION…: the catalog's URL goes to $url once all is ready, the command's process to $serving.
serve() {
  : >"$WORK/url"
  flox catalog serve --port 0 "$@" >"$WORK/url" 2>"$WORK/log" </dev/null &
  serving=$!
  wait_for_process $serving 60 "the catalog's start" test -s "$WORK/url"
  url=$(cat "$WORK/url")
}
stop() {
  kill -"$1" $serving
  wait $serving || die "it ended with $?: $(cat "$WORK/log")"
  ! curl -fsS -o /dev/null "$url/readyz" 2>/dev/null || die "the catalog still runs"
}
trap 'kill $serving 2>/dev/null || true; wait; rm -rf --one-file-system "$WORK"' EXIT

step "one command, and a package is published, installed and run"
serve --write-config
grep -qF "$url" "$WORK/log" || die "it does not say where it is: $(cat "$WORK/log")"
for file in "$own/key" "$own/token" "$own/trust"; do grep -qF "$file" "$WORK/log" || die "it does not say where $file is"; done
equal "$(stat -c %a "$own" "$own/key" "$own/token" "$config" | paste -sd' ')" "700 600 600 600"
equal "$(flox config --json | jq -r .catalog_url)" "$url"
mkdir "$WORK/tool" "$WORK/web"
printf '#!/bin/sh\necho hello from tool\n' >"$WORK/tool/tool"
chmod +x "$WORK/tool/tool"
path=$(flox store add "$WORK/tool")
flox publish --store-path "$path" --name tool --version 1.0 2>"$WORK/publish.log" || die "$(cat "$WORK/publish.log")"
flox init -d "$WORK/web" -n web 2>/dev/null
ends 0 flox install -d "$WORK/web" tool
equal "$(flox activate -d "$WORK/web" -- sh -c 'exec $FLOX_ENV/tool' 2>/dev/null)" "hello from tool"
equal "$(flox show tool --json | jq -r '.[0].owner')" me
[ "$(flox node status --json | jq -r .catalog)" != "$url" ] || die "flox node status shows the user's own settings, which floxd does not read"
token=$(cat "$own/token")
! grep -rqF "$token" "$WORK/log" "$own/catalog.log" "$config" || die "the token is shown"

step "a second one on the same directory is refused, and says who serves"
ends 1 flox catalog serve --no-write-config
says "being served already, by process $serving"

step "a port that is taken is said"
ends 1 flox catalog serve --no-write-config --dir "$WORK/second" --port "${url##*:}"
says "in use"
says "--port"

step "stopped as by Ctrl-C, and served again, it is the same catalog at the same address"
before=$url
key=$(cat "$own/key.pub")
stop INT
grep -q "has stopped" "$WORK/log"
: >"$WORK/url"
flox catalog serve --no-write-config >"$WORK/url" 2>"$WORK/log" </dev/null &
serving=$!
wait_for_process $serving 60 "the catalog's start" test -s "$WORK/url"
equal "$(cat "$WORK/url")" "$before"
equal "$(cat "$own/key.pub")" "$key"
equal "$(flox search tool --json | jq -r '.[0].name')" tool
ends 1 flox catalog serve --owner other --no-write-config --dir "$own"
stop TERM
ends 1 flox catalog serve --owner other --no-write-config
says "is me's, not other's"

step "while it is stopped, who else listens at its port gets nothing, no token either"
if [ "$(id -u)" = 0 ]; then
  cat >"$WORK/stranger.py" <<'PY'
import socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    connection, _ = listening.accept()
    connection.settimeout(20)
    text = connection.recv(65536)
    print("got", len(text), text[:200], flush=True)
    connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    connection.close()
PY
  setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 - "${before##*:}" <"$WORK/stranger.py" >"$WORK/stranger" 2>&1 &
  stranger=$!
  wait_for_process $stranger 60 "the stranger to listen" grep -q listening "$WORK/stranger"
  for command in "flox publish --store-path $path --name tool --version 1.5" "flox search tool" "flox auth status" "flox install -d $WORK/web tool@1.0"; do
    ends 1 $command
    says "is of user 65534, not yours: nothing was sent"
    says "flox catalog serve"
  done
  FLOX_OWN_CATALOG='' ends 1 flox search tool # it does listen
  kill $stranger
  wait $stranger 2>/dev/null || true
  equal "$(grep -c '^got [1-9]' "$WORK/stranger")" 1
  ! grep -qF "$(cat "$own/token")" "$WORK/stranger" || die "the token was sent"
  : >"$WORK/url"
  flox catalog serve --no-write-config >"$WORK/url" 2>"$WORK/log" </dev/null &
  serving=$!
  wait_for_process $serving 60 "the catalog's start" test -s "$WORK/url"
  ends 0 flox search tool
  stop TERM
fi

step "ended at any moment, it can be served again, and nothing of it runs on"
for delay in 0 0.01 0.03 0.1 0.3; do
  flox catalog serve --no-write-config --dir "$WORK/killed" --port 0 >"$WORK/url" 2>"$WORK/log" </dev/null &
  serving=$!
  sleep $delay
  kill -KILL $serving
  wait $serving 2>/dev/null || true
  while [ -s "$WORK/killed/port" ] && curl -fsS -o /dev/null "http://127.0.0.1:$(cat "$WORK/killed/port")/readyz" 2>/dev/null; do sleep 0.05; done
done
serve --no-write-config --dir "$WORK/killed"
FLOX_CONFIG=$WORK/killed/config.toml flox publish --store-path "$path" --name tool --version 2.0 2>"$WORK/publish.log" || die "$(cat "$WORK/publish.log")"
stop HUP

step "without --write-config the user's settings stay, and the way to use it is said"
ends 0 cat "$config"
says "catalog_url = \"$before\""
grep -qF "export FLOX_CONFIG=$WORK/killed/config.toml" "$WORK/log" || die "$(cat "$WORK/log")"

step "somebody who wants it in a directory of another user, or through a link, does not get it"
mkdir "$WORK/real"
ln -s "$WORK/real" "$WORK/link"
ends 1 flox catalog serve --no-write-config --dir "$WORK/link"
says "is a link"
equal "$(ls -A "$WORK/real")" ""
mkdir -m 777 "$WORK/open"
ends 1 flox catalog serve --no-write-config --dir "$WORK/open"
says "written to by everybody"

step "config --set and --unset keep what people wrote"
printf '# mine\n' >"$config"
ends 0 flox config --set catalog_url http://c --set caches "http://a http://b"
equal "$(cat "$config")" "$(printf '# mine\ncatalog_url = "http://c"\ncaches = ["http://a", "http://b"]')"
ends 0 flox config --unset caches
equal "$(flox config --json | jq -c .caches)" '[]'
ends 1 flox config --set catalog_ur http://c
says "Did you mean catalog_url?"
ends 1 flox config --set catalog_token s3cret
says "catalog_token_file"
ends 1 flox config --unset caches
equal "$(cat "$config")" "$(printf '# mine\ncatalog_url = "http://c"')"
ends 2 flox config --reset --set caches http://a
ends 0 flox config --reset
says "does not set catalog_url any more"
equal "$(cat "$config")" "# mine"
chmod 666 "$config"
ends 1 flox config
says "written to by everybody"
