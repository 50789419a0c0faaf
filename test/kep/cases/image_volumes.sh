# KEP-4639, image volumes: a package as a read-only volume, also of a container with an ordinary image.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: reader }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  volumes: [{ name: package, image: { reference: "flox.local/hello:1.0", pullPolicy: IfNotPresent } }]
  containers:
    - name: main
      image: docker.io/library/busybox:test
      imagePullPolicy: Never
      command: [sh, -c, "ls /package; cat /package/bin/hello | tail -1; touch /package/x 2>&1; exec sleep 1000"]
      volumeMounts: [{ name: package, mountPath: /package }]
---
apiVersion: v1
kind: Pod
metadata: { name: nothing }
spec:
  runtimeClassName: flox
  terminationGracePeriodSeconds: 1
  volumes: [{ name: package, image: { reference: "flox.local/nothing:1.0" } }]
  containers: [{ name: main, image: "{image}", command: [sleep, "1000"], volumeMounts: [{ name: package, mountPath: /package }] }]
YAML
wait_said reader $'bin\necho "hello 1.0"\ntouch: /package/x: Read-only file system'
wait_for "the event of what does not exist" event_says nothing "the catalog has no such package"
