#!/usr/bin/env bash
# hook.on-activate and [profile], in the shells that people use: what they do holds, and nothing that they do ends the
# user's shell or flox without a word.
. "$(dirname "$0")/support.sh"
for shell in zsh fish dash tcsh script; do type -P $shell >/dev/null || { echo "needs $shell"; exit 77; }; done
if [ -z "${INSIDE:-}" ]; then
  # In an environment of a store of the test's own /nix is that store, so that code for the calling shell works.
  flox init -d "$WORK/outer" -n outer 2>/dev/null
  INSIDE=1 flox activate -d "$WORK/outer" -- bash "$(realpath "$0")"
  exit
fi
export FLOX_ROOT=/
mkdir "$WORK/web" && cd "$WORK/web"
flox init -n web 2>/dev/null
# manifest: its text on stdin
manifest() { { echo 'schema-version = "1.13.0"'; cat; } >.flox/env/manifest.toml; }
# in_shell SHELL TEXT: runs the text; $out and $err are what it says
in_shell() {
  local code=0
  "$1" -c "$2" >"$WORK/out" 2>"$WORK/err" </dev/null || code=$?
  out=$(cat "$WORK/out") err=$(cat "$WORK/err")
  [ $code = 0 ] || die "$1 ended with $code: $2: $out $err"
}

step "a last command that fails ends nothing"
manifest <<'TOML'
[hook]
on-activate = '''
export FROM_HOOK="it's \"here\""
export LINES_OF=$'one\ntwo'
unset WAS_THERE
export PATH="/from/hook:$PATH"
cd /
echo said by the hook
[ -e /nonsense ] && echo never
'''
TOML
export WAS_THERE=1
ends 0 flox activate -- printenv FROM_HOOK
says "it's \"here\""
equal "$(flox activate -- pwd 2>/dev/null)" "$WORK/web"
equal "$(flox activate -- printenv LINES_OF 2>/dev/null)" $'one\ntwo'
ends 1 flox activate -- printenv WAS_THERE
equal "$(flox activate -- printenv PATH 2>/dev/null | cut -d: -f1)" /from/hook
equal "$(flox activate -- true)" ""
ends 7 flox activate -- sh -c 'exit 7'
ends 127 flox activate -- nonsense
says "no command 'nonsense' in the environment or in PATH"
echo no >"$WORK/not-executable"
ends 126 flox activate -- "$WORK/not-executable"
for shell in bash zsh dash; do
  in_shell $shell 'eval "$(flox activate)"; echo "$FROM_HOOK ${WAS_THERE-unset} $PWD $LINES_OF"'
  equal "$out" "it's \"here\" unset $WORK/web one
two"
  contains "$err" "said by the hook"
  in_shell $shell 'set -eu; eval "$(flox activate)"; echo alive'
  equal "$out" alive
  equal "$(SHELL=$(type -P $shell) flox activate -c 'echo "$FROM_HOOK"' 2>/dev/null)" "it's \"here\""
done
in_shell fish 'eval "$(flox activate)"; echo "$FROM_HOOK"; set -q WAS_THERE; or echo unset; echo $PATH[1]'
equal "$out" "it's \"here\"
unset
/from/hook"
equal "$(SHELL=$(type -P fish) flox activate -c 'echo "$FROM_HOOK"' 2>/dev/null)" "it's \"here\""
in_shell tcsh 'eval "`flox activate`"; echo $FROM_HOOK:q $?WAS_THERE'
equal "$out" "it's \"here\" 0"

step "a hook that ends its shell ends the activation, with a word, and no shell of the user's"
for end in 'set -e; false' 'exit 3' 'set -u; echo $NOT_SET_AT_ALL'; do
  manifest <<<"hook.on-activate = '''$end
true'''"
  ends 1 flox activate -- touch "$WORK/never"
  says "running hook.on-activate: it ended its shell with exit code"
  for shell in bash zsh dash fish; do
    in_shell $shell 'eval "$(flox activate)"; echo alive'
    equal "$out" alive
    contains "$err" "running hook.on-activate"
  done
  in_shell bash 'set -e; eval "$(flox activate)"; echo alive'
  equal "$out" alive
done
for end in 'exit 0' 'exec true'; do
  manifest <<<"hook.on-activate = '$end'"
  ends 1 flox activate -- touch "$WORK/never"
  says "it did not complete normally"
done
[ ! -e "$WORK/never" ] || die "the command was started"
manifest <<<"hook.on-activate = 'kill -TERM \$\$'"
ends 1 flox activate -- true
says "signal 15"

step "set -e holds in the hook and not after it, and return and traps work"
manifest <<<"hook.on-activate = '''
set -euo pipefail
trap 'echo bye >\"$WORK/trapped\"' EXIT
export DONE=1
'''"
equal "$(flox activate -c 'false; echo "$DONE $-"' 2>/dev/null | tr -d 'hBc')" "1 "
[ -e "$WORK/trapped" ] || die "the hook's trap did not run"
manifest <<<"hook.on-activate = 'export DONE=1; return 1; export DONE=2'"
equal "$(flox activate -- printenv DONE)" 1
# As bash has it: what is no syntax is said, and its status does not count.
manifest <<<"hook.on-activate = 'if'"
ends 0 flox activate -- true
says "syntax error"

step "what a hook leaves in the background keeps nobody waiting"
manifest <<<"hook.on-activate = 'sleep 300 >/dev/null 2>&1 & echo \$! >$WORK/sleeper'"
ends 0 flox activate -- true
equal "$(find "/proc/$(cat "$WORK/sleeper")/fd" -lname '*flox*' | wc -l)" 0
kill "$(cat "$WORK/sleeper")"

step "a nested activation of the same environment does not run its hook again"
manifest <<<"
vars.ONE = 'vars'
hook.on-activate = '''echo run >>$WORK/runs; export ONE=hook; umask >$WORK/umask'''"
runs() { grep -c run "$WORK/runs"; }
equal "$(flox activate -- flox activate -- flox activate -c 'echo $ONE $FLOX_PROMPT_ENVIRONMENTS')" "hook web"
equal "$(runs)" 1
equal "$(cat "$WORK/umask")" 0077
for shell in bash zsh dash fish; do
  rm "$WORK/runs"
  in_shell $shell 'eval "$(flox activate)"; eval "$(flox activate)"; flox activate -- printenv ONE'
  equal "$out" hook
  equal "$(runs)" 1
done
# Another environment between, and another profile, are none of these.
mkdir "$WORK/other" && (cd "$WORK/other" && flox init -n other 2>/dev/null)
rm "$WORK/runs"
flox activate -- flox activate -d "$WORK/other" -- flox activate -- true
equal "$(runs)" 1
equal "$(flox activate -- flox activate -d "$WORK/other" -c 'echo $FLOX_PROMPT_ENVIRONMENTS')" "other web"
flox activate -- flox activate -m run -- true
equal "$(runs)" 4
# What the variable says is whoever's who set it.
for text in '[' '[1,{"path":1}]' '{}' "$(printf '[%.0s' {1..100})"; do
  _FLOX_ACTIVE_ENVIRONMENTS=$text ends 0 flox activate -- true
done

step "[profile]: common first, then the shell's own, in that shell and not for a command"
manifest <<'TOML'
[profile]
common = "false; echo common; false"
bash = "echo for bash; false"
zsh = "echo for zsh; false"
fish = "echo for fish; false"
tcsh = "echo for tcsh"
TOML
for shell in bash zsh fish; do
  in_shell $shell 'eval "$(flox activate)"; echo alive'
  equal "$out" "common
for $shell
alive"
  equal "$(SHELL=$(type -P $shell) flox activate -c 'echo inside')" "common
for $shell
inside"
done
in_shell tcsh 'eval "`flox activate`"; echo alive'
equal "$out" "common
for tcsh
alive"
in_shell dash 'set -e; eval "$(flox activate)"; echo alive'
equal "$out" "common
alive"
equal "$(flox activate -- echo inside)" inside
in_shell bash 'set -e; eval "$(flox activate)"; echo alive'
equal "$out" "common
for bash
alive"

step "flox deactivate runs [profile] deactivate and takes back what was set, one environment after the other"
manifest <<'TOML'
[vars]
OWN = "environment"
[hook]
on-activate = "unset WAS_THERE; export HOOKED=yes"
[profile.deactivate]
common = "echo leaving $OWN"
bash = "echo bash leaves; false"
TOML
for shell in bash zsh dash fish; do
  in_shell $shell 'env | sort >"'"$WORK"'/before"; eval "$(flox activate)"; echo "$OWN $HOOKED"; eval "$(flox deactivate)"; env | sort >"'"$WORK"'/after"'
  contains "$out" "environment yes"
  contains "$out" "leaving environment"
  equal "$(diff "$WORK/before" "$WORK/after" | grep -v '^[^<>]' | grep -vE '^[<>] (_|SHLVL|FLOX_ENV_CACHE)=' || true)" ""
done
contains "$(bash -c 'set -e; eval "$(flox activate)"; eval "$(flox deactivate)"; echo alive')" "bash leaves
alive"
in_shell tcsh 'eval "`flox activate`"; eval "`flox deactivate`"; echo $?OWN $?HOOKED $?WAS_THERE'
contains "$out" "0 0 1"
in_shell bash 'eval "$(flox activate -d "'"$WORK"'/other")"; eval "$(flox activate)"; eval "$(flox activate)"; export PATH="/mine:$PATH" OTHER=kept
eval "$(flox deactivate)"; echo "$FLOX_ENV_DESCRIPTION ${OWN-unset} $OTHER ${PATH%%:*}"; eval "$(flox deactivate)"; echo "${FLOX_ENV-unset} ${PATH%%:*}"; case $PATH in *"/web/.flox/"*|*"/other/.flox/"*) echo left;; esac
flox deactivate'" || true"
equal "$out" "leaving environment
bash leaves
other unset kept /mine
unset /mine"
contains "$err" "no environment is active in this shell"
_FLOX_HOOK_DIFF='[{"name"' ends 1 flox deactivate
says "_FLOX_HOOK_DIFF"
_FLOX_HOOK_DIFF='[{"name"' ends 0 flox activate -- true

step "an interactive shell reads the user's own files, then the environment's"
manifest <<'TOML'
[vars]
OWN = "environment"
[profile]
common = "echo common of $OWN"
TOML
echo 'export OWN=user PATH=/usr/bin:/bin; echo own bashrc' >"$HOME/.bashrc"
echo 'export OWN=user PATH=/usr/bin:/bin; echo own zshrc' >"$HOME/.zshrc"
mkdir -p "$HOME/.config/fish" "$HOME/.local/share/fish/generated_completions" # else fish makes them in the background
echo 'set -gx OWN user; echo own fish' >"$HOME/.config/fish/config.fish"
echo 'setenv OWN user; echo own tcshrc' >"$HOME/.tcshrc"
for shell in bash zsh fish tcsh dash; do
  # A terminal without a person: what is typed comes from a file.
  printf 'echo "answer $OWN $FLOX_ENV_DESCRIPTION"; which flox-nonsense; exit\n' >"$WORK/typed"
  output=$(SHELL=$(type -P $shell) TERM=dumb script -qec "flox activate" /dev/null <"$WORK/typed" 2>&1) || true
  says "answer environment web"
  says "common of environment"
  [ $shell = dash ] || says "own $shell"
  [ $shell = tcsh ] || says "flox [web]"
done
equal "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'flox-rc-*' -newer "$WORK/web" -user "$(id -u)" 2>/dev/null | wc -l)" 0
printf '%s deactivate; eval "$(%s deactivate)"; echo still there\n' "$(type -P flox)" "$(type -P flox)" >"$WORK/typed"
output=$(SHELL=/bin/bash TERM=dumb script -qec "flox activate" /dev/null <"$WORK/typed" 2>&1) || true
says "Type 'exit'."
! grep -qx 'still there.*' <<<"$output" || die "the shell did not end"
output=$(TERM=dumb script -qec "flox activate -- flox activate" /dev/null </dev/null 2>&1) || true
says "environment 'web' is active in this shell already"

step "a shell that [profile] does not know is refused with its place"
for key in bsah sh BASH; do
  manifest <<<"[profile]
common = 'true'
$key = 'true'"
  ends 1 flox activate -- true
  says "manifest.toml:4:"
  says "unknown shell '$key' in [profile]; known: bash, common, fish, tcsh, zsh"
done
manifest <<<"profile.deactivate.bsah = ''"
ends 1 flox activate -- true
says "unknown shell 'bsah' in [profile] deactivate"
manifest <<<"hook.on-activat = ''"
ends 1 flox activate -- true
says "manifest.toml:2:"

if [ "$(id -u)" = 0 ]; then
  step "no directory of another user's becomes the cache or leads to the profile"
  manifest <<<""
  equal "$(flox activate -- printenv FLOX_ENV_CACHE)" "$WORK/web/.flox/cache"
  contains "$(flox activate -- printenv FLOX_ENV)" "$WORK/web/.flox/run/"
  chmod 1777 .flox/cache
  contains "$(flox activate -- printenv FLOX_ENV_CACHE)" "$XDG_CACHE_HOME/flox/environments/"
  chmod 755 .flox/cache
  chown 12345 .flox/cache .flox/run
  contains "$(flox activate -- printenv FLOX_ENV_CACHE)" "$XDG_CACHE_HOME/flox/environments/"
  contains "$(flox activate -- printenv FLOX_ENV)" /nix/store/
fi
