#!/usr/bin/env bash
# What packages can do to the profile that is made of them, with the store at "/": nothing outside it. A package author
# whose key is trusted, and a pod that writes its own locks, reach neither the host's files nor other paths of the store.
. "$(dirname "$0")/support.sh"
enter_overlay_root "$@"
start_catalog
publish_tool hello 1.0
mkdir -p "$EVIL_CACHE" "$WORLD/trees" /srv/private
echo topsecret >/srv/private/name-of-a-secret

# tree NAME: an empty directory to fill, in $TREE; package NAME: signs it, in $EVIL_CACHE. The path is $PACKAGE.
tree() { TREE=$WORLD/trees/$1 && mkdir -p "$TREE/share/doc-$1" && echo "$1" >"$TREE/share/doc-$1/file"; }
package() { PACKAGE=$(hostile_package "$@"); }
# pair LINK TARGET [OPTION…]: two packages that both have the link; $PAIR are their paths.
pair() {
  local one
  for one in one two; do
    tree "pair$1-$one$RANDOM"
    mkdir -p "$(dirname "$TREE/$1")"
    rm -rf "${TREE:?}/$1"
    ln -s "$2" "$TREE/$1"
    package "$(basename "$TREE" | tr / -)" "$TREE" "${@:3}"
    PAIR[${#PAIR[@]}]=$PACKAGE
  done
}

step "packages of a hostile author"
serve_evil_cache
export FLOX_CACHES=$EVIL_CACHE_URL
start_node
start_pod evil
start_pod victim

# realise [PATH…]: a profile of these packages for the pod; refuse_profile TEXT PATH…: it must be refused so.
realise() { lock_of "$@" >"$WORLD/lock" && realise_as evil "$WORLD/lock"; }
refuse_profile() {
  local text=$1 answer
  shift
  if answer=$(realise "$@"); then die "should have been refused: $* gave $answer: $(ls -l "$answer")"; fi
  contains "$answer" "$text"
  host_unchanged "refusing '$text'"
  case $answer in *name-of-a-secret*) die "the refusal tells of the host's files: $answer" ;; esac
}
nothing_of_the_host() {
  [ -z "$(find /nix/store -name '*name-of-a-secret*')" ] || die "names of the host's files are in the store"
}

step "activate.d as a link, a file, a directory; manifest.lock as a link: no package has these names"
export LOCK_MANIFEST='{"profile": {"common": "owned"}, "vars": {"OWNED": "1"}, "hook": {"on-activate": "touch /owned"}}'
mkdir -p /etc/cron.d
remember_host
tree cron && ln -s /etc/cron.d "$TREE/activate.d" && package cron "$TREE" && refuse_profile "has activate.d" "$PACKAGE"
cron=$PACKAGE
tree up && ln -s ../../../etc/cron.d "$TREE/activate.d" && package up "$TREE" && refuse_profile "has activate.d" "$PACKAGE"
tree file && echo x >"$TREE/activate.d" && package file "$TREE" && refuse_profile "has activate.d" "$PACKAGE"
tree dir && mkdir "$TREE/activate.d" && echo x >"$TREE/activate.d/vars.json" && package dir "$TREE" && refuse_profile "has activate.d" "$PACKAGE"
tree deep && mkdir "$TREE/activate.d" && ln -s /etc/cron.d/x "$TREE/activate.d/profile-common" && package deep "$TREE" && refuse_profile "has activate.d" "$PACKAGE"
tree lock && ln -s /etc/cron.d/lock "$TREE/manifest.lock" && package lock "$TREE" && refuse_profile "has manifest.lock" "$PACKAGE"

step "another one refuses it as well: the first package, the second, by whatever priority"
hello=$(flox show hello --json | jq -r '.[0].outputs.out')
refuse_profile "has activate.d" "$hello" "$cron"
refuse_profile "has activate.d" "$cron" "$hello"

step "a victim's environment is no package: its hook and variables stay as they are"
LOCK_MANIFEST='{"hook": {"on-activate": "echo honest hook"}, "vars": {"WHO": "victim"}}' lock_of "$hello" >"$WORLD/victim.lock"
victim=$(realise_as victim "$WORLD/victim.lock")
before=$(cd "$victim" && sha256sum activate.d/* manifest.lock)
refuse_profile "has activate.d" "$victim"
refuse_profile "has activate.d" "$victim" "$hello"
equal "$(cd "$victim" && sha256sum activate.d/* manifest.lock)" "$before"

step "shells are names of a fixed set, never paths"
for shell in ../../x bash/x /etc/cron.d/x .. "$(printf 'a%.0s' {1..5000})" ''; do
  LOCK_MANIFEST=$(jq -nc --arg s "$shell" '{profile: {($s): "owned"}}') refuse_profile "unknown shell" "$hello"
done
unset LOCK_MANIFEST

step "a directory link that two packages have is followed within their closures only"
refuse_pair() {  # TEXT LINK TARGET [OPTION…]
  PAIR=()
  pair "${@:2}"
  refuse_profile "$1" "${PAIR[@]}"
  nothing_of_the_host
}
for target in /srv/private /srv ../../../srv/private ../../../../../../../srv/private /proc/self/root/srv/private /proc/1/root /nix/store /nix/store/.. \
  /nix/store/../../srv/private .. ../.. //srv/private /./srv/private; do
  refuse_pair "data -> $target" data "$target"
done
for link in share/one share/one/two share/one/two/three; do refuse_pair "$link -> /srv/private" "$link" /srv/private; done
PAIR=()  # one link only, beside another package's real directory
pair share/doc /srv/private
tree other && mkdir -p "$TREE/share/doc" && echo x >"$TREE/share/doc/x" && package other "$TREE"
refuse_profile "share/doc -> /srv/private" "${PAIR[0]}" "$PACKAGE"
refuse_profile "share/doc -> /srv/private" "$PACKAGE" "${PAIR[0]}"

step "chains of links, links in links, circles"
chain() {  # NAME COMMAND: two packages with the same tree, but for one file
  local one
  PAIR=()
  for one in one two; do
    tree "$1-$one"
    (cd "$TREE" && eval "$2")
    package "$1-$one" "$TREE"
    PAIR[${#PAIR[@]}]=$PACKAGE
  done
}
chain long 'for i in {1..60}; do ln -s l$((i + 1)) l$i; done; mkdir l61'
refuse_profile "more than 40" "${PAIR[@]}"
chain hop 'mkdir -p a/b; ln -s /srv a/b/out; ln -s a/b in; ln -s in/out/private data'
refuse_profile "-> /srv" "${PAIR[@]}"
chain hopup 'mkdir -p a/b/c; ln -s a/b/c short; ln -s short/../../../../../../srv/private data'
refuse_profile "data -> short" "${PAIR[@]}"
chain self 'ln -s data data'
refuse_profile "circle" "${PAIR[@]}"
chain circle 'mkdir d; ln -s . d/again; ln -s ../d d/more'
refuse_profile "circle" "${PAIR[@]}"

step "a link to a path that is valid and not in the closure is none of the package's business"
tree foreign && package foreign "$TREE" && foreign=$PACKAGE
realise "$foreign" >/dev/null
refuse_pair "does not refer to" data "$foreign/share"
refuse_pair "does not refer to" data "../$(basename "$foreign")/share"

step "honest packages are merged as before: links to directories and files of the closure, and leaves that dangle"
PAIR=()
pair data "$foreign/share" --reference "$foreign"
profile=$(realise "${PAIR[@]}" "$foreign")
equal "$(readlink "$profile/data/doc-foreign/file")" "${PAIR[0]}/data/doc-foreign/file"
[ -d "$profile/share" ] && [ ! -L "$profile/share" ] || die "share is not a directory of the profile's own"
tree leaves && mkdir "$TREE/etc" && ln -s /etc/hostname "$TREE/etc/hostname" && ln -s /proc/self/fd "$TREE/fd" && ln -s nowhere "$TREE/dangling" && package leaves "$TREE"
profile=$(realise "$PACKAGE" "$hello")
equal "$(readlink "$profile/etc")" "$PACKAGE/etc"
equal "$(readlink "$profile/fd")" "$PACKAGE/fd"
[ -d "$profile/activate.d" ] && [ ! -L "$profile/activate.d" ] && [ -f "$profile/manifest.lock" ] && [ ! -L "$profile/manifest.lock" ] || die "the profile's own files are links"
equal "$(realise "$PACKAGE" "$hello")" "$profile"

step "a command is not looked up in a package's link to the host"
tree spy && ln -s /srv/private "$TREE/bin" && package spy "$TREE"
publish_hostile spy 1.0 "$PACKAGE"
output=$(node_call Prepare container_id=spy1 pod_id=spy1 environment=spy args=name-of-a-secret)
case $output in *"/bin/name-of-a-secret"*) die "floxd looked into the host's directory: $output" ;; esac
node_call Release container_id=spy1 >/dev/null

step "publishing refuses links that leave the closure, and special files"
publish_tree() {  # adds the tree to the publisher's store and publishes it
  local path
  path=$(flox --root "$LAPTOP_ROOT" store add "$TREE") && flox --root "$LAPTOP_ROOT" publish --store-path "$path" --name "$(basename "$TREE")" --version 1.0
}
tree out1 && ln -s /etc/cron.d "$TREE/data" && refused "data -> /etc/cron.d" publish_tree
tree out2 && mkdir -p "$TREE/a/b" && ln -s ../../../../etc "$TREE/a/b/c" && refused "a/b/c -> ../../../../etc" publish_tree
tree out3 && ln -s "$hello/bin" "$TREE/data" && refused "data -> $hello" publish_tree
tree out4 && ln -s ../.. "$TREE/up" && refused "up -> ../.." publish_tree
tree fifo && mkfifo "$TREE/fifo" && refused "neither a file nor a directory nor a symlink" publish_tree
tree good && ln -s share "$TREE/data" && ln -s nowhere "$TREE/dangling" && publish_tree

step "nothing of all this touched the host or the store's paths"
host_unchanged "the packages"
nothing_of_the_host
verify_store
