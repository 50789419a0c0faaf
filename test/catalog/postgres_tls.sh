#!/usr/bin/env bash
# The way to PostgreSQL is TLS: a server that shows a certificate of its name, which is trusted, is used; another one gets no password.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
only_shared
start_backend "$dir/backend"

step "PostgreSQL takes TLS only"
certificate() {  # NAME FILE
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -addext "subjectAltName=DNS:$1" \
    -days 2 -keyout "$backend_dir/pg/$2.key" -out "$backend_dir/pg/$2.crt" 2>/dev/null
  [ "$(id -u)" != 0 ] || chown postgres "$backend_dir/pg/$2.key"
  chmod 600 "$backend_dir/pg/$2.key"
}
certificate localhost server
certificate elsewhere other
sed -i 's/^host /hostssl /' "$backend_dir/hba"
stop_postgres
start_postgres -c ssl=on -c ssl_cert_file="$backend_dir/pg/server.crt" -c ssl_key_file="$backend_dir/pg/server.key"
cp "$backend_dir/pg"/*.crt "$dir"
plain=${CATALOG_OPTIONS[1]}
secure=${plain/127.0.0.1/localhost}
with() { CATALOG_OPTIONS[1]=$1; }

step "with the certificate's issuer and the server's name it is used"
with "$secure?sslmode=verify-full&sslrootcert=$dir/server.crt"
start_catalog
equal "$(ask GET /readyz)" 200
equal "$(sql "select bool_and(ssl) from pg_stat_ssl join pg_stat_activity using (pid) where usename = 'catalog'")" t
stop_catalog

step "another name, another issuer, and no TLS are refused"
start() { flox-catalog --listen 127.0.0.1:0 --data "$data" "${CATALOG_OPTIONS[@]}"; }
with "$plain?sslmode=verify-full&sslrootcert=$dir/server.crt"
refused "does not match host name" start
with "$secure?sslmode=verify-full&sslrootcert=$dir/other.crt"
refused "certificate verify failed" start
with "$secure?sslmode=disable"
refused "no pg_hba.conf entry" start

step "a server on another machine must show one unless the URL says otherwise"
with "${plain/127.0.0.1/db.example}?hostaddr=127.0.0.1"
unset NIX_SSL_CERT_FILE
export SSL_CERT_FILE=$dir/other.crt
refused "certificate verify failed" start
export SSL_CERT_FILE=$dir/server.crt
refused "does not match host name" start
