#!/usr/bin/env bash
# What `flox build` makes of real programs runs where there is nothing but the store, and what would not is refused:
# Go with and without an outside linker, Rust, C, a Python virtual environment, scripts, links.
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"

project() {  # project NAME MANIFEST: makes and enters it
  mkdir -p "$WORK/$1/.flox/env"
  cd "$WORK/$1"
  echo "{\"name\": \"$1\", \"version\": 1}" >.flox/env.json
  printf 'schema-version = "1.13.0"\n%s\n' "$2" >.flox/env/manifest.toml
}
build() { "$FLOX" --root "$ROOT" build -d . -q "$@" >"$WORK/out" 2>&1 || die "$(cat "$WORK/out" result-*.log)"; }
out_of() { jq -r .outputs.out "result-$1.json"; }
fails() {  # fails EXPECTED MANIFEST: the build is refused with this text and leaves nothing
  printf 'schema-version = "1.13.0"\n%s\n' "$2" >.flox/env/manifest.toml
  local before
  rm -f result-*
  before=$(ls "$ROOT/nix/store")
  if "$FLOX" --root "$ROOT" build -d . >"$WORK/out" 2>&1; then die "it succeeded: $2"; fi
  expect_contains "$(cat "$WORK/out")" "$1"
  [ "$before" = "$(ls "$ROOT/nix/store")" ] || die "a refused build left something in the store: $2"
  compgen -G 'result-*.json' >/dev/null && die "a refused build left a result: $2"
  return 0
}

step "C: with a large .bss, without PIE, with a heap that must be zeros"
project c '[build.c]
version = "1"
command = """
  mkdir -p $out/bin
  gcc -O1 main.c -lz -o $out/bin/pie
  gcc -O1 -g -no-pie main.c -lz -o $out/bin/fixed
  gcc -O1 -s -Wl,-z,now main.c -lz -o $out/bin/now
"""'
cat >main.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
static char zeros[5 << 20];
int main(void) {
  size_t at = 0, heap_at = 0;
  char* heap = calloc(1, 100000);
  while (at < sizeof zeros && zeros[at] == 0) ++at;
  while (heap_at < 100000 && heap[heap_at] == 0) ++heap_at;
  memset(zeros, 1, sizeof zeros);
  printf("zlib %c, %zu zeros, heap %zu\n", zlibVersion()[0], at, heap_at);
}
C
build
for program in pie fixed now; do
  expect_contains "$(in_empty_root "$ROOT" "$(out_of c)/bin/$program" 2>&1 || true)" "zlib 1, 5242880 zeros, heap 100000"
done

go=$(PATH=$PATH:/usr/local/go/bin type -P go || true)
if [ -n "$go" ]; then
  step "Go: linked by Go itself against the C library, and by gcc"
  export GOCACHE=$WORK/gocache GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=1
  project go "[build.go]
version = \"1\"
command = '''
  mkdir -p \$out/bin
  $go build -o \$out/bin/inside ./inside
  $go build -o \$out/bin/outside ./outside
'''"
  mkdir inside outside
  printf 'module x\ngo 1.19\n' >go.mod
  cat >inside/main.go <<'GO'
package main

import ("fmt"; "net"; "os/user"; "runtime")

func main() {
	names, err := net.LookupHost("127.0.0.1")
	_, unknown := user.LookupId("4711")
	for i := 0; i < 50; i++ { runtime.GC() }
	fmt.Println("go", names, err, unknown != nil)
}
GO
  cat >outside/main.go <<'GO'
package main

// static int twice(int x) { return 2 * x; }
import "C"
import "fmt"

func main() { fmt.Println("cgo", C.twice(21)) }
GO
  build
  readelf -lW "$ROOT$(out_of go)/bin/inside" | grepq INTERP || die "the Go program needs no loader: nothing is tried here"
  expect_contains "$(in_empty_root "$ROOT" "$(out_of go)/bin/inside" 2>&1 || true)" "go [127.0.0.1] <nil> true"
  expect_contains "$(in_empty_root "$ROOT" "$(out_of go)/bin/outside" 2>&1 || true)" "cgo 42"
else
  echo "no Go here"
fi

cargo_home=${CARGO_HOME:-$HOME/.cargo}
rustc=$(PATH=$PATH:$cargo_home/bin type -P rustc || true)
if [ -n "$rustc" ] && "$rustc" --version >/dev/null 2>&1; then
  step "Rust, with threads and unwinding"
  project rust "[build.rust]
version = \"1\"
command = 'mkdir -p \$out/bin; $rustc -O main.rs -o \$out/bin/rust'"
  cat >main.rs <<'RS'
fn main() {
    let sum: i32 = std::thread::spawn(|| (1..=4).sum()).join().unwrap();
    let caught = std::panic::catch_unwind(|| panic!("on purpose")).is_err();
    println!("rust {} {}", sum, caught);
}
RS
  build
  expect_contains "$(in_empty_root "$ROOT" "$(out_of rust)/bin/rust" 2>/dev/null || true)" "rust 10 true"
else
  echo "no Rust here"
fi

step "a program that does not load is refused, and nothing of it is left"
project broken ''
echo 'int main(void) { return 0; }' >main.c
echo 'import sys
data = bytearray(open(sys.argv[1], "rb").read())
at = data.index(b"libc.so.6\0")
data[at:at + 9] = b"libc.so.9"
open(sys.argv[1], "wb").write(data)' >spoil.py
echo 'char more(void); char more(void) { return 1; }' >more.c
# Its version table names a version of the C library that there is none of.
fails 'does not load' '[build.broken]
version = "1"
command = """
  mkdir -p $out/bin
  gcc main.c -o $out/bin/broken
  sed -i "s/GLIBC_2.34/GLIBC_9.34/" $out/bin/broken
"""'
expect_contains "$(cat "$WORK/out")" "bin/broken"

step "what only this machine has is refused, with file and path"
fails "\$out/bin/tool: it names $WORK/broken/tool.py" '[build.x]
version = "1"
command = """
  mkdir -p $out/bin
  printf "#!/bin/sh\nexec python3 $PWD/tool.py\n" > $out/bin/tool
  chmod +x $out/bin/tool
"""'
fails "\$out/share/here: it is a link to $WORK/broken/main.c" '[build.x]
version = "1"
command = "mkdir -p $out/share; ln -s $PWD/main.c $out/share/here"'
fails "\$out/lib/x.pth: it names $WORK/broken/src" '[build.x]
version = "1"
command = "mkdir -p $out/lib; echo $PWD/src > $out/lib/x.pth"'
printf 'schema-version = "1.13.0"\n%s\n' '[build.x]
version = "1"
command = "mkdir -p $out/share; echo built in $PWD > $out/share/log"' >.flox/env/manifest.toml
"$FLOX" --root "$ROOT" build -d . >"$WORK/out" 2>&1 || die "$(cat "$WORK/out")"
expect_contains "$(cat "$WORK/out")" "share/log names $WORK/broken"

step "builds that use others, in their order, whatever is named"
project chain '[build.app]
version = "1"
command = """
  mkdir -p $out/bin
  printf "#!/bin/sh\nexec ${greet-lib}/bin/greet \\"\\$@\\"\n" > $out/bin/app
  chmod +x $out/bin/app
  gcc main.c -L${greet-lib}/lib -lgreet -o $out/bin/linked
"""
[build.greet-lib]
version = "2"
license = ["MIT", "Apache-2.0 OR Zlib"]
command = """
  mkdir -p $out/bin $out/lib
  gcc -shared -fPIC greet.c -Wl,-soname,libgreet.so -o $out/lib/libgreet.so
  gcc -shared -fPIC wave.c -o $out/lib/libwave.so -lm
  printf "#!/bin/sh\necho greetings\n" > $out/bin/greet
  chmod +x $out/bin/greet
"""'
echo 'const char* greet(void) { return "linked greetings"; }' >greet.c
echo 'double sin(double); double wave(double at) { return sin(at); }' >wave.c  # needs libm, and not libc
echo '#include <stdio.h>
const char* greet(void);
int main(void) { puts(greet()); }' >main.c
build app
expect_contains "$(in_empty_root "$ROOT" "$(out_of app)/bin/app" 2>&1 || true)" greetings
expect_contains "$(in_empty_root "$ROOT" "$(out_of app)/bin/linked" 2>&1 || true)" "linked greetings"
[ "$(jq -r .license result-greet-lib.json)" = "MIT AND (Apache-2.0 OR Zlib)" ] || die "another licence: $(cat result-greet-lib.json)"
nix-store --store "$ROOT" --query --references "$(out_of app)" | grepq greet-lib || die "the build that is used is no reference"
fails 'in a circle: a → b → a' '[build.a]
command = "echo ${b}"
[build.b]
command = "echo ${a}"'

step "versions: none is 0.0.0, and what nobody quoted is refused where it stands"
project versions '[build.v]
command = "mkdir -p $out; touch $out/x"'
build
case $(out_of v) in *-v-0.0.0) ;; *) die "unexpected $(out_of v)" ;; esac
rm result-*
printf 'schema-version = "1.13.0"\n%s\n' '[vars]
WHO = "${NOBODY:-all} of you"
[build.v]
command = "mkdir -p $out; echo $WHO > $out/who"' >.flox/env/manifest.toml
build
[ "$(cat result-v/who)" = "all of you" ] || die "[vars] are: $(cat result-v/who)"
fails 'manifest.toml:3:11: [build.v].version must be a string' '[build.v]
version = 2024-11-28
command = "touch $out/x"'
fails 'manifest.toml:3:11: [build.v].version must be a string' '[build.v]
version = 1.5
command = "touch $out/x"'
mkfifo pipe
fails 'version.file pipe: it is not a file' '[build.v]
version.file = "pipe"
command = "touch $out/x"'
nix_finds_nothing_wrong "$ROOT"
echo "ok"
