#!/usr/bin/env bash
# One path of which one percent changed, from a cache on loopback to a node that has the version before: bytes and seconds, against
# fetching it whole, and against Nix. And what frames cost: the file's size and the time of publishing, against Nix's single frame.
#   bench/delta.sh     MEGABYTES=1000 CHANGES=20 RUNS=3     the changes lie all over the path, each of 1 % / CHANGES of it
. "$(dirname "$0")/../script/lib.sh"
RUNS=${RUNS:-3} MEGABYTES=${MEGABYTES:-1000} CHANGES=${CHANGES:-20}
for program in nix nginx zstd; do command -v $program >/dev/null || die "needs $program: run script/bootstrap"; done
WORK=$(mktemp -d "${BENCH_DIR:-/var/tmp}/flox-bench-XXXXXX")
NGINX=
trap '[ -z "$NGINX" ] || { kill "$NGINX"; wait "$NGINX" 2>/dev/null || true; }; chmod -R u+w "$WORK"; rm -rf --one-file-system "$WORK"' EXIT
unset FLOX_ROOT FLOX_CATALOG_URL FLOX_CACHES FLOX_TRUSTED_KEYS
export FLOX_CONFIG=/dev/null HOME=$WORK XDG_CACHE_HOME=$WORK/.cache NIX_CONFIG=$'experimental-features = nix-command\nbuild-users-group ='
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
milliseconds() {
  local start
  start=$(date +%s%N)
  "$@" >"$WORK/log" 2>&1 || { tail -20 "$WORK/log" >&2; die "failed: $*"; }
  echo $((($(date +%s%N) - start) / 1000000))
}

step "a path of $MEGABYTES MB of this machine's files, and the same with one percent changed in $CHANGES places"
mkdir "$WORK/tree"
bytes=0
while read -r size name && [ $bytes -lt $((MEGABYTES * 1000000)) ]; do
  mkdir -p "$WORK/tree$(dirname "$name")"
  cp --no-preserve=ownership "$name" "$WORK/tree$name" 2>/dev/null && bytes=$((bytes + size))
done < <(find /usr/lib /usr/bin /usr/share -xdev -type f -readable -printf '%s %p\n' 2>/dev/null | awk '$2 !~ /[^A-Za-z0-9+._?=\/-]/' | sort -k2)
FIRST=$(flox --root "$WORK/publisher" store add --name tool-1.0 "$WORK/tree")
python3 - "$WORK/tree" "$CHANGES" <<'PYTHON'
import os, random, sys
tree, changes = sys.argv[1], int(sys.argv[2])
random.seed(1)
files = sorted(os.path.join(at, name) for at, _, names in os.walk(tree) for name in names)
sizes = [os.path.getsize(file) for file in files]
step = sum(sizes) // changes
each = step // 100
at = 0
for file, size in zip(files, sizes):  # a run of bytes, or files, at every step
    begin = at
    at += size
    for change in range(begin // step, at // step + 1):
        first, last = max(begin, change * step), min(at, change * step + each)
        if first < last:
            os.chmod(file, 0o644)
            with open(file, "r+b") as out:
                out.seek(first - begin)
                out.write(random.randbytes(last - first))
PYTHON
SECOND=$(flox --root "$WORK/publisher" store add --name tool-1.1 "$WORK/tree")
KEY=$(flox store keygen bench-1 --out "$WORK/key")

step "publishing: frames and index, against one frame by Nix"
flox --root "$WORK/publisher" store sign --key "$WORK/key" "$FIRST" "$SECOND"
for ((i = 0; i < RUNS; i++)); do
  rm -rf "$WORK/cache" "$WORK/nix-cache"
  milliseconds flox --root "$WORK/publisher" store copy --to "file://$WORK/cache" --key "$WORK/key" "$FIRST" >>"$WORK/ours"
  milliseconds nix copy --store "$WORK/publisher" --to "file://$WORK/nix-cache?compression=zstd" "$FIRST" >>"$WORK/nix"
done
size() { stat -c %s "$1"/nar/*.nar.zst | sort -n | tail -1; }
awk -v a="$(median <"$WORK/ours")" -v b="$(median <"$WORK/nix")" -v s="$(size "$WORK/cache")" -v t="$(size "$WORK/nix-cache")" \
  -v i="$(stat -c %s "$WORK"/cache/nar/*.index.zst | head -1)" \
  'BEGIN { printf "publish: %.2f s, Nix %.2f s, ratio %.2f; %.1f MB, Nix %.1f MB (%+.1f %%); index %.2f MB\n", a / 1000, b / 1000, b / a, s / 1e6, t / 1e6, 100 * s / t - 100, i / 1e6 }'
flox --root "$WORK/publisher" store copy --to "file://$WORK/cache" --key "$WORK/key" "$SECOND" >&2

step "the second version: by what changed, whole, and by Nix"
PORT=$(free_port)
cat >"$WORK/nginx.conf" <<CONF
daemon off; pid $WORK/nginx.pid; error_log $WORK/nginx.err; worker_processes 1;
events { worker_connections 1024; }
http {
  log_format bytes '\$body_bytes_sent \$status \$uri'; access_log $WORK/access.log bytes; sendfile on;
  client_body_temp_path $WORK/b; proxy_temp_path $WORK/p; fastcgi_temp_path $WORK/f; uwsgi_temp_path $WORK/u; scgi_temp_path $WORK/s;
  server { listen 127.0.0.1:$PORT; root $WORK/cache; }
}
CONF
chmod 755 "$WORK" && chmod -R a+rX "$WORK/cache"
nginx -c "$WORK/nginx.conf" -e "$WORK/nginx.err" &
NGINX=$!
export FLOX_CACHES=http://127.0.0.1:$PORT FLOX_TRUSTED_KEYS=$KEY
sent() { awk '/nar\// { bytes += $1 } END { print bytes + 0 }' "$WORK/access.log"; }
for ((i = 0; i < RUNS; i++)); do
  for how in delta whole nix; do
    chmod -R u+w "$WORK/node" 2>/dev/null || true
    rm -rf "$WORK/node"
    [ $how != delta ] || flox --root "$WORK/node" store realise "$FIRST" >/dev/null
    : >"$WORK/access.log"
    if [ $how = nix ]; then
      milliseconds nix copy --from "http://127.0.0.1:$PORT" --to "$WORK/node" --option trusted-public-keys "$KEY" "$SECOND"
    else
      milliseconds flox --root "$WORK/node" store realise "$SECOND"
    fi >>"$WORK/time-$how"
    sent >"$WORK/sent-$how"
  done
done
for how in delta whole nix; do
  printf '%s: %s ms, %s bytes\n' $how "$(median <"$WORK/time-$how")" "$(<"$WORK/sent-$how")"
done
awk -v a="$(<"$WORK/sent-delta")" -v b="$(<"$WORK/sent-whole")" 'BEGIN { printf "moved: %.1f %% of the bytes (target: at most 5)\n", 100 * a / b }'
