#!/usr/bin/env bash
# Environments that activate when a shell enters their directory: only those that the user has allowed, with the content
# that was allowed, and never one that somebody else can write to.
. "$(dirname "$0")/support.sh"
for shell in zsh fish script; do type -P $shell >/dev/null || { echo "needs $shell"; exit 77; }; done
if [ -z "${INSIDE:-}" ]; then
  # In an environment of a store of the test's own /nix is that store, so that code for the calling shell works.
  flox init -d "$WORK/outer" -n outer 2>/dev/null
  INSIDE=1 flox activate -d "$WORK/outer" -- bash "$(realpath "$0")"
  exit
fi
export FLOX_ROOT=/
FLOX=$(type -P flox)
for name in one one/inner two; do
  flox init -d "$WORK/$name" -n "${name##*/}" 2>/dev/null
  cat >"$WORK/$name/.flox/env/manifest.toml" <<TOML
schema-version = "1.13.0"
vars.${name##*/} = "active"
hook.on-activate = "echo ${name##*/} >>$WORK/hooks"
TOML
done
mkdir -p "$WORK/one/deep" "$WORK/outside"
mkdir -p "$HOME/.config/fish" "$HOME/.local/share/fish/generated_completions" # else fish makes them in the background
echo "eval \"\$($FLOX activate hook bash)\"; PS1='$ '" >"$HOME/.bashrc"
echo "eval \"\$($FLOX activate hook zsh)\"; PS1='$ '" >"$HOME/.zshrc"
echo "$FLOX activate hook fish | source" >"$HOME/.config/fish/config.fish"

# typed SHELL LINE…: what an interactive shell says when a person types these lines in $WORK/outside
typed() {
  local shell=$1
  shift
  printf '%s\n' "$@" exit >"$WORK/typed"
  output=$(cd "$WORK/outside" && TERM=dumb script -qec "$(type -P "$shell") -i" /dev/null <"$WORK/typed" 2>&1 | tr -d '\r') || true
}
answers() { grep -oE '^[^$]*answer:[a-z:]*$' <<<"$output" | sed 's/.*answer://' | xargs; }
case_of() {  # the line that shows what is active, in the syntax of the shell
  if [ "$1" = fish ]; then
    echo 'set -l a; for v in one inner two; set -q $v; and set a $a $v; end; echo answer:(string join : $a)'
  else
    echo 'echo "answer:${one+one}:${inner+inner}:${two+two}"'
  fi
}
active() { answers | tr -s ':' ' ' | xargs; }

step "nothing activates without the user's word, and is said once"
for shell in bash zsh fish; do
  typed $shell "cd $WORK/one" "echo a" "$(case_of $shell)"
  equal "$(active)" ""
  equal "$(grep -c "there is an environment in $WORK/one\\. 'flox activate allow'" <<<"$output")" 1
done
[ ! -e "$WORK/hooks" ] || die "a hook ran"

step "what is allowed activates when the shell enters, outermost first, and is left with the directory"
flox activate allow -d "$WORK/one"
flox activate allow -d "$WORK/one/inner"
for shell in bash zsh fish; do
  rm -f "$WORK/hooks"
  typed $shell "cd $WORK/one/deep" "$(case_of $shell)"
  equal "$(active)" one
  typed $shell "cd $WORK/one/inner" "$(case_of $shell)"
  equal "$(active)" "one inner"
  typed $shell "cd $WORK/one/inner" "cd .." "$(case_of $shell)"
  equal "$(active)" one
  typed $shell "cd $WORK/one/inner" "cd $WORK/outside" "$(case_of $shell)"
  equal "$(active)" ""
  equal "$(xargs <"$WORK/hooks")" "one one inner one inner one inner"
done

step "a changed manifest or lock has to be allowed again, and what is denied is not asked for"
cp "$WORK/one/.flox/env/manifest.toml" "$WORK/manifest.before"
echo '# changed' >>"$WORK/one/.flox/env/manifest.toml"
typed bash "cd $WORK/one" "$(case_of bash)"
equal "$(active)" ""
says "has changed since it was allowed"
cp "$WORK/manifest.before" "$WORK/one/.flox/env/manifest.toml"
echo '{"lockfile-version": 1, "packages": []}' >"$WORK/one/.flox/env/manifest.lock"
typed bash "cd $WORK/one" "$(case_of bash)"
equal "$(active)" ""
rm "$WORK/one/.flox/env/manifest.lock"
typed bash "cd $WORK/one" "$(case_of bash)"
equal "$(active)" one
flox activate deny -d "$WORK/two"
typed bash "cd $WORK/two" "$(case_of bash)"
equal "$(active)" ""
if grep -q "there is an environment" <<<"$output"; then die "it was asked for"; fi
typed bash "cd $WORK/two" "$FLOX activate allow" "$(case_of bash)"
equal "$(active)" two

step "what is included is what the lock had when it was allowed"
for name in including included; do flox init -d "$WORK/$name" -n $name 2>/dev/null; done
hook() { printf 'schema-version = "1.13.0"\nhook.on-activate = "echo %s >>%s"\n' "$1" "$WORK/hooks" >"$WORK/included/.flox/env/manifest.toml"; }
hook good && flox lock -d "$WORK/included" 2>/dev/null
printf 'schema-version = "1.13.0"\nvars.including = "active"\ninclude.environments = [{ dir = "../included" }]\n' >"$WORK/including/.flox/env/manifest.toml"
rm -f "$WORK/including/.flox/env/manifest.lock" "$WORK/hooks"
flox activate allow -d "$WORK/including"
typed bash "cd $WORK/including" 'echo "answer:${including-}"'
equal "$(answers)" ""
says "it includes others, and its lock does not have them"
flox lock -d "$WORK/including" 2>/dev/null
flox activate allow -d "$WORK/including"
hook evil && flox lock -d "$WORK/included" 2>/dev/null
typed bash "cd $WORK/including" 'echo "answer:${including-}"'
equal "$(answers)" active
equal "$(xargs <"$WORK/hooks")" good

step "never from a directory that others can write to"
chmod 777 "$WORK/two"
typed bash "cd $WORK/two" "$(case_of bash)"
equal "$(active)" ""
says "can be written to by everybody"
ends 1 flox activate allow -d "$WORK/two"
says "can be written to by everybody"
chmod 755 "$WORK/two"
mv "$WORK/two/.flox" "$WORK/moved" && ln -s "$WORK/moved" "$WORK/two/.flox"
typed bash "cd $WORK/two" "$(case_of bash)"
equal "$(active)" ""
says "is a link"
rm "$WORK/two/.flox" && mv "$WORK/moved" "$WORK/two/.flox"
if [ "$(id -u)" = 0 ]; then
  for part in "$WORK/two" "$WORK/two/.flox" "$WORK/two/.flox/env" "$WORK/two/.flox/env/manifest.toml"; do
    chown 12345 "$part"
    typed bash "cd $WORK/two" "$(case_of bash)"
    equal "$(active)" ""
    says "belongs to another user"
    chown 0 "$part"
  done
fi
typed bash "cd $WORK/two" "$(case_of bash)"
equal "$(active)" two

step "a hook that fails is tried once, and the shell stays"
echo 'schema-version = "1.13.0"
hook.on-activate = "echo tried >>'"$WORK"'/tried; exit 1"' >"$WORK/two/.flox/env/manifest.toml"
flox activate allow -d "$WORK/two"
typed bash "cd $WORK/two" "echo a" "echo b" 'echo "answer:alive"'
equal "$(answers)" alive
equal "$(wc -l <"$WORK/tried")" 1

step "what a shell cannot have is said, and decisions are files of this user's alone"
ends 2 flox activate hook nonsense
ends 1 flox activate hook dash
says "this shell has no place for it"
equal "$(find "$HOME/.config/flox/auto-activate" -type f ! -perm 600 | wc -l)" 0
chmod 777 "$HOME/.config/flox/auto-activate"
ends 1 flox activate allow -d "$WORK/one"
says "auto-activate can be written to by others"
