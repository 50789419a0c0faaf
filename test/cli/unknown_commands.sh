#!/usr/bin/env bash
# A command or an option that a program does not have is named, with the nearest one, and the exit code is 2.
. "$(dirname "$0")/support.sh"

step "commands"
ends 2 flox bogus
says "flox: unknown command 'bogus'"
says "Run 'flox --help' to see its commands and options."
ends 2 flox instal python3
says "Did you mean install"
ends 2 flox store colsure
says "flox store: unknown command 'colsure'"
says "Did you mean closure?"
ends 2 flox node dcotor
says "flox node: unknown command 'dcotor'"
says "Did you mean doctor?"
ends 2 flox import rpm bash
says "flox import: unknown command 'rpm'"
ends 2 flox kube paly app.yaml
says "flox kube: unknown command 'paly'"
says "Did you mean play?"
ends 2 flox-kube set envs deployment/web A=B
says "Did you mean env?"
ends 2 ticket-processor preload-model
says "ticket-processor: unknown command 'preload-model'"
says "Did you mean preload-models?"

step "options"
ends 2 flox list --jason
says "flox list: unknown option '--jason'"
says "Did you mean --json?"
ends 2 flox --rot / list
says "flox: unknown option '--rot'"
says "Did you mean --root?"
ends 2 flox store gc --max-free=1G
says "flox store gc: unknown option '--max-free'"
says "Did you mean --max-freed?"
ends 2 flox kube ps --namespce x
says "Did you mean --namespace?"
for program in floxd flox-catalog ticket-processor ticket-generator; do
  ends 2 $program --frobnicate
  says "$program: unknown option '--frobnicate'"
  says "Run '$program --help' to see its"
done

step "no command, and arguments that nothing takes"
ends 2 flox
says "flox: no command given"
ends 2 flox store
says "flox store: no command given"
ends 2 flox kube
says "flox kube: no command given"
ends 2 flox-catalog serve
says "flox-catalog: unknown command 'serve'"

step "nothing is done"
[ -z "$(ls -A "$FLOX_ROOT")" ] || die "a store was made: $(ls -A "$FLOX_ROOT")"
