# A package "said" for x86_64-linux and aarch64-linux. Sourced after test/lib.sh, never run.
# What a shell runs in an environment with it.
# shellcheck disable=SC2016  # for that shell
SAID='cat "$FLOX_ENV/share/said"'
node() { flox --root "$WORLD/node" "$@"; }
# publish_said: publishes both builds, made on this machine: they are no more than a file.
publish_said() {
  local system path
  for system in x86_64-linux aarch64-linux; do
    mkdir -p "$WORLD/$system/share"
    echo "made for $system" >"$WORLD/$system/share/said"
    path=$(laptop store add --name said-1.0 "$WORLD/$system" 2>"$WORLD/logs/add.log") || { cat "$WORLD/logs/add.log" >&2; die "nothing was added"; }
    laptop import nix "$path" --name said --version 1.0 --system $system --publish >"$WORLD/logs/import-$system.log" 2>&1 || { cat "$WORLD/logs/import-$system.log" >&2; die "not published for $system"; }
  done
}
# lock_said: an environment with it for both systems, in the working directory from then on, and its lock.
lock_said() {
  mkdir "$WORLD/app"
  cd "$WORLD/app"
  node init -n app 2>/dev/null
  cat >.flox/env/manifest.toml <<'TOML'
schema-version = "1.10.0"
[install]
said.pkg-path = "said"
[options]
systems = ["aarch64-linux", "x86_64-linux"]
TOML
  node lock >"$WORLD/logs/lock.log" 2>&1 || { cat "$WORLD/logs/lock.log" >&2; die "not locked for both"; }
}
