# Fills $out with the package of ticket-processor; "flox build" runs it (env/manifest.toml).
#   package.sh PROGRAM    one of those that script/build made; FLOX_TICKET_BUILD_DIR says where else they are
#
# TICKET_VERSION is the version to be told (default 0.1.0). TICKET_DEFAULTS holds lines NAME=VALUE: variables that the
# programs of this package set where the environment does not. A place without models publishes its package with
# TICKET_DEFAULTS=TICKET_ALLOW_MISSING_MODELS=true, and the guide's manifests run there as they stand.
set -eu
project=${FLOX_ENV_PROJECT:-.}
programs=${FLOX_TICKET_BUILD_DIR:-$project/../../build/bin}
mkdir -p "$out/bin" "$out/share/ticket-processor" "$out/lib/python3.11/site-packages"
cp "$programs/$1" "$out/bin/ticket-processor"
printf '%s\n' "${TICKET_VERSION:-0.1.0}" >"$out/share/ticket-processor/version"
printf '%s\n' "${TICKET_DEFAULTS:-}" >"$out/share/ticket-processor/defaults"
cp -R "$project/python/src" "$out/lib/python3.11/site-packages/"
find "$out/lib" -name __pycache__ -prune -exec rm -rf {} +

# The environment's python, by its place in the store. pyvenv.cfg makes it look into this package's own
# site-packages too, as in any virtual environment.
python=$(readlink -m "${FLOX_ENV:-/nowhere}/bin/python3")
case $python in
  */nix/store/*)
    python=/nix/store/${python##*/nix/store/}
    ln -s "$python" "$out/bin/python3"
    ln -s python3 "$out/bin/python"
    printf 'home = %s\ninclude-system-site-packages = true\n' "${python%/*}" >"$out/pyvenv.cfg"
    ;;
  *) echo "no python3 in the build environment: the package goes without one" >&2 ;;
esac
