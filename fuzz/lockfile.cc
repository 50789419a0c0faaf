// manifest.lock, which comes with a published environment.
#include "env/lockfile.h"

#include "fuzz.h"

namespace flox::fuzz {

void one(std::string_view input) {
  env::Lockfile lock;
  if (!accepts([&] { lock = env::Lockfile::parse(input); })) return;
  const std::string text = lock.to_string();
  const env::Lockfile again = env::Lockfile::parse(text);
  require(again.to_string() == text, "a lock that was read is written as it was");
  require(again.packages.size() == lock.packages.size(), "no package is lost");
  for (size_t i = 0; i < lock.packages.size(); ++i)
    require(again.packages[i].store_paths() == lock.packages[i].store_paths() &&
                again.packages[i].priority == lock.packages[i].priority,
            "a package is the same after it was written");
  accepts([&] { env::Manifest::from_json(lock.manifest); });
}

}  // namespace flox::fuzz
