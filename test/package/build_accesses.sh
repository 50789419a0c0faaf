#!/usr/bin/env bash
# Builds with sandbox "warn" are told which files of this machine they used; with "enforce" they do not have them, and are
# told which they wanted: static programs too, as root and as an ordinary user, whatever the names are, and where the kernel
# does not tell.
debs=${XDG_CACHE_HOME:-$HOME/.cache}
. "$(dirname "$0")/../../script/lib.sh"
. "$(dirname "$0")/support.sh"
unshare --user --mount --pid --fork true 2>/dev/null || skip "needs namespaces"
export FLOX_ROOT=$ROOT TMPDIR=$WORK/tmp
mkdir "$TMPDIR"

# The machine, as far as these builds are concerned: what is in /tmp, every build may use.
OUTSIDE=$(mktemp -d /var/lib/flox-test-XXXXXX)
cleanup() { rm -rf --one-file-system "$WORK" "$OUTSIDE"; }
chmod 755 "$OUTSIDE"
echo "of this machine" >"$OUTSIDE/data"
export HOME=$OUTSIDE/home
mkdir -p "$HOME/.npm" "$HOME/.config"
echo cached >"$HOME/.npm/package"
echo secret >"$HOME/.config/token"

step "an environment with bash and coreutils"
XDG_CACHE_HOME=$debs "$FLOX" import deb bash coreutils --json -q >"$WORK/imported" 2>"$WORK/log" || die "$(cat "$WORK/log")"
installed=$(jq -r '.[] | "\(.name).store-path = \"\(.outputs.out)\""' "$WORK/imported")

mkdir -p "$WORK/project/.flox/env"
cd "$WORK/project"
echo '{"name": "project", "version": 1}' >.flox/env.json
build() {  # build SANDBOX COMMAND [MORE]: its output in $WORK/out, what it was told in $WORK/told
  printf 'schema-version = "1.13.0"\n[install]\n%s\n[build.it]\nversion = "1"\nsandbox = "%s"\n%s\ncommand = '"'''\n%s\n'''"'\n' "$installed" "$1" "${3:-}" "$2" >.flox/env/manifest.toml
  ${AS:-} "$FLOX" build -d . >"$WORK/out" 2>"$WORK/told"
}
builds() { build "$@" || die "it failed: $(cat "$WORK/told")"; }
fails() { if build "$@"; then die "it succeeded: $2"; fi; }
told() { expect_contains "$(cat "$WORK/told")" "$1"; }
untold() { case $(cat "$WORK/told") in *"$1"*) die "'$1' is in: $(cat "$WORK/told")" ;; esac; }
accesses() { jq -r ".accesses[] | $1" result-it.accesses.json; }

step "warn: the build runs as ever, and what pure would not have had is named with its program"
echo "of the project" >own
builds warn 'cat /etc/hosts '"$OUTSIDE"'/data own > $out/it; ls -d $FLOX_ENV >/dev/null; echo x >/tmp/flox-scratch-$$; rm /tmp/flox-scratch-$$'
told "[build.it] used files of this machine"
told "read      $OUTSIDE/data, by cat"
told "read      /etc/hosts, by cat"
told 'sandbox-allow = ["'
for never in project/own /nix/store /proc/ /dev/ /tmp/flox-scratch; do
  accesses .path | grep -F "$never" && die "$never is among the accesses"
done
[ "$(jq -r .predicate.buildDefinition.internalParameters.sandbox result-it.provenance.json)" = none ] || die "warn keeps nothing from a build"
expect_contains "$(cat "$ROOT$(jq -r .outputs.out result-it.json)/it")" "of this machine"
builds warn 'cp own $out/it'
untold "used files"
[ ! -e result-it.accesses.json ] || die "the accesses of the build before are still there"

step "warn: programs of this machine are named with their package, and static programs are seen"
if type -p gcc >/dev/null; then
  printf '#include <stdio.h>\n#include <fcntl.h>\nint main(int argc, char** argv) { return open(argv[1], O_RDONLY) < 0; }\n' >open.c
  builds warn 'gcc -static -o opens open.c; ./opens '"$OUTSIDE/data"'; cp open.c $out/'
  told "$OUTSIDE/data, by opens"
  told "(Debian package libc6-dev)"
  told "flox install"
  accesses 'select(.how == "executed") | .path' | grepq gcc || die "gcc is not among what was executed"
  # The C library that gcc is linked with goes with gcc.
  accesses 'select(.path | endswith("libc.so.6")) | .program' | grep gcc && die "gcc's own libraries are named"
  rm opens
fi

step "sandbox-allow: a path, a pattern, the home directory"
builds warn "cat $OUTSIDE/data /etc/hosts"' ~/.npm/package > $out/it' "sandbox-allow = [\"$OUTSIDE/d*\", \"/etc/hosts\", \"~/.npm/**\"]"
untold "used files"
ln -s / whole
for bad in / '/**' relative '**/x' "$WORK/project/whole" "$WORK/project/whole/**"; do
  fails warn 'touch $out/it' "sandbox-allow = [\"$bad\"]"
  told "sandbox-allow '$bad'"
done
rm whole

step "enforce: what is not allowed is not there, and the error's reader is told what was wanted"
rm result-it.json
fails enforce "cat $OUTSIDE/data > \$out/it"
told "No such file or directory"
told "[build.it] asked for files of this machine that its sandbox keeps from it:"
told "read      $OUTSIDE/data, by cat"
[ ! -e result-it.json ] || die "it left a result"
for file in /etc/hosts '~/.config/token' /usr/bin/perl; do fails enforce "cat $file > \$out/it"; done
builds enforce "cat $OUTSIDE/data /etc/hosts"' ~/.npm/package > $out/it; echo more >~/.npm/made; echo changed >own; [ ! -e ~/.config ]; : >~/new' \
  "sandbox-allow = [\"$OUTSIDE/d*\", \"/etc/hosts\", \"~/.npm/**\"]"
[ "$(cat own)" = changed ] || die "it could not write into the project"
[ "$(cat "$HOME/.npm/made")" = more ] || die "it could not write into what is allowed"
[ ! -e "$HOME/new" ] || die "it wrote into the home directory"
[ "$(jq -r .predicate.buildDefinition.internalParameters.sandbox result-it.provenance.json)" = enforce ] || die "the provenance does not say so"
builds enforce 'cat /proc/net/dev > $out/it; [ $(id -u) = '"$(id -u)"' ]'
[ "$(grep -c : "$ROOT$(jq -r .outputs.out result-it.json)/it")" = "$(grep -c : /proc/net/dev)" ] || die "it has not the machine's network"
ln -s home "$OUTSIDE/link"
HOME=$OUTSIDE/link builds enforce 'cd ~; [ -d "$HOME" ]; touch $out/it'
rm "$OUTSIDE/link"
printf '#!/usr/bin/perl\n' >script
chmod +x script
fails enforce './script'
told "/usr/bin/perl"

step "a hostile build: it gets nowhere, and what it names stays text"
odd=$(printf 'a\nsandbox is off\033[2J\033]0;x\007b')
echo odd >"$OUTSIDE/$odd"
mkdir "$OUTSIDE/many"
(cd "$OUTSIDE/many" && seq -f 'file%g' 5000 | xargs touch)
for sandbox in warn enforce; do
  build $sandbox "cd $OUTSIDE 2>/dev/null"' && cat * >/dev/null 2>&1 || true
    for i in {1..5000}; do : <'"$OUTSIDE"'/many/file$i; done 2>/dev/null || true
    cat "'"$OUTSIDE"'"/a$'"'"'\n'"'"'sandbox* >/dev/null 2>&1 || true
    touch $out/it' || die "$(cat "$WORK/told")"
  [ "$(wc -l <"$WORK/told")" -lt 40 ] || die "it floods: $(wc -l <"$WORK/told") lines"
  grep -q $'\033\|\007' "$WORK/told" && die "an escape sequence is printed"
  grep -q '^sandbox is off' "$WORK/told" && die "a name is a line of its own"
  told "files beyond the first 4096"
  [ "$(jq '.accesses | length' result-it.accesses.json)" = 4096 ] || die "it is not bounded"
done
ln -sf "$OUTSIDE/data" inner
fails enforce 'cat inner >$out/it'
told "$OUTSIDE/data, by cat"
for escape in 'mkdir /m; mount -t proc none /m' 'mknod /tmp/sda b 8 0' 'chroot /proc/1/root ls' "cat /proc/1/root$OUTSIDE/data" 'echo 1 >/proc/sys/vm/drop_caches' 'umount /proc'; do
  fails enforce "$escape"
done
rm "$OUTSIDE/$odd"
fails enforce "rm result-it.log; ln -s $HOME/.config/token result-it.log; exit 1"
untold secret
mv own kept && ln -s "$HOME/.config/token" own
sed -i 's/^version = .*/version = { file = "own" }/' .flox/env/manifest.toml
"$FLOX" build -d . >"$WORK/out" 2>"$WORK/told" && die "a link of the build's was its version"
told "leads out of the project"
untold secret
mv kept own
exec 9<"$OUTSIDE"
fails enforce 'cat /proc/self/fd/9/data'
exec 9<&-
AS="setpriv --inh-caps +sys_admin"
builds enforce 'while read -r name value; do case $name in Cap*) echo "$value" ;; esac; done </proc/self/status >$out/it'
AS=
while read -r set; do
  if ((0x$set & ~0xdb)); then die "it has capabilities but those over files: $set"; fi
done <"$ROOT$(jq -r .outputs.out result-it.json)/it"
if type -p gcc >/dev/null; then
  printf '#include <errno.h>\n#include <sys/syscall.h>\n#include <unistd.h>\nint main(void) { return syscall(SYS_keyctl, 0, -3, 0) != -1 || errno != ENOSYS; }\n' >keys.c
  gcc -static -o keys keys.c
  builds enforce './keys; touch $out/it'
  rm keys
fi

step "an ordinary user"
user=65533
chown -R $user "$WORK" "$HOME"
AS="setpriv --reuid $user --regid $user --clear-groups"
builds warn "cat $OUTSIDE/data > \$out/it"
told "read      $OUTSIDE/data, by cat"
fails enforce "cat $OUTSIDE/data > \$out/it"
told "read      $OUTSIDE/data, by cat"
builds enforce "cat $OUTSIDE/data > \$out/it; [ \$(id -u) = $user ]" "sandbox-allow = [\"$OUTSIDE/data\"]"
AS=

step "where the kernel does not tell: warn is refused, enforce holds and says that it does not know"
if type -p gcc >/dev/null; then
  cat >without.c <<'C'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char** argv) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                               BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 1),
                               BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog filter = {sizeof(code) / sizeof(*code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) || execvp(argv[1], argv + 1);
}
C
  gcc -o "$WORK/without" without.c
  AS=$WORK/without
  fails warn 'touch $out/it'
  told "seeing which files the command uses: the kernel answers"
  told 'sandbox = "pure"'
  fails enforce "cat $OUTSIDE/data > \$out/it"
  told "is not known: the kernel does not tell"
  AS=
fi
[ -z "$(ls "$TMPDIR")" ] || die "left behind: $(ls "$TMPDIR")"
echo "ok"
