# How tests get Python programs from PyPI: into environments outside the tree, once for each state of the file that pins
# them. Sourced after lib.sh, never run.

# venv_once NAME REQUIREMENTS [OPTION…]: prints the directory of the environment; the options are python3 -m venv's. Several
# processes may ask at once: one makes it.
venv_once() {
  local name=$1 requirements=$2 venv
  shift 2
  venv=${XDG_CACHE_HOME:-$HOME/.cache}/flox-imageless/$name-$(sha256sum "$requirements" | cut -c1-12)
  mkdir -p "$(dirname "$venv")"
  (
    flock 9
    [ ! -e "$venv/complete" ] || exit 0
    step "installing $(grep -c '^[^#]' "$requirements") packages from PyPI into $venv"
    rm -rf "$venv"
    /usr/bin/python3 -m venv "$@" "$venv" >&2
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2 ||
      { rm -rf "$venv"; die "what ${requirements#"$PROJECT"/} asks for cannot be had from PyPI"; }
    touch "$venv/complete"
  ) 9>"$venv.lock" || return
  echo "$venv"
}
