# What the tests of the command lines share. Sourced, never run.
#
#   ends CODE COMMAND…      the command must end with CODE; what it prints is in $output
#   says TEXT               $output has the text
#   equal TEXT EXPECTED
#   $WORK                   a directory of the test's own, with the store of FLOX_ROOT, HOME and the state of flox kube
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
trap 'rm -rf --one-file-system "$WORK"' EXIT
for name in $(compgen -e | grep -E '^_?(FLOX|AWS|HF|TICKET|CONTAINER)' | grep -vx 'FLOX_BUILD_DIR' || true); do unset "$name"; done
export HOME=$WORK/home XDG_CACHE_HOME=$WORK/home/cache FLOX_ROOT=$WORK/root FLOX_CONFIG=$WORK/config.toml FLOX_KUBE_STATE=$WORK/kube
mkdir -p "$HOME" "$FLOX_ROOT"
: >"$FLOX_CONFIG"

output=
ends() {
  local expected=$1 code=0
  shift
  output=$("$@" 2>&1 </dev/null) || code=$?
  [ "$code" = "$expected" ] || die "expected exit code $expected, got $code: $*: $output"
}
equal() { [ "$1" = "$2" ] || die "expected '$2', got '$1'"; }
says() { grep -qF -- "$1" <<<"$output" || die "'$1' is not in: $output"; }
contains() { grep -qF -- "$2" <<<"$1" || die "'$2' is not in: $1"; }
