#!/usr/bin/env bash
# Commands that change an environment: whole or not at all, whatever stops them, and one after the other.
. "$(dirname "$0")/../lib.sh"
type -P strace >/dev/null || { echo "needs strace"; exit 77; }
enter_world "$@"
start_catalog
for tool in hello other third; do publish_tool $tool 1.0; done
publish_tool hello 1.1
export FLOX_ROOT=$LAPTOP_ROOT
mkdir "$WORLD/web" && cd "$WORLD/web"
flox init
files() { cat .flox/env/manifest.toml .flox/env/manifest.lock; }
unchanged() { equal "$(files)" "$before"; }
# works COMMAND…: the environment can still be activated.
works() { flox activate -- "$@" >/dev/null 2>"$WORLD/logs/works.log" || { cat "$WORLD/logs/works.log"; die "the environment is broken: $*"; }; }

step "three installations at once install three packages"
pids=()
for tool in hello other third; do
  flox install $tool 2>"$WORLD/logs/at-once-$tool" &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid"; done
equal "$(flox list --name | sort | xargs)" "hello other third"
works third

step "who waits says for whom"
flox uninstall other third
(
  exec 9<.flox/run/lock
  flock 9
  echo "flox upgrade (process 7)" >.flox/run/lock
  flox install other 2>"$WORLD/logs/waits" 9<&- &
  echo $! >"$WORLD/waiter"
  wait_until 10 "the second to wait" grep -q "waiting for flox upgrade (process 7), which has environment 'web' to itself" "$WORLD/logs/waits"
  flox list >/dev/null 9<&- # who reads does not wait
)
wait_until 10 "the second to install" grep -q "installed to environment" "$WORLD/logs/waits"
equal "$(flox list --name | xargs)" "hello other"

step "an installation keeps what the entry says, and an upgrade takes the newest"
flox install hello@1.0
sed -i 's/^hello.version = .*/&\nhello.priority = 3\nhello.pkg-group = "tools"/' .flox/env/manifest.toml
flox lock
flox install hello
contains "$(flox list --config)" 'hello.priority = 3'
contains "$(flox list --config)" 'hello.pkg-group = "tools"'
flox install hello@1.0
equal "$(flox upgrade --dry-run 2>/dev/null)" ""
sed -i '/^hello.version/d' .flox/env/manifest.toml
before=$(files)
contains "$(flox upgrade --dry-run)" "hello: 1.0 -> 1.1"
unchanged
contains "$(flox upgrade hello)" "hello: 1.0 -> 1.1"
equal "$(flox activate -- hello)" "hello 1.1"

step "an edit that cannot be locked or built is not written"
before=$(files)
refused "(standard input):1:" flox edit -f - <<<"[install"
refused "nonsense" flox edit -f - <<<$'version = 1\n[install]\nx.pkg-path = "nonsense"'
unchanged
flox list --config | sed 's/^\[vars\]/[vars]\nA = "1"/' | flox edit -f -
equal "$(flox activate -c 'echo $A')" 1
# An editor that makes a mistake: the text is kept for the next try.
cat >"$WORLD/editor" <<'SH'
#!/bin/sh
echo '[oops' >>"$1"
SH
chmod +x "$WORLD/editor"
before=$(files)
mkdir "$WORLD/tmp"
message=$(TMPDIR=$WORLD/tmp EDITOR=$WORLD/editor flox edit 2>&1 </dev/null || true)
unchanged
contains "$message" "Your text is in $WORLD/tmp/"
contains "$(cat "$WORLD"/tmp/*/manifest.toml)" "[oops"
cat >"$WORLD/editor" <<'SH'
#!/bin/sh
sed -i 's/^A = .*/A = "2"/' "$1"
SH
EDITOR=$WORLD/editor flox edit </dev/null
equal "$(flox activate -c 'echo $A')" 2

step "what is wrong in a manifest is said with its place, also where it is seen late"
mkdir "$WORLD/places" && cd "$WORLD/places" && flox init
refused_text() { printf 'version = 1\n%s\n' "$2" >.flox/env/manifest.toml; refused "$1" flox "${@:3}"; }
refused_text "$PWD/.flox/env/manifest.toml:4:7: package 'hello' >=1,<: the version constraint" $'[install]\nhello.pkg-path = "hello"\nhello.version = ">=1,<"' lock
printf 'version = 1\n' >.flox/env/manifest.toml
flox lock
refused_text "$PWD/.flox/env/manifest.toml:3:1: variables of [vars] name each other in a circle: A → B → A" $'[vars]\nA = "$B"\nB = "$A"' lock
refused "$PWD/.flox/env/manifest.toml:3:1: variables of [vars] name each other in a circle: A → B → A" flox activate -- true
refused_text "$PWD/.flox/env/manifest.toml:3:1: the manifest's variable value '\$(pwd)' cannot be used" $'[vars]\nA = "$(pwd)"' activate -- true

step "an environment gets another name, which its directory need not have"
printf 'version = 1\n' >.flox/env/manifest.toml
flox lock
contains "$(flox edit --name other 2>&1)" "environment 'places' is called 'other'"
equal "$(flox activate -c 'echo $FLOX_ENV_DESCRIPTION' 2>/dev/null)" other
refused "cannot name an environment" flox edit --name 'a b'
refused "Run 'flox push'" flox edit --sync
refused "the catalog has no environment acme/web" flox install -r acme/web hello
refused "comes from no catalog" flox edit --reset

step "a conflict changes nothing"
mkdir "$WORLD/clash" && cd "$WORLD/clash"
flox init -n clash
cat >.flox/env/manifest.toml <<'TOML'
version = 1
[build.clash]
version = "1"
command = "mkdir -p $out/bin && echo clash >$out/bin/hello"
TOML
flox build --quiet
flox publish
cd "$WORLD/web"
flox uninstall hello && flox install hello  # without its priority
before=$(files)
refused "both have the file bin/hello" flox install clash
unchanged
works hello

step "a missing NAR changes nothing"
publish_tool gone 1.0
hash=$(flox search gone --json | jq -r '.[0].outputs.out' | cut -d/ -f4 | cut -c 1-32)
nar=$(curl -fs "$CATALOG_URL/cache/$hash.narinfo" | sed -n 's/^URL: //p')
export FLOX_ROOT=$WORLD/elsewhere
works hello
find "$WORLD/catalog" -name "$(basename "$nar")" -exec rm {} +
before=$(files)
refused "installing into environment 'web'" flox install gone
unchanged
works hello

step "a key that is not trusted changes nothing"
export FLOX_ROOT=$WORLD/third-root
other_key=$(flox store keygen stranger-1 --out "$WORLD/stranger")
works hello
FLOX_TRUSTED_KEYS=$other_key FLOX_ROOT=$WORLD/fourth-root refused "installing into environment 'web'" flox install third
unchanged
works hello

step "an interruption while fetching changes nothing"
# A catalog that answers everything but NARs.
cat >"$WORLD/slow.py" <<'PY'
import http.server, os, sys, threading, urllib.error, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "/nar/" in self.path:
            open(sys.argv[2], "w").close()
            threading.Event().wait()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
        passed = {name: self.headers[name] for name in ("Authorization", "Content-Type", "Accept") if name in self.headers}
        try:
            request = urllib.request.Request(sys.argv[1] + self.path, data=body, headers=passed, method=self.command)
            with urllib.request.urlopen(request) as answer:
                code, body, headers = answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            code, body, headers = error.code, error.read(), error.headers
        self.send_response(code)
        self.send_header("Content-Type", headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_HEAD = do_POST = do_GET
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[3], "w").write(str(server.server_port))
server.serve_forever()
PY
start_server slow python3 "$WORLD/slow.py" "$CATALOG_URL" "$WORLD/slow.asked" "$WORLD/slow.port"
wait_until 10 "the slow catalog" test -s "$WORLD/slow.port"
(
  trap - INT
  exec env FLOX_ROOT="$WORLD/fifth-root" FLOX_CATALOG_URL="http://127.0.0.1:$(cat "$WORLD/slow.port")" \
    python3 -c 'import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' flox install third
) 2>"$WORLD/logs/interrupted.log" &
interrupted=$!
wait_until 20 "the installation to fetch" test -e "$WORLD/slow.asked"
kill -INT $interrupted
code=0
wait $interrupted || code=$?
[ $code -ne 0 ] || die "the interrupted installation said that it succeeded"
unchanged
works hello

step "killed at any system call that changes files, an installation has happened or not"
export FLOX_ROOT=$LAPTOP_ROOT
flox install third && after=$(files) && flox uninstall third
equal "$(files)" "$before"
kills=0
for call in mkdirat linkat fsync renameat2 renameat unlinkat ftruncate pwrite64 symlinkat fchmod flock; do
  for number in $(seq 1 40); do
    code=0
    strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number flox install third >/dev/null 2>&1 || code=$?
    now=$(files)
    [ "$now" = "$before" ] || [ "$now" = "$after" ] || die "killed at $call $number: $now"
    works hello
    [ "$now" = "$before" ] || flox uninstall third 2>/dev/null
    [ $code -ne 0 ] || break
    kills=$((kills + 1))
  done
done
[ $kills -ge 15 ] || die "only $kills runs were killed"
equal "$(files)" "$before"
[ ! -e .flox/env.new ] || die "something is left over"

step "killed at any system call that changes files, every other command that changes an environment has happened or not"
# killed_everywhere AT_LEAST RESET COMMAND…: after each kill the files are those before or after, and the environment works.
killed_everywhere() {
  local least=$1 reset=$2 kills=0 call number code before after now
  shift 2
  $reset
  before=$(files)
  "$@" >/dev/null 2>&1 || die "$* failed"
  after=$(files)
  [ "$before" != "$after" ] || die "$* changes nothing"
  for call in mkdirat linkat fsync renameat2 renameat unlinkat symlinkat fchmod; do
    for number in $(seq 1 12); do
      $reset
      equal "$(files)" "$before"
      code=0
      strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number "$@" >/dev/null 2>&1 || code=$?
      now=$(files)
      [ "$now" = "$before" ] || [ "$now" = "$after" ] || die "$*, killed at $call $number: $now"
      works true
      [ $code -ne 0 ] || break
      kills=$((kills + 1))
    done
  done
  [ $kills -ge "$least" ] || die "only $kills runs of $* were killed"
  $reset
}
cp -r .flox/env "$WORLD/env-before"
restored() { rm -rf .flox/env && cp -r "$WORLD/env-before" .flox/env; }
killed_everywhere 3 restored flox uninstall hello
{ flox list --config; printf '[services]\nweb.command = "true"\n'; } >"$WORLD/edited.toml"
killed_everywhere 3 restored flox edit -f "$WORLD/edited.toml"
by_hand() { restored && cp "$WORLD/edited.toml" .flox/env/manifest.toml; }
killed_everywhere 3 by_hand flox lock
[ ! -e .flox/env.new ] || die "something is left over"

step "killed at any system call that changes files, an environment is made whole or not at all"
kills=0
for call in mkdirat mkdir linkat fsync renameat2 renameat rename openat2 fchmod; do
  for number in $(seq 1 12); do
    rm -rf "$WORLD/made" && mkdir "$WORLD/made"
    code=0
    strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number flox init -n made "$WORLD/made" >/dev/null 2>&1 || code=$?
    if [ -e "$WORLD/made/.flox" ]; then
      flox list -d "$WORLD/made" >/dev/null 2>&1 || die "killed at $call $number: half an environment"
      flox install -d "$WORLD/made" hello 2>/dev/null
    else
      flox init -n made "$WORLD/made" >/dev/null 2>&1 || die "killed at $call $number: it cannot be made any more"
    fi
    [ $code -ne 0 ] || break
    kills=$((kills + 1))
  done
done
[ $kills -ge 3 ] || die "only $kills runs were killed"
