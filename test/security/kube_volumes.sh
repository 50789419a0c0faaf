#!/usr/bin/env bash
# Volumes of hostile pods and manifests: no key, path or name of a volume leads to the host's files, and a subPath stays
# within its volume whatever links the pods that share it make.
. "$(dirname "$0")/../kube/lib.sh"
enter_world "$@"
start_kube
mkdir "$WORLD/secret"
echo only-for-root >"$WORLD/secret/file"
chmod 700 "$WORLD/secret"

refuse() {  # refuse TEXT <MANIFEST
  cat >"$WORLD/bad.yaml"
  expect_error "$1" flox-kube play --no-wait "$WORLD/bad.yaml"
}
# pod NAME SCRIPT MOUNTS VOLUMES
pod() {
  printf '%s\n' 'apiVersion: v1' 'kind: Pod' "metadata: {name: $1}" 'spec:' '  terminationGracePeriodSeconds: 1' '  containers:' \
    '  - name: c' '    image: docker.io/test/busybox:1' "    command: [sh, -c, '$2; sleep 1000']" \
    "    env: [{name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: UP, value: ..}, {name: EMPTY, value: \"\"}]" \
    "    volumeMounts: [$3]" "  volumes: [$4]"
}
settings() { printf '%s\n' 'apiVersion: v1' "kind: $1" 'metadata: {name: settings}' "$2: {'$3': written}" ---; }

step "keys of ConfigMaps and Secrets are names and never paths"
for key in ../../x ../x .. . ..data a/b /tmp/x "$WORLD/secret/x" 'a\b' ' '; do
  for kind in ConfigMap Secret; do
    [ $kind = Secret ] && field=stringData || field=data
    { settings $kind $field "$key"
      [ $kind = Secret ] && volume='{name: v, secret: {secretName: settings}}' || volume='{name: v, configMap: {name: settings}}'
      pod evil true '{name: v, mountPath: /v}' "$volume"; } | refuse "cannot be a key"
  done
done
for path in ../../x ../x .. ..data/x /tmp/x "$WORLD/secret/x" a/../../x; do
  { settings ConfigMap data good; pod evil true '{name: v, mountPath: /v}' "{name: v, configMap: {name: settings, items: [{key: good, path: '$path'}]}}"; } |
    refuse "must be a path inside the volume"
done
[ "$(ls "$WORLD/secret")" = file ] || die "a file was written: $(ls "$WORLD/secret")"
[ -z "$(find "$FLOX_KUBE_STATE" -name x)" ] || die "a file was written: $(find "$FLOX_KUBE_STATE" -name x)"

step "names of volumes, claims, objects and namespaces are names and never paths"
for name in ../v .. /v a/b; do
  pod evil true "{name: '$name', mountPath: /v}" "{name: '$name', emptyDir: {}}" | refuse "lower-case letters"
  pod evil true '{name: v, mountPath: /v}' "{name: v, persistentVolumeClaim: {claimName: '$name'}}" | refuse "cannot be a claim's name"
  printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' "metadata: {name: '$name'}" | refuse "lower-case letters"
  printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' "metadata: {name: a, namespace: '$name'}" | refuse "lower-case letters"
done
for path in ../x /x a/../../x ..; do
  pod evil true "{name: v, mountPath: /v, subPath: '$path'}" '{name: v, emptyDir: {}}' | refuse "must be a path inside the volume"
  pod evil true "{name: v, mountPath: /v, subPathExpr: '$path'}" '{name: v, emptyDir: {}}' | refuse "must be a path inside the volume"
done
pod evil true '{name: v, mountPath: /v}' '{name: v, hostPath: {path: /tmp/../etc}}' | refuse "must be an absolute path"

step "a ConfigMap's files have their modes and their group, and are replaced as a whole"
{ printf '%s\n' 'apiVersion: v1' 'kind: ConfigMap' 'metadata: {name: settings}' 'data: {a: "1", b: "2"}' ---
  pod reader true '{name: v, mountPath: /v}, {name: v, mountPath: /one, subPath: dir/b}' \
    '{name: v, configMap: {name: settings, defaultMode: 0400, items: [{key: a, path: a}, {key: b, path: dir/b, mode: 0444}]}}'; } >"$WORLD/reader.yaml"
kube play "$WORLD/reader.yaml" >/dev/null 2>"$WORLD/err" || { cat "$WORLD/err" >&2; die "play failed"; }
[ "$(kube exec reader -- cat /v/a /v/dir/b /one | tr -d '\n')" = 122 ] || die "the files are not there"
[ "$(kube exec reader -- stat -L -c %a:%a /v/a /v/dir/b | tr '\n' ' ')" = "400:400 444:444 " ] || die "the modes are not kept"
kube down "$WORLD/reader.yaml" >/dev/null

step "a subPath follows no link out of its volume"
claim='{name: v, persistentVolumeClaim: {claimName: shared}}'
printf '%s\n' 'apiVersion: v1' 'kind: PersistentVolumeClaim' 'metadata: {name: shared}' 'spec: {accessModes: [ReadWriteMany]}' >"$WORLD/claim.yaml"
pod evil "mkdir -p /v/inner; ln -s $WORLD/secret /v/absolute; ln -s ../../../../../../..$WORLD/secret /v/relative; ln -s /proc/1/root$WORLD/secret /v/inner/magic; ln -s inner /v/good; touch /v/done" \
  '{name: v, mountPath: /v}' "$claim" >"$WORLD/evil.yaml"
kube play "$WORLD/claim.yaml" "$WORLD/evil.yaml" >/dev/null 2>"$WORLD/err" || { cat "$WORLD/err" >&2; die "play failed"; }
wait_until 20 "the links" test -e "$FLOX_KUBE_STATE/claims/default/shared/done"
for path in absolute relative inner/magic good/magic absolute/new relative/file; do
  pod victim 'cat /w/* /w; ls -l /w; echo x >/w/written' "{name: v, mountPath: /w, subPath: $path}" "$claim" >"$WORLD/victim.yaml"
  expect_error "leads out of the volume" kube play --timeout 60s "$WORLD/victim.yaml"
  kube down "$WORLD/victim.yaml" >/dev/null
done
[ "$(ls "$WORLD/secret")" = file ] || die "the host's directory was written: $(ls "$WORLD/secret")"
pod victim 'echo here >/w/through-a-link' '{name: v, mountPath: /w, subPath: good}' "$claim" >"$WORLD/victim.yaml"
kube play "$WORLD/victim.yaml" >/dev/null 2>"$WORLD/err" || { cat "$WORLD/err" >&2; die "a link within the volume is not followed"; }
wait_until 20 "the file" test -e "$FLOX_KUBE_STATE/claims/default/shared/inner/through-a-link"
kube down "$WORLD/victim.yaml" >/dev/null

step "a pod that swaps a directory for a link meanwhile wins nothing"
pod swapper "while :; do rm -f /v/swap; mkdir -p /v/swap; rmdir /v/swap; ln -s $WORLD/secret /v/swap; done" '{name: v, mountPath: /v}' "$claim" >"$WORLD/swapper.yaml"
kube play "$WORLD/swapper.yaml" >/dev/null 2>&1
for name in a b c d e; do
  pod $name 'cat /w/file; touch /w/written' '{name: v, mountPath: /w, subPath: swap}' "$claim" >"$WORLD/$name.yaml"
  kube play --no-wait "$WORLD/$name.yaml" >/dev/null 2>&1
done
decided() { [ "$(of_pods '[.[] | select(.name | length == 1) | .containers[0] | select(.id != "" or .reason == "CreateContainerConfigError")] | length')" = 5 ]; }
wait_until 60 "five pods to run or to be refused" decided
for name in a b c d e; do
  ! kube logs $name 2>/dev/null | grepq only-for-root || die "pod $name reads the host's file"
done
[ "$(ls "$WORLD/secret")" = file ] || die "the host's directory was written: $(ls "$WORLD/secret")"
kube down "$WORLD"/{swapper,a,b,c,d,e,evil}.yaml >/dev/null

step "subPathExpr gives each pod its own part of a volume"
for name in first second; do
  pod $name "echo $name >/w/mine; touch /w/ready" '{name: v, mountPath: /w, subPathExpr: pods/$(POD)}' "$claim" >"$WORLD/$name.yaml"
done
kube play "$WORLD/first.yaml" "$WORLD/second.yaml" >/dev/null 2>"$WORLD/err" || { cat "$WORLD/err" >&2; die "play failed"; }
wait_until 20 "both files" test -e "$FLOX_KUBE_STATE/claims/default/shared/pods/first/ready" -a -e "$FLOX_KUBE_STATE/claims/default/shared/pods/second/ready"
for name in first second; do
  [ "$(kube exec $name -- sh -c 'cat /w/mine; cat /w/*')" = "$name"$'\n'"$name" ] || die "pod $name sees something else: $(kube exec $name -- ls -R /w)"
done
for expression in '$(UP)' 'a/$(UP)/..' '$(EMPTY)' '$(NOTHING)' 'a/$(UP)'; do
  pod third true "{name: v, mountPath: /w, subPathExpr: $expression}" "$claim" >"$WORLD/third.yaml"
  expect_error "subPathExpr" kube play --timeout 60s "$WORLD/third.yaml"
  kube down "$WORLD/third.yaml" >/dev/null 2>&1 || true
done

step "a container that is started again finds its subPath again"
id=$(of_pods '.[] | select(.name == "first") | .containers[0].id')
kill -KILL "$(ctr -n k8s.io task ls | awk -v id="$id" '$1 == id { print $2 }')"
wait_until 30 "the restart" eval '[ "$(of_pods ".[] | select(.name == \"first\") | .restarts")" = 1 ] && [ "$(of_pods ".[] | select(.name == \"first\") | .ready")" = true ]'
[ "$(kube exec first -- cat /w/mine)" = first ] || die "the subPath is another one"

step "down unmounts what it bound, and leaves the claim's data"
kube down --all >/dev/null
nothing_left
! grep " $FLOX_KUBE_STATE/" /proc/self/mountinfo || die "something is still mounted"
[ "$(cat "$FLOX_KUBE_STATE/claims/default/shared/pods/second/mine")" = second ] || die "the claim's data is gone"
[ -e "$FLOX_KUBE_STATE/claims/default/shared/inner/through-a-link" ] || die "the claim's data is gone"
kube down --all --volumes
[ -z "$(ls "$FLOX_KUBE_STATE/claims")" ] || die "the claim's data is left"
[ "$(cat "$WORLD/secret/file")" = only-for-root ] || die "the host's file is gone"
