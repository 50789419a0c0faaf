#!/usr/bin/env bash
# Realising closures from binary caches into an empty store: our engine against Nix 2.8's substitution (its default, and
# with max-jobs 16), the same closures and caches (nginx on loopback), alternating runs, each on an ext4 made for it (on a
# loop device: what one run deletes would slow down the next). Prints medians and ratios (above 1: we are faster), our peak
# memory, and the floor of this machine with the fraction of it that we reach. Both engines are timed until all is valid,
# and until all is on the disk too (--sync; Nix with a sync -f behind it).
#   bench/realise.sh [--quick] [zstd|none|xz|tiny|gc]…     --quick: one run instead of RUNS=5, closures a tenth as large
. "$(dirname "$0")/../script/lib.sh"
RUNS=${RUNS:-5} COUNT=490 LARGE=335000000 TINY=5000
what=()
for argument in "$@"; do
  case $argument in
    --quick) RUNS=1 COUNT=60 LARGE=33500000 TINY=500 ;;
    zstd | none | xz | tiny | gc) what+=("$argument") ;;
    *) die "bench/realise.sh: unknown argument $argument (known: --quick, zstd, none, xz, tiny, gc)" ;;
  esac
done
[ ${#what[@]} -gt 0 ] || what=(zstd none xz tiny gc)
for program in nix-store nginx xz zstd sqlite3 mkfs.ext4 losetup; do command -v $program >/dev/null || die "needs $program: run script/bootstrap"; done

WORK=$(mktemp -d "${TMPDIR:-/var/tmp}/flox-bench-XXXXXX")
NGINX=
LOOP=
trap '[ -z "$NGINX" ] || { kill "$NGINX"; wait "$NGINX" 2>/dev/null || true; }; drop_disk; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS
export FLOX_CONFIG=/dev/null HOME=$WORK/home XDG_CACHE_HOME=$WORK/home/.cache NIX_CONFIG=$'build-users-group =\nmax-jobs = 1'
mkdir -p "$WORK/home" "$WORK/caches"
ulimit -n "$(ulimit -Hn)"

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }
seconds() { awk -v a="$1" 'BEGIN { printf "%.2f", a / 1000 }'; }
milliseconds() {  # COMMAND…: how long it takes
  local start
  start=$(date +%s%N)
  "$@" >"$WORK/log" 2>&1 || { tail -20 "$WORK/log" >&2; die "failed: $*"; }
  echo $((($(date +%s%N) - start) / 1000000))
}

step "closures: $COUNT Debian packages with one path of $((LARGE / 1000000)) MB, and $TINY tiny paths"
KEY=$(flox store keygen bench-1 --out "$WORK/key")
publish() {  # publish NAME ARGUMENT…: the closure that make_closure makes with the arguments, in a cache NAME
  local name=$1
  shift
  "$BUILD_DIR/bench/make_closure" "$WORK/publisher-$name" "$@" >"$WORK/whole-$name"
  flox store copy --root "$WORK/publisher-$name" --to "file://$WORK/caches/$name" --key "$WORK/key" "$(<"$WORK/whole-$name")" >&2
}
recompress() {  # recompress NARINFO TO COMMAND SUFFIX: the same path in another cache
  local url base
  url=$(sed -n 's/^URL: //p' "$1")
  base=$(basename "$url" .nar.zst)
  zstd -qdc "$WORK/caches/zstd/$url" | $3 >"$WORK/caches/$2/nar/$base.nar$4"
  sed -e "s|^URL: .*|URL: nar/$base.nar$4|; s|^Compression: .*|Compression: $2|; /^FileHash/d" \
    -e "s|^FileSize: .*|FileSize: $(stat -c %s "$WORK/caches/$2/nar/$base.nar$4")|" "$1" >"$WORK/caches/$2/$(basename "$1")"
}
export -f recompress
export WORK
other_cache() {  # other_cache COMPRESSION COMMAND SUFFIX
  mkdir -p "$WORK/caches/$1/nar"
  cp "$WORK/caches/zstd/nix-cache-info" "$WORK/caches/$1/"
  printf '%s\0' "$WORK"/caches/zstd/*.narinfo | xargs -0 -P "$(nproc)" -I NARINFO bash -c 'recompress "$@"' _ NARINFO "$1" "$2" "$3"
}
wants() { [[ " ${what[*]} " == *" $1 "* ]]; }
if wants zstd || wants none || wants xz || wants gc; then publish zstd debian "$COUNT" "$LARGE"; fi
if wants none; then step "the cache without compression"; other_cache none cat ""; fi
if wants xz; then step "the cache with xz (level 2: what decoding costs depends little on it)"; other_cache xz "xz -T1 -2 -c" .xz; fi
if wants tiny; then publish tiny "$TINY"; fi
for name in zstd none xz gc; do cp "$WORK/whole-zstd" "$WORK/whole-$name" 2>/dev/null || true; done

PORT=$(free_port)
cat >"$WORK/nginx.conf" <<CONF
daemon off; pid $WORK/nginx.pid; error_log $WORK/nginx.err; worker_processes 1;
events { worker_connections 1024; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  server { listen 127.0.0.1:$PORT; root $WORK/caches; }
}
CONF
chmod 755 "$WORK" && chmod -R a+rX "$WORK/caches"
nginx -c "$WORK/nginx.conf" -e "$WORK/nginx.err" &
NGINX=$!
for ((i = 0; i < 100; i++)); do
  code=0
  curl -s "http://127.0.0.1:$PORT/" -o /dev/null || code=$?
  [ $code = 7 ] || break  # could not connect
  sleep 0.05
done

ours() {  # ours CACHE [--sync] ROOT: prints milliseconds and KiB
  "$BUILD_DIR/bench/stopwatch" -m "$WORK/log" flox store realise --cache "http://127.0.0.1:$PORT/$1" --trusted-key "$KEY" \
    "$(<"$WORK/whole-$1")" "${@:2:$#-2}" --root "${!#}" | awk '{ print int($1 / 1000), $2 }'
}
peer() {  # peer CACHE JOBS ROOT: prints milliseconds, without and with the time until all is on the disk
  local took
  took=$(substitute "$@")
  echo "$took $((took + $(milliseconds sync -f "$3")))"
}
substitute() {  # substitute CACHE JOBS ROOT: prints milliseconds
  rm -rf "$XDG_CACHE_HOME"
  milliseconds nix-store --store "$3" -r "$(<"$WORK/whole-$1")" --option substituters "http://127.0.0.1:$PORT/$1" \
    --option trusted-public-keys "$KEY" --option max-jobs "$2"
}
on_fresh_disk() {  # on_fresh_disk COMMAND ARGUMENT…: the command with a root on a new file system as its last argument
  truncate -s 64G "$WORK/disk"  # sparse
  mkfs.ext4 -q -F "$WORK/disk"
  LOOP=$(losetup -f --show --direct-io=on "$WORK/disk")
  mkdir -p "$WORK/mnt"
  mount -o noinit_itable "$LOOP" "$WORK/mnt"
  sync -f "$WORK"
  "$@" "$WORK/mnt/root"
  drop_disk
}
drop_disk() {
  [ -n "$LOOP" ] || return 0
  umount "$WORK/mnt"
  losetup -d "$LOOP"
  rm "$WORK/disk"
  LOOP=
}
compare() {  # compare CACHE
  local run
  for ((run = 0; run < RUNS; run++)); do
    on_fresh_disk ours "$1" >>"$WORK/ours-$1"
    on_fresh_disk ours "$1" --sync >>"$WORK/ours-synced-$1"
    on_fresh_disk peer "$1" 1 >>"$WORK/nix-$1"
    on_fresh_disk peer "$1" 16 >>"$WORK/nix16-$1"
  done
  local valid synced jobs b c
  valid=$(cut -d' ' -f1 "$WORK/ours-$1" | median) synced=$(cut -d' ' -f1 "$WORK/ours-synced-$1" | median)
  printf 'realise %-4s median of %-13d valid after %6s s              on the disk after %6s s\n' "$1" "$RUNS" \
    "$(seconds "$valid")" "$(seconds "$synced")"
  for jobs in nix nix16; do
    b=$(cut -d' ' -f1 "$WORK/$jobs-$1" | median) c=$(cut -d' ' -f2 "$WORK/$jobs-$1" | median)
    printf '  %-33s             %6s s: ratio %s                %6s s: ratio %s\n' \
      "$([ $jobs = nix ] && echo "Nix 2.8" || echo "Nix 2.8, max-jobs 16")" \
      "$(seconds "$b")" "$(ratio "$b" "$valid")" "$(seconds "$c")" "$(ratio "$c" "$synced")"
  done
  printf '  our peak memory %d MiB\n' $(($(cat "$WORK/ours-$1" "$WORK/ours-synced-$1" | cut -d' ' -f2 | sort -n | tail -1) / 1024))
  echo "$valid" >"$WORK/median-$1"
}
floor() {  # floor CACHE MILLISECONDS WHAT: what one step alone takes on all cores
  printf '  floor: %s on %d cores %s s: %s of our time\n' "$3" "$(nproc)" "$(seconds "$2")" "$(ratio "$2" "$(<"$WORK/median-$1")")"
}
each_file() {  # each_file CACHE COMMAND…: the command for every NAR file, one a core, the largest first
  local cache=$1
  shift
  find "$WORK/caches/$cache/nar" -type f -printf '%s %p\0' | sort -zrn | cut -zd' ' -f2 | xargs -0 -P "$(nproc)" -n 8 "$@" >/dev/null
}

for name in zstd none xz tiny; do
  wants "$name" || continue
  step "$name"
  compare "$name"
  case $name in
    zstd) floor zstd "$(milliseconds each_file zstd zstd -qdc)" "zstd -d" ;;
    xz) floor xz "$(milliseconds each_file xz xz -dc)" "xz -d" ;;
    none) floor none "$(milliseconds each_file none openssl dgst -sha256)" "SHA-256" ;;
    tiny) floor tiny "$(milliseconds bash -c "mkdir '$WORK/creates' && cd '$WORK/creates' && seq $TINY | xargs mkdir && seq $TINY | sed 's|\$|/file|' | xargs touch")" "creating the directories and files" ;;
  esac
done

if wants gc; then
  step "realising right after a collection of everything"
  for ((run = 0; run < RUNS; run++)); do
    for engine in ours peer; do
      root=$(mktemp -d "$WORK/root-XXXXXX")
      for time in first again; do
        if [ $engine = ours ]; then ours zstd "$root" | cut -d' ' -f1; else substitute zstd 16 "$root"; fi >>"$WORK/gc-$engine-$time"
        [ $time = again ] || nix-store --store "$root" --gc >"$WORK/log" 2>&1 || die "nix-store --gc: $(<"$WORK/log")"
      done
      rm -rf --one-file-system "$root"
    done
  done
  for engine in ours peer; do
    a=$(median <"$WORK/gc-$engine-first") b=$(median <"$WORK/gc-$engine-again")
    printf 'after a collection, %s: %s s, first %s s: %s times as long\n' "$([ $engine = ours ] && echo flox || echo "Nix with max-jobs 16")" \
      "$(seconds "$b")" "$(seconds "$a")" "$(ratio "$b" "$a")"
  done
fi
