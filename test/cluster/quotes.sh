#!/usr/bin/env bash
# The example of Flox's own documentation (a web server with Redis, each its own environment) with its annotations, image
# and commands as they are there. Redis is imported from Debian; the web server, which is not to be had here, is a small
# one of the same name. The services find each other by name.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/support.sh"
need_kubernetes
enter_world "$@"

start_catalog
step "the two environments, pushed by their owner"
flox --root "$LAPTOP_ROOT" import deb redis-server --publish --quiet >/dev/null
flox --root "$LAPTOP_ROOT" import deb python3 --publish --quiet >/dev/null
mkdir "$WORLD/redis" "$WORLD/quotes-app-go" "$WORLD/quotes-app"
(cd "$WORLD/redis" && flox init -n redis && flox --root "$LAPTOP_ROOT" install redis-server && flox --root "$LAPTOP_ROOT" push --owner flox) >&2
cat >"$WORLD/quotes-app-go/server.py" <<'PY'
# Serves /quotes/N from the Redis that -r names, and puts its quotes there first.
import http.server, socket, sys
host, port = sys.argv[sys.argv.index("-r") + 1].split(":")
def redis(*words):
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(("*%d\r\n" % len(words) + "".join("$%d\r\n%s\r\n" % (len(w), w) for w in words)).encode())
        return connection.recv(4096).decode()
class Quotes(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        redis("SET", "quote:0", "Simplicity is prerequisite for reliability.")
        answer = redis("GET", "quote:" + self.path.rsplit("/", 1)[1])
        found = answer.startswith("$") and not answer.startswith("$-1")
        self.send_response(200 if found else 404)
        self.end_headers()
        self.wfile.write((answer.split("\r\n")[1] if found else "no such quote").encode())
http.server.ThreadingHTTPServer(("", 3000), Quotes).serve_forever()
PY
(
  cd "$WORLD/quotes-app-go"
  flox init -n quotes-app-go
  cat >.flox/env/manifest.toml <<'TOML'
schema-version = "1.10.0"
[install]
python3.pkg-path = "python3"
[build.quotes-app-go]
version = "1.0"
description = "Serves quotes that Redis keeps"
command = '''
  python=$(readlink -m "$FLOX_ENV/bin/python3")
  mkdir -p $out/bin $out/lib
  cp server.py $out/lib/
  printf '#!/bin/sh\nexec %s %s/lib/server.py "$@"\n' "/nix/store/${python##*/nix/store/}" "$out" >$out/bin/quotes-app-go
  chmod +x $out/bin/quotes-app-go
'''
TOML
  flox --root "$LAPTOP_ROOT" build --quiet
  flox --root "$LAPTOP_ROOT" publish
  cd "$WORLD/quotes-app"
  flox init -n quotes-app
  flox --root "$LAPTOP_ROOT" install quotes-app-go
  flox --root "$LAPTOP_ROOT" push --owner flox
) >&2

start_cluster 1
start_dns
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
step "the example's objects"
kubectl apply -f - <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: { name: quotes }
spec:
  replicas: 1
  selector: { matchLabels: { app: quotes } }
  template:
    metadata:
      labels: { app: quotes }
      annotations: { flox.dev/environment: "flox/quotes-app" }
    spec:
      runtimeClassName: flox
      containers:
      - { name: quotes, image: "flox/empty:1.0.0", command: ["quotes-app-go", "-r", "redis:6379"] }
---
apiVersion: v1
kind: Service
metadata: { name: quotes }
spec: { selector: { app: quotes }, ports: [{ port: 3000 }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: redis }
spec:
  replicas: 1
  selector: { matchLabels: { app: redis } }
  template:
    metadata:
      labels: { app: redis }
      annotations: { flox.dev/environment: "flox/redis" }
    spec:
      runtimeClassName: flox
      containers:
      - name: redis
        image: flox/empty:1.0.0
        command: ["redis-server", "--daemonize", "no", "--dir", "/data", "--bind", "0.0.0.0", "--protected-mode", "no"]
        volumeMounts: [{ name: redis-data, mountPath: /data }]
      volumes: [{ name: redis-data, emptyDir: {} }]
---
apiVersion: v1
kind: Service
metadata: { name: redis }
spec: { selector: { app: redis }, ports: [{ port: 6379 }] }
YAML
for name in redis quotes; do wait_until 60 "$name" kubectl rollout status "deployment/$name" --timeout=1s; done
# From the node, by the service's address, as the example does through kind's port.
quote() { on_node 1 curl -fs --max-time 5 "http://$(jsonpath default service/quotes '{.spec.clusterIP}'):3000/quotes/$1"; }
wait_until 30 "a quote" quote 0
equal "$(quote 0)" "Simplicity is prerequisite for reliability."
! quote 7 || die "a quote that is not there"
