#!/usr/bin/env bash
# Environments that several people share by a catalog: nobody's generation is lost, nobody's changes are overwritten; and
# generations, copies and roots on each one's machine.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
type -P strace >/dev/null || { echo "needs strace"; exit 77; }
enter_world "$@"
start_catalog
for tool in hello other third; do publish_tool $tool 1.0; done
publish_tool hello 1.1
export FLOX_ROOT=$LAPTOP_ROOT XDG_STATE_HOME=$WORLD/state FLOX_OWNER=acme
alice=$WORLD/alice bob=$WORLD/bob
mkdir "$alice" "$bob"
files() { cat .flox/env/manifest.toml .flox/env/manifest.lock .flox/env/origin.json; }
generation() { jq -r "${1:-.here}.generation" .flox/env/origin.json; }
latest() { curl -fs "$CATALOG_URL/api/v1/environments/acme/web" | jq .generation; }

step "a push records which generation this is, and the next one follows it"
cd "$alice" && flox init web && cd web
flox install hello@1.0
contains "$(flox push)" "acme/web is at generation 1"
equal "$(generation) $(jq -r '"\(.owner)/\(.name) \(.catalog)"' .flox/env/origin.json)" "1 acme/web $CATALOG_URL"
contains "$(flox push)" "acme/web is at generation 1"
flox install other
contains "$(flox push)" "acme/web is at generation 2"

step "who pulled an older generation is not let over a newer one, and reads what differs"
cd "$bob"
flox pull acme/web:1
(cd web && flox install third && refused "the catalog has generation 2, and what is here was made from generation 1" flox push)
contains "$(cd web && flox push 2>&1 || true)" "  - other 1.0"
contains "$(cd web && flox push 2>&1 || true)" "  + third 1.0"
equal "$(latest)" 2

step "a pull in place does not overwrite local changes, unless it is told to"
cd "$bob/web"
before=$(files)
refused "has been changed since generation 1" flox pull
refused "has been changed since generation 1" flox pull acme/web -d .
equal "$(files)" "$before"
flox pull --force
equal "$(generation)" 2
equal "$(flox list --name | xargs)" "hello other"
contains "$(flox pull)" "is at generation 2 here already"
flox install third
contains "$(flox push)" "generation 3"
cd "$alice/web"
contains "$(flox pull)" "generation 3, is in $alice/web"
equal "$(flox list --name | xargs)" "hello other third"

step "what was changed since a generation is given up, and the catalog's environment is listed where it is not"
files=$(files)
flox uninstall third && sed -i 's/^\[vars\]/&\nA = "1"/' .flox/env/manifest.toml
equal "$(flox list -r acme/web --name | xargs)" "hello other third"
flox list -r acme/web:1 --config | cmp - <(curl -fs "$CATALOG_URL/api/v1/environments/acme/web?generation=1" | jq -j .manifest)
contains "$(flox edit --reset 2>&1)" "is again as generation 3 of acme/web"
equal "$(files)" "$files"
refused "the catalog has the environment" flox edit --name shop
refused "flox generations history" flox generations list --tree

step "a push over somebody else's generation says so, and needs --force"
cd "$bob/web" && flox uninstall third && flox push
cd "$alice/web" && flox uninstall other
refused "made from generation 3" flox push
contains "$(flox push --force 2>&1)" "generation 4 of acme/web is followed by what is here, which was not made from it"
equal "$(latest) $(generation)" "5 5"

step "an environment that did not come from there is not let over it"
mkdir "$WORLD/stranger" && cd "$WORLD/stranger"
flox init -n web && flox install other
refused "what is here was not made from it" flox push
[ ! -e .flox/env/origin.json ] || die "a refused push was recorded"
refused "does not come from there" flox pull acme/web -d .
refused "comes from no catalog" flox pull
cd "$WORLD"
flox pull --copy acme/web:1 -d copy
[ ! -e copy/.flox/env/origin.json ] || die "a copy knows where it came from"
equal "$(jq -r .name copy/.flox/env.json)" copy
refused "'web' is not the name of an environment" flox pull web

step "of many who push upon one generation at once, one is the next and all others are told"
cd "$WORLD"
pushers=6
for i in $(seq $pushers); do
  flox pull acme/web -d "at-once-$i" >/dev/null
  sed -i "s/^\[vars\]/[vars]\nPUSHER = \"$i\"/" "at-once-$i/.flox/env/manifest.toml"
done
pids=()
for i in $(seq $pushers); do
  flox push -d "at-once-$i" >"$WORLD/logs/push-$i" 2>&1 &
  pids+=($!)
done
won=0
for pid in "${pids[@]}"; do if wait "$pid"; then won=$((won + 1)); fi; done
equal "$won $(latest)" "1 6"
equal "$(grep -l "the catalog has generation 6, and what is here was made from generation 5" "$WORLD"/logs/push-* | wc -l)" $((pushers - 1))

step "of many first pushes of one name at once, one is the first"
pids=()
for i in $(seq $pushers); do
  mkdir "first-$i"
  flox init -d "first-$i" -n first 2>/dev/null
  sed -i "s/^\[vars\]/[vars]\nPUSHER = \"$i\"/" "first-$i/.flox/env/manifest.toml"
done
for i in $(seq $pushers); do
  flox push -d "first-$i" >"$WORLD/logs/first-$i" 2>&1 &
  pids+=($!)
done
won=0
for pid in "${pids[@]}"; do if wait "$pid"; then won=$((won + 1)); fi; done
equal "$won $(curl -fs "$CATALOG_URL/api/v1/environments/acme/first" | jq .generation)" "1 1"

step "generations are listed, compared, and gone back to"
cd "$alice/web"
flox pull
equal "$(flox generations list --json | jq -c '[.[].generation]')" "[6,5,4,3,2,1]"
contains "$(flox generations list)" "latest  here"
equal "$(flox generations list -r acme/web --json | jq -c '[.[] | select(.latest) | .generation]')" "[6]"
contains "$(flox generations history -n 2)" "+ [vars] PUSHER"
equal "$(flox generations diff 1 2)" "+ other 1.0"
equal "$(flox generations diff)" ""
flox generations switch 2
equal "$(generation) $(generation .latest) $(flox list --name | xargs)" "2 6 hello other"
flox activate -- other
equal "$(flox generations diff 2 here)" ""
flox generations rollback
equal "$(generation)" 6
flox generations rollback
equal "$(generation)" 2
flox uninstall other
before=$(files)
refused "has been changed since generation 2" flox generations switch 6
refused "has been changed since generation 2" flox generations rollback
equal "$(files)" "$before"
flox generations switch --force 2
contains "$(flox push)" "generation 7"
equal "$(flox generations diff 2 7)" ""
refused "'0' is not a generation" flox generations switch 0
refused "has no generation 99" flox generations switch 99
refused "comes from no catalog" flox generations list -d "$WORLD/copy"

step "an environment of the catalog is activated without a directory of one's own"
export XDG_CACHE_HOME=$WORLD/cache
mkdir "$WORLD/nowhere" && cd "$WORLD/nowhere"
equal "$(flox activate -r acme/web:1 -- hello)" "hello 1.0"
refused "no command 'other'" flox activate -r acme/web:1 -- other
equal "$(flox activate -r acme/web -g 2 -- other)" "other 1.0"
equal "$(flox activate -r acme/web -c 'echo $FLOX_ENV_PROJECT' 2>/dev/null)" "$WORLD/nowhere"
refused "--generation" flox activate -r acme/web:1 -g 2 -- hello
refused "is not the name of an environment" flox activate -r ../x -- hello
equal "$(find . | wc -l)" 1
(cd "$alice/web" && equal "$(flox activate --generation 2 -- other)" "other 1.0")
contains "$(FLOX_CATALOG_URL=$CATALOG_URL/ flox activate -r acme/web:1 -- hello)" "hello 1.0"
pids=()
for i in 1 2 3 4; do flox activate -r acme/first -- true & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid"; done

step "an environment of the catalog is changed without a directory of one's own"
flox init -d "$WORLD/far" -n far 2>/dev/null && flox install -d "$WORLD/far" hello@1.0 && flox push -d "$WORLD/far"
far() { curl -fs "$CATALOG_URL/api/v1/environments/acme/far${1:-}"; }
left() { find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'flox-remote-*' | sort; }
before=$(left)
contains "$(flox install -r acme/far other 2>&1)" "acme/far is at generation 2"
equal "$(far | jq -r '.lock.packages[].install_id' | sort -u | xargs)" "hello other"
equal "$(flox activate -r acme/far -- other)" "other 1.0"
contains "$(flox install --remote acme/far other 2>&1)" "! 'other' already installed to environment 'far'"
contains "$(flox uninstall -r acme/far other 2>&1)" "generation 3"
contains "$(flox upgrade -r acme/far 2>&1)" "ℹ no package of environment 'far' has a newer version"
printf '# mine\nversion = 1\n[install]\nhello.pkg-path = "hello" # stays\n' >"$WORLD/far.toml"
contains "$(flox edit -r acme/far -f "$WORLD/far.toml" 2>&1)" "generation 4"
far | jq -j .manifest | cmp - "$WORLD/far.toml"
contains "$(EDITOR='sed -i s/mine/yours/' flox edit -r acme/far 2>&1)" "generation 5"
contains "$(flox generations history -r acme/far)" "other"
equal "$(far | jq .generation) $(find . | wc -l)" "5 1"
contains "$(flox pull -d "$WORLD/far")" "generation 5"

step "what such a change cannot be leaves the catalog, and this machine, as they were"
catalog_has=$(far | sha256sum) state=$(find "$XDG_STATE_HOME" | sort)
refused "'acme/far:2' is one generation, which stays as it is" flox install -r acme/far:2 other
refused "no environment" flox install -r acme/nothing other
refused "is not the name of an environment" flox install -r ../far other
refused "(standard input):1:1" flox edit -r acme/far -f - <<<'[nonsense]'
refused "which others do not have" flox edit -r acme/far -f - <<<"$(printf 'version = 1\n[include]\nenvironments = [{ dir = "%s" }]\n' "$WORLD/far")"
refused "Did you mean" flox install -r acme/far helo
refused "is not installed in environment 'far'" flox uninstall -r acme/far other
refused "cannot be used together" flox edit -r acme/far --name near
refused "cannot be reached" env FLOX_CATALOG_URL=http://127.0.0.1:1 flox install -r acme/far other
refused "token" env -u FLOX_CATALOG_TOKEN -u FLOX_CATALOG_TOKEN_FILE flox install -r acme/far other
refused "flox trust accept acme" env FLOX_ALLOW_UNSIGNED=false flox install -r acme/far other
refused "Your text is in" env EDITOR='echo "x y" >>' flox edit -r acme/far
contains "$(EDITOR='echo "x y" >>' flox edit -r acme/far 2>&1 || true)" "flox edit -r acme/far -f"
equal "$(far | sha256sum)" "$catalog_has"
# Somebody pushes while the editor is open.
cat >"$WORLD/slow-editor" <<SH
#!/bin/sh
# An editor gets no secrets.
FLOX_CATALOG_TOKEN='$FLOX_CATALOG_TOKEN' flox install -r acme/far third && echo '[vars]' >>"\$1"
SH
chmod +x "$WORLD/slow-editor"
said=$(EDITOR=$WORLD/slow-editor flox edit -r acme/far 2>&1) && die "it was pushed over generation 6"
contains "$said" "the catalog has generation 6, and what is here was made from generation 5"
contains "$said" "  - third 1.0"
contains "$said" "Run the command again"
contains "$said" "Your text is in"
equal "$(far | jq .generation)" 6
pids=()
for package in other hello@1.0; do flox install -r acme/far $package >"$WORLD/logs/far-$package" 2>&1 & pids+=($!); done
won=0
for pid in "${pids[@]}"; do if wait "$pid"; then won=$((won + 1)); fi; done
[ "$(far | jq .generation)" = $((6 + won)) ] && [ $won -ge 1 ] || die "$won of two were pushed: $(far | jq .generation)"
equal "$(left)" "$before"
equal "$(find "$XDG_STATE_HOME" | sort)" "$state"

step "what the catalog does not answer comes from here, and what another one answers does not"
cp -r "$WORLD/cache" "$WORLD/cache-2"
export XDG_CACHE_HOME=$WORLD/cache-2
cd "$WORLD/nowhere"
for origin in "$XDG_CACHE_HOME"/flox/remote/*/*/.flox/env/origin.json; do sed -i 's|"catalog": ".*"|"catalog": "http://127.0.0.1:1"|' "$origin"; done
equal "$(FLOX_CATALOG_URL=http://127.0.0.1:1 flox activate -r acme/web:1 -- hello 2>"$WORLD/logs/offline")" "hello 1.0"
contains "$(cat "$WORLD/logs/offline")" "using generation 1 of acme/web, which is here"
refused "cannot be reached" env FLOX_CATALOG_URL=http://127.0.0.1:2 flox activate -r acme/web:1 -- hello
export XDG_CACHE_HOME=$WORLD/cache

step "environments are listed with where they came from; a deleted one is not"
cd "$bob/web"
flox pull --force
flox activate -- true
contains "$(flox envs)" "$bob/web  acme/web:7"
contains "$(flox envs)" "acme/web:1 of the catalog, by 'flox activate -r'"
! grep -qF "$WORLD/cache/" <<<"$(flox envs)" || die "its directory in the cache is shown: $(flox envs)"
equal "$(flox envs --json | jq -r '[.inactive[] | select(.type == "remote")] | length > 0')" true
equal "$(flox envs --json | jq -r --arg d "$bob/web" '.inactive[] | select(.directory == $d) | "\(.origin.owner)/\(.origin.name):\(.origin.generation) \(.origin.local_changes)"')" "acme/web:7 false"
equal "$(flox activate -c 'flox envs --active --json' 2>/dev/null | jq -r '.[].directory')" "$bob/web"
state=$(find "$XDG_STATE_HOME" | sort)
flox envs >/dev/null
equal "$(find "$XDG_STATE_HOME" | sort)" "$state"
refused "Pass --force" flox delete -d "$WORLD/copy" </dev/null
cd "$WORLD/copy" && mkdir below && (cd below && refused "no environment in" flox delete --force)
flox delete --force
[ ! -e "$WORLD/copy/.flox" ] || die "it is still there"
[ -z "$(flox envs --json | jq -r '.inactive[].directory' | grep -x "$WORLD/copy")" ] || die "it is still listed"

step "what a deleted environment needed is garbage, what a moved one needs is not"
rooted() { flox store roots --json 2>/dev/null | grep -c "$1" || true; }
mkdir "$WORLD/moving" && cd "$WORLD/moving"
flox init -n moving && flox install third && flox activate -- third
profile=$(readlink .flox/run/*.moving-dev)
mv "$WORLD/moving" "$WORLD/moved"
flox store gc >/dev/null
[ -e "$LAPTOP_ROOT$profile" ] || die "the profile of a moved environment was collected"
equal "$(cd "$WORLD/moved" && FLOX_CATALOG_URL=http://127.0.0.1:1 flox activate -- third)" "third 1.0"
flox delete --force -d "$WORLD/moved"
flox store gc >/dev/null
[ ! -e "$LAPTOP_ROOT$profile" ] || die "the profile of a deleted environment is kept"

step "an origin from somebody's repository is a text, not a place to send requests to"
cd "$alice/web"
flox pull --force
cp .flox/env/origin.json "$WORLD/origin.json"
sed -i 's|"catalog": ".*"|"catalog": "http://127.0.0.1:3/evil"|' .flox/env/origin.json
refused "it came from the catalog at http://127.0.0.1:3/evil, and the configured one is $CATALOG_URL" flox pull
sed 's|"owner": ".*"|"owner": "../../etc"|' "$WORLD/origin.json" >.flox/env/origin.json
refused "../../etc" flox pull
refused "../../etc" flox generations list
refused "../../etc" flox push
echo '{"version": 1}' >.flox/env/origin.json
refused ".flox/env/origin.json" flox pull
head -c 100000 /dev/zero >.flox/env/origin.json
refused "more than 8192 bytes" flox pull
cp "$WORLD/origin.json" .flox/env/origin.json
contains "$(flox pull)" "here already"

step "a catalog that went back, or answers nonsense, changes nothing here"
cat >"$WORLD/liar.py" <<'PY'
import http.server, json, sys
answers = json.load(open(sys.argv[1]))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = open(sys.argv[1] + ".body", "rb").read()
        self.send_response(200)
        for name, value in json.load(open(sys.argv[1])).items(): self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        open(sys.argv[1] + ".posted", "w").close()
        self.do_GET()
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[2], "w").write(str(server.server_port))
server.serve_forever()
PY
echo '{"Content-Type": "application/json"}' >"$WORLD/liar"
start_server liar python3 "$WORLD/liar.py" "$WORLD/liar" "$WORLD/liar.port"
wait_until 10 "the liar" test -s "$WORLD/liar.port"
liar=http://127.0.0.1:$(cat "$WORLD/liar.port")
before=$(files)
curl -fs "$CATALOG_URL/api/v1/environments/acme/web?generation=2" >"$WORLD/old.json"
sed -i "s|\"catalog\": \".*\"|\"catalog\": \"$liar\"|" .flox/env/origin.json
mine=$(files)
cp "$WORLD/old.json" "$WORLD/liar.body"
refused "the catalog's latest generation is 2, and here is 7 already" env FLOX_CATALOG_URL="$liar" flox pull
flox install third && changed=$(files)
refused "made from generation 7" env FLOX_CATALOG_URL="$liar" flox push
[ ! -e "$WORLD/liar.posted" ] || die "it was pushed to a catalog that went back"
refused "has no entity tag" env FLOX_CATALOG_URL="$liar" flox push --force
for lie in '.generation = -1' '.generation = "7"' '.manifest = 7' '.lock = []' '.lock = null' '.manifest = "version = 1\n[install"' \
  '.manifest = "version = 1\n[nonsense]"' '.generation = 8 | .manifest += ("# " + ("x" * 6000000))' \
  '.generation = 8 | .lock.packages = [range(200000) | {"install_id": "x\(.)"}]'; do
  jq "$lie" "$WORLD/old.json" >"$WORLD/liar.body"
  if FLOX_CATALOG_URL=$liar flox pull --force >"$WORLD/logs/lie" 2>&1; then die "the lie '$lie' was taken: $(cat "$WORLD/logs/lie")"; fi
  equal "$(files)" "$changed"
done
jq -n '{items: [range(3) | {generation: 1, pushed_at: "\u001b[31mred\n"}]}' >"$WORLD/liar.body"
if flox generations list -r acme/web 2>&1 >"$WORLD/logs/list"; then :; fi
FLOX_CATALOG_URL=$liar flox generations list -r acme/web >"$WORLD/logs/list"
equal "$(grep -c $'\e' "$WORLD/logs/list" || true)" 0
jq -n '{items: [range(30000) | {generation: 1, pushed_at: ""}]}' >"$WORLD/liar.body"
refused "more than 20000 elements" env FLOX_CATALOG_URL="$liar" flox generations list -r acme/web
cp "$WORLD/origin.json" .flox/env/origin.json
flox pull --force >/dev/null

step "killed at any system call that changes files, each of these commands has happened or not"
published=$(latest)
one_of() { local now=$1 wanted; shift; for wanted in "$@"; do [ "$now" != "$wanted" ] || return 0; done; return 1; }
# killed_everywhere AT_LEAST RESET CHECK COMMAND…: kills the command at the nth call of each kind, for n = 1, 2, …
killed_everywhere() {
  local least=$1 reset=$2 check=$3 kills=0 call number code
  shift 3
  for call in mkdirat linkat fsync renameat2 renameat unlinkat symlinkat fchmod; do
    for number in $(seq 1 12); do
      $reset
      code=0
      strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$number "$@" >/dev/null 2>&1 || code=$?
      $check "$call $number"
      [ $code -ne 0 ] || break
      kills=$((kills + 1))
    done
  done
  [ $kills -ge "$least" ] || die "only $kills runs of $* were killed"
}
content() { files; flox activate -- true 2>&1 || echo broken; }
to_two() { flox generations switch --force 2 >/dev/null 2>&1; }
to_two && at_two=$(content)
flox pull >/dev/null && at_seven=$(content)
two_or_seven() { one_of "$(content)" "$at_two" "$(to_seven_after)" "$at_seven" || die "killed at $1: $(content)"; }
to_seven_after() { echo "$at_seven"; }
killed_everywhere 5 to_two two_or_seven flox pull
to_seven() { flox pull --force >/dev/null 2>&1; }
killed_everywhere 5 to_seven two_or_seven flox generations switch 2
to_seven
fresh() { rm -rf "$WORLD/fresh"; }
whole_or_missing() {
  [ -e "$WORLD/fresh/.flox" ] || return 0
  (cd "$WORLD/fresh" && equal "$(generation)" 7 && flox activate -- hello >/dev/null) || die "killed at $1: half an environment"
}
killed_everywhere 3 fresh whole_or_missing flox pull acme/web -d "$WORLD/fresh"
again() { [ -e "$WORLD/fresh/.flox" ] || flox pull acme/web -d "$WORLD/fresh" >/dev/null; }
killed_everywhere 1 again whole_or_missing flox delete --force -d "$WORLD/fresh"
again && flox delete --force -d "$WORLD/fresh"
equal "$(find "$WORLD/fresh" -name '.flox-deleted*' | wc -l)" 0
equal "$(latest)" "$published"
