# Kubernetes' own end-to-end tests on two clusters at once, which differ in the default handler of their node: runc's own shim, and
# ours. Case by case, what passes with the former must pass with the latter. Run by script/conformance, not by script/test: it
# takes half an hour. Sourced, never run.
. "$PROJECT/test/shim/suites.sh"
. "$PROJECT/test/shim/images.sh"
. "$PROJECT/test/shim/cri_images.sh"

SUITE_LABELS='(NodeConformance || (Conformance && (sig-node || sig-storage))) && !Serial && !Disruptive'
# How many must at least pass with runc's shim for the comparison to say something.
SUITE_AT_LEAST=150
AT_ONCE=6

# make_suite_images DIR: an OCI layout in DIR/layout with the images that these tests name, as far as they can be made of agnhost,
# busybox, a shell and a few of Debian's programs.
make_suite_images() {
  local root=$1/root agnhost=$1/agnhost layout=$1/layout e2e=registry.k8s.io/e2e-test-images pause
  mkdir -p "$root"/{bin,etc,dev,proc,sys,usr/local/bin,usr/bin,var/run,home,root,uploads} "$agnhost"
  mkdir -m 1777 "$root/tmp"
  cp "$(command -v busybox)" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do [ -e "$root/bin/$applet" ] || ln -s busybox "$root/bin/$applet"; done
  for program in bash curl ipcs pgrep ss; do copy_program "$root" "$(type -P $program)"; done
  printf '%s\n' root:x:0:0:root:/root:/bin/sh nobody:x:65534:65534:nobody:/home:/bin/sh user-defined-in-image:x:1000:1000::/home:/bin/sh >"$root/etc/passwd"
  printf '%s\n' root:x:0: nobody:x:65534: user-defined-in-image:x:1000: group-defined-in-image:x:50000:user-defined-in-image >"$root/etc/group"
  cp "$(command -v agnhost)" "$agnhost/agnhost"
  ln -s agnhost "$agnhost/agnhost-2"
  local path='{"Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]}'
  add() { make_image "$layout" "$1" "$(jq -c --argjson path "$path" '. + $path' <<<"$2")" "${@:3}"; }
  add "$root" '{"Cmd": ["sh"]}' $e2e/busybox:1.37.0-2
  add "$root" '{"Cmd": ["sh"], "User": "1234"}' $e2e/nonroot:1.5
  add "$root:$agnhost" '{"Entrypoint": ["/agnhost"], "Cmd": ["pause"]}' $e2e/agnhost:2.66.1 $e2e/agnhost:2.55
  install -D -m 4755 "$E2E/nonewprivs" "$1/nnp/usr/local/bin/nnp"
  add "$root:$1/nnp" '{"Cmd": ["nnp"]}' $e2e/nonewprivs:1.4
  mkdir -p "$1/nginx/www" "$1/nginx/bin"
  echo "Welcome to nginx" >"$1/nginx/www/index.html"
  printf '#!/bin/sh\nexec httpd -f -h /www -p 80\n' >"$1/nginx/bin/nginx"
  chmod +x "$1/nginx/bin/nginx"
  add "$root:$1/nginx" '{"Cmd": ["nginx"]}' $e2e/nginx:1.27.0-2 $e2e/nginx:1.28.0-2
  install -D "$BUILD_DIR/bin/flox-pause" "$1/pause/pause"
  make_image "$layout" "$1/pause" '{"Entrypoint": ["/pause"]}' registry.k8s.io/pause:3.10.2
}

# run_suite HANDLER RESULTS: one cluster, in a world of its own; the suite's report is RESULTS/HANDLER.json. With $SUITE_FOCUS, an
# expression, only the tests whose names it finds.
run_suite() {
  local handler=$1 results=$2 focus=()
  [ -z "${SUITE_FOCUS:-}" ] || focus=(--focus "$SUITE_FOCUS")
  FLOX_TEST_OCI_RUNTIME=
  [ "$handler" = runc ] || INSTALL_OPTIONS=--default-runtime
  start_cluster 1
  start_dns
  tar -C "$SUITE_IMAGES" -c oci-layout index.json blobs | on_node 1 ctr -n k8s.io images import - >"$WORLD/logs/images.log" 2>&1 ||
    { cat "$WORLD/logs/images.log" >&2; die "containerd refused the images"; }
  step "$handler: the cluster is ready"
  mkdir "$WORLD/output"
  in_net env KUBECONFIG="$KUBECONFIG" TMPDIR="$WORLD/output" "$E2E/ginkgo" --procs $AT_ONCE --no-color --timeout 100m --label-filter "$SUITE_LABELS" "${focus[@]}" \
    --json-report "$handler.json" --output-dir "$results" "$E2E/e2e.test" -- --provider skeleton --kubeconfig "$KUBECONFIG" \
    --e2e-output-dir "$WORLD/output" --num-nodes 1 --dump-logs-on-failure=false --node-schedulable-timeout 2m >"$results/$handler.log" 2>&1 || true  # the report says what failed
  [ -s "$results/$handler.json" ] || { tail -30 "$results/$handler.log"; die "the suite did not report"; }
  # Whose shims ran the pods?
  ours=$(grep -c . <(pgrep -f containerd-shim-flox || true)) theirs=$(grep -c . <(pgrep -f containerd-shim-runc || true))
  step "$handler: left at the end: $ours shims of ours, $theirs of runc's"
}

# suite_names FILE STATE: the tests that ended so, one a line.
suite_names() {
  jq -r --arg state "$2" '.[].SpecReports[] | select(.LeafNodeType == "It" and .State == $state) |
    (.ContainerHierarchyTexts + [.LeafNodeText] | join(" "))' "$1" | sort
}
suite_reasons() { jq -r '.[].SpecReports[] | select(.LeafNodeType == "It" and .State != "passed" and .State != "skipped") | "\(.ContainerHierarchyTexts + [.LeafNodeText] | join(" ")): \(.State): \(.Failure.Message // "" | split("\n")[0:3] | join(" "))"' "$1"; }
as_expression() { sed 's/[][\.*^$+?(){}|]/\\&/g' | paste -sd '|'; }
