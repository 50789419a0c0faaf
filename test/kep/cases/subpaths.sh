# subPath and subPathExpr (KEP-559): a directory of a volume, named by the manifest or by a variable of the pod; never one outside it.
apply <<'YAML'
apiVersion: v1
kind: ConfigMap
metadata: { name: words }
data: { word: configured }
---
apiVersion: v1
kind: Pod
metadata: { name: parted }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  volumes: [{ name: node, hostPath: { path: "{node}" } }, { name: words, configMap: { name: words } }]
  containers:
    - name: main
      image: "{image}"
      env: [{ name: NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }]
      command: [sh, -c, "echo one >/one/file; echo two >/two/file; cat /etc/word; echo; exec sleep 1000"]
      volumeMounts:
        - { name: node, mountPath: /one, subPath: logs/one }
        - { name: node, mountPath: /two, subPathExpr: "logs/$(NAME)" }
        - { name: words, mountPath: /etc/word, subPath: word }
YAML
wait_said parted configured
equal "$(cat "$NODE_DIR/logs/one/file") $(cat "$NODE_DIR/logs/parted/file")" "one two"
ln -s /etc "$NODE_DIR/link"
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: leaving }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  volumes: [{ name: node, hostPath: { path: "{node}" } }]
  containers: [{ name: main, image: "{image}", command: [sleep, "1000"], volumeMounts: [{ name: node, mountPath: /out, subPath: link }] }]
YAML
wait_for "the refusal of a link that leaves the volume" event_says leaving "failed to prepare subPath"
