// Where a client wants a task's output to go.
#include "shim/io/logger_uri.h"

#include "fuzz.h"

namespace flox::fuzz::of_logger_uri {

void one(std::string_view input) {
  const std::string text(input);
  const std::string scheme = shim::uri_scheme(text);
  require(scheme.empty() || text.starts_with(scheme + "://"), "the scheme is the text's");
  shim::uri_path(text);
  shim::LoggerUri uri;
  if (accepts([&] { uri = shim::LoggerUri::parse(text); }))
    require(!uri.argv.empty() && uri.argv[0].starts_with('/') && uri.argv[0] == shim::uri_path(text),
            "the program is named with its whole path");
}

}  // namespace flox::fuzz::of_logger_uri
