#!/usr/bin/env bash
# floxd tells the catalog which environments run on its node: who runs the node sees it there by name, the environment's owner only
# that there is one, everybody else nothing. What a token has said goes with the token.
# builds: flox flox-catalog floxd
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || { echo "needs root: makes namespaces"; exit 77; }
enter_world "$@"
start_catalog
publish_tool hello 1.0
for owner in acme platform; do flox owner create $owner; done
push_web hello red
token_of() { flox auth token create --owner "$1" --scope read 2>/dev/null; }
node_token=$(token_of platform) member=$(token_of platform) publisher=$(token_of acme)
export FLOX_NODE_SOCKET=$WORLD/run/node.sock FLOX_REPORT_ENVIRONMENTS=true FLOX_REPORT_NAME=node-1
with_login() { CATALOG_URL=http://node:$1@${CATALOG_URL#http://} start_floxd; }
with_login "$node_token"

call() { "$PROJECT/test/security/node_call.py" "$FLOX_NODE_SOCKET" "$@"; }
prepare() { contains "$(call Prepare container_id="$1" pod_id="sandbox-$1" pod_namespace=shop pod_name="$1" container_name=main environment="$2" args=hello)" "ok "; }
# nodes TOKEN: what the catalog says of acme/web to who has that token.
nodes() { curl -s -H "Authorization: Bearer $1" "$CATALOG_URL/api/v1/environments/acme/web/nodes"; }
page() { curl -s ${1:+-H "Authorization: Bearer $1"} "$CATALOG_URL/environments/acme/web"; }
runs() { [ "$(nodes "$member" | jq -r '[.items[] | "\(.node) \(.generation) \(.containers)"] | join(", ")')" = "$1" ]; }
shows() { wait_until 60 "the catalog to show that it runs '$1'" runs "$1"; }

step "what runs is reported, and what no longer runs"
prepare one acme/web
prepare two acme/web:1
prepare other hello
shows "node-1 1 2"
call Release container_id=two >/dev/null
shows "node-1 1 1"
[ "$(curl -s "http://$METRICS_ADDRESS/metrics" | awk '/^flox_reports_total.*sent/ { print $2 }')" -ge 2 ] || die "reports are not counted"

step "who runs the node sees its name, the environment's owner that there is one, a stranger nothing"
contains "$(page "$member")" node-1
contains "$(page "$publisher")" "1 node of another owner runs it."
! page "$publisher" | grepq node-1 || die "the environment's owner sees the node's name"
! page "" | grepq -i "nodes that run it" || die "everyone sees nodes"
equal "$(nodes "$publisher" | jq -c '[.items, .other_nodes]')" '[[],1]'

step "another generation, after floxd has been restarted; what has ended meanwhile is not reported"
push_web hello blue
stop_server floxd
with_login "$node_token"
prepare three acme/web
shows "node-1 2 1"

step "a token that is not the node's own says nothing for it; one that is revoked has said nothing"
equal "$(curl -s -o "$WORLD/answer" -w '%{http_code}' -H "Authorization: Bearer $member" -d '{"valid_seconds":900,"environments":[]}' "$CATALOG_URL/api/v1/nodes/node-1")" 409
shows "node-1 2 1"
flox auth token revoke "${node_token%_*}" 2>/dev/null
shows ""
call Release container_id=three >/dev/null
wait_until 60 "floxd to say that it is refused" grep -q "telling the catalog which environments run here: .*revoked" "$WORLD/logs/floxd.log"
prepare four acme/web  # pods do not mind
