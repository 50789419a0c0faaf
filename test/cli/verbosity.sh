#!/usr/bin/env bash
# How much flox says: -q errors alone, -v what is done, --debug where settings come from, and never a secret; progress on a
# terminal, in its width, and nowhere else.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_catalog
publish_tool hello 1.0
publish_tool other 1.0
export FLOX_ROOT=$LAPTOP_ROOT XDG_STATE_HOME=$WORLD/state
mkdir "$WORLD/web" && cd "$WORLD/web"
quiet() {
  local said
  said=$("$@" 2>&1 >/dev/null) || die "$* failed: $said"
  equal "$said" ""
}
said() { "$@" 2>&1 >/dev/null; }

step "-q, before and behind the command: results and errors only"
quiet flox -q init -n web
quiet flox install hello -q
contains "$(said flox install other)" "installed"
equal "$(flox list -q -n | sort | paste -sd' ')" "hello other"
quiet flox --quiet uninstall other
refused "no-such-package" flox -q install no-such-package

step "what stands behind -- is the program's"
equal "$(flox activate -- sh -c 'echo "$@"' sh -q -v --debug)" "-q -v --debug"

step "-v says what is done; --debug where each setting comes from"
contains "$(said flox -v install other)" "debug POST $CATALOG_URL/"
cat >"$WORLD/config.toml" <<TOML
# settings
owner = "acme"
TOML
debug=$(FLOX_CONFIG=$WORLD/config.toml FLOX_CACHES="http://user:hidden-password@127.0.0.1:9" FLOX_CATALOG_TOKEN=s3cret-token said flox config --debug)
contains "$debug" "setting owner = \"acme\", from $WORLD/config.toml:2:9"
contains "$debug" "setting caches = "
contains "$debug" "from FLOX_CACHES"
contains "$debug" "from FLOX_CATALOG_TOKEN"
! grep -qF -e s3cret-token -e hidden-password <<<"$debug" || die "a secret is shown: $debug"
! grep -q "setting " <<<"$(said flox list)" || die "settings are shown without --debug"

step "a terminal shows what is fetched, in its width; nothing else does, nor does -q"
fresh() { rm -rf .flox/run; FLOX_ROOT=$(mktemp -d "$WORLD/root-XXXXXX") "$@"; }
fresh "$PROJECT/test/cli/on_terminal.py" 40 flox activate -- true >"$WORLD/shown" || die "$(cat "$WORLD/shown")"
grep -q "paths" "$WORLD/shown" || die "no progress: $(cat -v "$WORLD/shown")"
python3 - "$WORLD/shown" <<'PY'
import re, sys
lines = re.split(rb"[\r\n]+", open(sys.argv[1], "rb").read())
lines = [re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", line) for line in lines]
progress = [line for line in lines if b"[" in line]
assert progress and all(len(line) < 40 for line in progress), progress
PY
fresh "$PROJECT/test/cli/on_terminal.py" 40 flox -q activate -- true >"$WORLD/shown"
equal "$(cat "$WORLD/shown")" ""
! grep -q paths <<<"$(fresh said flox activate -- true)" || die "progress without a terminal"

step "flox run: a program of a package, its arguments and its exit code, and nothing of one's own changes"
mkdir "$WORLD/elsewhere" && cd "$WORLD/elsewhere"
equal "$(flox run hello -q)" "hello 1.0"
equal "$(flox run -p hello@1.0 hello -q)" "hello 1.0"
refused "no choice of a package is remembered" flox run --reselect hello
publish_tool hello 1.1
equal "$(flox -q run hello)" "hello 1.1"
equal "$(flox -q run hello@1.0)" "hello 1.0"
equal "$(flox -q run busybox-static --program busybox -- echo -q x)" "-q x"
code=0; flox -q run busybox-static --program busybox -- sh -c 'exit 7' || code=$?
equal $code 7
code=0; flox -q run hello --program nothing 2>/dev/null || code=$?
equal $code 127
mkdir -p "$WORLD/admin/sbin"
printf '#!%s/bin/sh\necho "$0 in $PATH"\n' "$BUSYBOX" >"$WORLD/admin/sbin/admin" && chmod +x "$WORLD/admin/sbin/admin"
contains "$(flox -q run "$(flox store add "$WORLD/admin" --name admin-1.0)")" "/sbin/admin in "
equal "$(ls -A)" ""
stop_server catalog
contains "$(flox run hello 2>&1)" "hello 1.1"
