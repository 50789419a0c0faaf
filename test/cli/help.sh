#!/usr/bin/env bash
# The help of every program and of every command: a line that says what it does, options with a description, an example.
. "$(dirname "$0")/support.sh"
commands=0

fault() { die "$1 --help: $2"; }

# examine COMMAND…: this one and those below it.
examine() {
  local help line words sub
  commands=$((commands + 1))
  help=$("$@" --help)
  line=$(sed -n 1p <<<"$help")
  [ -n "$line" ] || fault "$*" "no description"
  [ ${#line} -le 100 ] || fault "$*" "the description is no short line: $line"
  grep -q '^Usage:' <<<"$(sed -n 2,4p <<<"$help")" || fault "$*" "no usage behind the description"
  grep -qE '^Examples?:' <<<"$help" || fault "$*" "no example"
  # The example is of this command.
  sed -n '/^Example/,$p' <<<"$help" | grepq -F -- "$*" || fault "$*" "the example is of something else"
  while read -r words; do
    [[ $words == *[a-z]* ]] || fault "$*" "an option without a description: $words"
  done < <(awk '/^(Options|Positionals):/ { on = 1; next } /^$|^[A-Z]/ { on = 0 }
                on && /^  -/ { line = $0; sub(/^  [^ ]+( [A-Z]+[^ ]*)*( \.\.\.| REQUIRED| x [0-9]+| (Needs|Excludes):( --?[a-z-]+)+)*/, "", line)
                               if (line ~ /^ *$/) { getline; line = $0 } print line }' <<<"$help")
  while read -r sub; do
    [ -z "$sub" ] || examine "$@" "$sub"
  done < <(awk '/^Subcommands:/ { on = 1; next } /^$|^[A-Z]/ { on = 0 } on && /^  [a-z]/ { print $1 }' <<<"$help" | cut -d, -f1)
}

kubectl() { kubectl-"$1" "${@:2}"; }  # as kubectl runs its plugins
for program in flox "flox kube" "kubectl flox" floxd flox-catalog ticket-processor ticket-generator; do
  step "$program"
  # shellcheck disable=SC2086  # words
  examine $program
done
[ $commands -ge 50 ] || die "only $commands commands were found"
step "$commands commands"
