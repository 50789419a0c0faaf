#include "reference/settings_page.h"

#include <fmt/format.h>

#include "base/settings/explain.h"
#include "base/settings/shared.h"
#include "cli/variables.h"
#include "kube/commands/settings.h"
#include "node/floxd/config.h"
#include "server/settings.h"

namespace flox::reference {
namespace {

constexpr const char* introduction = R"(# Settings

Every setting of every program. Written by `script/reference`: change the declaration, not this page.
`flox config` prints the settings in force, `flox config --explain` explains them.

An option of the command line overrides a variable, a variable overrides the file, and the file overrides the default.

## Values

| type | how to write it |
|---|---|
| text, path, secret | as it is |
| true or false | `true`, `false`; in a variable also `1`, `0` |
| number | a whole number |
| size | bytes, or `500K`, `20M`, `1.5G`, `2T`: powers of 1024 |
| share | `10%` |
| duration | `90s`, `15m`, `12h`, `30d`, `2w`; a number alone counts seconds |
| address:port | `127.0.0.1:9808`, `[::1]:9808` |
| list | in the file a list of texts, in a variable texts with spaces between |

## The file of flox and floxd

Both read `/etc/flox/config.toml`. `flox` then reads the user's own `~/.config/flox/config.toml` (below `$XDG_CONFIG_HOME` if that is
set), which overrides it; the file must be the user's or root's. If `FLOX_CONFIG` names a file, that one is read and no other.
`flox config --set KEY VALUE` and `--unset KEY` change the user's file, or the one that `FLOX_CONFIG` names. A key that does not exist is an error with its
line and column, so that a typo is not overlooked. A file that holds a secret must be its owner's alone (mode 600).
The options in the tables are those of floxd; `flox` has `--root`, too.

```toml
)";

std::string section(int level, const SettingGroup& group) {
  return fmt::format("\n{} {}\n\n{}", std::string(static_cast<size_t>(level), '#'), group.title(),
                     settings_table(group));
}

}  // namespace

std::string example_config() {
  return R"(catalog_url = "https://catalog.example.org"
trusted_keys = ["acme-1:Wf0mV3iJgN3yV0v1p3jE0y8cJ3m8oQn7kq3b2m7q0sM="]
gc_min_free = "20G"
pod_request_time = "5m"
)";
}

std::string settings_page() {
  std::string page = introduction + example_config() + "```\n";
  Config config;
  for (const SettingGroup* group : config.groups()) page += section(3, *group);
  page += section(2, SharedVariables());
  page += section(2, cli::CliVariables());
  page += section(2, server::ServerSettings());
  page += section(2, kube::KubeSettings());
  return page;
}

}  // namespace flox::reference
