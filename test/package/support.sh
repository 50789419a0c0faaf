# What the tests of packages share: a throw-away store root, and a root directory that holds nothing but a store.
# Sourced after script/lib.sh, never run.
WORK=$(mktemp -d "${TMPDIR:-/tmp}/flox-test-XXXXXX")
cleanup() { rm -rf --one-file-system "$WORK"; }
trap cleanup EXIT
ROOT=$WORK/root
FLOX=${FLOX:-flox}
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CONFIG FLOX_CACHES

# skip REASON: the test cannot run here.
skip() { echo "$*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "needs root: mounts a store into a chroot"

# in_empty_root STORE_ROOT COMMAND…: runs the command where there is nothing but the store, /dev and /proc.
in_empty_root() {
  local empty
  empty=$(mktemp -d "$WORK/empty-XXXXXX")
  mkdir -p "$empty/nix/store" "$empty/dev" "$empty/proc" "$empty/tmp"
  unshare --mount -- sh -c 'mount --bind -o ro "$1/nix/store" "$2/nix/store" && mount --bind /dev "$2/dev" &&
    mount --bind /proc "$2/proc" && root=$2 && shift 2 && exec chroot "$root" "$@"' sh "$1" "$empty" "${@:2}"
}
expect_contains() {  # expect_contains TEXT PART
  case $1 in *"$2"*) ;; *) die "expected to find '$2' in: $1" ;; esac
}
# The store as real Nix sees it: every hash, every path.
nix_finds_nothing_wrong() {
  local output
  output=$(nix-store --verify --check-contents --store "$1" 2>&1) || die "nix-store --verify failed: $output"
  case $output in *error* | *"not valid"* | *"disappeared"* | *"was modified"*) die "nix-store --verify: $output" ;; esac
}
