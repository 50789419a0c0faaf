#!/usr/bin/env bash
# Exit codes: 0 success, 1 an error, 2 a wrong command line, 126 and 127 for commands that cannot be started.
. "$(dirname "$0")/support.sh"
mkdir "$WORK/project"
cd "$WORK/project"

step "0: help and version"
for program in flox flox-kube kubectl-flox floxd flox-catalog ticket-processor ticket-generator; do
  ends 0 $program --help
  ends 0 $program --version
  ends 0 $program -V
done

step "2: the command line is wrong"
ends 2 flox install
says "flox install: PACKAGE is missing"
ends 2 flox store gc --max-freed
says "flox store gc: --max-freed needs a value"
ends 2 flox list --json --name
says "cannot be used together with"
ends 2 flox store closure
says "neither PATH nor --why is given"
ends 2 flox store copy /nix/store/00000000000000000000000000000000-x
says "pass either --to or --from"
ends 2 flox node bundle
says "no file to write is given"
ends 2 flox kube down
says "no manifests are given"
ends 2 flox kube play --timeout soon app.yaml
says "--timeout"
ends 2 flox kube logs --tail many web
says "--tail: 'many' is not a number"
ends 2 flox kube scale deployment/web --replicas 20000
ends 2 flox-catalog --orphan-age 0
ends 2 ticket-generator --dead-letter-queue x
ends 2 ticket-processor --max-tickets none

step "1: the command line is right, and there is an error"
ends 1 flox list
says "no environment in"
ends 1 flox store info /nix/store/00000000000000000000000000000000-x
says "is not in the store"
ends 1 flox kube describe web
says 'not found'
ends 1 flox push
ends 1 flox-catalog --data /proc/nowhere
ends 1 ticket-processor enrich "$WORK/missing.json"

step "126 and 127: the command in an environment"
flox init -n empty 2>/dev/null
echo 'echo no' >not-executable
activated() {
  ends 0 flox activate -- true
  ends 7 flox activate -- sh -c 'exit 7'
  ends 127 flox activate -- nonsense
  says "no command 'nonsense' in the environment or in PATH"
  ends 127 flox activate -- ./nonsense
  ends 126 flox activate -- ./not-executable
  says "ermission denied"
  ends 127 flox activate -c nonsense
}
activated
step "the same after a hook"
sed -i 's/^\[hook\]/[hook]\non-activate = "export FROM_HOOK=yes"/' .flox/env/manifest.toml
grep -q FROM_HOOK .flox/env/manifest.toml || die "the manifest of flox init has no [hook]"
activated
equal "$(flox activate -- sh -c 'echo $FROM_HOOK')" yes

step "127: flox kube without flox-kube"
mkdir "$WORK/alone"
cp "$(command -v flox)" "$WORK/alone/flox"
ends 127 env PATH=/usr/bin:/bin "$WORK/alone/flox" kube ps
says "starting flox-kube"
