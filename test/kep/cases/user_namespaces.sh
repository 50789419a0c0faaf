# KEP-127, user namespaces: root of the pod is not root of the node, and has its environment, volumes and token all the same.
apply <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: { name: words }
data: { word: hidden }
---
apiVersion: v1
kind: Pod
metadata: { name: mapped }
spec:
  runtimeClassName: flox
  hostUsers: false
  terminationGracePeriodSeconds: 1
  volumes: [{ name: words, configMap: { name: words } }, { name: own, emptyDir: {} }]
  containers:
    - name: main
      image: "{image}"
      command: [sh, -c, "id -u; hello; cat /words/word; echo; touch /own/file && stat -c %u /own/file; [ -s /var/run/secrets/kubernetes.io/serviceaccount/token ] && echo token; exec sleep 1000"]
      volumeMounts: [{ name: words, mountPath: /words }, { name: own, mountPath: /own }]
YAML
wait_said mapped $'0\nhello 1.0\nhidden\n0\ntoken'
first=$(in_pod mapped "awk '{ print \$2 }' /proc/self/uid_map")
[ "$first" -ge 65536 ]
equal "$(kubectl exec -n "$NS" mapped -- hello)" "hello 1.0"
