#!/usr/bin/env bash
# Services and hook.on-deactivate: they live as long as somebody is inside an environment, whoever that is and however
# it ends.
. "$(dirname "$0")/support.sh"
mkdir "$WORK/web" && cd "$WORK/web"
flox init -n web 2>/dev/null
manifest() { { echo 'schema-version = "1.15.0"'; cat; } >.flox/env/manifest.toml; }
until_true() { wait_until 5 "$*" "$@"; }
gone() { [ ! -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status"; }
running() { ! gone "$(cat "$1")"; }
status() { flox services status --json | jq -r '.[] | "\(.name)=\(.status)"' | xargs; }
# inside: an activation that ends when $WORK/leave is there; its options are the arguments
inside() {
  rm -f "$WORK/leave" "$WORK/entered"
  flox activate "$@" -- sh -c 'touch "$1/entered"; until [ -e "$1/leave" ]; do sleep 0.05; done' sh "$WORK" 2>"$WORK/inside" &
  INSIDE_PID=$!
  until_true test -e "$WORK/entered"
}
leave() {
  touch "$WORK/leave"
  wait "$INSIDE_PID"
}
keepers() { pgrep -u "$(id -u)" -f "^flox --flox-keep .*$WORK" || true; }
no_keeper() { [ -z "$(keepers)" ]; }

step "a service runs with the environment of the activation, its own variables and in its directory"
manifest <<TOML
vars.SHARED = "from vars"
hook.on-activate = "export HOOKED=yes"
[services.web]
command = '''
echo "\$SHARED \$HOOKED \$OWN \$PWD" >"$WORK/said"
echo started; echo "to stderr" >&2
echo \$\$ >"$WORK/web.pid"
exec sleep 1000'''
vars.OWN = "mine"
[services.once]
command = "echo done; exit 3"
[services.elsewhere]
command = "true"
systems = ["aarch64-darwin"]
TOML
equal "$(status)" "once=Stopped web=Stopped"
inside
no_service=$(status)
equal "$no_service" "once=Stopped web=Stopped"
leave
inside --start-services
until_true test -s "$WORK/web.pid"
equal "$(cat "$WORK/said")" "from vars yes mine $WORK/web"
once_has_ended() { [ "$(status)" = "once=Completed web=Running" ]; }
until_true once_has_ended
equal "$(flox services status --json once | jq -c '.[0] | [.exit_code, .pid]')" "[3,null]"
equal "$(flox services status --json web | jq '.[0].pid')" "$(cat "$WORK/web.pid")"
contains "$(flox services status)" "NAME       STATUS              PID"
contains "$(flox services status once)" "Completed (3)"
equal "$(flox services logs web)" "started
to stderr"
equal "$(flox services logs -n 1)" "once: done
web: to stderr"
equal "$(flox services logs once --json)" '{"line":"done","service":"once"}'
ends 1 flox services status nonsense
says "service 'nonsense' does not exist"
ends 1 flox services stop elsewhere
says "service 'elsewhere' is not available on"

step "it ends with the last activation, not with the one that started it"
first=$INSIDE_PID
mkdir "$WORK/second"
flox activate -- sh -c 'touch "$1/second/entered"; until [ -e "$1/second/leave" ]; do sleep 0.05; done' sh "$WORK" &
second=$!
until_true test -e "$WORK/second/entered"
equal "$(FLOX_X=1 flox activate -s -- true 2>&1)" "⚠ services of environment 'web' are running already"
leave
running "$WORK/web.pid" || die "the service ended with the first activation"
touch "$WORK/second/leave"
wait $second
until_true gone "$(cat "$WORK/web.pid")"
until_true no_keeper
equal "$(status)" "once=Stopped web=Stopped"
equal "$(flox services logs web -n 1)" "to stderr"
[ ! -e "/proc/$first" ] || die "the first is there"

step "a name may have blanks in it"
mkdir "$WORK/blank"
(
  cd "$WORK/blank"
  flox init -n blank 2>/dev/null
  manifest <<<$'[services]\n"with space".command = "echo here; sleep 1000"\nskip.command = "sleep 1000"'
  flox activate -- bash -c '
    flox services start "with space"
    until [ "$(flox services logs "with space")" = here ]; do sleep 0.05; done
    flox services status --json | jq -r ".[] | \"\(.name)=\(.status)\""
    flox services stop "with space"' >"$WORK/blanks" 2>&1 || die "$(cat "$WORK/blanks")"
)
contains "$(cat "$WORK/blanks")" "with space=Running"
contains "$(cat "$WORK/blanks")" "skip=Stopped"
until_true no_keeper

step "who is not inside stops and looks, and does not start"
ends 1 flox services start
says "this process is not"
ends 1 flox services stop
says "no services of environment 'web' were started"

step "from inside services are stopped, started and restarted"
rm "$WORK/web.pid"
flox activate -- bash -c '
  set -e
  flox services start web
  flox services start web
  until [ -s "$1/web.pid" ]; do sleep 0.05; done
  cp "$1/web.pid" "$1/old.pid"
  flox services restart web --json
  flox services stop web
  flox services stop web
  sed -i "s/from vars/changed/" .flox/env/manifest.toml
  flox services restart
  until grep -q changed "$1/said"; do sleep 0.05; done  # before it ends with this activation
  flox services status --json web | jq -r ".[0].status"
' bash "$WORK" >"$WORK/out" 2>"$WORK/err" || { cat "$WORK/err"; die "services from inside"; }
contains "$(cat "$WORK/err")" "Service 'web' started."
contains "$(cat "$WORK/err")" "Service 'web' is already running."
contains "$(cat "$WORK/err")" "Service 'web' is not running."
contains "$(cat "$WORK/out")" '"restarted": ['
equal "$(tail -1 "$WORK/out")" Running
until_true gone "$(cat "$WORK/old.pid")"
until_true gone "$(cat "$WORK/web.pid")"
until_true no_keeper

step "auto-start starts, and --no-start-services does not"
sed -i 's/^vars.SHARED/services.auto-start = true\n&/' .flox/env/manifest.toml
equal "$(flox activate --no-start-services -c 'flox services status --json web | jq -r ".[0].status"; echo $FLOX_ACTIVATE_START_SERVICES')" "Stopped
false"
equal "$(flox activate -c 'flox services status --json web | jq -r ".[0].status"; echo $FLOX_ACTIVATE_START_SERVICES')" "Running
true"
until_true no_keeper

step "a daemon is stopped by its shutdown command, and one that does not listen is killed"
cat >"$WORK/daemon" <<'SH'
setsid sh -c 'echo $$ >"$0/daemon.pid"; trap "" TERM; while :; do sleep 0.1; done' "$1" >/dev/null 2>&1 </dev/null &
SH
manifest <<TOML
[services.daemon]
command = "sh $WORK/daemon $WORK"
is-daemon = true
shutdown.command = "echo stopping; kill -KILL \$(cat $WORK/daemon.pid)"
[services.lost]
command = "setsid sleep 1001 >/dev/null & echo \$! >$WORK/lost.pid"
is-daemon = true
shutdown.command = "exit 4"
[services.forgotten]
command = "setsid sleep 1003 >/dev/null & echo \$! >$WORK/forgotten.pid"
is-daemon = true
TOML
inside -s
until_true test -s "$WORK/daemon.pid"
until_true test -s "$WORK/forgotten.pid"
until_true test -s "$WORK/lost.pid"
launched() { [ "$(status)" = "daemon=Launched forgotten=Launched lost=Launched" ]; }
until_true launched
flox services stop forgotten
equal "$(status)" "daemon=Launched forgotten=Stopped lost=Launched"
contains "$(flox services logs forgotten)" "it has no shutdown.command: what it has started ends with the last activation"
running "$WORK/daemon.pid" || die "the daemon does not run"
leave
until_true gone "$(cat "$WORK/daemon.pid")"
until_true gone "$(cat "$WORK/lost.pid")"
until_true gone "$(cat "$WORK/forgotten.pid")"
equal "$(flox services logs daemon)" stopping
contains "$(flox services logs lost)" "the shutdown command ended with exit code 4"

step "hook.on-deactivate runs once, after the last one has left and services have stopped, with what on-activate exported"
manifest <<TOML
[hook]
on-activate = "export PLACE=$WORK/place; mkdir -p \$PLACE; echo on >>$WORK/hooks"
on-deactivate = "rmdir \$PLACE; [ -e /proc/\$(cat $WORK/s.pid) ] && echo early >>$WORK/hooks; echo off >>$WORK/hooks; echo bye; exit 5"
[services.s]
command = "echo \$\$ >$WORK/s.pid; exec sleep 1000"
TOML
inside -s
until_true test -s "$WORK/s.pid"
flox activate -- test -d "$WORK/place"
flox activate -- flox activate -- true
equal "$(cat "$WORK/hooks")" on
leave
off() { [ "$(xargs <"$WORK/hooks")" = "on off" ]; }
until_true off
until_true no_keeper
[ ! -e "$WORK/place" ] || die "the hook did not see what on-activate exported"
equal "$(cat .flox/log/hooks/hook.on-deactivate.log)" "bye
flox: hook.on-deactivate ended with exit code 5"
flox activate -- true
until_true test -e "$WORK/hooks"
again() { [ "$(xargs <"$WORK/hooks")" = "on off on off" ]; }
until_true again
until_true no_keeper

step "two shells that enter at once run the hook once, and if it fails for the first the second tries"
rm -f "$WORK/hooks" "$WORK/go"
manifest <<TOML
hook.on-activate = "echo on >>$WORK/hooks; until [ -e $WORK/go ]; do sleep 0.05; done; [ ! -e $WORK/fail ] || { rm $WORK/fail; exit 1; }; export HOOKED=yes"
TOML
enter_two() {
  flox activate -- printenv HOOKED >"$WORK/one" 2>/dev/null &
  one=$!
  until_true test -s "$WORK/hooks"
  flox activate -- printenv HOOKED >"$WORK/two" 2>/dev/null &
  two=$!
}
enter_two
touch "$WORK/go"
wait $one && wait $two
equal "$(cat "$WORK/one" "$WORK/two" | xargs)" "yes yes"
equal "$(wc -l <"$WORK/hooks")" 1
until_true no_keeper
rm "$WORK/go" "$WORK/hooks"
touch "$WORK/fail"
enter_two
touch "$WORK/go"
if wait $one; then die "the first one should have failed"; fi
wait $two
equal "$(cat "$WORK/two")" yes
until_true no_keeper
# Killed in the middle of its hook.
rm "$WORK/go" "$WORK/hooks"
enter_two
kill -KILL $one
wait $one || true
touch "$WORK/go"
wait $two
equal "$(cat "$WORK/two")" yes
until_true no_keeper

step "a hook that starts services or enters its own environment waits for nobody"
manifest <<TOML
hook.on-activate = "flox services start || echo refused >>$WORK/refused; flox activate -- true"
services.s.command = "sleep 1000"
TOML
ends 0 flox activate -- true
says "services cannot be started by hook.on-activate"
equal "$(cat "$WORK/refused")" refused

step "a service that cannot be started is said, and logs are bounded"
manifest <<TOML
services.loud.command = "yes flood | head -c 19999998; echo end; exec sleep 1000"
TOML
inside -s
loud_has_ended() { [ "$(flox services logs loud -n 1)" = end ]; }
until_true loud_has_ended
[ "$(cat .flox/log/services/loud.log* | wc -c)" -lt 9000000 ] || die "the log has no bound"
leave
until_true no_keeper

step "killed with all force, the keeper takes its services along, and the next activation begins anew"
manifest <<TOML
services.s.command = "echo \$\$ >$WORK/s.pid; exec sleep 1000"
TOML
rm -f "$WORK/s.pid"
inside -s
until_true test -s "$WORK/s.pid"
kill -KILL "$(keepers)"
until_true gone "$(cat "$WORK/s.pid")"
equal "$(status)" "s=Stopped"
flox activate -s -- true
leave
until_true no_keeper

step "what others could write to is not used"
if [ "$(id -u)" = 0 ]; then
  chown -R 12345 .flox
  contains "$(flox activate -s -c 'flox services status')" "Running"
  [ -d "$XDG_CACHE_HOME/flox/logs" ] || die "the logs went into a directory of another user's"
  chown -R 0 .flox
fi
rm -rf .flox/log && ln -s "$WORK/second" .flox/log
flox activate -s -- true
until_true no_keeper
[ ! -e "$WORK/second/services" ] || die "a link was followed"

step "the first process of a container stops services before it ends"
rm -f .flox/log
manifest <<TOML
hook.on-deactivate = "echo deactivated >>$WORK/first"
[services.s]
command = "echo \$\$ >$WORK/s.pid; exec sleep 1000"
shutdown.command = "echo shut >>$WORK/first; kill \$(cat $WORK/s.pid)"
TOML
if unshare --pid --fork --mount-proc true 2>/dev/null; then
  code=0
  unshare --pid --fork --mount-proc "$(type -P flox)" activate -s -- sh -c "until [ -s $WORK/s.pid ]; do sleep 0.05; done; exit 9" || code=$?
  equal $code 9
  equal "$(xargs <"$WORK/first")" "shut deactivated"
fi

step "services start when what they depend on has come so far"
rm -f "$WORK"/order "$WORK"/go
manifest <<TOML
[services.db]
command = "echo db >>$WORK/order; exec sleep 1000"
[services.migrate]
command = "until [ -e $WORK/go ]; do sleep 0.05; done; echo migrate >>$WORK/order; exit \$(cat $WORK/go)"
depends-on.db = { condition = "process_started" }
[services.web]
command = "echo web >>$WORK/order; exec sleep 1000"
depends-on.migrate = { condition = "process_completed_successfully" }
[services.report]
command = "echo report >>$WORK/order"
depends-on.migrate = { condition = "process_completed" }
depends-on.elsewhere = { condition = "process_started" }
[services.elsewhere]
command = "true"
systems = ["aarch64-darwin"]
TOML
inside --start-services
is_status() { [ "$(status)" = "$1" ]; }
until_true is_status "db=Running migrate=Running report=Pending web=Pending"
echo 0 >"$WORK/go"
until_true is_status "db=Running migrate=Completed report=Completed web=Running"
equal "$(head -2 "$WORK/order" | xargs) $(tail -2 "$WORK/order" | sort | xargs)" "db migrate report web"
leave
until_true no_keeper

step "what depends on a failure is skipped, and stopping what waits is enough"
rm -f "$WORK"/order "$WORK"/go
echo 3 >"$WORK/go"
inside --start-services
until_true is_status "db=Running migrate=Completed report=Completed web=Skipped"
contains "$(flox services logs web)" "service 'migrate', which it depends on, has not come so far"
leave
until_true no_keeper
rm -f "$WORK"/go
inside --start-services
until_true is_status "db=Running migrate=Running report=Pending web=Pending"
flox services stop web report 2>/dev/null
until_true is_status "db=Running migrate=Running report=Stopped web=Stopped"
leave
until_true no_keeper

step "a service that is started by name does not wait for what nobody has started"
rm -f "$WORK"/order
flox activate -c 'flox services start web && for i in 1 2 3 4 5; do [ -e "$0/order" ] || sleep 0.2; done' 2>/dev/null
until_true grep -qx web "$WORK/order"
until_true no_keeper

step "a service is stopped by the signal that it names, and killed when its time is over"
manifest <<TOML
[services.polite]
command = "trap 'echo interrupted >$WORK/polite; exit' USR1; echo >$WORK/polite-up; while :; do sleep 0.05; done"
shutdown.signal = 10
[services.deaf]
command = "trap '' TERM; echo >$WORK/deaf-up; while :; do sleep 0.05; done"
shutdown.timeout-seconds = 1
TOML
inside --start-services
until_true test -e "$WORK/polite-up" -a -e "$WORK/deaf-up"
flox services stop 2>/dev/null
equal "$(cat "$WORK/polite")" interrupted
leave
until_true no_keeper
manifest <<TOML
[services.a]
command = "true"
depends-on.b.condition = "process_started"
TOML
refused_by() { ends 1 "${@:2}"; says "$1"; }
refused_by ":12: [services] a: it depends on 'b', which is not defined" flox activate --start-services -- true
