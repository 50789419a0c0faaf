#!/usr/bin/env bash
# A catalog is backed up while it runs, as docs/how-to/back-up.md says, lost, and restored: what the backup of the database has is
# all there, signed metadata, too, which nodes go on to trust; what was published behind it can be published again.
# prepare: moto-venv
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
. "$(dirname "$0")/signed_world.sh"
each_backend "$@"
public_key=$(make_key key-1)
keys=(--trusted-key "$public_key")
# With moto's own client: Debian has no aws.
bucket() { "$("$PROJECT/script/moto-venv")/bin/python" - "$S3_URL" "$@"; }
backup_database() {
  if [ "$BACKEND" = local ]; then
    sqlite3 "$data/catalog.sqlite" ".backup $dir/saved/catalog.sqlite"
  else
    PGPASSWORD=$(cat "$backend_dir/password") "$PG_BIN/pg_dump" -Fc -d "$database_url" -f "$dir/saved/catalog.dump"
  fi
}
backup_files() {
  if [ "$BACKEND" = local ]; then
    mkdir "$dir/saved/cache"
    tar -C "$data/cache" --exclude ./uploads -c . | tar -C "$dir/saved/cache" -x
  else
    bucket "$dir/saved/cache" <<'PY'
import boto3, os, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1])
for page in s3.get_paginator("list_objects_v2").paginate(Bucket="bucket", Prefix="cache/"):
    for one in page["Contents"]:
        file = os.path.join(sys.argv[2], one["Key"])
        os.makedirs(os.path.dirname(file), exist_ok=True)
        s3.download_file("bucket", one["Key"], file)
PY
  fi
}
# Who may read the files that came meanwhile.
backup_readers() {
  if [ "$BACKEND" = local ]; then
    sqlite3 "$data/catalog.sqlite" ".dump cache_readers" >"$dir/saved/cache_readers.sql"
  else
    PGPASSWORD=$(cat "$backend_dir/password") "$PG_BIN/pg_dump" -Fc -t cache_readers -d "$database_url" -f "$dir/saved/cache_readers.dump"
  fi
}
lose_everything() {
  stop_catalog KILL || true
  rm -rf "$data"
  [ "$BACKEND" = shared ] || return 0
  stop_s3
  start_s3
  psql_admin -qc 'drop database catalog with (force)'
}
restore() {
  mkdir -p "$data"
  install -m 600 "$dir/saved/online.key" "$data/"
  if [ "$BACKEND" = local ]; then
    cp "$dir/saved/catalog.sqlite" "$data/"
    cp -r "$dir/saved/cache" "$data/"
    (echo 'drop table cache_readers;'; cat "$dir/saved/cache_readers.sql") | sqlite3 -bail "$data/catalog.sqlite"
  else
    empty_postgres
    PGPASSWORD=$(cat "$backend_dir/password") "$PG_BIN/pg_restore" --no-owner -d "$database_url" "$dir/saved/catalog.dump"
    PGPASSWORD=$(cat "$backend_dir/password") "$PG_BIN/pg_restore" --no-owner --clean -d "$database_url" "$dir/saved/cache_readers.dump"
    bucket "$dir/saved/cache" <<'PY'
import boto3, os, sys
s3 = boto3.client("s3", endpoint_url=sys.argv[1])
for root, _, files in os.walk(sys.argv[2]):
    for name in files:
        file = os.path.join(root, name)
        s3.upload_file(file, "bucket", os.path.relpath(file, sys.argv[2]))
PY
  fi
}

start_catalog "${keys[@]}"
mkdir "$dir/saved"
fill_catalog
trusted_by_node
make_path 0
narinfo key-1 >"$dir/narinfo-0"
equal "$(put "$digest.narinfo" "$dir/narinfo-0")" 201
equal "$(record web "$(build 1.0)")" 201
first=$nar
cp "$dir/nar" "$dir/nar-0"
make_path 1
look >"$dir/look"
curl -s "$url/api/v1/trust/online-key" >"$dir/online-key"
step "the database is backed up, then something is published, then the files are backed up"
backup_database
install -m 600 "$data/online.key" "$dir/saved/"
narinfo key-1 >"$dir/narinfo-1"
equal "$(put "$digest.narinfo" "$dir/narinfo-1")" 201
equal "$(record web "$(build 1.1)")" 201
# A private file, which is to stay so.
equal "$(ask POST /api/v1/owners -H "Authorization: Bearer $token" -d '{"name":"hideout","private":true}')" 201
equal "$(ask POST /api/v1/auth/tokens -H "Authorization: Bearer $token" -d '{"owner":"hideout","scope":"publish"}')" 201
hideout=$(answer .token)
head -c 5000 /dev/urandom >"$dir/private"
private=nar/$(base32_hash "$dir/private").nar
equal "$(ask PUT "/cache/$private" -H "Authorization: Bearer $hideout" --upload-file "$dir/private")" 201
equal "$(ask GET "/cache/$private")" 404
backup_files
backup_readers

step "all is lost, and restored"
lose_everything
restore
start_catalog "${keys[@]}"
equal "$(ask GET /readyz)" 200
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(answer '[.items[] | .version + " " + .signer] | join(", ")')" "1.0 key-1"
curl -fsL "$url/cache/$first" | cmp - "$dir/nar-0"

step "signed metadata is there as it was, byte for byte, and the timestamps are signed by the same key: nodes go on"
look >"$dir/look-2"
diff "$dir/look" "$dir/look-2" >"$dir/diff" || die "the restored catalog differs: $(head -20 "$dir/diff")"
trusted_by_node
equal "$(curl -s "$url/api/v1/trust/online-key")" "$(cat "$dir/online-key")"
publish_file hello 1.2 --owner acme
trusted_by_node

step "a private file that is newer than the backup of the database is not public"
equal "$(ask GET "/cache/$private")" 404
equal "$(ask GET "/cache/$private" -H "Authorization: Bearer $token")" 200

step "what the database's backup lacks is published again"
equal "$(ask GET "/cache/$digest.narinfo")" 200
equal "$(put "$nar" "$dir/nar")" 201
equal "$(put "$digest.narinfo" "$dir/narinfo-1")" 201
equal "$(record web "$(build 1.1)")" 201
equal "$(ask GET /api/v1/catalog/packages/web)" 200
equal "$(answer .total_count)" 2
