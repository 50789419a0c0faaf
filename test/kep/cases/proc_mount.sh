# KEP-4265, procMount: in a user namespace a container may have the whole of /proc; by default parts of it are masked.
apply <<'YAML'
apiVersion: v1
kind: Pod
metadata: { name: proc }
spec:
  runtimeClassName: flox
  hostUsers: false
  terminationGracePeriodSeconds: 1
  containers:
    - { name: masked, image: "{image}", command: [sh, -c, "grep -c ' /proc/' /proc/self/mounts; exec sleep 1000"] }
    - { name: unmasked, image: "{image}", command: [sh, -c, "grep -c ' /proc/' /proc/self/mounts; exec sleep 1000"], securityContext: { procMount: Unmasked } }
YAML
wait_said proc 0 -c unmasked
masks() { [ "$(kubectl logs -n "$NS" proc -c masked)" -ge 3 ]; }
wait_for "what the other one prints" masks
