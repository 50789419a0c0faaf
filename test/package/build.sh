#!/usr/bin/env bash
# `flox build` makes a store path of a C++ program that runs where there is nothing but the store.
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"

mkdir -p "$WORK/hello/.flox/env"
cd "$WORK/hello"
echo '{"name": "hello", "version": 1}' >.flox/env.json
echo 2.5 >VERSION
cat >hello.cc <<'C'
#include <cstdio>
#include <fstream>
#include <iostream>
#include <thread>
#include <zlib.h>
const char* words();
int main() {
  std::ifstream file(OUT "/share/who");
  std::string who;
  std::getline(file, who);
  std::thread([&] { std::cout << words() << ", " << who << " and zlib " << zlibVersion()[0] << std::endl; }).join();
}
C
echo 'const char* words() { return "hello"; }' >words.cc
manifest() {  # manifest BUILD-SECTION
  printf 'schema-version = "1.10.0"\n%s\n' "$1" >.flox/env/manifest.toml
}
cat >.flox/env/manifest.toml <<'T'
schema-version = "1.10.0"
[build.hello]
description = "Says hello"
version.file = "VERSION"
command = '''
  mkdir -p $out/bin $out/lib $out/share
  g++ -shared -fPIC -o $out/lib/libwords.so.1 -Wl,-soname,libwords.so.1 words.cc
  g++ -O1 -DOUT=\"$out\" hello.cc $out/lib/libwords.so.1 -Wl,-rpath,$out/lib -lz -pthread -o $out/bin/hello
  echo world > $out/share/who
  printf "#!/bin/sh\nexec $out/bin/hello\n" > $out/bin/script
  chmod +x $out/bin/script
  ln -s $out/bin/hello $out/bin/link
  ln -s /etc/hostname $out/share/hostname
'''
[build.other]
version = "1"
command = "exit 1"
T

step "building, from another directory"
(cd / && $FLOX --root "$ROOT" build hello -d "$WORK/hello") >"$WORK/out" 2>"$WORK/steps" || die "$(cat "$WORK/steps")"
path=$(jq -r .outputs.out result-hello.json)
[ "$(jq -r '.name + .version + .description' result-hello.json)" = "hello2.5Says hello" ] || die "wrong record: $(cat result-hello.json)"
case $path in /nix/store/*-hello-2.5) ;; *) die "unexpected path $path" ;; esac
[ "$(readlink -f result-hello)" = "$ROOT$path" ] || die "result-hello leads elsewhere"
[ "$(cat "$WORK/out")" = "$WORK/hello/result-hello" ] || die "unexpected output: $(cat "$WORK/out")"

step "running it where there is nothing but the store"
for program in hello script link; do
  expect_contains "$(in_empty_root "$ROOT" "$path/bin/$program" 2>&1 || true)" "hello, world and zlib 1"
done
[ "$(readlink "$ROOT$path/bin/link")" = hello ] || die "a link into \$out is not relative"
grep -q /tmp/store_ -r "$ROOT$path" && die "the temporary \$out is still named"
[ -z "$(compgen -G '/tmp/store_*-hello-2.5')" ] || die "the temporary \$out was left behind"
nix_finds_nothing_wrong "$ROOT"

step "building again, elsewhere and twice, gives the same path"
cp -r "$WORK/hello" "$WORK/copy" && rm -f "$WORK"/copy/result-*
$FLOX --root "$WORK/root2" build hello -d "$WORK/copy" --check -q >/dev/null
[ "$(jq -r .outputs.out "$WORK/copy/result-hello.json")" = "$path" ] || die "another path in another place"

step "two builds of the same at once: the second waits for the first"
pids=()
for n in 3 4; do
  cp -r "$WORK/copy" "$WORK/copy$n" && rm -f "$WORK/copy$n"/result-*
  $FLOX --root "$WORK/root$n" build hello -d "$WORK/copy$n" -q >/dev/null &
  pids+=($!)
done
for pid in "${pids[@]}"; do wait "$pid" || die "one of two builds at once failed"; done
for n in 3 4; do [ "$(jq -r .outputs.out "$WORK/copy$n/result-hello.json")" = "$path" ] || die "another path from builds at once"; done

step "a build that is not deterministic is found out"
manifest '
[build.hello]
version = "1"
command = "mkdir -p $out/share; date +%N > $out/share/now; echo same > $out/share/same"'
if $FLOX --root "$ROOT" build hello -d . --check >"$WORK/out" 2>&1; then die "it passed --check"; fi
expect_contains "$(cat "$WORK/out")" "share/now"
case $(cat "$WORK/out") in *share/same*) die "share/same does not differ" ;; esac

fails() {  # fails EXPECTED BUILD-SECTION: the build fails with this text and adds nothing to the store
  rm -f result-*
  manifest "$2"
  local before
  before=$(ls "$ROOT/nix/store")
  if $FLOX --root "$ROOT" build -d . >"$WORK/out" 2>&1; then die "it succeeded: $2"; fi
  expect_contains "$(cat "$WORK/out")" "$1"
  [ "$before" = "$(ls "$ROOT/nix/store")" ] || die "a failed build left something in the store: $2"
  [ ! -e result-hello.json ] || die "a failed build left a result: $2"
}
step "failures say what went wrong and leave nothing"
fails 'exit code 3' '[build.hello]
version = "1"
command = "mkdir -p $out/bin; echo trouble at line seven; exit 3"'
expect_contains "$(cat "$WORK/out")" 'trouble at line seven'
expect_contains "$(cat result-hello.log)" 'trouble at line seven'
fails 'left nothing in $out' '[build.hello]
version = "1"
command = "mkdir -p $out/bin"'
fails 'it has no version' '[build.hello]
version.command = "true"
command = "touch $out/x"'
fails 'version command failed' '[build.hello]
version.command = "exit 5"
command = "touch $out/x"'
fails 'cannot be part of a store path' '[build.hello]
version = "1 or 2"
command = "touch $out/x"'
fails 'needs libnowhere.so.1' '[build.hello]
version = "1"
command = """
  mkdir -p $out/bin
  g++ -shared -fPIC -o libnowhere.so.1 -Wl,-soname,libnowhere.so.1 words.cc
  echo "int main() { extern const char* words(); return !words(); }" > main.cc
  g++ -o $out/bin/x main.cc ./libnowhere.so.1
"""'
fails 'nothing to build' ''
if $FLOX --root "$ROOT" build nonsense -d . >"$WORK/out" 2>&1; then die "it built nonsense"; fi
echo "ok"
