#!/usr/bin/env bash
# What script/krew makes is what Krew installs from: the manifest leads to the archive, its digest is the archive's, and what it
# names in it is the plugin, which needs no library of the machine that it comes to but libc.
# builds: kubectl-flox
. "$(dirname "$0")/support.sh"

step "the manifest has the fields that Krew asks for, and leads to the archive"
manifest=$("$PROJECT/script/krew" "$WORK/dist")
field() { sed -n "s/^ *-\{0,1\} *$1: *//p" "$manifest"; }
equal "$(field apiVersion)" krew.googlecontainertools.github.com/v1alpha2
equal "$(field kind)" Plugin
[[ $(field version) =~ ^v[0-9]+\.[0-9]+\.[0-9]+$ ]] || die "the version is not one of Krew's: $(field version)"
[ "$(field shortDescription | wc -c)" -le 51 ] || die "the short description is longer than Krew shows"
! grep -q '@' "$manifest" || die "something is not filled in: $(grep '@' "$manifest")"
archive=$(field uri)
equal "$(sha256sum "${archive#file://}" | cut -d' ' -f1)" "$(field sha256)"

step "installed as Krew does it, kubectl finds it as a plugin"
mkdir -p "$WORK/krew/store" "$WORK/krew/bin"
tar -C "$WORK/krew/store" -xzf "${archive#file://}"
for file in $(field from); do [ -e "$WORK/krew/store/$file" ] || die "the archive lacks $file"; done
equal "$(ls "$WORK/krew/store" | sort | tr '\n' ' ')" "LICENSE kubectl-flox "
ln -s "$WORK/krew/store/$(field bin)" "$WORK/krew/bin/kubectl-flox"
ends 0 env -i PATH="$WORK/krew/bin" kubectl-flox --version
says "$(field version | tr -d v)"
needed=$(objdump -p "$WORK/krew/store/kubectl-flox" | awk '$1 == "NEEDED" && $2 !~ /^(libc|libm|ld-linux.*)\.so/ { print $2 }')
equal "$needed" ""

step "the same program gives the same archive"
"$PROJECT/script/krew" "$WORK/again" https://example.com/releases >/dev/null
cmp "${archive#file://}" "$WORK/again/$(basename "$archive")"
grep -q "uri: https://example.com/releases/$(basename "$archive")\$" "$WORK/again/flox.yaml" || die "the manifest does not lead to the URL"

step "without kubectl it says what it needs"
ends 3 env -i PATH="$WORK/krew/bin" kubectl-flox status
says "Install kubectl"
