#!/usr/bin/env bash
# Two builds of the same sources in two directories give the same bytes, so that anybody can check what a node runs: the
# build that is tested here, and one in a directory of another name. The latter is made without the compiler's cache, which
# would hand it what the first build made. flox-pause; with FLOX_TEST_EXHAUSTIVE=1 all programs of a node. That none of those
# holds the path of its build, which is how builds come to differ, is looked at always.
. "$(dirname "$0")/../lib.sh"
[ -e "$PROJECT/.git" ] || { echo "needs the sources' repository"; exit 77; }
grep -q '^CMAKE_BUILD_TYPE:STRING=Release' "$BUILD_DIR/CMakeCache.txt" || { echo "needs a release build"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/flox-reproducible-XXXXXX")
trap 'rm -rf "$work"' EXIT

targets=(pause)
programs=(flox-pause)
of_node=(containerd-shim-flox-v1 flox floxd flox-catalog)
if exhaustive; then
  targets+=("${of_node[@]}")
  programs+=("${of_node[@]}")
fi
for program in flox-pause "${of_node[@]}"; do
  ! grep -qaF "$PROJECT/" "$BUILD_DIR/bin/$program" || die "$program holds the path of its build"
done

step "building ${programs[*]} in another directory"
other=$work/a-directory/with-a-longer-name/than-ours
mkdir -p "$other"
git -C "$PROJECT" ls-files -z --cached --others --exclude-standard |
  (cd "$PROJECT" && xargs -0 ls -d 2>/dev/null | tar --no-recursion -T - -cf -) | tar -C "$other" -xf -
(
  cd "$other"
  cmake --preset release
  CCACHE_DISABLE=1 cmake --build build --target "${targets[@]}"
) >"$work/log" 2>&1 || { tail -20 "$work/log" >&2; die "the build failed"; }

for program in "${programs[@]}"; do
  cmp "$BUILD_DIR/bin/$program" "$other/build/bin/$program" || die "$program differs between two directories"
  ! grep -qaF -e "$work" -e "$PROJECT/" "$other/build/bin/$program" || die "$program holds the path of its build"
done
step "${programs[*]}: bit-identical"
