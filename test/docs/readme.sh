#!/usr/bin/env bash
# README.md leads from nothing to a running pod: each command runs, and prints what the page says; no file is left changed.
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/script/cluster-world.sh"
. "$PROJECT/test/docs/support.sh"
enter_world "$@"

step "a machine without flox, with the CNI configuration to which the page leads"
start_reader
sed -n "/<<'JSON'/,/^JSON\$/p" "$PROJECT/docs/tutorial/first-pod.md" | sed '1d; $d' |
  on_node 1 sh -c 'mkdir -p /etc/cni/net.d; cat >/etc/cni/net.d/10-tutorial.conflist'
before=$(files)
step "the page"
follow README.md
step "nothing is left"
diff <(echo "$before") <(files) || die "files differ"
