#!/usr/bin/env bash
# `flox import npm`: packages of a registry of the test's own become store paths that refer to what they see and that run in an
# empty root under Debian's nodejs; tarballs and documents that want to harm who imports them are refused.
# ctest: COST 330
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/loopback_index.sh"
serve_index npm_registry.py
keep_debs
pack() { python3 "$PROJECT/test/package/npm_registry.py" pack "$INDEX" "$@"; }
import() { "$FLOX" --root "$ROOT" import npm --registry "$URL" -q "$@"; }
exports() { printf 'index.js=module.exports = %s' "$1"; }

step "the interpreter"
interpreter nodejs

step "a program with what it needs, each package seeing its own versions, in an empty root"
pack words 1.0.0 "$(exports '"one"')"
pack words 1.5.0 "$(exports '"one and a half"')"
pack words 2.0.0 "$(exports '"two"')"
pack @scope/twice 0.1.0 "$(exports '() => require("words") + " twice"')" --json '{"dependencies":{"words":"^2.0.0"}}'
pack left 1.0.0 'index.js=exports.name = "left"; exports.other = () => require("right").name' --json '{"dependencies":{"right":"1"}}'
pack right 1.0.0 'index.js=exports.name = "right"; exports.other = () => require("left").name' --json '{"dependencies":{"left":"1"}}'
pack elsewhere 1.0.0 index.js= --json '{"os":["win32"]}'
# shellcheck disable=SC2016
pack my-app 1.2.0 'bin/cli.js=#!/usr/bin/env node
const { execFileSync } = require("child_process");
if (process.argv[2] === "child") console.log(execFileSync(process.execPath, ["-p", "6 * 7"]).toString().trim());
else console.log(require("words"), require("@scope/twice")(), require("left").other(), require("alias"), process.argv.slice(2).join());' \
  --json '{"bin":{"my-app":"./bin/cli.js"},"license":"MIT","description":"Says it","dependencies":{"words":"^1.0.0","@scope/twice":"*","left":"1","alias":"npm:words@1.0.0"},"optionalDependencies":{"elsewhere":"1"}}'
import my-app@1.2.0 --json >"$WORK/app.json" || die "it was not imported"
app=$(out_of "$WORK/app.json")
[ "$(jq -r '.[0] | .name + " " + .version + " " + .license + " " + .description' "$WORK/app.json")" = "my-app 1.2.0 MIT Says it" ] || die "wrong record: $(cat "$WORK/app.json")"
[ "$(jq -c '[.[0].parts[] | .name + " " + .version]' "$WORK/app.json")" = '["my-app 1.2.0","@scope/twice 0.1.0","words 1.0.0","left 1.0.0","words 2.0.0","right 1.0.0"]' ] || die "other versions: $(jq -c '.[0].parts' "$WORK/app.json")"
[ "$(jq -c '[.[0].programs[] | .program + " " + .verdict]' "$WORK/app.json")" = '["bin/my-app ran"]' ] || die "programs: $(jq -c '.[0].programs' "$WORK/app.json")"
output=$(in_empty_root "$ROOT" "$app/bin/my-app" a b 2>"$WORK/error") || die "it does not run: $(cat "$WORK/error")"
[ "$output" = "one two twice right one a,b" ] || die "another output: $output"
[ "$(in_empty_root "$ROOT" "$app/bin/my-app" child 2>/dev/null)" = 42 ] || die "a node that it starts does not run"
[ "$(part_of "$WORK/app.json" left)" = "$(part_of "$WORK/app.json" right)" ] || die "a circle is not one path"
nix_finds_nothing_wrong "$ROOT"

step "another package shares what it needs alike, and --with says a version"
pack other 3.0.0 'cli.js=console.log("other", require("@scope/twice")())' --json '{"bin":"cli.js","dependencies":{"@scope/twice":"~0.1.0","words":"1"}}'
import other --json >"$WORK/other.json"
[ "$(part_of "$WORK/other.json" @scope/twice)" = "$(part_of "$WORK/app.json" @scope/twice)" ] || die "@scope/twice is not shared"
[ "$(in_empty_root "$ROOT" "$(out_of "$WORK/other.json")/bin/other" 2>/dev/null)" = "other two twice" ] || die "it does not run"
[ "$(jq -c '[.[0].parts[] | select(.name == "words") | .version]' "$WORK/other.json")" = '["1.5.0","2.0.0"]' ] || die "not the newest: $(jq -c '.[0].parts' "$WORK/other.json")"
import other --with words@1.0.0 --no-smoke-run --json >"$WORK/pinned.json"
[ "$(jq -c '[.[0].parts[] | select(.name == "words") | .version]' "$WORK/pinned.json")" = '["1.0.0","2.0.0"]' ] || die "the pin was not kept"

step "the same tarballs give the same paths in another root, also for two that import at once"
for i in 1 2; do
  "$FLOX" --root "$WORK/second" import npm --registry "$URL" -q my-app@1.2.0 --no-smoke-run --json >"$WORK/second-$i.json" &
  pids[i]=$!
done
wait "${pids[1]}" && wait "${pids[2]}" || die "one of two imports at once failed"
for i in 1 2; do [ "$(out_of "$WORK/second-$i.json")" = "$app" ] || die "another path: $(cat "$WORK/second-$i.json")"; done

step "a package of modules is found by node of the environment that it is in"
import @scope/twice --no-smoke-run --json >"$WORK/twice.json"
[ "$(jq -r '.[0].name' "$WORK/twice.json")" = scope-twice ] || die "another name"
mkdir "$WORK/env" && "$FLOX" init -d "$WORK/env" -n env 2>/dev/null
printf 'schema-version = "1.10.0"\n[install]\nnodejs.store-path = "%s"\ntwice.store-path = "%s"\n' "$(out_of "$WORK/interpreter.json")" "$(out_of "$WORK/twice.json")" >"$WORK/env/.flox/env/manifest.toml"
[ "$("$FLOX" --root "$ROOT" activate -d "$WORK/env" -- node -p 'require("@scope/twice")()' 2>/dev/null)" = "two twice" ] || die "node does not find it"

step "what is not there, not for this system, or not from the registry"
import_refused "does not exist" nothing
import_refused "no release of words is '7'" words@7
import_refused "does not run on Linux" elsewhere
pack linked 1.0.0 index.js= --json '{"dependencies":{"words":"git+https://example.org/words"}}'
import_refused "no URLs and no files" linked
import_refused "does not name a package" ../etc
import_refused "cannot be the name of the package" words --name ../words

step "tarballs that want out of their tree, or to be what they are not"
python3 - "$INDEX" "$WORK" <<'P'
import io, json, sys, tarfile
directory, work = sys.argv[1:]
def pack(name, entries):
    with tarfile.open(f"{directory}/{name}-1.0.0.tgz", "w:gz") as tar:
        for path, kind, link, content in [("package/package.json", tarfile.REGTYPE, "", json.dumps({"name": name, "version": "1.0.0"}).encode())] + entries:
            entry = tarfile.TarInfo(path); entry.type, entry.linkname, entry.size = kind, link, len(content)
            tar.addfile(entry, io.BytesIO(content))
    json.dump({"name": name, "version": "1.0.0", "said": {}}, open(f"{directory}/{name}-1.0.0.json", "w"))
pack("climbs", [("package/../../../../../.." + work + "/planted", tarfile.REGTYPE, "", b"x")])
pack("rooted", [(work + "/planted", tarfile.REGTYPE, "", b"x")])
pack("links", [("package/out", tarfile.SYMTYPE, work, b""), ("package/out/planted", tarfile.REGTYPE, "", b"x")])
pack("hard", [("package/passwd", tarfile.LNKTYPE, "/etc/passwd", b"")])
pack("device", [("package/sda", tarfile.BLKTYPE, "", b"")])
pack("bomb", [("package/zeros", tarfile.REGTYPE, "", bytes(300 << 20))])
P
import_refused "cannot be the name of a file" climbs
import_refused "is absolute" rooted
import_refused "neither a file nor a directory" links
import_refused "neither a file nor a directory" hard
import_refused "neither a file nor a directory" device
import_refused "far more than its size" bomb
pack liar 1.0.0 index.js= && echo liar-1.0.0.tgz >"$INDEX/lies"
import_refused "which the index says" liar
pack stranger 1.0.0 'package.json={"name":"words","version":"9.0.0"}'
import_refused "package.json is that of words 9.0.0" stranger
pack overwrites 1.0.0 index.js= --json '{"bin":{"../../x":"index.js"}}'
import_refused "cannot be the name of a program" overwrites
pack leads 1.0.0 index.js= --json '{"bin":{"x":"../../../etc/passwd"}}'
import_refused "is not a file of the package" leads
[ ! -e "$WORK/planted" ] || die "a file was planted"
nix_finds_nothing_wrong "$ROOT"
echo ok
