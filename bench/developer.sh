#!/usr/bin/env bash
# A developer's day, each with its target: entering an environment, installing a package that is there, locking 40 packages,
# and from a changed file to its run in a container of a node. Beside it Nix: `nix shell`, `nix develop` and `nix profile
# install` on the same store. Both run in a chroot whose /nix is that store, as on a machine that has it.
#   RUNS=30      runs of each, in turns
#   PACKAGES=40  packages that are locked
#   BEFORE=      what stands before each measured command: "chrt --rr 1" on a machine that is busy
FLOX_ALLOW_UNSIGNED=false
. "$(dirname "$0")/../test/lib.sh"
RUNS=${RUNS:-30} PACKAGES=${PACKAGES:-40}
enter_world "$@"
start_containerd
start_catalog
start_floxd
import_images
export FLOX_ROOT=$LAPTOP_ROOT
now() { date +%s%6N; }
median() { sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

step "an environment of eight packages, and $PACKAGES in the catalog"
publish_tool hello 1.0
hello=$(readlink -f "$WORLD/tools/hello-1.0/result-hello")
hello=${hello#"$LAPTOP_ROOT"}
for ((i = 1; i <= PACKAGES; i++)); do
  mkdir -p "$WORLD/tree/bin"
  echo "package $i" >"$WORLD/tree/bin/package$i"
  path=$(flox store add "$WORLD/tree" --name "package$i-1.0")
  rm -r "$WORLD/tree"
  flox publish --store-path "$path" --name "package$i" --version 1.0 >>"$WORLD/logs/publish.log" 2>&1 || { cat "$WORLD/logs/publish.log" >&2; die "publishing failed"; }
  printf 'package%d.pkg-path = "package%d"\n' $i $i >>"$WORLD/wanted"
done
manifest() { printf 'schema-version = "1.10.0"\n[install]\n%s\n' "$1"; }
mkdir "$WORLD"/{eight,one,many}
for name in eight one many; do flox init -n $name "$WORLD/$name" 2>/dev/null; done
manifest "$(printf 'hello.pkg-path = "hello"\n'; head -7 "$WORLD/wanted")" | flox edit -d "$WORLD/eight" -f - 2>/dev/null
manifest 'hello.pkg-path = "hello"' | flox edit -d "$WORLD/one" -f - 2>/dev/null

step "a chroot whose /nix is the store"
INSIDE=$WORLD/inside
mkdir -p "$INSIDE"/{usr,etc,dev,proc,tmp,nix,root,build}
for directory in usr etc dev proc tmp; do mount --rbind "/$directory" "$INSIDE/$directory"; done
for link in bin lib lib64 sbin; do ln -s "usr/$link" "$INSIDE/$link"; done
mount --bind "$LAPTOP_ROOT/nix" "$INSIDE/nix"
mount --bind "$BUILD_DIR" "$INSIDE/build"
cat >"$INSIDE/root/shell.nix" <<'NIXFILE'
derivation { name = "shell"; system = builtins.currentSystem; builder = "/bin/bash"; args = [ "-c" "echo >$out" ]; outputs = [ "out" ]; PORT = "8080"; }
NIXFILE
echo '{"version": 2, "flakes": []}' >"$INSIDE/root/registry.json"
export NIX_CONFIG=$'experimental-features = nix-command flakes\nsandbox = false\nbuild-users-group =\nsubstituters =\nflake-registry = /root/registry.json'
# inside COMMAND…: in the chroot and the same directory. watch COMMAND…: there, and how long it takes, in microseconds.
inside() { chroot "$INSIDE" env -u FLOX_ROOT HOME=/root PATH=/build/bin:/usr/bin sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"; }
watch() { inside ${BEFORE:-} /build/bench/stopwatch /root/output "$@" || { cat "$INSIDE/root/output" >&2; die "failed: $*"; }; }
cd "$WORLD"
inside nix develop -f /root/shell.nix -c true >"$WORLD/logs/nix" 2>&1 || { cat "$WORLD/logs/nix" >&2; die "nix develop failed"; }

step "entering an environment: $RUNS runs"
cd "$WORLD/eight"
inside flox activate -- true
for ((run = 0; run < RUNS; run++)); do
  watch true >>"$WORLD/exec"
  watch flox --version >>"$WORLD/version"
  watch flox activate -- true >>"$WORLD/activate"
  watch nix shell "$hello" -c true >>"$WORLD/nix-shell"
  watch nix develop -f /root/shell.nix -c true >>"$WORLD/nix-develop"
done

step "installing a package that is there: $RUNS runs"
cd "$WORLD/one"
for ((run = 0; run < RUNS; run++)); do
  watch flox install package1 >>"$WORLD/install"
  inside flox uninstall package1 2>/dev/null
  watch nix profile install --profile /root/profile "$hello" >>"$WORLD/nix-install"
  inside nix profile remove --profile /root/profile 0 2>/dev/null
done

step "locking $PACKAGES packages: $RUNS runs"
cd "$WORLD/many"
manifest "$(<"$WORLD/wanted")" >.flox/env/manifest.toml
inside flox lock 2>/dev/null  # the profile is made once
# The same questions as flox asks them, a hundred at a time, from a client that does nothing with the answers.
jq -nc --argjson packages "$PACKAGES" '[range($packages) as $i | ("aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux") as $system |
  {name: "toplevel", descriptors: [{install_id: "package\($i + 1)", attr_path: "package\($i + 1)", systems: [$system], cpu_level: "x86-64-v2"}]}] |
  range(0; length; 100) as $first | {items: .[$first:$first + 100]}' >"$WORLD/questions"
while read -r questions; do
  printf '%s\n' next "url = $CATALOG_URL/api/v1/catalog/resolve" 'header = "Content-Type: application/json"' 'output = /dev/null' 'write-out = "%{time_total}\n"' "data = $(jq -R . <<<"$questions")"
done <"$WORLD/questions" | tail -n +2 >"$WORLD/questions.curl"
for ((run = 0; run < RUNS; run++)); do
  rm .flox/env/manifest.lock
  watch flox lock >>"$WORLD/lock"
  ${BEFORE:-} curl -fsS -K "$WORLD/questions.curl" | awk '{ all += $1 } END { printf "%d\n", all * 1000000 }' >>"$WORLD/lock-catalog"
done
equal "$(jq '.packages | length' .flox/env/manifest.lock)" "$PACKAGES"

step "from a changed file to its run in a container of the node: $((RUNS / 3)) runs"
mkdir "$WORLD/project"
cd "$WORLD/project"
flox init -n tool 2>/dev/null
{
  manifest 'hello.pkg-path = "hello"'
  printf '[build.tool]\nversion.file = "VERSION"\ncommand = """\nmkdir -p $out/bin\ncp tool.sh $out/bin/tool\n"""\n'
} | flox edit -f - 2>/dev/null
for ((run = 0; run <= RUNS / 3; run++)); do
  echo "1.$run" >VERSION
  printf '#!%s/bin/sh\necho tool %d\n' "$BUSYBOX" $run >tool.sh
  chmod +x tool.sh
  began=$(now)
  flox build --quiet >"$WORLD/logs/build.log" 2>&1 || { cat "$WORLD/logs/build.log" >&2; die "the build failed"; }
  built=$(now)
  flox publish >"$WORLD/logs/publish.log" 2>&1 || { cat "$WORLD/logs/publish.log" >&2; die "publishing failed"; }
  published=$(now)
  equal "$(ctr -n k8s.io run --rm --runtime "$BUILD_DIR/bin/containerd-shim-flox-v1" --annotation flox.dev/environment=tool docker.io/flox/empty:1.0.0 "run$run" tool)" "tool $run"
  ran=$(now)
  [ $run -gt 0 ] || continue  # the first one has everything to fetch
  echo $((built - began)) >>"$WORLD/build"
  echo $((published - built)) >>"$WORLD/publish"
  echo $((ran - published)) >>"$WORLD/ran"
  echo $((ran - began)) >>"$WORLD/change"
done

line() {  # TEXT MICROSECONDS [PEER_TEXT MICROSECONDS] [TARGET]
  awk -v text="$1" -v a="$2" -v peer="${3:-}" -v b="${4:-}" -v target="${5:-}" 'BEGIN {
    printf "  %-44s %8.1f", text, a / 1000
    if (peer) printf "   %s %.1f, ratio %.2f", peer, b / 1000, a / b
    if (target) printf "   (target: at most %s)", target
    print "" }'
}
activate=$(median "$WORLD/activate") exec=$(median "$WORLD/exec")
printf "\nA developer's day: milliseconds, medians of %s\n" "$RUNS"
line "true" "$exec"
line "flox --version" "$(median "$WORLD/version")"
line "flox activate -- true" "$activate" "nix shell -c true" "$(median "$WORLD/nix-shell")"
line "... beside nix develop -c true" "$activate" "nix develop" "$(median "$WORLD/nix-develop")"
line "... over exec" $((activate - exec)) "" "" 5
line "flox install, of what is there" "$(median "$WORLD/install")" "nix profile install" "$(median "$WORLD/nix-install")" 20
lock=$(median "$WORLD/lock") lock_catalog=$(median "$WORLD/lock-catalog")
line "flox lock, $PACKAGES packages, with the catalog" "$lock"
line "... the catalog's time, $(wc -l <"$WORLD/questions") requests of curl" "$lock_catalog"
line "... without it" $((lock - lock_catalog)) "" "" 50
line "a changed file: flox build" "$(median "$WORLD/build")"
line "... flox publish" "$(median "$WORLD/publish")"
line "... its run in a container of the node" "$(median "$WORLD/ran")"
line "... all" "$(median "$WORLD/change")" "" "" 1000
