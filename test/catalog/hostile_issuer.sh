#!/usr/bin/env bash
# An issuer, or somebody between it and the user, who answers flox auth login with something else than was asked for: nothing is
# stored, the reason is said, and the terminal gets no escape sequences.
# builds: flox flox-catalog
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/support.sh"
export HOME=$dir/home
mkdir "$HOME"
unset XDG_CONFIG_HOME FLOX_CATALOG_TOKEN FLOX_CATALOG_TOKEN_FILE
issuer_pid=
end() { stop_catalog; [ -z "$issuer_pid" ] || kill "$issuer_pid" 2>/dev/null || true; rm -rf "$dir"; }
trap end EXIT
: >"$dir/lie"
python3 "$PROJECT/test/catalog/hostile_issuer.py" "$dir/lie" >"$dir/issuer" 2>"$dir/issuer.log" &
issuer_pid=$!
wait_until 10 "the issuer" grep -q '^http://' "$dir/issuer"
start_catalog --oidc-issuer "$(cat "$dir/issuer")" --oidc-client-id flox
export FLOX_CATALOG_URL=$url
# A browser that follows wherever it is sent.
printf '#!/bin/sh\nexec curl -sL -m 20 -o /dev/null "$1"\n' >"$dir/browser"
chmod +x "$dir/browser"
export BROWSER=$dir/browser
# lies LIE TEXT OPTION…: the login must fail and say the text.
lies() {
  echo "$1" >"$dir/lie"
  ! flox auth login "${@:3}" >"$dir/said" 2>&1 || die "$1: was logged in"
  grep -qF -- "$2" "$dir/said" || die "$1: '$2' is not in: $(cat "$dir/said")"
  ! grep -q $'\e' "$dir/said" || die "$1: escape sequences reach the terminal"
  [ ! -e "$HOME/.config/flox/credentials.json" ] || die "$1: something was stored"
}

step "an issuer that is another, sends on, or never ends"
for option in --browser ""; do
  lies other-configuration "its configuration is that of another issuer" $option
  lies elsewhere "it sends on to another server" $option
  lies redirects "redirect" $option
  lies huge-configuration "bytes" $option
  lies deep-configuration "the issuer's answer" $option
  lies plain-endpoint "is not an https URL" $option
  lies login-endpoint "is not an https URL" $option
  lies no-grants "the issuer has no '" $option
  lies huge-token "bytes" $option
  lies long-token "the ID token" $option
  lies no-token "id_token" $option
  lies broken-token "the ID token" $option
  lies list "is not an object" $option
  lies token-redirects "the issuer" $option
  lies other-issuer "the ID token is of another issuer" $option
  lies escapes "the issuer answered" $option
  lies other-audience "the ID token is for another client" $option
  # What only looks like a token the catalog refuses: no key of the issuer has signed it.
  lies "" "the token cannot be exchanged" $option
done

step "a browser's answer to another login, of another issuer, or without a code"
lies other-state "an answer to another login came, and was refused" --browser
grep -qF "the login was refused" "$dir/said" || die "the login went on: $(cat "$dir/said")"
lies other-iss "the answer is of another issuer" --browser
lies promised-iss "the answer is of another issuer" --browser
lies other-nonce "its nonce is not the one that was sent" --browser
lies no-nonce "its nonce is not the one that was sent" --browser
lies no-code "the answer has no code" --browser
lies no-pkce "has no PKCE with S256" --browser

step "a page that no browser should open, and a code that is not one"
lies page "verification_uri"
lies code-escapes "nobody entered the code in time"
