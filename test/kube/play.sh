#!/usr/bin/env bash
# A Deployment from play to down: init container, environment, volumes, users, logs, exec, scale, set env.
. "$(dirname "$0")/lib.sh"
enter_world "$@"
start_kube

cat >"$WORLD/web.yaml" <<'YAML'
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: shop
data:
  COLOUR: "blue"
  page.html: |
    hello
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: shop
spec:
  accessModes: [ReadWriteMany]
  resources:
    requests:
      storage: 1Gi
  storageClassName: efs
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      terminationGracePeriodSeconds: 2
      securityContext:
        runAsNonRoot: true
        runAsUser: 1000
        fsGroup: 2000
      initContainers:
      - name: prepare
        image: docker.io/test/busybox:1
        command: [sh, -c, 'echo prepared > /work/file; touch /data/$(POD)']
        env:
        - name: POD
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        volumeMounts:
        - {name: work, mountPath: /work}
        - {name: data, mountPath: /data}
      containers:
      - name: server
        image: docker.io/test/busybox:1
        command: [sh, -c, 'echo starting in $COLOUR; echo oops >&2; exec httpd -f -p 8080 -h /pages']
        envFrom:
        - configMapRef: {name: settings}
        ports:
        - {name: http, containerPort: 8080}
        readinessProbe:
          httpGet: {path: /page.html, port: http}
          periodSeconds: 1
        livenessProbe:
          tcpSocket: {port: 8080}
        volumeMounts:
        - {name: work, mountPath: /work, readOnly: true}
        - {name: pages, mountPath: /pages}
        - {name: data, mountPath: /data}
        resources:
          requests: {cpu: 100m, memory: 16Mi}
          limits: {cpu: 500m, memory: 64Mi}
      volumes:
      - name: work
        emptyDir: {}
      - name: pages
        configMap: {name: settings}
      - name: data
        persistentVolumeClaim: {claimName: data}
YAML

step "play waits until the pods are ready and says what it does not act on"
kube play --timeout "$((20 * PATIENCE))s" "$WORLD/web.yaml" >"$WORLD/out" 2>"$WORLD/err" || { cat "$WORLD/err" "$WORLD/kube/supervisor.log" >&2; die "play failed"; }
grep -qx 'deployment.apps/web created' "$WORLD/out" || die "unexpected output: $(cat "$WORLD/out")"
grep -q 'storageClassName: noted; efs' "$WORLD/err" || die "the storage class was dropped in silence: $(cat "$WORLD/err")"
grep -q '^pod web-.*: Running, ready$' "$WORLD/err" || die "no progress was shown: $(cat "$WORLD/err")"
kube ps -n shop | tee "$WORLD/ps" >&2
[ "$(grep -cE '^web-[a-z0-9]{10}-[a-z0-9]{5} +1/1 +Running +0 ' "$WORLD/ps")" = 2 ] || die "ps does not show two running pods as kubectl would"
pod=$(of_pods '.[0].name')

step "exec runs in the pod, as its user and with its volumes"
[ "$(kube exec "$pod" -n shop -- id -u)" = 1000 ] || die "not the pod's user"
kube exec "$pod" -- id -G | grepq -w 2000 || die "not in the fsGroup"
[ "$(kube exec "$pod" -- cat /work/file)" = prepared ] || die "the init container's file is missing"
[ "$(kube exec "$pod" -- stat -c %g:%a /work)" = 2000:2775 ] || die "the emptyDir is not the group's: $(kube exec "$pod" -- stat -c %g:%a /work)"
[ "$(kube exec deployment/web -- ls /data | wc -l)" = 2 ] || die "the claim is not shared"
[ "$(kube exec "$pod" -- hostname)" = "$pod" ] || die "the host name is not the pod's"
code=0; kube exec "$pod" -- sh -c 'exit 7' || code=$?
[ $code = 7 ] || die "exec does not pass on the exit code: $code"
expect_error "gives a command neither input nor a terminal" kube exec -it "$pod" -- sh
pid=$(ctr -n k8s.io task ls | awk -v id="$(of_pods '.[0].containers[0].id')" '$1 == id { print $2 }')
memory=$(cat /sys/fs/cgroup/memory"$(awk -F: '$2 == "memory" { print $3 }' /proc/"$pid"/cgroup)"/memory.limit_in_bytes 2>/dev/null ||
  cat /sys/fs/cgroup"$(awk -F: '$1 == 0 { print $3 }' /proc/"$pid"/cgroup)"/memory.max)
[ "$memory" = $((64 << 20)) ] || die "the memory limit is $memory"

step "logs are shown without their format, errors on stderr"
[ "$(kube logs "$pod" 2>"$WORLD/err")" = "starting in blue" ] || die "unexpected log: $(kube logs "$pod")"
[ "$(cat "$WORLD/err")" = oops ] || die "stderr was not kept apart"
kube logs -l app=web --tail 2 2>/dev/null | grepq "^\[pod/$pod/server\] starting in blue$" || die "no prefix for several pods"

step "describe tells the conditions and events"
kube describe "$pod" >"$WORLD/describe"
grep -q 'Controlled By: *Deployment/web' "$WORLD/describe" && grep -q 'Started container server' "$WORLD/describe" || die "$(cat "$WORLD/describe")"

step "playing the same again changes nothing"
before=$(of_pods '.[].name')
kube play "$WORLD/web.yaml" 2>/dev/null | grepq -x 'deployment.apps/web unchanged' || die "not recognised as unchanged"
[ "$(of_pods '.[].name')" = "$before" ] || die "pods were replaced for nothing"

step "a changed variable rolls over, new pods before old ones go, and outlives another play"
kube set env -n shop deployment/web COLOUR=red | grepq -x 'deployment.apps/web env updated' || die "set env said something else"
ready_never_below_two() {
  [ "$(of_pods '[.[] | select(.ready)] | length')" -ge 2 ] || die "fewer than two pods were ready: $(kube ps)"
  ! of_pods '.[].name' | grepq -xF "$before"
}
wait_until 60 "both pods to be replaced" ready_never_below_two
kube play "$WORLD/web.yaml" >/dev/null 2>&1
[ "$(kube logs deployment/web 2>/dev/null | grep -c 'starting in red')" = 2 ] || die "the variable is not in the new pods"

step "scale up and down"
kube scale deployment web --replicas=3
wait_until 30 "three ready pods" eval '[ "$(of_pods "[.[] | select(.ready)] | length")" = 3 ]'
kube scale -n shop deployment/web --replicas 1
wait_until 30 "one pod" eval '[ "$(of_pods length)" = 1 ]'

step "a container that is killed is started again"
id=$(of_pods '.[0].containers[0].id')
kill -KILL "$(ctr -n k8s.io task ls | awk -v id="$id" '$1 == id { print $2 }')"
wait_until 30 "the restart" eval '[ "$(of_pods ".[0].restarts")" = 1 ] && [ "$(of_pods ".[0].ready")" = true ]'

step "a supervisor that is killed is replaced, and its pods run on"
name=$(of_pods '.[0].name') id=$(of_pods '.[0].containers[0].id')
kill -KILL "$(jq .pid "$WORLD/kube/supervisor.json")"
kube play "$WORLD/web.yaml" >/dev/null 2>"$WORLD/err" || { cat "$WORLD/err" "$WORLD/kube/supervisor.log" >&2; die "play failed"; }  # two replicas again
of_pods '.[].containers[0].id' | grepq -x "$id" || die "the container did not live on"
of_pods '.[].name' | grepq -x "$name" || die "the pod did not live on"

step "down leaves nothing but the claim's data"
expect_error "no manifests are given" kube down
kube down --all >/dev/null
nothing_left
[ "$(ls "$WORLD/kube/claims/shop/data" | wc -l)" -ge 2 ] || die "the claim's data is gone"
kube down --all --volumes
[ ! -e "$WORLD/kube/claims/shop" ] || die "the claim's data is left"
