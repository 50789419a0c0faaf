#!/usr/bin/env bash
# The reference is what the programs say: the command line and the annotations are generated from their help, the settings
# from their declarations; the catalog's addresses in the page are those that it serves; and each page that the
# documentation shows is there (script/lib/links.py).
# builds: reference_page flox flox-kube kubectl-flox floxd flox-catalog containerd-shim-flox-v1 ticket-processor ticket-generator
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/test/catalog/support.sh"

step "docs/reference/cli.md, annotations.md and settings.md are what script/reference writes"
"$PROJECT/script/reference" --check

step "every address in docs/reference/catalog-api.md is served"
start_catalog
page=$PROJECT/docs/reference/catalog-api.md
# The lines "| `METHOD ADDRESS…` | …" of its table.
requests=$(grep -oP '^\| `\K(GET|POST|PUT) [^`?]+' "$page")
[ "$(wc -l <<<"$requests")" -ge 10 ] || die "the page's table has too few addresses: $requests"
while read -r method address; do
  address=${address%,} address=${address/NAME/hello} address=${address/OWNER/acme} address=${address/…/}
  status=$(ask "$method" "$address" -H "Authorization: Bearer $token" -d '{}')
  ! grep -q 'there is no resource' "$dir/answer" || die "$method $address is not served ($status): $(cat "$dir/answer")"
done <<<"$requests"
step "and an address that is not in it is refused"
ask GET /api/v1/nothing >/dev/null
grep -q 'there is no resource' "$dir/answer" || die "what the catalog says of an unknown address has changed: $(cat "$dir/answer")"

step "every path that the catalog's API has in its source is in the page"
for address in $(grep -ohP '"\K/(api/v1/[\w/]+|cache/|healthz|readyz|metrics)(?=")' $(ls "$PROJECT"/src/server/api/*.cc | grep -v _test) | sort -u); do
  grep -qF -- "$address" "$page" || die "docs/reference/catalog-api.md lacks $address"
done
