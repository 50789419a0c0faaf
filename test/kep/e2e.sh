# Kubernetes' own end-to-end tests of pods, exec, probes, volumes, hooks, init containers and security contexts ([NodeConformance], and
# [Conformance] of the groups node and storage) on a cluster of the newest release, in two worlds one after the other: one whose nodes'
# default runtime is our shim, one whose default is runc's. Prints case by case what came out; fails where a case passes with runc's
# shim and not with ours. Run by script/conformance e2e [REGULAR EXPRESSION], not by script/test. Sourced, never run.
. "$PROJECT/test/shim/suites.sh"
. "$PROJECT/test/kep/support.sh"
. "$PROJECT/test/shim/cri_images.sh"

# Left out, each with its reason.
E2E_LABELS='(NodeConformance || Conformance) && (sig-node || sig-storage) && !Serial && !Disruptive'
WHY_LEFT_OUT="Serial, Disruptive (they drain, taint or restart the only node)"
# How many must at least pass with runc's shim for the comparison to say something; a chosen part (second argument) says what it says.
AT_LEAST=120

# make_e2e_images DIR LIST: adds to DIR/layout, for each image of LIST (what e2e.test --list-images printed) that can be made here, what
# the tests look for in it; names the others in DIR/absent.
make_e2e_images() {
  local layout=$1/layout root=$1/root agnhost=$1/agnhost name base pause=$1/pause
  mkdir -p "$pause" "$agnhost"/{uploads,tmp}
  cp "$BUILD_DIR/bin/flox-pause" "$pause/pause"
  cp "$(type -P agnhost)" "$agnhost/agnhost"
  ln -s agnhost "$agnhost/agnhost-2"
  copy_program "$agnhost" "$(type -P curl)"
  install -D -m 4755 "$root/nnp" "$root/usr/local/bin/nnp"
  local users=$1/users
  mkdir -p "$users/etc"
  sed 's/^default-user:/user-defined-in-image:/' "$root/etc/passwd" >"$users/etc/passwd"
  sed 's/default-user/user-defined-in-image/g' "$root/etc/group" >"$users/etc/group"
  : >"$1/absent"
  while read -r name; do
    base=${name##*/}
    case ${base%%:*} in
      # It is there to be refused to those who have no secret for it.
      *) [[ $name != */k8s-authenticated-test/* ]] || { echo "$name" >>"$1/absent"; continue; } ;;&
      agnhost) make_image "$layout" "$root:$agnhost:$users" '{"Entrypoint": ["/agnhost"], "Cmd": ["pause"], "Env": ["PATH=/bin"]}' "$name" ;;
      busybox) make_image "$layout" "$root" '{"Cmd": ["sh"], "Env": ["PATH=/bin"]}' "$name" ;;
      nginx) make_image "$layout" "$root" '{"Entrypoint": ["/bin/nginx", "master process", "80"], "Env": ["PATH=/bin"]}' "$name" ;;
      nonewprivs) make_image "$layout" "$root" '{"Cmd": ["nnp"], "Env": ["PATH=/usr/local/bin:/bin"]}' "$name" ;;
      nonroot) make_image "$layout" "$root" '{"Cmd": ["sh"], "User": "1234", "Env": ["PATH=/bin"]}' "$name" ;;
      pause) make_image "$layout" "$pause" '{"Entrypoint": ["/pause"]}' "$name" ;;
      *) echo "$name" >>"$1/absent" ;;
    esac
  done <"$2"
}

# run_e2e HANDLER DIR FOCUS: one run in a world of its own; its report goes to DIR/HANDLER.json.
run_e2e() {
  local handler=$1 dir=$2 focus=$3
  start_catalog
  INSTALL_OPTIONS=
  [ "$handler" = runc ] || INSTALL_OPTIONS=--default-runtime
  start_cluster 1
  start_dns
  tar -C "$dir/layout" -c oci-layout index.json blobs | on_node 1 ctr -n k8s.io images import - >"$WORLD/logs/images.log" 2>&1 ||
    { cat "$WORLD/logs/images.log" >&2; die "containerd refused the images"; }
  in_net "$E2E/ginkgo" --procs="${E2E_PROCESSES:-4}" --no-color --label-filter="$E2E_LABELS" --focus="$focus" --timeout=3h \
    --json-report="$handler.json" --output-dir="$dir" "$E2E/e2e.test" -- --kubeconfig="$KUBECONFIG" --provider=local --minStartupPods=0 \
    --dump-logs-on-failure=false --delete-namespace-on-failure=true >"$dir/$handler.log" 2>&1 || true  # the report says what failed
  [ -s "$dir/$handler.json" ] || { tail -20 "$dir/$handler.log" >&2; die "e2e.test did not report"; }
  # What ran under whose shim is seen, not believed.
  local default
  default=$(on_node 1 sed -n 's/^ *default_runtime_name *= *"\(.*\)".*/\1/p' /etc/containerd/config.toml)
  case $handler:$default in flox:flox | runc: | runc:runc) ;; *) die "the node's default runtime is '$default' in the run of $handler" ;; esac
}

if [ "${2:-}" = run ]; then
  enter_world "$@"
  run_e2e "${@:3}"
  exit 0
fi
need_featured_kubernetes
type -P agnhost >/dev/null || lacks "needs the newest Kubernetes: script/kubernetes-newest, some ten minutes once on a machine"
E2E=$("$PROJECT/script/kubernetes-e2e" | tail -1) || exit $?
export E2E
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
chmod 755 "$dir"
step "making the images that the tests ask for"
"$E2E/e2e.test" --list-images 2>/dev/null | grep / | sort -u >"$dir/list"
[ -s "$dir/list" ] || die "e2e.test --list-images named no image"
make_cri_images "$dir"
make_e2e_images "$dir" "$dir/list"
step "Left out: $WHY_LEFT_OUT. Images that cannot be made here: $(xargs <"$dir/absent")"
for handler in flox runc; do
  step "the end-to-end tests with $handler"
  "$0" e2e run $handler "$dir" "${2:-}" || die "the run with $handler did not come to its end"
done

# outcomes HANDLER: "NAME<tab>STATE" of each case that was not filtered out.
outcomes() {
  jq -r '.[].SpecReports[] | select(.LeafNodeType == "It" and (.State != "skipped" or (.Failure.Message // "") != "")) |
    (.ContainerHierarchyTexts + [.LeafNodeText] | join(" ") | gsub("\\s+"; " ")) + "\t" + .State' "$dir/$1.json" | sort
}
for handler in flox runc; do
  outcomes $handler >"$dir/$handler.outcomes"
  sed -n 's/\tpassed$//p' "$dir/$handler.outcomes" >"$dir/$handler.passed"
done
echo "case | flox | runc"
join -t $'\t' -a 1 -a 2 -e absent -o 0,1.2,2.2 "$dir/flox.outcomes" "$dir/runc.outcomes" | awk -F '\t' '{ print $1 " | " $2 " | " $3 ($2 == $3 ? "" : "   <- differs") }'
for handler in flox runc; do
  step "$handler: $(cut -f2 "$dir/$handler.outcomes" | sort | uniq -c | awk '{ printf "%s%d %s", (NR > 1 ? ", " : ""), $1, $2 }')"
  jq -r --arg handler "$handler" '.[].SpecReports[] | select(.LeafNodeType == "It" and (.State | IN("passed", "pending") | not) and (.Failure.Message // "") != "") |
    $handler + ", " + .State + ": " + .LeafNodeText + ": " + (.Failure.Message | split("\n")[0][:300])' "$dir/$handler.json" >&2
done
[ -n "${2:-}" ] || [ "$(wc -l <"$dir/runc.passed")" -ge $AT_LEAST ] || die "fewer than $AT_LEAST cases pass with runc's shim: the comparison says nothing"
passes_too "Kubernetes' end-to-end tests" "$dir/runc.passed" "$dir/flox.passed"
