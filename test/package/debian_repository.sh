# A signed repository of Debian packages of the test's own, in $WORK/repository; $WORK/test.sources names it. What its packages hold
# is put into $WORK/tree. Sourced, never run; needs WORK, apt-ftparchive and gpg.
export GNUPGHOME=$WORK/gnupg
mkdir -m 700 "$GNUPGHOME"
mkdir -p "$WORK/repository/pool"
ARCH=$(dpkg --print-architecture)
cat >"$WORK/test.sources" <<S
Types: deb
URIs: file:$WORK/repository
Suites: ./
Signed-By: $WORK/good.gpg
S

# repository_key NAME: a key of NAME@example.org, whose public part is $WORK/NAME.gpg.
repository_key() {
  gpg --quiet --batch --passphrase '' --quick-generate-key "$1@example.org" ed25519 sign never 2>/dev/null
  gpg --export "$1@example.org" >"$WORK/$1.gpg"
}
# deb NAME VERSION CONTROL-LINES: packs $WORK/tree, which it leaves empty.
deb() {
  mkdir -p "$WORK/tree/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: a <a@example.org>\nDescription: test\n%s' "$1" "$2" "$ARCH" "${3:-}" >"$WORK/tree/DEBIAN/control"
  dpkg-deb --root-owner-group -b "$WORK/tree" "$WORK/repository/pool/$1_${2/:/%3a}_$ARCH.deb" >/dev/null
  rm -rf "$WORK/tree"
}
# sign_repository [NAME]: lists what is in the pool, and signs the list by that key ("good").
sign_repository() {
  (
    cd "$WORK/repository"
    rm -f Packages Release InRelease
    apt-ftparchive packages pool >Packages
    apt-ftparchive -o APT::FTPArchive::Release::Suite=test release . >"$WORK/Release"
    gpg --quiet --batch --yes --local-user "${1:-good}@example.org" --clearsign -o InRelease "$WORK/Release"
  )
}
