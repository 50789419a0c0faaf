#!/usr/bin/env bash
# JSON of a million levels, sent to every address of the catalog with every method, with and without the token: an
# answer, at once, and a server that goes on.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../catalog/support.sh"

deep() { python3 -c "import sys; n = int(sys.argv[3]); print(sys.argv[1] * n + sys.argv[2] * n, end='')" "$@"; }
deep '[' ']' 1000000 >"$dir/lists"
deep '[' ']' 100000 >"$dir/lists-100k"
deep '{"a":' '}' 50000 >"$dir/objects"
deep '[' '' 1000000 >"$dir/open"
deep '{"items":[{"descriptors":[' '' 30000 >"$dir/items"
# As a member that is read, and as one that is not.
for member in manifest lock items descriptors systems outputs description; do
  { printf '{"manifest":"x","lock":{"lockfile-version":1,"packages":[],"manifest":{}},"%s-x":' $member; cat "$dir/lists-100k"; echo '}'; } >"$dir/beside-$member"
  { printf '{"name":"web","version":"1","system":"x86_64-linux","%s":' $member; cat "$dir/lists-100k"; echo '}'; } >"$dir/in-$member"
done

start_catalog
pid=$catalog
for file in "$dir"/lists* "$dir/objects" "$dir/open" "$dir/items" "$dir"/beside-* "$dir"/in-*; do
  for target in /api/v1/catalog/resolve /api/v1/catalog/packages/web/builds /api/v1/environments/acme/web /api/v1/catalog/search /metrics /; do
    for who in stranger publisher; do
      header=(-H "X-Who: $who")
      [ $who = stranger ] || header=(-H "Authorization: Bearer $token")
      status=$(ask POST "$target" -m 10 -H Expect: "${header[@]}" --data-binary "@$file") || die "$who, POST $target of ${file##*/}: no answer: $(tail -2 "$dir/log")"
      case $status in 400 | 403 | 404 | 413) ;; *) die "$who, POST $target of ${file##*/}: $status" ;; esac
      [ "$(stat -c %s "$dir/answer")" -lt 1500 ] || die "$who, POST $target of ${file##*/}: an answer of $(stat -c %s "$dir/answer") bytes"
    done
  done
done
for method in GET PUT DELETE PATCH; do
  for target in /api/v1/catalog/resolve /api/v1/environments/acme/web "/cache/$(printf '0%.0s' {1..32}).narinfo"; do
    status=$(ask $method $target -m 10 -H Expect: -H "Authorization: Bearer $token" --data-binary "@$dir/lists-100k") || die "$method $target: no answer"
    case $status in 400 | 403 | 404 | 413) ;; *) die "$method $target: $status" ;; esac
  done
done
equal "$(ask GET /healthz)" 200
kill -0 "$pid" || die "flox-catalog has ended"
[ "$(peak_rss)" -le 65536 ] || die "flox-catalog held $(peak_rss) KiB at its peak"

step "an error says where"
equal "$(ask POST /api/v1/catalog/resolve --data-binary "@$dir/lists-100k")" 400
contains "$(answer .detail)" "the request's body:1:"
grep -q 'json.exception' "$dir/answer" && die "the answer is a library's"
# A lock that nests as deep as it may is not much larger when it is written.
{ printf '{"manifest":"x","lock":{"lockfile-version":1,"manifest":{},"packages":[],"x":'; deep '[' ']' 20; echo '}}'; } >"$dir/allowed"
equal "$(ask POST /api/v1/environments/acme/web -H "Authorization: Bearer $token" --data-binary "@$dir/allowed")" 201
