#!/usr/bin/env bash
# The catalog with many packages and environments: resolving, searching, its binary cache beside nginx, memory.
#   PACKAGES=5000 VERSIONS=20 ENVIRONMENTS=20000   what it has: 100,000 versions
#   SECONDS_EACH=20                                how long each is asked
. "$(dirname "$0")/../test/lib.sh"
. "$(dirname "$0")/../test/catalog/support.sh"
PACKAGES=${PACKAGES:-5000} VERSIONS=${VERSIONS:-20} ENVIRONMENTS=${ENVIRONMENTS:-20000} SECONDS_EACH=${SECONDS_EACH:-20}
for program in wrk nginx; do
  command -v "$program" >/dev/null || { step "installing $program"; apt-get install -y --no-install-recommends wrk nginx-light >/dev/null; }
done
nginx=
trap '[ -z "$nginx" ] || kill "$nginx"; stop_catalog; umount "$dir" 2>/dev/null || true; rm -rf "$dir"' EXIT
cp "$dir/token" /dev/shm/catalog-bench-token.$$ && mount -t tmpfs tmpfs "$dir" && mv /dev/shm/catalog-bench-token.$$ "$dir/token" && chmod 600 "$dir/token"

start_catalog
step "idle: $(rss) KiB (target 30,720)"
make_key key-1 >/dev/null
make_path a
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
step "publishing $((PACKAGES * VERSIONS)) versions of $PACKAGES packages and $ENVIRONMENTS environments"
python3 "$PROJECT/bench/catalog_load.py" fill "$url" "$dir/token" "$path" "$PACKAGES" "$VERSIONS" "$ENVIRONMENTS"
stop_catalog
start_catalog

step "resolving a manifest of 20 packages, 200 a second (target: 99 % within 10 ms)"
python3 "$PROJECT/bench/catalog_load.py" resolve "$url" "$PACKAGES" "$SECONDS_EACH"
step "searching, 100 a second (target: 99 % within 20 ms)"
python3 "$PROJECT/bench/catalog_load.py" search "$url" "$PACKAGES" "$SECONDS_EACH"
step "under load: $(rss) KiB, at most $(peak_rss) (target 131,072)"

mkdir -p "$dir/www/nar"
port=$(free_port)
cat >"$dir/nginx.conf" <<CONF
worker_processes auto; daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log;
events { worker_connections 1024; }
http { access_log off; sendfile on; server { listen 127.0.0.1:$port; root $dir/www; } }
CONF
head -c 100M /dev/urandom >"$dir/large"
large=nar/$(base32_hash "$dir/large").nar
equal "$(put "$large" "$dir/large")" 201
cp "$dir/large" "$dir/www/$large" && cp "$dir/data/cache/$digest.narinfo" "$dir/www/"
nginx -c "$dir/nginx.conf" &
nginx=$!
until curl -sf "http://127.0.0.1:$port/$digest.narinfo" >/dev/null; do sleep 0.1; done

requests() { wrk -t 1 -c 16 -d "${SECONDS_EACH}s" "$1" | awk '/Requests\/sec/ { print $2 }'; }
bytes() {  # MB a second of four at once
  local begin=$EPOCHREALTIME i
  for i in 1 2 3 4; do curl -s -o /dev/null "$1" -o /dev/null "$1" -o /dev/null "$1" & pids[i]=$!; done
  for i in 1 2 3 4; do wait "${pids[i]}"; done
  awk -v b="$begin" -v e="$EPOCHREALTIME" 'BEGIN { printf "%.0f\n", 1200 / (e - b) * 1.048576 }'
}
step "its binary cache, and nginx with the same files"
for round in 1 2 3; do
  ours=$(requests "$url/cache/$digest.narinfo") theirs=$(requests "http://127.0.0.1:$port/$digest.narinfo")
  ours_nar=$(bytes "$url/cache/$large") theirs_nar=$(bytes "http://127.0.0.1:$port/$large")
  awk -v a="$ours" -v b="$theirs" -v c="$ours_nar" -v d="$theirs_nar" 'BEGIN {
    printf "  narinfo: %d a second, nginx %d, ratio %.2f (target 20,000 a core); NAR: %d MB/s, nginx %d, ratio %.2f (target 0.9)\n", a, b, a / b, c, d, c / d }'
done
