#!/usr/bin/env bash
# What Kubernetes does with pods, for three kinds of them side by side: an ordinary image under runc (the reference), the
# same image under flox, and an imageless pod. What each prints of itself must be the same.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_kubernetes
enter_world "$@"

start_catalog
publish_tool hello 1.0
start_cluster 1
import_busybox 1
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
KINDS=(runc image imageless)
declare -A CLASS=([runc]='' [image]='runtimeClassName: flox' [imageless]='runtimeClassName: flox')
declare -A IMAGE=([runc]=busybox:test [image]=busybox:test [imageless]=ghcr.io/flox/flox:latest)
declare -A ANNOTATIONS=([runc]='{}' [image]='{}' [imageless]='{ flox.dev/environment: hello }')

kubectl create secret generic secret --from-literal=password=s3cret >/dev/null
kubectl create configmap settings --from-literal=colour=blue >/dev/null
mkdir -p "$WORLD/hooks"
chmod 777 "$WORLD/hooks"

# container KIND COMMAND [FIELDS]: one, as the only element of a list.
container() { echo "[{ name: main, image: \"${IMAGE[$1]}\", imagePullPolicy: IfNotPresent, command: [sh, -c, $(jq -n --arg c "$2" '$c')]${3:+, $3} }]"; }
# pod KIND NAME CONTAINERS [FIELDS OF THE SPEC]
pod() {
  cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: { name: "$1-$2", labels: { kind: "$1", role: "$2" }, annotations: ${ANNOTATIONS[$1]} }
spec: { ${CLASS[$1]}${CLASS[$1]:+,} ${4:+$4,} terminationGracePeriodSeconds: 5, containers: $3 }
YAML
}
# What a pod template of a workload has besides its containers.
template() { echo "metadata: { labels: { app: \"$1-$2\" }, annotations: ${ANNOTATIONS[$1]} }, spec: { ${CLASS[$1]}${CLASS[$1]:+,} terminationGracePeriodSeconds: 1, $3 }"; }

FACTS='id; grep -E "^(Cap(Eff|Bnd)|Seccomp:|NoNewPrivs)" /proc/self/status
touch /root-is-writable 2>/dev/null && echo root writable || echo root not writable
touch /data/file && stat -c "%u %g %a" /data /data/file
echo "$POD_NAME" | cut -d- -f2; echo "$NODE $CPU_LIMIT $PASSWORD $colour"; cat /etc/facts/labels; cat /etc/secret/password; echo
ls /var/run/secrets/kubernetes.io/serviceaccount; cut -c1-3 /var/run/secrets/tokens/token; echo
echo "$KUBERNETES_SERVICE_HOST"; cat /etc/resolv.conf; hostname | cut -d- -f2; wc -l </etc/hosts; exit 3'
FACT_FIELDS='resources: { limits: { cpu: 500m, memory: 64Mi } }, envFrom: [{ configMapRef: { name: settings } }], env: [
  { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }, { name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } },
  { name: CPU_LIMIT, valueFrom: { resourceFieldRef: { resource: limits.cpu, divisor: 1m } } }, { name: PASSWORD, valueFrom: { secretKeyRef: { name: secret, key: password } } }],
  volumeMounts: [{ name: data, mountPath: /data }, { name: facts, mountPath: /etc/facts }, { name: secret, mountPath: /etc/secret }, { name: tokens, mountPath: /var/run/secrets/tokens }]'
FACT_VOLUMES='restartPolicy: Never, volumes: [{ name: data, emptyDir: {} }, { name: facts, downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: "metadata.labels['"'role'"']" } }] } },
  { name: secret, secret: { secretName: secret } }, { name: tokens, projected: { sources: [{ serviceAccountToken: { path: token, audience: test, expirationSeconds: 600 } }] } }]'
# Security contexts: of the pod, and of the container.
declare -A POD_CONTEXT=([root]='' [user]='runAsNonRoot: true, runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000]' [confined]='seccompProfile: { type: RuntimeDefault }' [host]='')
declare -A CONTEXT=([root]='' [user]='allowPrivilegeEscalation: false' [confined]='readOnlyRootFilesystem: true, capabilities: { drop: [ALL], add: [CHOWN] }' [host]='privileged: true')

manifests() {
  local kind context
  for kind in "${KINDS[@]}"; do
    for context in "${!CONTEXT[@]}"; do
      pod "$kind" "$context" "$(container "$kind" "$FACTS" "$FACT_FIELDS, securityContext: { ${CONTEXT[$context]} }")" \
        "$FACT_VOLUMES, securityContext: { ${POD_CONTEXT[$context]} }$([ "$context" != host ] || echo ', hostNetwork: true')"
    done
    pod "$kind" shell "$(container "$kind" 'echo started; while read -r line; do echo "heard $line"; done; sleep 600' 'stdin: true, tty: true')"
    pod "$kind" web "$(container "$kind" 'echo "the page of $(hostname | cut -d- -f2)" >/tmp/index.html; httpd -f -p 8080 -h /tmp')"
    pod "$kind" live "$(container "$kind" 'echo began; touch /tmp/healthy; sleep 600' 'livenessProbe: { exec: { command: [test, -e, /tmp/healthy] }, periodSeconds: 1, failureThreshold: 1, initialDelaySeconds: 1 }')"
    pod "$kind" gated "$(container "$kind" 'sleep 600' 'readinessProbe: { exec: { command: [test, -e, /tmp/ready] }, periodSeconds: 1 }')"
    pod "$kind" hooked "$(container "$kind" 'trap "echo got TERM >>/hooks/'"$kind"'; exit 0" TERM; echo up; while :; do sleep 0.1; done' \
      'lifecycle: { preStop: { exec: { command: [sh, -c, "echo preStop >>/hooks/'"$kind"'"] } } }, volumeMounts: [{ name: hooks, mountPath: /hooks }]')" \
      "volumes: [{ name: hooks, hostPath: { path: \"$WORLD/hooks\" } }]"
    pod "$kind" deaf "$(container "$kind" 'trap "" TERM; while :; do sleep 1; done')"
    cat <<YAML
---
apiVersion: batch/v1
kind: Job
metadata: { name: "$kind-job" }
spec: { completions: 3, parallelism: 3, backoffLimit: 4, template: { $(template "$kind" job "restartPolicy: OnFailure, containers: $(container "$kind" 'if [ -e /scratch/once ]; then echo done; else touch /scratch/once; exit 7; fi' 'volumeMounts: [{ name: scratch, mountPath: /scratch }]'), volumes: [{ name: scratch, emptyDir: {} }]") } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: "$kind-cron" }
spec: { schedule: "* * * * *", jobTemplate: { spec: { template: { $(template "$kind" cron "restartPolicy: Never, containers: $(container "$kind" 'echo tick')") } } } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: "$kind-set" }
spec: { serviceName: "$kind-set", replicas: 2, selector: { matchLabels: { app: "$kind-set" } }, template: { $(template "$kind" set "containers: $(container "$kind" 'hostname; sleep 600')") } }
YAML
  done
}

step "$(manifests | grep -c '^kind:') objects of ${#KINDS[@]} kinds"
manifests | kubectl apply -f - >/dev/null
ready() { kubectl wait --for=condition=Ready "pod/$1" --timeout=1s; }
finished() { [ "$(kubectl get pod "$1" -o 'jsonpath={.status.phase}')" = Failed ]; }
started() { [ -n "$(kubectl get pod "$1" -o 'jsonpath={.status.containerStatuses[0].state.running}')" ]; }

step "identity, capabilities, seccomp, volumes, tokens, variables: the same under every security context"
for context in "${!CONTEXT[@]}"; do
  for kind in "${KINDS[@]}"; do
    wait_until 90 "pod $kind-$context to end" finished "$kind-$context"
    kubectl logs "$kind-$context" | grep -v '^uid=\|^root writable' >"$WORLD/facts-$kind"
    # Names of users and groups are the image's own; the store needs /flox-like directories in the root: who may write is compared.
    kubectl logs "$kind-$context" | sed -n 's/([^)]*)//g; /^uid=/p; /^root writable/p' >>"$WORLD/facts-$kind"
    equal "$(kubectl get pod "$kind-$context" -o 'jsonpath={.status.containerStatuses[0].state.terminated.exitCode}')" 3
  done
  diff "$WORLD/facts-runc" "$WORLD/facts-image" || die "$context: the image's pod differs under flox"
  diff "$WORLD/facts-runc" "$WORLD/facts-imageless" || die "$context: the imageless pod differs"
done

for kind in "${KINDS[@]}"; do
  step "$kind: exec, logs -f, attach -it, cp, port-forward"
  wait_until 60 "$kind-shell" ready "$kind-shell"
  equal "$(kubectl exec "$kind-shell" -- sh -c 'echo out; echo err >&2; exit 5' 2>/dev/null || echo "code $?")" $'out\ncode 5'
  [ "$kind" != imageless ] || equal "$(kubectl exec imageless-shell -- hello)" "hello 1.0"
  start_server follow in_net kubectl logs -f "$kind-shell"
  # A terminal, as a person has one.
  (sleep 1; echo me; sleep 1) | timeout 4 script -qefc "nsenter --net=/run/netns/world -- kubectl attach -it $kind-shell" /dev/null >"$WORLD/attached" || true
  contains "$(cat "$WORLD/attached")" "heard me"
  wait_until 10 "logs -f to follow" grep -q 'heard me' "$WORLD/logs/follow.log"
  stop_server follow
  echo "a file" >"$WORLD/file"
  kubectl cp "$WORLD/file" "$kind-shell:/tmp/copied"
  kubectl cp "$kind-shell:/tmp/copied" "$WORLD/back" >/dev/null
  cmp "$WORLD/file" "$WORLD/back"
  wait_until 60 "$kind-web" ready "$kind-web"
  start_server forward in_net kubectl port-forward "pod/$kind-web" 18080:8080
  wait_until 20 "the page through port-forward" in_net curl -fs http://127.0.0.1:18080/index.html
  equal "$(in_net curl -fs http://127.0.0.1:18080/index.html)" "the page of web"
  stop_server forward

  step "$kind: liveness restarts, readiness gates, hooks and grace period, a debug container"
  restarted() { [ "$(kubectl get pod "$kind-live" -o 'jsonpath={.status.containerStatuses[0].restartCount}')" -ge 1 ]; }
  kubectl exec "$kind-live" -- rm /tmp/healthy
  wait_until 30 "a restart" restarted
  wait_until 30 "the restarted container" ready "$kind-live"
  wait_until 60 "$kind-gated" started "$kind-gated"
  ! ready "$kind-gated" 2>/dev/null >&2 || die "ready before its probe says so"
  kubectl exec "$kind-gated" -- touch /tmp/ready
  wait_until 20 "its readiness" ready "$kind-gated"
  wait_until 60 "$kind-hooked" ready "$kind-hooked"
  kubectl delete pod "$kind-hooked" --timeout=20s >/dev/null
  equal "$(cat "$WORLD/hooks/$kind")" $'preStop\ngot TERM'
  wait_until 60 "$kind-deaf" ready "$kind-deaf"
  before=$SECONDS
  kubectl delete pod "$kind-deaf" --timeout=30s >/dev/null
  [ $((SECONDS - before)) -ge 4 ] || die "killed before its grace period was over"
  kubectl debug "$kind-web" --image=busybox:test --target=main -c helper -- sh -c 'ps -o args | grep "httpd -f" | grep -v grep; echo helped' >/dev/null 2>&1
  helped() { [[ $(kubectl logs "$kind-web" -c helper) == *helped* ]]; }
  wait_until 30 "the debug container" helped
  contains "$(kubectl logs "$kind-web" -c helper)" "httpd -f -p 8080"
done

step "jobs with retries, stateful sets, cron jobs"
for kind in "${KINDS[@]}"; do
  wait_until 60 "$kind-job" kubectl wait --for=condition=Complete "job/$kind-job" --timeout=1s
  wait_until 60 "$kind-set" ready "$kind-set-1"
  equal "$(kubectl logs "$kind-set-0") $(kubectl logs "$kind-set-1")" "$kind-set-0 $kind-set-1"
  ticked() { [[ $(kubectl logs -l "app=$kind-cron") == *tick* ]]; }
  wait_until 90 "$kind-cron" ticked
done

step "a pod of both: an imageless container, and an ordinary one that skip-containers leaves alone"
kubectl apply -f - >/dev/null <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: mixed, annotations: { flox.dev/environment: hello, flox.dev/skip-containers: sidecar } }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  containers:
  - { name: main, image: "ghcr.io/flox/flox:latest", command: [sh, -c, "hello; sleep 600"] }
  - { name: sidecar, image: "busybox:test", imagePullPolicy: Never, command: [sh, -c, "ls /nix 2>/dev/null; echo sidecar; sleep 600"] }
YAML
wait_until 30 "the mixed pod" ready mixed
equal "$(kubectl logs mixed -c main)" "hello 1.0"
equal "$(kubectl logs mixed -c sidecar)" "sidecar"

step "all of it goes, and nothing is left on the node"
kubectl delete pods,jobs,cronjobs,statefulsets --all --timeout=60s >/dev/null
no_tasks() { [ -z "$(on_node 1 ctr -n k8s.io task ls -q)" ] && ! pgrep -f containerd-shim >/dev/null; }
wait_until 60 "the last shim to end" no_tasks
no_leases() { [ -z "$(ls "$WORLD/node-1/disk/nix/var/nix/gcroots/flox" 2>/dev/null)" ]; }
wait_until 30 "the leases to end" no_leases
