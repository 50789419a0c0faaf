// manifest.lock, which comes with a published environment.
#include "env/lockfile.h"

#include "env/lock_text.h"
#include "fuzz.h"

namespace flox::fuzz::of_lockfile {

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
  const std::string in_its_order = env::lock_text(lock, input);
  require(env::Lockfile::parse(in_its_order).to_string() == text, "its own order changes nothing");
  require(env::lock_text(lock, in_its_order) == in_its_order, "a layout that was taken over stays");
  accepts([&] { env::Manifest::from_json(lock.manifest); });
}

}  // namespace flox::fuzz::of_lockfile
