#!/usr/bin/env bash
# Shells complete flox's command line, in real bash, zsh and fish; manual pages say what --help says and are well-formed.
# builds: flox flox-kube floxd flox-catalog
. "$(dirname "$0")/support.sh"
for program in zsh fish man; do type -P $program >/dev/null || { echo "needs $program"; exit 77; }; done
export XDG_STATE_HOME=$WORK/state
cd "$WORK"
ends 0 flox init -d "$WORK/web" -n web
cat >>web/.flox/env/manifest.toml <<'TOML'
[build.tool]
command = "true"
TOML
sed -i 's/^\[install\]/[install]\npython3.pkg-path = "python3"\nperl.pkg-path = "perl"/' web/.flox/env/manifest.toml
mkdir "with space"

# in_bash TYPED, in_zsh TYPED: the words of the line after TAB, with spaces between; in_fish TYPED: what is offered.
in_bash() { "$PROJECT/test/cli/typed_line.py" 'source <(flox completion bash)' "$1" -- bash --norc --noprofile -i | paste -sd' '; }
in_zsh() { "$PROJECT/test/cli/typed_line.py" 'autoload -Uz compinit; compinit -D -u; source <(flox completion zsh)' "$1" -- zsh -f -i | paste -sd' '; }
in_fish() { fish --no-config -c 'flox completion fish | source; complete -C "$argv"' "$1"; }
offers() { flox complete-words words "$@"; }

step "commands, options, and values that are there"
for shell in in_bash in_zsh; do
  equal "$($shell 'flox unin')" "flox uninstall"
  equal "$($shell 'flox store opt')" "flox store optimise"
  equal "$($shell 'flox list --js')" "flox list --json"
  equal "$($shell 'flox uninstall -d web pyth')" "flox uninstall -d web python3"
  equal "$($shell 'flox build --dir=web to')" "flox build --dir=web tool"
  equal "$($shell 'flox completion z')" "flox completion zsh"
  directory=$($shell 'flox init --dir with')
  equal "${directory%/}" "flox init --dir with space"  # zsh takes the slash away when something follows
done
equal "$(in_bash 'flox init --dir=we')" "flox init --dir=web/"
equal "$(in_fish 'flox unin' | cut -f1)" uninstall
equal "$(in_fish 'flox uninstall -d web p' | cut -f1 | sort | paste -sd' ')" "perl python3"
in_fish 'flox unin' | grepq "Remove packages" || die "fish does not show what a command does"
contains "$(in_fish 'flox list --dir w')" web/

step "the environments of this machine, whichever directory one is in"
contains "$(cd / && offers list --dir "$WORK/w")" "$WORK/web"

step "nothing is said, and nothing made, where there is nothing to offer"
equal "$(cd / && offers uninstall "" 2>&1)" none
equal "$(offers no-such-command x 2>&1)" none
before=$(find "$WORK/web" -newer "$WORK/web/.flox/env.json" -path '*.flox/*' | sort)
offers uninstall -d "$WORK/web" "" >"$WORK/out"
equal "$(find "$WORK/web" -newer "$WORK/web/.flox/env.json" -path '*.flox/*' | sort)" "$before"

step "a hostile manifest's names stay one word each"
mkdir -p hostile/.flox/env
echo '{"name": "hostile", "version": 1}' >hostile/.flox/env.json
printf 'schema-version = "1.10.0"\n[install]\n"$(touch pwned)".pkg-path = "a"\n"`touch pwned`".pkg-path = "b"\n' >hostile/.flox/env/manifest.toml
in_bash 'flox uninstall -d hostile $' >/dev/null || true
in_zsh 'flox uninstall -d hostile $' >/dev/null || true
in_fish 'flox uninstall -d hostile ' >/dev/null || true
[ ! -e pwned ] || die "a name of a manifest was executed"

step "manual pages of every command, without a warning of groff's"
ends 0 flox manual "$WORK/share"
well_formed() {
  local warnings
  warnings=$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null)
  [ -z "$warnings" ] || die "$1: $warnings"
}
for page in "$WORK"/share/man/man1/*.1; do well_formed "$page"; done
pages=$(find "$WORK/share/man" -name '*.1' | wc -l)
[ "$pages" -ge 80 ] || die "only $pages pages"
text=$(MANWIDTH=200 man -l "$WORK/share/man/man1/flox-install.1" | cat)
contains "$text" "flox install [OPTIONS]"
contains "$text" "-d, --dir TEXT"
contains "$text" "flox install python3"
equal "$(find "$WORK/share" -type f ! -path '*/man1/*' -printf '%P\n' | sort | paste -sd' ')" \
  "bash-completion/completions/flox fish/vendor_completions.d/flox.fish zsh/site-functions/_flox"
[ ! -e "$WORK/share/man/man1/flox-kube.1" ] || die "flox has written the page of flox-kube"
cp -r "$WORK/share" "$WORK/first"
ends 0 flox manual "$WORK/share"
diff -r "$WORK/first" "$WORK/share" || die "two runs give different pages"

step "the other programs describe themselves, whoever asks, and do nothing else then"
for program in flox-kube floxd flox-catalog; do
  ends 0 env FLOX_CONFIG="$WORK/none.toml" FLOX_ROOT="$WORK" FLOX_CATALOG_URL=http://catalog.example FLOX_GC_MIN_FREE=much \
    FLOX_KUBE_STATE="$WORK" FLOX_TRUST_DIR="$WORK" "$program" manual "$WORK/share"
done
for page in "$WORK"/share/man/man8/*.8 "$WORK"/share/man/man1/flox-kube*.1; do well_formed "$page"; done
contains "$(MANWIDTH=200 man -l "$WORK/share/man/man8/floxd.8" | cat)" "--metrics"
contains "$(MANWIDTH=200 man -l "$WORK/share/man/man1/flox-kube-play.1" | cat)" "flox kube play [OPTIONS]"
[ -s "$WORK/share/man/man8/flox-catalog-export.8" ] || die "flox-catalog's commands have no pages"
for program in flox-kube floxd flox-catalog; do
  [ -s "$WORK/share/bash-completion/completions/$program" ] || die "$program has written no completion"
  if "$program" --help | grepq complet; then die "$program shows its completion as a command"; fi
done
(cd "$WORK/share" && find . -type f | while read -r file; do cmp "$file" "$BUILD_DIR/share/$file" || exit 1; done) ||
  die "the build's pages are of other programs"
for shell in bash zsh; do
  of_program() { "$PROJECT/test/cli/typed_line.py" "autoload -Uz compinit 2>/dev/null; compinit -D -u 2>/dev/null; source <($1 completion $shell)" "$2" -- "${SHELL_OF[@]}" | paste -sd' '; }
  case $shell in bash) SHELL_OF=(bash --norc --noprofile -i) ;; zsh) SHELL_OF=(zsh -f -i) ;; esac
  equal "$(of_program floxd 'floxd --trust-s')" "floxd --trust-state-dir"
  equal "$(of_program flox-catalog 'flox-catalog exp')" "flox-catalog export"
  equal "$(of_program flox-kube 'flox-kube desc')" "flox-kube describe"
  equal "$(of_program flox 'flox kube desc')" "flox kube describe"
done
