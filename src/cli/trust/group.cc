// flox trust: who may say what a package or an environment is.
#include "cli/commands.h"
#include "cli/trust/commands.h"

namespace flox::cli {

void add_trust(CLI::App& app) {
  auto* trust = app.add_subcommand("trust", "Choose who may sign packages and environments");
  trust->require_subcommand(1);
  trust->footer(
      "Examples:\n"
      "  flox trust init acme\n"
      "  flox trust add-key acme web web-1:MCow…= --paths 'web-*'\n"
      "  flox trust accept acme --from-catalog --fingerprint 3f2a…");
  add_trust_init(*trust);
  add_trust_add_key(*trust);
  add_trust_rotate(*trust);
  add_trust_revoke(*trust);
  add_trust_renew(*trust);
  add_trust_sign(*trust);
  add_trust_show(*trust);
  add_trust_accept(*trust);
  add_trust_publish(*trust);
}

}  // namespace flox::cli
