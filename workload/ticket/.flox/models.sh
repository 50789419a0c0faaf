# Fills $out with the models of ticket-processor, prepared; "flox build" runs it (env/manifest.toml).
#
# The models come from MODEL_CACHE_DIR and the other places that ticket-processor looks at, by its settings (TICKET_PRECISION,
# SUMMARIZER_MODEL, …). TICKET_LEVELS are the levels of processors that they are for (default: this one's), with spaces between.
set -eu
programs=${FLOX_TICKET_BUILD_DIR:-${FLOX_ENV_PROJECT:-.}/../../build/bin}
for level in ${TICKET_LEVELS:-}; do set -- "$@" --level "$level"; done
"$programs/ticket-processor" prepare-models --to "$out/share/ticket-models" "$@"
rm -rf "$out/share/ticket-models/.locks"
