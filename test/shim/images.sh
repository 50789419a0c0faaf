# Images made here, under any names: the suites name images of registries that cannot be reached. Sourced, never run.

# make_image DIR ROOTFS[:ROOTFS…] CONFIG NAME…: adds an image to the OCI layout DIR under each NAME, with one layer from
# each root directory. CONFIG is the JSON of the image's "config" (Cmd, User, …).
make_image() {
  local dir=$1 config=$3 layers='[]' diffs='[]' manifest diff name rootfs roots
  IFS=: read -ra roots <<<"$2"
  shift 3
  mkdir -p "$dir/blobs/sha256"
  [ -e "$dir/index.json" ] || echo '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}' >"$dir/index.json"
  echo '{"imageLayoutVersion":"1.0.0"}' >"$dir/oci-layout"
  for rootfs in "${roots[@]}"; do
    tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$rootfs" -cf "$dir/layer" .
    diff=sha256:$(sha256sum <"$dir/layer" | cut -d' ' -f1)
    gzip -n1 "$dir/layer" && mv "$dir/layer.gz" "$dir/layer"
    diffs=$(jq -c --arg diff "$diff" '. + [$diff]' <<<"$diffs")
    layers=$(jq -c --argjson layer "$(add_blob "$dir" layer application/vnd.oci.image.layer.v1.tar+gzip)" '. + [$layer]' <<<"$layers")
  done
  jq -nc --argjson config "$config" --argjson diffs "$diffs" \
    '{architecture: "amd64", os: "linux", config: $config, rootfs: {type: "layers", diff_ids: $diffs}}' >"$dir/config"
  jq -nc --argjson config "$(add_blob "$dir" config application/vnd.oci.image.config.v1+json)" --argjson layers "$layers" \
    '{schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config: $config, layers: $layers}' >"$dir/manifest"
  manifest=$(add_blob "$dir" manifest application/vnd.oci.image.manifest.v1+json)
  for name in "$@"; do
    jq -c --argjson manifest "$manifest" --arg name "$name" '.manifests += [$manifest + {platform: {architecture: "amd64", os: "linux"},
      annotations: {"io.containerd.image.name": $name}}]' "$dir/index.json" >"$dir/index.new"
    mv "$dir/index.new" "$dir/index.json"
  done
}
# add_blob DIR FILE TYPE: moves DIR/FILE to where its digest says; its descriptor.
add_blob() {
  local sum size
  sum=$(sha256sum <"$1/$2" | cut -d' ' -f1) size=$(stat -c %s "$1/$2")
  mv "$1/$2" "$1/blobs/sha256/$sum"
  jq -nc --arg type "$3" --arg digest "sha256:$sum" --argjson size "$size" '{mediaType: $type, digest: $digest, size: $size}'
}
# import_layout DIR NAMESPACE: containerd knows the images from now on, unpacked.
import_layout() {
  tar -C "$1" -c oci-layout index.json blobs | ctr -n "$2" images import - >"$WORLD/logs/images-$2.log" 2>&1 ||
    { cat "$WORLD/logs/images-$2.log" >&2; die "containerd refused the images"; }
}
# start_registry: Debian's docker-registry at $REGISTRY, in the world's network.
start_registry() {
  cat >"$WORLD/registry.yml" <<YAML
version: 0.1
storage: { filesystem: { rootdirectory: $WORLD/registry } }
http: { addr: "$REGISTRY" }
log: { level: warn }
YAML
  start_server registry in_net docker-registry serve "$WORLD/registry.yml"
  wait_until 20 "docker-registry" in_net curl -fs "http://$REGISTRY/v2/"
}
# push_image LAYOUT NAME TAG: what that registry lacks of the layout's last image.
push_image() {
  local url=http://$REGISTRY/v2/$2 digest manifest location
  manifest=$(jq -r '.manifests[-1].digest' "$1/index.json")
  for digest in $(jq -r '.config.digest, .layers[].digest' "$1/blobs/sha256/${manifest#sha256:}"); do
    in_net curl -fsI "$url/blobs/$digest" >/dev/null 2>&1 && continue
    location=$(in_net curl -fsS -X POST -D - -o /dev/null "$url/blobs/uploads/" | tr -d '\r' | sed -n 's/^Location: //Ip')
    in_net curl -fsS -X PUT -T "$1/blobs/sha256/${digest#sha256:}" -H 'Content-Type: application/octet-stream' "$location&digest=$digest"
  done
  in_net curl -fsS -X PUT -T "$1/blobs/sha256/${manifest#sha256:}" -H 'Content-Type: application/vnd.oci.image.manifest.v1+json' "$url/manifests/$3"
}
