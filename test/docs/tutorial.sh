#!/usr/bin/env bash
# The first two pages of the tutorial, as a reader would follow them: each command runs, and prints what the page says; what
# is left are the files that the last page names.
. "$(dirname "$0")/../lib.sh"
. "$PROJECT/script/cluster-world.sh"
. "$PROJECT/test/docs/support.sh"
enter_world "$@"

step "a machine without flox"
start_reader
before=$(files)
step "the pages"
follow docs/tutorial/first-environment.md docs/tutorial/first-pod.md
step "nothing is left"
diff <(echo "$before") <(files) || die "files differ"
