#!/usr/bin/env bash
# `flox import pypi`: wheels of an index of the test's own become store paths that packages share and that run in an empty root;
# wheels and indexes that want to harm who imports them are refused.
# ctest: COST 200
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/loopback_index.sh"
type -P g++ >/dev/null || skip "needs g++"
serve_index python_index.py
URL+=/simple
keep_debs
wheel() { python3 "$PROJECT/test/package/python_index.py" wheel "$INDEX/$1-$2-${3}.whl" "$1" "$2" "${@:4}"; }
import() { "$FLOX" --root "$ROOT" import pypi --index "$URL" -q "$@"; }
any=py3-none-any

step "the interpreter"
interpreter python3

step "a program with what it needs: the newest versions that go together, in an empty root"
wheel words 1.0 $any words.py='WORD = "one"'
wheel words 1.5 $any words.py='WORD = "one and a half"'
wheel words 1.6 $any words.py='WORD = "taken back"' && echo words-1.6-$any.whl >"$INDEX/yanked"
wheel words 2.0 $any words.py='WORD = "two"'
printf '#include <string>\nextern "C" int length(const char* text) { return static_cast<int>(std::string(text).size()); }\n' >"$WORK/native.cc"
g++ -shared -fPIC -O2 -o "$WORK/native.so" "$WORK/native.cc"
wheel native 0.3 "py3-none-manylinux_2_17_$(uname -m)" 'native/__init__.py=import ctypes, os
length = ctypes.CDLL(os.path.join(os.path.dirname(__file__), "native.so")).length' "native/native.so<$WORK/native.so"
wheel native 0.3 py3-none-win_amd64 native/__init__.py='length = None'
wheel My.App 1.2 $any my_app/__init__.py='' 'my_app/cli.py=import os, sys, subprocess
def main():
  import words, native
  if sys.argv[1:] == ["child"]:
    print(subprocess.run([sys.executable, "-c", "import words; print(words.WORD)"], capture_output=True, text=True).stdout.strip())
  else:
    print(words.WORD, native.length(b"four"), sys.prefix)' 'My.App-1.2.data/scripts/my-script=#!python
import words; print("script", words.WORD)' My.App-1.2.data/data/share/my-app/note=here \
  --requires 'words >=1, <2' --requires native --requires 'nowhere; sys_platform == "win32"' --requires 'speedy; extra == "fast"' --entry 'my-app = my_app.cli:main'
import 'my_app==1.2' --json >"$WORK/app.json" || die "it was not imported"
app=$(out_of "$WORK/app.json")
[ "$(jq -r '.[0] | .name + " " + .version + " " + .license' "$WORK/app.json")" = "my-app 1.2 MIT" ] || die "wrong record: $(cat "$WORK/app.json")"
[ "$(jq -c '[.[0].parts[] | .name + " " + .version]' "$WORK/app.json")" = '["my-app 1.2","words 1.5","native 0.3"]' ] || die "other versions: $(cat "$WORK/app.json")"
[ "$(jq -c '[.[0].programs[] | .program + " " + .verdict]' "$WORK/app.json")" = '["bin/my-app ran","bin/my-script ran"]' ] || die "programs: $(jq -c '.[0].programs' "$WORK/app.json")"
[ "$(in_empty_root "$ROOT" "$app/bin/my-app")" = "one and a half 4 $app/libexec/flox/my-app" ] || die "it does not run: $(in_empty_root "$ROOT" "$app/bin/my-app" 2>&1)"
[ "$(in_empty_root "$ROOT" "$app/bin/my-app" child)" = "one and a half" ] || die "a Python that it starts does not find its modules"
[ "$(in_empty_root "$ROOT" "$app/bin/my-script")" = "script one and a half" ] || die "a script does not run"
[ -e "$ROOT$(part_of "$WORK/app.json" my-app)/share/my-app/note" ] || die "its data is not there"
nix_finds_nothing_wrong "$ROOT"

step "another program shares the distributions, each of which is a store path"
wheel other 3.0 $any other.py='import words
def run(): print("other", words.WORD)' --requires 'words[more]~=1.0' --entry 'other = other:run'
import other==3.0 --json >"$WORK/other.json"
[ "$(part_of "$WORK/other.json" words)" = "$(part_of "$WORK/app.json" words)" ] || die "words is not shared"
[ "$(in_empty_root "$ROOT" "$(out_of "$WORK/other.json")/bin/other")" = "other one and a half" ] || die "it does not run"
import other==3.0 --with words==1.0 --json >"$WORK/pinned.json"
[ "$(in_empty_root "$ROOT" "$(out_of "$WORK/pinned.json")/bin/other")" = "other one" ] || die "the pin was not kept"

step "the same wheels give the same paths in another root, also for two that import at once"
for i in 1 2; do
  "$FLOX" --root "$WORK/second" import pypi --index "$URL" -q my-app==1.2 --no-smoke-run --json >"$WORK/second-$i.json" &
  pids[i]=$!
done
wait "${pids[1]}" && wait "${pids[2]}" || die "one of two imports at once failed"
for i in 1 2; do [ "$(out_of "$WORK/second-$i.json")" = "$app" ] || die "another path: $(cat "$WORK/second-$i.json")"; done

step "a package of modules is found by python3 of the environment that it is in"
import words==1.5 --no-smoke-run --json >"$WORK/words.json"
mkdir "$WORK/env" && "$FLOX" init -d "$WORK/env" -n env 2>/dev/null
printf 'schema-version = "1.10.0"\n[install]\npython3.store-path = "%s"\nwords.store-path = "%s"\n' "$(out_of "$WORK/interpreter.json")" "$(out_of "$WORK/words.json")" >"$WORK/env/.flox/env/manifest.toml"
[ "$("$FLOX" --root "$ROOT" activate -d "$WORK/env" -- python3 -c 'import words; print(words.WORD)')" = "one and a half" ] || die "python3 does not find it"

step "what there is no wheel of, what does not go together, what is not there"
import_refused "does not exist" nothing==1.0
wheel elsewhere 1.0 cp27-cp27m-manylinux1_i686 elsewhere.py=''
import_refused "no wheel of it runs with Python 3" elsewhere
echo x >"$INDEX/sources-1.0.tar.gz"
import_refused "only sources" sources
wheel torn 1.0 $any torn.py='' --requires 'words<1.2' --requires 'other==3.0' --requires 'words>1.2'
import_refused "words" torn
import_refused "<1.2 (torn 1.0 wants)" torn
import_refused "is not a requirement" '../etc'
import_refused "is not a condition on versions" 'a b'
import_refused "cannot be the name of the package" words --name ../words
wheel linked 1.0 $any linked.py='' --requires 'words @ http://example.org/words.whl'
import_refused "from a URL" linked
wheel taken 1.6 $any taken.py='' --requires 'words==1.6'
import taken --json --no-smoke-run >"$WORK/taken.json" || die "who asks for a version that was taken back gets it"

step "wheels that want out of their tree, or to be what they are not"
wheel climbs 1.0 $any "../../../../../../$WORK/planted=x"
import_refused "cannot be the name of a file" climbs
wheel rooted 1.0 $any "$WORK/planted=x"
import_refused "is absolute" rooted
python3 - "$INDEX" <<'P'
import sys, zipfile, stat
def pack(name, body):
    with zipfile.ZipFile(f"{sys.argv[1]}/{name}-1.0-py3-none-any.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}-1.0.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        body(archive)
def link(archive):
    entry = zipfile.ZipInfo("stolen.py"); entry.create_system = 3; entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/shadow")
pack("links", link)
import warnings; warnings.simplefilter("ignore")
pack("twice", lambda archive: [archive.writestr("a.py", "1"), archive.writestr("a.py", "2")])
pack("bomb", lambda archive: archive.writestr("zeros", bytes(300 << 20)))
P
import_refused "neither a file nor a directory" links
import_refused "twice" twice
import_refused "far more than its size" bomb
wheel liar 1.0 $any liar.py='' && echo liar-1.0-$any.whl >"$INDEX/lies"
import_refused "which the index says" liar
wheel stranger 1.0 $any stranger.py='' 'stranger-1.0.dist-info/METADATA=Name: words
Version: 9.0
'
import_refused "METADATA is that of words 9.0" stranger
wheel injects 1.0 $any injects.py='' --entry 'x = os:system("id");y'
import_refused "is not a program" injects
wheel overwrites 1.0 $any overwrites.py='' --entry '../../x = overwrites:y'
import_refused "is not a program" overwrites
wheel merges 1.0 $any a.py=1 merges-1.0.data/purelib/a.py=2
import_refused "two files for one place" merges
echo not a zip file >"$INDEX/torn_file-1.0-$any.whl"
import_refused "damaged archive" torn_file
[ ! -e "$WORK/planted" ] || die "a file was planted"
[ -z "$(find "$ROOT/nix/var/nix/flox/scratch" -mindepth 2 2>/dev/null)" ] || die "something was left behind"
nix_finds_nothing_wrong "$ROOT"
echo ok
