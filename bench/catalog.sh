#!/usr/bin/env bash
# The catalog with many packages and environments: resolving and searching at a steady rate, its binary cache beside nginx with
# the same files, memory. Each number with its target.
#   PACKAGES=5000 VERSIONS=20 ENVIRONMENTS=20000   what it has: 100,000 versions
#   DATA=DIRECTORY                                 a data directory that an earlier run has filled, or is to fill
#   SECONDS_EACH=20 ROUNDS=3                       how long each is asked, and how often; of NARs the medians count
#   TLS=1                                          only the binary cache, over HTTPS, ours and nginx's (TLS 1.3)
#   HARMONIA=PROGRAM                               harmonia-cache beside them, with a store that has a path of each size; without TLS
#   BACKEND=shared                                 PostgreSQL and S3, filled by export and import; files come from S3 then, so
#                                                  that only records and memory are measured
. "$(dirname "$0")/../test/lib.sh"
. "$PROJECT/test/catalog/support.sh"
PACKAGES=${PACKAGES:-5000} VERSIONS=${VERSIONS:-20} ENVIRONMENTS=${ENVIRONMENTS:-20000} SECONDS_EACH=${SECONDS_EACH:-20} ROUNDS=${ROUNDS:-3}
storage=${BACKEND:-local} BACKEND=local
nginx= harmonia=
trap 'for peer in $nginx $harmonia; do kill "$peer" || true; done 2>/dev/null; stop_catalog; stop_backend; umount -l "$dir" 2>/dev/null || true; rm -rf "$dir"' EXIT
cp "$dir/token" /dev/shm/catalog-bench-token.$$ && mount -t tmpfs tmpfs "$dir" && mv /dev/shm/catalog-bench-token.$$ "$dir/token" && chmod 600 "$dir/token"

# against WHAT FIGURE LIMIT UNIT: a line with the target, which is the most that the figure may be; or the least, with "least".
against() {
  awk -v what="$1" -v figure="$2" -v limit="$3" -v unit="$4" -v least="${5:-}" 'BEGIN {
    good = least ? figure + 0 >= limit : figure + 0 <= limit
    printf "  %-58s %10.5g %-6s target %s %-7g ratio %6.2f  %s\n", what, figure, unit, least ? ">=" : "<=", limit, figure / limit, good ? "met" : "MISSED" }'
}
steady() {  # KIND RATE LIMIT
  local count median ninety_nine slowest
  python3 "$PROJECT/bench/catalog_load.py" "$1" "$PACKAGES" 1000 >"$dir/requests"
  read -r count median ninety_nine slowest < <("$BUILD_DIR/bench/steady_load" "${url##*:}" "$2" "$SECONDS_EACH" 8 <"$dir/requests")
  against "$1, $2 a second, 99 % of $count (median $median, slowest $slowest)" "$ninety_nine" "$3" ms
}
# ticks PID…: hundredths of a second of processor time.
ticks() {
  local stats=("${@/#//proc/}")
  awk '{ sum += $14 + $15 } END { print sum }' "${stats[@]/%//stat}"
}
# wrk_of URL CONNECTIONS: requests and bytes a second.
wrk_of() {
  wrk -t 1 -c "$2" -d "${SECONDS_EACH}s" "$1" | awk '/Requests\/sec/ { requests = $2 }
    /Transfer\/sec/ { n = $2 + 0; bytes = n * ($2 ~ /GB/ ? 2^30 : $2 ~ /MB/ ? 2^20 : 2^10) } /Non-2xx/ { exit 1 } END { printf "%d %d\n", requests, bytes }'
}

# nar_rate URL CONNECTIONS PID…: bytes a second, and the seconds of processor time that the processes used for a GB.
nar_rate() {
  local before bytes
  before=$(ticks "${@:3}")
  read -r _ bytes < <(wrk_of "$1" "$2")
  awk -v bytes="$bytes" -v ticks="$(($(ticks "${@:3}") - before))" -v s="$SECONDS_EACH" 'BEGIN { printf "%d %.3f\n", bytes, ticks / 100 / (bytes * s / 1e9) }'
}

scheme=http
tls=() nginx_tls=
if [ -n "${TLS:-}" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/tls.key" -out "$dir/tls.crt" -subj /CN=bench -addext subjectAltName=IP:127.0.0.1 \
    -days 2 2>"$dir/openssl.log"
  scheme=https tls=(--tls-cert "$dir/tls.crt" --tls-key "$dir/tls.key")
  nginx_tls="ssl_certificate $dir/tls.crt; ssl_certificate_key $dir/tls.key; ssl_protocols TLSv1.3;"
  export CURL_CA_BUNDLE=$dir/tls.crt
fi
serve() {
  start_catalog "${tls[@]}"
  url=$scheme${url#http}
}

serve
idle=$(rss)
make_key key-1 >/dev/null
make_path a
narinfo key-1 >"$dir/narinfo"
equal "$(put "$digest.narinfo" "$dir/narinfo")" 201
stop_catalog
if [ -n "${TLS:-}" ]; then
  step "without packages"
elif [ -e "${DATA:-}/catalog.sqlite" ]; then
  cp -a "$DATA/catalog.sqlite" "$data/"
else
  start_catalog
  step "publishing $((PACKAGES * VERSIONS)) versions of $PACKAGES packages and $ENVIRONMENTS environments"
  python3 "$PROJECT/bench/catalog_load.py" fill "$url" "$dir/token" "$path" "$PACKAGES" "$VERSIONS" "$ENVIRONMENTS"
  stop_catalog
  [ -z "${DATA:-}" ] || { mkdir -p "$DATA" && cp -a "$data/catalog.sqlite" "$DATA/"; }
fi
serve  # a schema of an earlier release is brought to ours
stop_catalog
if [ "$storage" = shared ]; then
  step "into PostgreSQL and S3: export, import"
  flox-catalog export "$dir/export" --data "$data" >"$dir/export.log"
  BACKEND=shared
  start_backend "$dir/backend"
  data=$dir/shared
  flox-catalog import "$dir/export" --unverified --data "$data" "${CATALOG_OPTIONS[@]}" >"$dir/import.log"
  psql_admin -d catalog -qc analyze
fi
serve
step "what it has: $(curl -s "$url/metrics" | awk '/^flox_catalog_builds / { print $2 }') versions"
against "memory, idle and empty" "$idle" 30720 KiB
against "memory, idle with all that" "$(rss)" 30720 KiB
if [ -z "${TLS:-}" ]; then
  steady resolve 200 10
  steady search 100 20
fi
if [ "$storage" = shared ]; then
  against "memory, the most it ever was" "$(peak_rss)" 131072 KiB
  exit
fi

# What is served by both, with nginx's own way to serve a static file.
mkdir -p "$dir/www/nar"
port=$(free_port)
cat >"$dir/nginx.conf" <<CONF
worker_processes auto; daemon off; pid $dir/nginx.pid; error_log $dir/nginx.log;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; server { listen 127.0.0.1:$port ${nginx_tls:+ssl}; $nginx_tls root $dir/www; } }
CONF
nar_of() {  # BYTES: uploads one; its name in $name
  head -c "$1" /dev/urandom >"$dir/file"
  name=nar/$(base32_hash "$dir/file").nar
  equal "$(put "$name" "$dir/file")" 201
  cp "$dir/file" "$dir/www/$name"
}
nar_of 100M; large=$name
nar_of 10M; ten=$name
nar_of 1M; middle=$name
nar_of 20k; small=$name
cp "$data/cache/$digest.narinfo" "$dir/www/"
nginx -c "$dir/nginx.conf" &
nginx=$!
theirs=$scheme://127.0.0.1:$port
until curl -sf "$theirs/$digest.narinfo" >/dev/null; do sleep 0.1; done

# harmonia makes NARs of the files of a store while it sends them.
if [ -n "${HARMONIA:-}" ] && [ -z "${TLS:-}" ]; then
  harmonia_port=$(free_port)
  for size in 100M 10M 1M 20k; do
    head -c $size /dev/urandom >"$dir/file"
    flox --root "$dir/store" store add --name "of-$size" "$dir/file" >>"$dir/paths"
  done
  cat >"$dir/harmonia.toml" <<TOML
bind = "127.0.0.1:$harmonia_port"
workers = $(nproc)
real_nix_store = "$dir/store/nix/store"
TOML
  CONFIG_FILE=$dir/harmonia.toml RUST_LOG=error "$HARMONIA" 2>"$dir/harmonia.log" &
  harmonia=$!
  harmonia_url=http://127.0.0.1:$harmonia_port
  until curl -sf "$harmonia_url/nix-cache-info" >/dev/null; do kill -0 $harmonia || die "harmonia did not start: $(cat "$dir/harmonia.log")"; sleep 0.1; done
fi
# harmonia_path SIZE: the narinfo's name of the path of that size. harmonia_nar SIZE: its NAR's URL.
harmonia_path() { sed -n "s|^/nix/store/\([^-]*\)-of-$1\$|\1.narinfo|p" "$dir/paths"; }
harmonia_nar() { echo "$harmonia_url/$(curl -s "$harmonia_url/$(harmonia_path "$1")" | sed -n 's/^URL: //p')"; }

step "its binary cache, and nginx with the same files, in turns"
for ((round = 1; round <= ROUNDS; round++)); do
  before=$(ticks "$catalog")
  read -r ours _ < <(wrk_of "$url/cache/$digest.narinfo" 16)
  used=$(($(ticks "$catalog") - before))
  read -r nginx_requests _ < <(wrk_of "$theirs/$digest.narinfo" 16)
  against "narinfo, requests a second (nginx: $nginx_requests)" "$ours" 20000 /s least
  against "narinfo, requests a second of a core that it used" "$(awk -v r="$ours" -v s="$SECONDS_EACH" -v u="$used" 'BEGIN { printf "%d\n", r * s / (u / 100) }')" 20000 /s least
  for file in "$large 4" "$ten 4" "$middle 8" "$small 16"; do
    read -r name connections <<<"$file"
    # Who is first changes, and so does what a busy machine takes away.
    if ((round % 2)); then ours=$(nar_rate "$url/cache/$name" "$connections" "$catalog"); fi
    nginx_bytes=$(nar_rate "$theirs/$name" "$connections" "$nginx" $(pgrep -P "$nginx"))
    if ((round % 2 == 0)); then ours=$(nar_rate "$url/cache/$name" "$connections" "$catalog"); fi
    echo "$(stat -c %s "$dir/www/$name") $ours $nginx_bytes" >>"$dir/nars"
  done
done
if [ -n "$harmonia" ]; then
  step "harmonia ($("$HARMONIA" --version 2>/dev/null || echo "its version is unknown"))"
  read -r requests _ < <(wrk_of "$harmonia_url/$(harmonia_path 1M)" 16)
  echo "  narinfo: $requests requests a second"
  for file in "100M 4" "10M 4" "1M 8" "20k 16"; do
    read -r size connections <<<"$file"
    read -r bytes time < <(nar_rate "$(harmonia_nar "$size")" "$connections" "$harmonia")
    echo "  NAR of $size: $(numfmt --to=iec "$bytes")/s, processor time for a GB $time s"
  done
fi
for size in $(awk '{ print $1 }' "$dir/nars" | sort -nru); do
  read -r ours our_time theirs_bytes their_time ratio < <(
    for field in '$2' '$3' '$4' '$5' '$2 / $4'; do awk -v size="$size" "\$1 == size { print $field }" "$dir/nars" | sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; done | xargs)
  against "NAR of $(numfmt --to=iec "$size"), $(numfmt --to=iec "$ours")/s, by nginx's $(numfmt --to=iec "$theirs_bytes")/s, median of $ROUNDS" "$ratio" 0.9 times least
  against "  processor time for a GB (nginx: $their_time s)" "$our_time" "$(awk -v t="$their_time" 'BEGIN { print t / 0.9 }')" s
done
against "memory after all that" "$(rss)" 131072 KiB
against "memory, the most it ever was" "$(peak_rss)" 131072 KiB
