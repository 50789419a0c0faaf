#include "cli/pushing.h"

#include "base/error.h"
#include "base/printable.h"
#include "cli/generation_files.h"
#include "cli/local_or_pod.h"
#include "cli/say.h"
#include "env/compose.h"
#include "env/environment_files.h"

namespace flox::cli {

void require_no_directories(const std::string& manifest) {
  for (const env::IncludeDescriptor& included :
       env::includes_of(env::Manifest::parse(manifest, "manifest.toml")))
    if (!included.dir.empty())
      throw Error(ErrorKind::invalid_input,
                  fmt::format("{}: it includes the directory {}, which others do not have", included.place,
                              printable(included.dir, 200)),
                  "Push that environment, too, and include it by remote = \"OWNER/NAME\".");
}

LockedContent locked_content(const env::Environment& environment, env::Resolver& resolver) {
  constexpr int most_attempts = 5;
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    environment.lock(resolver, writing(environment, "flox push"));  // what is published need not be here
    const env::EnvironmentFiles files = env::read_environment_files(environment.directory());
    if (!files.lock) continue;
    env::Lockfile lock = env::Lockfile::parse(*files.lock);
    if (env::locks(lock, env::Manifest::parse(files.manifest, "manifest.toml")))
      return {files.manifest, std::move(lock)};
  }
  fail(ErrorKind::unavailable, "pushing the environment in {}: its files change all the time",
       environment.directory().string());
}

catalog::MayFollow follows(FollowRequest request) {
  return [request = std::move(request)](const std::optional<catalog::Pushed>& latest) {
    const auto& [origin, name, lock, advice, force] = request;
    const bool comes_from_there = origin && origin->reference() == name.to_string();
    if (!latest || (comes_from_there && origin->latest == mark_of(*latest))) return;
    const std::string differences = difference_text(latest->lock, lock);
    if (force) {
      say("! generation {} of {} is followed by what is here, which was not made from it:{}\n",
          latest->generation, name.to_string(), differences);
      return;
    }
    const std::string error = fmt::format(
        "pushing {}: the catalog has generation {}, and what is here was {}. From generation {} to what is "
        "here:{}",
        name.to_string(), latest->generation,
        comes_from_there ? fmt::format("made from generation {}", origin->latest.number) : "not made from it",
        latest->generation, differences);
    if (!advice.empty()) throw Error(ErrorKind::conflict, error, advice);
    throw Error(
        ErrorKind::conflict, error,
        comes_from_there
            ? "Take that generation with 'flox pull --force' and make your changes again, or push over it "
              "with 'flox push --force'."
            : fmt::format("Take that generation with 'flox pull {}' in another place, or push over it with "
                          "'flox push --force'.",
                          name.to_string()));
  };
}

}  // namespace flox::cli
