#!/usr/bin/env bash
# Where a build runs and what is left of it: pure builds see their sources and packages only, paths of the environment
# become store paths, sources of strangers reach nothing, and a build that is stopped leaves nothing behind.
debs=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
unshare --user --mount --pid --fork true 2>/dev/null || skip "needs namespaces"
export FLOX_ROOT=$ROOT TMPDIR=$WORK/tmp
mkdir "$TMPDIR"

step "an environment with bash, coreutils and python3"
XDG_CACHE_HOME=$debs "$FLOX" import deb bash coreutils python3 --json -q >"$WORK/imported" 2>"$WORK/log" || die "$(cat "$WORK/log")"
installed=$(jq -r '.[] | "\(.name).store-path = \"\(.outputs.out)\""' "$WORK/imported")
python=$(jq -r '.[] | select(.name == "python3").outputs.out' "$WORK/imported")
coreutils=$(jq -r '.[] | select(.name == "coreutils").outputs.out' "$WORK/imported")

manifest() { printf 'schema-version = "1.13.0"\n[install]\n%s\n%s\n' "$installed" "$1" >.flox/env/manifest.toml; }
project() {  # project NAME MANIFEST: makes and enters it
  mkdir -p "$WORK/$1/.flox/env"
  cd "$WORK/$1"
  echo "{\"name\": \"$1\", \"version\": 1}" >.flox/env.json
  manifest "$2"
}
build() { "$FLOX" build -d . "$@" >"$WORK/out" 2>&1 || die "$(cat "$WORK/out" result-*.log)"; }
out_of() { jq -r .outputs.out "result-$1.json"; }
fails() {  # fails EXPECTED MANIFEST
  rm -f result-*.json
  manifest "$2"
  if "$FLOX" build -d . >"$WORK/out" 2>&1; then die "it succeeded: $2"; fi
  expect_contains "$(cat "$WORK/out")" "$1"
  compgen -G 'result-*.json' >/dev/null && die "a refused build left a result: $2"
  return 0
}

step "a pure build sees its sources and its packages, and nothing else"
project pure '[build.pure]
version.command = "cat VERSION"
sandbox = "pure"
command = """
  mkdir -p $out/share $out/bin
  ls / > $out/share/root
  ls /nix/store > $out/share/store
  set -- /proc/[0-9]*; echo $# > $out/share/processes
  cat /proc/net/dev > $out/share/network
  id -u > $out/share/user
  pwd > $out/share/where
  cat hello > $out/share/hello
  [ -e ignored ] && exit 5
  [ -e outward ] && exit 6
  [ -e '"$WORK"' ] && exit 7
  type gcc && exit 8
  (echo > /dev/tcp/192.0.2.1/80) 2>/dev/null && exit 9
  (: > $FLOX_ENV/here) 2>/dev/null && exit 10
  for it in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness /proc/sysrq-trigger; do
    [ -w $it ] && exit 11
  done
  echo changed > hello
  printf "#!$FLOX_ENV/bin/bash\necho pure \\$(< $out/share/hello)\n" > $out/bin/pure
  chmod +x $out/bin/pure
"""'
echo "3.1" >VERSION
echo "hello" >hello
echo "secret" >ignored
echo ignored >.gitignore
ln -s /etc/hostname outward
git init -q . && git -c user.name=a -c user.email=a@b add .
build
case $(out_of pure) in *-pure-3.1) ;; *) die "unexpected $(out_of pure)" ;; esac
left=$ROOT$(out_of pure)/share
[ "$(tr '\n' ' ' <"$left/root")" = "bin build dev etc nix proc tmp usr " ] || die "the root has: $(cat "$left/root")"
[ "$(cat "$left/user")" = 1000 ] || die "it ran as $(cat "$left/user")"
[ "$(grep -c : "$left/network")" = 1 ] || die "it had networks: $(cat "$left/network")"
[ "$(cat "$left/processes")" -lt 8 ] || die "it saw $(cat "$left/processes") processes"
[ "$(wc -l <"$left/store")" -lt "$(find "$ROOT/nix/store" -maxdepth 1 | wc -l)" ] || die "it saw all of the store"
[ "$(cat hello)" = hello ] || die "it wrote into the project"
[ "$(in_empty_root "$ROOT" "$(out_of pure)/bin/pure")" = "pure hello" ] || die "the result does not run"
[ -z "$(ls "$TMPDIR")" ] || die "left behind: $(ls "$TMPDIR")"
[ "$(jq -r '.predicate.buildDefinition.internalParameters.sandbox' result-pure.provenance.json)" = pure ] || die "the provenance does not say so"
first=$(out_of pure)
cp -r "$WORK/pure" "$WORK/pure2"
cd "$WORK/pure2"
rm -f result-*
build --check
[ "$(out_of pure)" = "$first" ] || die "another path in another place"

step "what a sandbox needs or does not have is refused where it stands"
project other ''
fails '[build.x].sandbox must be one of enforce, off, pure, warn' '[build.x]
version = "1"
sandbox = "clean"
command = "touch $out/x"'
fails "manifest.toml:8:1: [build.x] runtime-packages names 'jq'" '[build.x]
version = "1"
runtime-packages = ["jq"]
command = "touch $out/x"'
fails 'exit code 127' '[build.x]
version = "1"
sandbox = "pure"
command = "gcc --version"'
ln -s /etc/hostname VERSION
git init -q . && git -c user.name=a -c user.email=a@b add .
for file in VERSION /etc/hostname ../../../../../../../etc/hostname; do
  fails "version.file $file: it leads out of the project" '[build.x]
version.file = "'"$file"'"
sandbox = "pure"
command = "touch $out/x"'
done
printf 'schema-version = "1.13.0"\n[install]\n%s\n%s\n' "$(grep coreutils <<<"$installed")" '[build.x]
version = "1"
sandbox = "pure"
command = "touch $out/x"' >.flox/env/manifest.toml
if "$FLOX" build -d . >"$WORK/out" 2>&1; then die "a pure build ran without bash"; fi
expect_contains "$(cat "$WORK/out")" "flox install bash"

step "a Python virtual environment, and scripts of the environment, run from the store"
project venv '[build.venv]
version = "1"
runtime-packages = ["python3"]
command = """
  python3 -m venv --without-pip $out
  printf "#!$out/bin/python3\nimport sys, json; print(\\"venv\\", sys.prefix)\n" > $out/bin/tool
  printf "#!%s/bin/python3\nprint(\\"by link\\")\n" "$PWD/.flox/run/'"$(uname -m)"'-linux.venv-dev" > $out/bin/linked
  chmod +x $out/bin/tool $out/bin/linked
"""'
build
venv=$(out_of venv)
expect_contains "$(in_empty_root "$ROOT" "$venv/bin/tool" 2>&1 || true)" "venv $venv"
expect_contains "$(in_empty_root "$ROOT" "$venv/bin/linked" 2>&1 || true)" "by link"
grep -rq "$WORK" "$ROOT$venv" && die "it names this machine: $(grep -rl "$WORK" "$ROOT$venv")"
closure=$(nix-store --store "$ROOT" --query --requisites "$venv" 2>/dev/null)
expect_contains "$closure" "$python"
case $closure in *"$coreutils"*) die "what is no runtime package is in the closure" ;; esac
fails "\$out/share/it refers to $coreutils, which is not one of its runtime-packages" '[build.x]
version = "1"
runtime-packages = ["python3"]
command = "mkdir -p $out/share; readlink -f $(type -p ls) > $out/share/it"'
fails "share/data: it is no text, in which the path could be changed, and has $WORK/venv/.flox/run/" '[build.x]
version = "1"
command = "mkdir -p $out/share; printf \"x\\\\0$PWD/.flox/run/'"$(uname -m)"'-linux.venv-dev/bin\" > $out/share/data"'

step "a script that only this machine can run is not published"
manifest '[build.x]
version = "1"
command = "mkdir -p $out/bin; printf \"#!/opt/none/run -x\\n\" > $out/bin/x; chmod +x $out/bin/x"'
build
if "$FLOX" publish -d . >"$WORK/out" 2>&1; then die "it was published"; fi
expect_contains "$(cat "$WORK/out")" "bin/x is run by /opt/none/run, which is not in its closure"

step "what sources of strangers are made of reaches nothing"
project hostile '[build.hostile]
version = "1"
sandbox = "pure"
command = "mkdir -p $out/share; find . | wc -l > $out/share/count; cat deep/*/*/*/file > $out/share/file"'
installed+=$'\n'"$(XDG_CACHE_HOME=$debs "$FLOX" import deb findutils --json -q 2>/dev/null | jq -r '.[] | "\(.name).store-path = \"\(.outputs.out)\""')"
manifest "$(sed -n '/^\[build/,$p' .flox/env/manifest.toml)"
echo untouched >"$WORK/victim"
ln -s "$WORK/victim" result-hostile.log
ln -s "$WORK/victim" result-hostile.json
ln -s / root
ln -s loop loop
long=$(printf 'n%.0s' {1..255})
mkdir -p "deep/$long/$long/$long"
echo deep >"deep/$long/$long/$long/file"
touch -- $'with\nnewline' "--help" "$long"
mkfifo fifo
build
[ "$(cat "$WORK/victim")" = untouched ] || die "the log was written through a link"
[ -L result-hostile.log ] && die "the link is still there"
[ "$(cat "$ROOT$(out_of hostile)/share/file")" = deep ] || die "the sources were not all there"

step "a result that is too deep, or no files, is refused and removed"
for command in 'i=0; cd $out; while [ $i -lt 60 ]; do mkdir '"$long"'; cd '"$long"'; i=$((i + 1)); done; touch x' 'mkfifo $out/pipe'; do
  fails 'building x' "[build.x]
version = \"1\"
command = '''$command'''"
  compgen -G '/tmp/store_*-x-1' >/dev/null && die "\$out was left behind by: $command"
done

step "a build that is killed or interrupted leaves no process and no directory"
for sandbox in off pure; do
  for signal in KILL INT TERM; do
    tag=$((RANDOM + 100000)).$$
    manifest "[build.killed]
version = \"$tag\"
sandbox = \"$sandbox\"
command = '''
  touch \$out/begun
  (sleep $tag & sleep $tag)
'''"
    # A shell gives what it starts in the background an ignored SIGINT; env gives it back.
    env --default-signal=INT "$FLOX" build -d . >"$WORK/out" 2>&1 &
    pid=$!
    begun() { compgen -G "/tmp/store_*-killed-$tag/begun" >/dev/null && pgrep -f "sleep $tag\$" >/dev/null; }
    wait_until 10 "the build to begin" begun
    kill -$signal $pid
    wait $pid && die "the build says that it succeeded"
    gone() { ! pgrep -f "sleep $tag\$" >/dev/null && ! compgen -G "/tmp/store_*-killed-$tag" >/dev/null && [ -z "$(ls "$TMPDIR")" ]; }
    wait_until 5 "the build to be gone" gone
    [ ! -e result-killed.json ] || die "a killed build left a result"
  done
done

step "two builds of one environment at once: the second waits and says for whom"
manifest "[build.slow]
version = \"1\"
command = '''
  mkdir -p \$out/share
  touch $WORK/slow-begun
  while [ ! -e $WORK/go-on ]; do sleep 0.1; done
  echo done > \$out/share/it
'''"
"$FLOX" build -d . >"$WORK/first" 2>&1 &
first=$!
wait_until 10 "the slow build to begin" test -e "$WORK/slow-begun"
"$FLOX" build -d . >"$WORK/second" 2>&1 &
second=$!
wait_until 10 "the second build to wait" grep -q "waiting for" "$WORK/second"
touch "$WORK/go-on"
wait $first || die "$(cat "$WORK/first")"
wait $second || die "$(cat "$WORK/second")"
nix_finds_nothing_wrong "$ROOT"
echo "ok"
