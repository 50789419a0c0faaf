#!/usr/bin/env bash
# What `flox import deb` takes from where: a signed repository of the test's own, its versions, and nothing of this machine;
# packages that want to harm who imports them.
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
command -v apt-ftparchive >/dev/null || skip "needs apt-ftparchive (apt-utils)"
export XDG_CACHE_HOME=$WORK/cache
. "$(dirname "$0")/debian_repository.sh"

# repository [NAME]: signs what is in the pool.
repository() {
  sign_repository "$@"
  rm -rf "$XDG_CACHE_HOME/flox/debs"/apt-*  # lists of before are used for an hour
}
import() { "$FLOX" --root "$ROOT" import deb --apt-sources "$WORK/test.sources" "$@"; }
# import_refused TEXT ARGUMENTS…
import_refused() {
  local text=$1
  shift
  if import "$@" >"$WORK/out" 2>&1; then die "it was imported: $*"; fi
  expect_contains "$(cat "$WORK/out")" "$text"
}
FLOX=$(command -v "$FLOX")
repository_key good
repository_key other

say() {  # say NAME TEXT: a script in the tree
  mkdir -p "$WORK/tree/usr/bin"
  printf '#!/bin/sh\necho %s\n' "$2" >"$WORK/tree/usr/bin/$1"
  chmod 755 "$WORK/tree/usr/bin/$1"
}
# The shell that scripts need, without which they are no programs.
mkdir -p "$WORK/dash" && (cd "$WORK/dash" && apt-get download -qq dash libc6 >/dev/null 2>&1) || skip "needs Debian's dash and libc6"
cp "$WORK"/dash/*.deb "$WORK/repository/pool/"

step "two versions: the newer one, and the one that is asked for"
say greet one && deb greet 1:1.0-1
say greet two && deb greet 1:1.0-1+deb12u1
repository
import greet --json -q >"$WORK/new.json"
[ "$(jq -r '.[0].version' "$WORK/new.json")" = 1.0-1+deb12u1 ] || die "not the newer one: $(cat "$WORK/new.json")"
import greet=1:1.0-1 --json -q >"$WORK/old.json"
new=$(jq -r '.[0].outputs.out' "$WORK/new.json") old=$(jq -r '.[0].outputs.out' "$WORK/old.json")
case $old in *-greet-1.0-1) ;; *) die "the Debian revision is not in $old" ;; esac
[ "$new" != "$old" ] || die "a security update is the same store path"
[ "$(in_empty_root "$ROOT" "$old/bin/greet")" = one ] || die "the old one is not the old one"
[ "$(in_empty_root "$ROOT" "$new/bin/greet")" = two ] || die "the new one is not the new one"
jq -e '.[0].programs == [{"program":"bin/greet","verdict":"ran","detail":""}]' "$WORK/new.json" >/dev/null || die "no smoke run: $(cat "$WORK/new.json")"
import_refused "has no version 3" greet=3
import_refused "1:1.0-1+deb12u1, 1:1.0-1" greet=3

step "a program that is started once, by root, changes nothing of the kernel"
mkdir -p "$WORK/tree/usr/bin"
printf '#!/bin/sh\nfor it in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness /proc/sysrq-trigger; do\n  [ -w $it ] && kill -ABRT $$\ndone\nexit 0\n' >"$WORK/tree/usr/bin/writes"
chmod 755 "$WORK/tree/usr/bin/writes"
deb writes 1 && repository
import writes --json -q >"$WORK/writes.json" || die "it was not imported"
jq -e '.[0].programs == [{"program":"bin/writes","verdict":"ran","detail":""}]' "$WORK/writes.json" >/dev/null || die "it could write: $(cat "$WORK/writes.json")"

step "the same input gives the same store path in another root, whatever is installed on the machine"
"$FLOX" --root "$WORK/other" import deb --apt-sources "$WORK/test.sources" greet=1.0-1 --json -q >"$WORK/other.json"
[ "$(jq -r '.[0].outputs.out' "$WORK/other.json")" = "$old" ] || die "another path"
step "what is installed and not in the repository is not taken"
import_refused "there is no Debian package 'bash'" bash

step "a repository that is signed by another key, or not as it is, is refused"
repository other
import_refused "lists cannot be fetched" greet
repository
printf '\n' >>"$WORK/repository/Packages"
rm -rf "$XDG_CACHE_HOME/flox/debs"/apt-*
import_refused "lists cannot be fetched" greet
repository
rm -rf "$XDG_CACHE_HOME/flox/debs"
echo changed >>"$WORK/repository/pool/greet_1%3a1.0-1+deb12u1_$ARCH.deb"
ROOT=$WORK/third import_refused "cannot be downloaded" greet
say greet two && deb greet 1:1.0-1+deb12u1
sed 's/^Signed-By.*/Trusted: yes/' "$WORK/test.sources" >"$WORK/trusting.sources"
if "$FLOX" --root "$ROOT" import deb --apt-sources "$WORK/trusting.sources" greet 2>"$WORK/error"; then die "unsigned sources were used"; fi
expect_contains "$(cat "$WORK/error")" "trusting.sources:4"

step "dependencies are store paths of their own, and programs find them"
mkdir -p "$WORK/tree/usr/share/words" && echo shared >"$WORK/tree/usr/share/words/list"
deb words 1-1
mkdir -p "$WORK/tree/usr/bin" && printf '#!/bin/sh\nread -r word </usr/share/words/list; echo "$1 $word"\n' >"$WORK/tree/usr/bin/first" && chmod 755 "$WORK/tree/usr/bin/first"
deb first 1-1 $'Depends: words, dash\n'
mkdir -p "$WORK/tree/usr/bin" && printf '#!/bin/sh\nread -r word </usr/share/words/list; echo "second $word"\n' >"$WORK/tree/usr/bin/second" && chmod 755 "$WORK/tree/usr/bin/second"
deb second 1-1 $'Depends: words, dash\n'
repository
import first second --json -q >"$WORK/both.json"
first=$(jq -r '.[0].outputs.out' "$WORK/both.json") second=$(jq -r '.[1].outputs.out' "$WORK/both.json")
[ "$(in_empty_root "$ROOT" "$first/bin/first" the)" = "the shared" ] || die "it does not find its data"
[ "$(in_empty_root "$ROOT" "$second/bin/second")" = "second shared" ] || die "it does not find its data"
[ "$(comm -12 <("$FLOX" --root "$ROOT" store closure "$first" | sort) <("$FLOX" --root "$ROOT" store closure "$second" | sort) | grep -c -- '-words-1-1$')" = 1 ] || die "words is not shared"
[ ! -e "$ROOT$first/share/words" ] || die "another package's files are in what an environment merges"

step "a program that does not run is recorded"
mkdir -p "$WORK/tree/usr/bin" && printf '#!/bin/sh\nexec /usr/bin/no-such-program-at-all\n' >"$WORK/tree/usr/bin/broken" && chmod 755 "$WORK/tree/usr/bin/broken"
deb broken 1-1 $'Depends: dash\n'
repository
import broken --json -q >"$WORK/broken.json"
[ "$(jq -r '.[0].programs[0].verdict' "$WORK/broken.json")" = "did not run" ] || die "not recorded: $(cat "$WORK/broken.json")"

step "packages that want out of their tree, or to be more than they may"
mkdir -p "$WORK/tree/usr/bin" "$WORK/tree/etc"
echo 'root:x' >"$WORK/passwd"
ln -s /etc/shadow "$WORK/tree/etc/stolen"
ln -s ../../../../../../../../../etc/shadow "$WORK/tree/etc/climbing"
cp "$(type -P true)" "$WORK/tree/usr/bin/setuid" && chmod 6755 "$WORK/tree/usr/bin/setuid"
say ok fine
deb links 1-1
# One that tar writes through: a link, then a file behind it; and names with "..".
mkdir -p "$WORK/parts" && (cd "$WORK/parts" && python3 - "$WORK" "$ARCH" <<'P'
import io, subprocess, sys, tarfile
work, arch = sys.argv[1:]
def pack(name, entries):
    def control():
        text = f"Package: {name}\nVersion: 1-1\nArchitecture: {arch}\nMaintainer: a <a@example.org>\nDescription: test\n".encode()
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            info = tarfile.TarInfo("./control"); info.size = len(text); tar.addfile(info, io.BytesIO(text))
        return data.getvalue()
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for info, content in entries:
            info.size = len(content); tar.addfile(info, io.BytesIO(content))
    def member(member_name, content):
        return f"{member_name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode() + content + (b"\n" if len(content) % 2 else b"")
    with open(f"{work}/repository/pool/{name}_1-1_{arch}.deb", "wb") as deb:
        deb.write(b"!<arch>\n" + member("debian-binary", b"2.0\n") + member("control.tar.gz", control()) + member("data.tar.gz", data.getvalue()))
def entry(path, kind=tarfile.REGTYPE, link="", mode=0o755, major=0, minor=0):
    info = tarfile.TarInfo(path); info.type = kind; info.linkname = link; info.mode = mode; info.devmajor = major; info.devminor = minor
    return info
pack("behind", [(entry("./usr/out", tarfile.SYMTYPE, work), b""), (entry("./usr/out/planted"), b"x")])
pack("climbs", [(entry("./../../../../.." + work + "/planted"), b"x"), (entry("/" + work.lstrip("/") + "/planted"), b"x")])
pack("device", [(entry("./dev/sda", tarfile.BLKTYPE, major=8, minor=0), b"")])
pack("deep", [(entry("./" + "d/" * 1500 + "f"), b"x")])
pack("hard", [(entry("./usr/share/passwd", tarfile.LNKTYPE, "../../../../etc/passwd"), b"")])
P
)
repository
import links --json -q >"$WORK/links.json"
links=$(jq -r '.[0].outputs.out' "$WORK/links.json")
[ -z "$(find "$ROOT/nix/store" -perm /6000)" ] || die "a set-user-id program in the store"
[ -z "$(find "$ROOT/nix/store" -name stolen -o -name climbing | xargs -r readlink | grep -v '^\.\./\|^/nix/store/\|^shadow$' || true)" ] || die "a link leads out"
[ ! -e "$ROOT$links/etc/stolen" ] && [ ! -e "$ROOT$links/etc/climbing" ] || die "a link leads to files of the machine"
import_refused "behind" behind
import climbs -q >/dev/null 2>&1 || true
import_refused "device" device
import_refused "deep" deep
import_refused "hard link" hard
[ ! -e "$WORK/planted" ] || die "a file was planted"
nix_finds_nothing_wrong "$ROOT"
echo ok
