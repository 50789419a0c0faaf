#!/usr/bin/env bash
# The tutorial's page about a cluster, as a reader would follow it: each command runs, and prints what the page says.
# prepare: kubernetes
# ctest: RESOURCE_LOCK cluster
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/script/cluster-world.sh"
need_kubernetes
enter_world "$@"

step "a cluster, as script/cluster up starts one"
start_cluster 2
kubectl apply -f "$PROJECT/deploy/base/runtime-class.yaml" >/dev/null
publish_tool hello 1.0

step "the page"
mkdir "$WORLD/reader"
# What script/cluster does with its arguments in the world that it keeps.
cat >"$WORLD/reader/setup" <<SH
. "$PROJECT/test/lib.sh"
. "$PROJECT/script/cluster-world.sh"
script/cluster() {
  case \$1 in
    kubectl) "\$@" ;;
    publish) publish_tool "\$2" "\$3" ;;
    node) shift; on_node "\$@" ;;
    *) die "the page uses script/cluster \$1" ;;
  esac
}
cd "$WORLD/reader"
SH
python3 "$PROJECT/script/lib/pages.py" "$PROJECT/docs/tutorial/first-cluster.md" -- env BASH_ENV="$WORLD/reader/setup" bash
