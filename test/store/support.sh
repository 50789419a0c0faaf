# What the tests of the store share. Sourced, never run.
. "$(dirname "${BASH_SOURCE[0]}")/../../script/lib.sh"
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
trap 'stop_all; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS FLOX_CONFIG FLOX_SIGNING_PRIVATE_KEY
export HOME=$WORK XDG_CACHE_HOME=$WORK/cache-of-nix
export NIX_CONFIG=$'experimental-features = nix-command\nbuild-users-group =\nnarinfo-cache-negative-ttl = 0'
command -v nix-store >/dev/null || { echo "needs nix (package nix-bin)"; exit 77; }

STARTED=()
stop_all() { [ ${#STARTED[@]} = 0 ] || { kill -KILL "${STARTED[@]}" && wait "${STARTED[@]}"; } 2>/dev/null || true; }

equal() { [ "$1" = "$2" ] || die "$3: expected '$2', got '$1'"; }
contains() { case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac; }
# refused TEXT COMMAND…: the command must fail, and say TEXT.
refused() {
  local text=$1 output
  shift
  if output=$("$@" 2>&1); then die "should have been refused: $*"; fi
  contains "$output" "$text"
}
# clean ROOT: neither Nix nor we have anything to complain about.
clean() {
  local output
  output=$(nix-store --store "$1" --verify --check-contents 2>&1) || die "nix-store --verify of $1: $output"
  case $output in *error* | *modified* | *disappeared*) die "nix-store --verify of $1: $output" ;; esac
  output=$(flox --root "$1" store verify 2>&1) || die "flox store verify of $1: $output"
}
# make_trees COUNT BYTES: $WORK/trees/1 … COUNT, each a directory of two files, one of BYTES bytes.
make_trees() {
  local i
  for ((i = 1; i <= $1; i++)); do
    mkdir -p "$WORK/trees/$i/share"
    head -c "$2" /dev/zero | tr '\0' "$((i % 10))" >"$WORK/trees/$i/share/data"
    echo "$i of $WORK" >"$WORK/trees/$i/share/number"  # no other test has such paths open
  done
}
