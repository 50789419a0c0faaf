#!/usr/bin/env bash
# A developer's environment: made, filled, locked, activated; and what a developer reads when something is wrong.
. "$(dirname "$0")/../lib.sh"
enter_world "$@"
start_catalog
publish_tool hello 0.9
publish_tool hello 1.0
publish_tool other 2.1
publish_tool make 4.3
export FLOX_ROOT=$LAPTOP_ROOT
project=$WORLD/project
mkdir "$project"
cd "$project"

step "an environment is made where it is asked for"
refused "no environment in" flox list
flox init web
cd web
equal "$(jq -r .name .flox/env.json)" web
refused "has an environment already" flox init

step "an environment is set up by what the project's files call for, and the catalog has"
mkdir "$WORLD/files" && cd "$WORLD/files"
printf 'all:\n' >Makefile
echo '{"engines": {"node": ">=18"}}' >package.json
echo 'module x' >go.mod
said=$(flox init 2>&1)
contains "$said" "For package.json, go.mod, Makefile:
  \$ flox install nodejs npm golang-go make"
equal "$(flox list --name 2>/dev/null)" ""
rm -r .flox
refused "cannot be reached" env FLOX_CATALOG_URL=http://127.0.0.1:1 flox init --auto-setup
[ ! -e .flox ] || die "it was half made"
said=$(flox init --auto-setup 2>&1)
contains "$said" "the catalog does not have nodejs >=18 (package.json)"
contains "$said" "the catalog does not have golang-go or go (go.mod)"
contains "$said" "✔ make (Makefile)"
equal "$(flox list --name)" make
equal "$(FLOX_CATALOG_URL=http://127.0.0.1:1 flox activate -- make)" "make 4.3"
rm -r .flox
equal "$(flox init --no-auto-setup 2>&1 | grep -c install)" 1
rm -r .flox
printf '{"engines": {"node": ">=18 || \033[31m"}}' >package.json
head -c 3000000 /dev/zero >pyproject.toml && mkfifo .nvmrc && ln -s /etc/passwd .python-version
said=$(flox init --auto-setup 2>&1)
contains "$said" "the catalog does not have python3 (pyproject.toml)"
equal "$(grep -c $'\e' <<<"$said" || true)" 0
cd "$project/web"

step "packages are installed by name and version"
flox install hello
equal "$(flox list)" "hello: hello (1.0)"
flox install hello@0.9
equal "$(flox list)" "hello: hello (0.9)"
equal "$(flox list -e)" "hello: hello (0.9)"
all=$(flox list --all)
contains "$all" "hello: hello (0.9)
  Description:  Says hello 0.9"
contains "$all" "
  Priority:     5"
contains "$all" "
  Outputs:      out*"
equal "$(flox activate -- hello)" "hello 0.9"

step "what an installation does to a package that is there is said"
contains "$(flox install hello 2>&1)" "  hello: 0.9 -> 1.0; no longer pinned to '0.9'"
equal "$(flox install hello 2>&1)" "! 'hello' already installed to environment 'web'"
contains "$(flox install hello@1.0 2>&1)" "  hello: 1.0; pinned to '1.0', to which 'flox upgrade' keeps"
contains "$(flox install hello@1.0 2>&1)" "  hello: 1.0; pinned to '1.0', to which 'flox upgrade' keeps"
contains "$(flox install hello@0.9 2>&1)" "  hello: 1.0 -> 0.9; pinned to '0.9'"
contains "$(flox upgrade 2>&1)" "no package of environment 'web' has a newer version"
equal "$(flox install other 2>&1 | grep -c '^  ' || true)" 0
flox uninstall other

flox install other && flox uninstall other other && equal "$(flox list --name)" hello
refused '"a.b".priority = 4' flox install -i a.b hello@1.0

step "the one-variable rollback pins the primary package"
flox uninstall hello
flox install -i web hello
equal "$(flox activate -- hello)" "hello 1.0"
equal "$(FLOX_PACKAGE_VERSION=0.9 flox activate -- hello 2>/dev/null)" "hello 0.9"
refused "published versions: 1.0, 0.9" env FLOX_PACKAGE_VERSION=7 flox activate -- hello

step "exit codes, arguments and variables are the command's own"
cat >>.flox/env/manifest.toml <<'TOML'
[profile]
common = "greet() { echo \"hi $1\"; }"
TOML
sed -i 's/^\[vars\]/[vars]\nWHERE = "$HOME\/data"/; s/^\[hook\]/[hook]\non-activate = "export FROM_HOOK=yes; echo hook"/' .flox/env/manifest.toml
code=0
flox activate -- sh -c 'exit 7' || code=$?
equal $code 7
equal "$(flox activate -- sh -c 'echo "$WHERE $FROM_HOOK $FLOX_ENV_DESCRIPTION"' 2>/dev/null)" "$HOME/data yes web"
equal "$(flox activate -c 'greet you' 2>/dev/null)" "hi you"
refused "the calling shell cannot see it" flox activate
refused "no command 'nonsense'" flox activate -- nonsense

step "sbin is in PATH behind bin if that is wanted, and of each environment as it is"
path() { flox activate "$@" -- sh -c 'echo "$PATH"' 2>/dev/null; }
link=$PWD/.flox/run/$(uname -m)-linux.web-dev
[[ $(path) == "$link/bin:"* ]] || die "PATH begins with $(path)"
[[ $(path) != *"$link/sbin"* ]] || die "sbin is in $(path)"
[[ $(path --add-sbin) == "$link/bin:$link/sbin:"* ]] || die "PATH begins with $(path --add-sbin)"
flox init -d "$WORLD/inner" -n inner
both=$(flox activate --add-sbin -- flox activate -d "$WORLD/inner" -- sh -c 'echo "$PATH"' 2>/dev/null)
[[ $both == "$WORLD/inner/.flox/run/$(uname -m)-linux.inner-dev/bin:$link/bin:$link/sbin:"* ]] || die "PATH begins with $both"

step "the environment directly below is used, and said"
cd ..
contains "$(flox activate -- hello 2>&1)" "using the environment in $project/web"
flox init second >/dev/null 2>&1
refused "several directly below it: second, web" flox activate -- hello

step "what is wrong is said, and nothing changes"
cd web
before=$(cat .flox/env/manifest.toml .flox/env/manifest.lock)
refused "Did you mean hello?" flox install helo
refused "published versions: 1.0, 0.9" flox install hello@3
printf 'schema-version = "1.10.0"\n[[services]]\ncommand = "x"\n' >"$WORLD/mine.toml"
refused "$WORLD/mine.toml:2:1: [services] must be a table" flox edit -f "$WORLD/mine.toml"
refused "single brackets" flox edit -f - <"$WORLD/mine.toml"
refused "(standard input):2:1" flox edit -f - <"$WORLD/mine.toml"
equal "$(cat .flox/env/manifest.toml .flox/env/manifest.lock)" "$before"
FLOX_CATALOG_URL=http://127.0.0.1:1 refused "the catalog at http://127.0.0.1:1 cannot be reached" flox install other
equal "$(cat .flox/env/manifest.toml .flox/env/manifest.lock)" "$before"
printf 'schema-version = "1.10.0"\n[install]\nhello.pkg-path = \n' >.flox/env/manifest.toml
refused "manifest.toml:3:18" flox list
printf 'schema-version = "1.10.0"\n[instal]\nhello.pkg-path = "hello"\n' >.flox/env/manifest.toml
refused "manifest.toml:2:1: unknown key 'instal'" flox list

step "what a new entry of an edited manifest has wrong is said where it stands"
printf 'schema-version = "1.10.0"\n[install]\nhello.pkg-path = "hello"\n' >.flox/env/manifest.toml
flox lock
printf '[install]\nhello.pkg-path = "hello"\nother = { pkg-path = "other", version = ">" }\n' >"$WORLD/mine.toml"
sed -i '1i schema-version = "1.10.0"' "$WORLD/mine.toml"
refused "$WORLD/mine.toml:4:31: " flox edit -f "$WORLD/mine.toml"
sed -i 's/"other", version = ">"/"otter"/' "$WORLD/mine.toml"
refused "$WORLD/mine.toml:4:1: " flox edit -f "$WORLD/mine.toml"

step "the same lock gives the same profile in another root"
printf 'schema-version = "1.10.0"\n[install]\nhello.pkg-path = "hello"\nother.pkg-path = "other"\n' >.flox/env/manifest.toml
flox activate -- hello
link=.flox/run/x86_64-linux.web-dev
[ "$(uname -m)" = x86_64 ] || link=.flox/run/$(uname -m)-linux.web-dev
one=$(readlink $link)
rm -rf .flox/run
flox --root "$WORLD/elsewhere" activate -- hello
equal "$(readlink $link)" "$one"
