# How script/containerd2, script/kubernetes and others build other people's Go programs: outside the tree, once for each state of
# the module that pins them. Sourced after lib.sh, never run.

# build_once NAME MODULE BUILD PACKAGE…: prints the directory that holds NAME's programs. If it is not there yet, calls
# BUILD DIRECTORY in the directory MODULE, with $GO, after it has seen that the packages (arguments of go list) can be
# had. Exits with 77 and a line saying why where they cannot, or where $ONLY_IF_BUILT says how to build what is not there.
build_once() {
  local name=$1 module=$2 build=$3 state bin wanted complaint began=$SECONDS
  shift 3
  # Modules that are taken from beside it count, too; those in directories below it do not.
  state=$(cd "$module" && cat go.{mod,sum} $(find . $(sed -n 's|^replace .* => \(\.\.\?/[^ ]*\)$|\1|p' go.mod) -mindepth 1 -type d -exec test -e '{}/go.mod' ';' -prune -o -name '*.go' -print | sort) | sha256sum | cut -c1-12)
  bin=${XDG_CACHE_HOME:-$HOME/.cache}/flox-imageless/$name-$state/bin
  if [ ! -d "$bin" ]; then
    [ -z "${ONLY_IF_BUILT:-}" ] || missing_go_programs "needs $name: $ONLY_IF_BUILT"
    cd "$module"
    wanted=$(sed -n 's/^go //p' go.mod)
    GO=$(type -P go) || GO=/usr/local/go/bin/go
    [ -x "$GO" ] || missing_go_programs "needs Go $wanted or newer (go in PATH or in /usr/local/go/bin)"
    # Without C: neither headers of a library nor a C library of this machine's age are needed.
    export CGO_ENABLED=0
    # An older Go fetches the one that go.mod asks for, if it is allowed to (GOTOOLCHAIN) and can.
    complaint=$("$GO" list -deps "$@" 2>&1 >/dev/null) ||
      missing_go_programs "needs Go $wanted and the modules of ${module#"$PROJECT"/}/go.mod: $(tail -1 <<<"$complaint")"
    step "building $name into $bin, once on this machine"
    partial=$bin.$$  # seen by the trap, which runs when this function's variables are gone
    mkdir -p "$partial"
    trap 'rm -rf "$partial"' EXIT
    $build "$partial"
    mv "$partial" "$bin"
    trap - EXIT
    step "built $name in $((SECONDS - began)) s, $(du -sh "$bin" | cut -f1)"
  fi
  echo "$bin"
}
missing_go_programs() { echo "$*" >&2; exit 77; }

# module_version PATH: the version that go.mod here asks for.
module_version() { awk -v path="$1" '$1 == path { print $2; exit } $1 == "require" && $2 == path { print $3; exit }' go.mod; }

# kubernetes_stamp: options for -ldflags that tell programs of Kubernetes their version, as go.mod here has it.
kubernetes_stamp() {
  local version major minor stamp=k8s.io/component-base/version
  version=$(module_version k8s.io/kubernetes)
  IFS=. read -r major minor _ <<<"${version#v}"
  echo "-X $stamp.gitVersion=$version -X $stamp.gitMajor=$major -X $stamp.gitMinor=$minor"
}
# build_kubernetes DIRECTORY: the one program of test/cluster/main.go, under the names that it has.
build_kubernetes() {
  local program
  nice "$GO" build -p 2 -trimpath -ldflags "-s -w $(kubernetes_stamp)" -o "$1/cluster" flox.dev/imageless/test/cluster >&2
  for program in kube-{apiserver,controller-manager,scheduler,proxy} kubelet kubectl; do ln -s cluster "$1/$program"; done
}
