#!/usr/bin/env bash
# The Debian packages on a fresh Debian 12: two makings give the same bytes; apt installs them with what they depend on, and nothing
# else is needed; an upgrade keeps what the operator wrote; removing them keeps it, too, and purging leaves nothing.
. "$(dirname "$0")/../lib.sh"
[ -n "${FLOX_TEST_RELEASE:-}" ] || { echo "needs FLOX_TEST_RELEASE=1: two makings of six packages, and Debian's mirror take many minutes"; exit 77; }
need_root
root=$("$PROJECT/script/systemd-root" | tail -1) || exit 77
PACKAGES=(containerd-shim-flox flox flox-catalog flox-kube flox-ticket-workload floxd)
work=$(mktemp -d "${TMPDIR:-/tmp}/flox-debs-test-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
cache=${XDG_CACHE_HOME:-$HOME/.cache}/flox-imageless/debian-archives
mkdir -p "$work"/{upper,overlay,debian,first,second,lower} "$cache/partial"

step "two makings give the same bytes"
TZ=UTC "$PROJECT/script/debs" "$work/first" 0.1.0-1
TZ=Asia/Tokyo LC_ALL=C "$PROJECT/script/debs" "$work/second" 0.1.0-1 2>/dev/null
equal "$(ls "$work/first" | sed 's/_.*//' | LC_ALL=C sort | paste -sd' ')" "${PACKAGES[*]}"
for package in "${PACKAGES[@]}"; do cmp "$work/first/${package}_"*.deb "$work/second/${package}_"*.deb || die "$package differs"; done
for deb in "$work/first"/*.deb; do
  ! dpkg-deb --fsys-tarfile "$deb" | grepq -aF -e "$PROJECT/" -e "$work" || die "$deb holds the path of its build"
done

step "an older version of the same"
for package in "${PACKAGES[@]}"; do
  tree=$work/lower/$package
  dpkg-deb -R "$work/first/${package}_"*.deb "$tree"
  sed -i 's/0\.1\.0-1/0.0.9-1/g' "$tree/DEBIAN/control"
  if [ $package = floxd ]; then echo "# an older comment" >>"$tree/etc/flox/config.toml"; fi
  dpkg-deb --root-owner-group -Znone --build "$tree" "$work/lower/$package.deb" >/dev/null
  rm -rf "$tree"
done

# in_debian COMMAND…: in a fresh Debian 12, which keeps what earlier commands have done; $work is at /work.
in_debian() {
  WORK=$work ROOT=$root CACHE=$cache unshare --mount --pid --fork --propagation private bash -c '
    set -e
    mount -t overlay overlay -o "lowerdir=$ROOT,upperdir=$WORK/upper,workdir=$WORK/overlay" "$WORK/debian"
    cd "$WORK/debian"
    mkdir -p work var/cache/apt/archives
    mount -t proc proc proc
    mount --rbind /dev dev
    mount -t tmpfs tmpfs tmp
    mount -t tmpfs tmpfs run
    mount --bind "$WORK" work
    mount --bind "$CACHE" var/cache/apt/archives
    exec chroot . /usr/bin/env -i HOME=/tmp LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"' bash "$@"
}
quiet() { in_debian "$@" >"$work/log" 2>&1 </dev/null || { tail -20 "$work/log" >&2; die "in the fresh Debian: $* failed"; }; }
# Every file with its mode, owner and content, but for what apt and dpkg keep for themselves.
files() {
  in_debian sh -c 'find / -xdev \( -path /proc -o -path /dev -o -path /run -o -path /tmp -o -path /work -o -path /var/lib/dpkg -o -path /var/lib/apt \
    -o -path /var/cache -o -path /var/log \) -prune -o -printf "%p %y %m %u:%g %l\n" | sort; find /etc /var/lib/systemd -xdev -type f -exec sha256sum {} + | sort'
}

step "what they depend on"
cp /etc/resolv.conf "$work/upper/" 2>/dev/null || true
mkdir -p "$work/upper/etc/apt/apt.conf.d"
cp /etc/resolv.conf "$work/upper/etc/resolv.conf"
apt-config dump | grep -E '^Acquire::https?::|^Acquire::Retries ' >"$work/upper/etc/apt/apt.conf.d/network" || true
in_debian apt-get -q update >"$work/log" 2>&1 </dev/null || { tail -3 "$work/log"; echo "needs Debian's mirror"; exit 77; }
mapfile -t libraries < <(in_debian sh -c 'apt-get -s --no-install-recommends install /work/lower/*.deb' | awk '$1 == "Inst" { print $2 }' | grep -vxF "$(printf '%s\n' "${PACKAGES[@]}")")
[ ${#libraries[@]} -gt 0 ] || die "they depend on nothing"
quiet apt-get -q -y --no-install-recommends install "${libraries[@]}"
files >"$work/before"

step "installed: every program starts, and every library is there"
quiet sh -c 'apt-get -q -y --no-install-recommends install /work/lower/*.deb'
for program in flox flox-lazy-keeper flox-lazy-server floxd flox-kube flox-catalog ticket-processor ticket-generator kubectl-flox; do
  contains "$(in_debian $program --version)" "0.1"
done
contains "$(in_debian containerd-shim-flox-v1 -v)" "containerd-shim-flox-v1"
if in_debian sh -c 'ldd /usr/bin/flox* /usr/bin/ticket-* 2>/dev/null || true' | grep -F "not found"; then die "a library is missing"; fi
# libcurl is loaded when it is needed: no connection, but a library.
contains "$(in_debian env FLOX_CATALOG_URL=http://127.0.0.1:9 flox search x 2>&1 || true)" "127.0.0.1:9"
for page in man1/flox.1.gz man8/floxd.8.gz; do in_debian test -s /usr/share/man/$page || die "no manual page $page"; done
in_debian test -s /usr/share/bash-completion/completions/flox || die "no completion for bash"
in_debian test -s /usr/share/zsh/vendor-completions/_flox || die "no completion for zsh"
in_debian systemd-analyze verify /usr/lib/systemd/system/floxd.service /usr/lib/systemd/system/floxd.socket /usr/lib/systemd/system/flox-catalog.service
equal "$(in_debian stat -c '%a %s' /etc/flox-catalog/token)" "600 49"

step "an upgrade keeps what the operator wrote, and brings what is new where nothing was written"
token=$(in_debian cat /etc/flox-catalog/token)
in_debian sh -c "echo 'FLOX_CATALOG_OPTIONS=\"--listen 127.0.0.1:8591\"' >/etc/default/flox-catalog"
quiet sh -c 'apt-get -q -y --no-install-recommends install /work/first/*.deb'
equal "$(in_debian cat /etc/default/flox-catalog)" 'FLOX_CATALOG_OPTIONS="--listen 127.0.0.1:8591"'
equal "$(in_debian cat /etc/flox-catalog/token)" "$token"
! in_debian grep -q "an older comment" /etc/flox/config.toml || die "a configuration that nobody wrote in is not the new one"
equal "$(in_debian dpkg-query -W -f '${Version}' floxd)" 0.1.0-1
quiet sh -c 'dpkg --verify floxd flox containerd-shim-flox'
quiet sh -c 'for package in floxd flox-catalog; do /var/lib/dpkg/info/$package.postinst configure 0.1.0-1; done'  # runs again

step "a node that is set up from the packages uses their programs as they are"
in_debian sh -c 'containerd config default >/tmp/config.toml && flox node install --prefix /usr --dry-run --containerd-config /tmp/config.toml' >"$work/plan" 2>&1 || { cat "$work/plan" >&2; die "no installation can be planned"; }
! grep -E '^\+\+\+ .*(/usr/local|/usr/bin|/usr/share)' "$work/plan" || die "an installation would copy what the packages have brought"
grep -qE '/usr/bin/containerd-shim-flox-v1|io\.containerd\.flox\.v1' "$work/plan" || die "containerd would not get the handler"  # by path, or in containerd's PATH

step "removed, what the operator wrote stays; purged, nothing does"
in_debian sh -c 'mkdir -p /var/lib/flox/trust /etc/flox/trust/acme /var/lib/private/flox-catalog; echo key >/etc/flox/registry.key; ln -s private/flox-catalog /var/lib/flox-catalog'
quiet apt-get -q -y remove "${PACKAGES[@]}"
equal "$(in_debian cat /etc/default/flox-catalog)" 'FLOX_CATALOG_OPTIONS="--listen 127.0.0.1:8591"'
equal "$(in_debian cat /etc/flox/registry.key)" key
in_debian sh -c '! command -v flox' || die "flox is still there"
quiet dpkg --purge "${PACKAGES[@]}"
files >"$work/after"
diff "$work/before" "$work/after" || die "purging left something"

if type -P lintian >/dev/null; then
  step "lintian"
  lintian --fail-on error "$work/first"/*.deb >"$work/lintian" 2>&1 || { grep '^E:' "$work/lintian"; die "lintian has found errors"; }
  cut -d: -f1 "$work/lintian" | sort | uniq -c
fi
