# How tests and the demo get what PyPI has: outside the tree, once for each state of what is asked for. Sourced after
# lib.sh, never run.
PYPI_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/flox-imageless

# made_once DIRECTORY MAKE…: runs MAKE… DIRECTORY unless that was done before; DIRECTORY is empty then, and is gone again if
# it fails. Several processes may ask at once: one makes it.
made_once() {
  local directory=$1
  shift
  mkdir -p "$(dirname "$directory")"
  (
    flock 9
    [ ! -e "$directory/complete" ] || exit 0
    rm -rf "$directory"
    trap '[ -e "$directory/complete" ] || rm -rf "$directory"' EXIT
    "$@" "$directory" >&2
    touch "$directory/complete"
  ) 9>"$directory.lock"
}

# make_venv REQUIREMENTS PIP_OPTION… DIRECTORY: an environment with the packages that a file pins.
make_venv() {
  local requirements=$1 options=("${@:2:$#-2}") directory=${!#}
  step "installing $(grep -c '^[^# ]' "$requirements") packages from PyPI into $directory"
  /usr/bin/python3 -m venv "$directory"
  "$directory/bin/pip" install --quiet --disable-pip-version-check "${options[@]}" -r "$requirements" ||
    die "what ${requirements#"$PROJECT"/} asks for cannot be had from PyPI"
}

# fetch_packages REQUIREMENT… DIRECTORY: packages without what they depend on, to import from there or for the files in them.
fetch_packages() {
  local requirements=("${@:1:$#-1}") directory=${!#} pip
  step "fetching ${requirements[*]} from PyPI into $directory"
  mkdir -p "$directory"
  pip=$(mktemp -d)
  /usr/bin/python3 -m venv "$pip" &&
    "$pip/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-compile --target "$directory" "${requirements[@]}" || {
    rm -rf "$pip"
    die "${requirements[*]} cannot be had from PyPI"
  }
  rm -rf "$pip"
}
