// The environment that a command changes: one of a directory, or, with -r, one of the catalog.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/os/file.h"
#include "catalog/client.h"
#include "cli/options.h"
#include "cli/publishing.h"
#include "env/environment.h"

namespace flox::cli {

// An environment of the catalog is changed as one of a directory is: in one of its own, which has its latest
// generation and goes with the object; finish() pushes what has become of it.
class ChangedEnvironment {
 public:
  // `doing` is the command: "flox install". For an environment of the catalog it throws Error before anything
  // is changed: what VerifiedCatalog and OwnerSigning throw; invalid_input, with advice, for a reference to
  // one generation, and in a pod, which has floxd instead of a catalog.
  ChangedEnvironment(const EnvironmentChoice& choice, std::string doing);
  // One that is there.
  ChangedEnvironment(env::Environment environment, std::string doing);
  ~ChangedEnvironment();

  // The same object for as long as this one is there.
  const env::Environment& environment() const noexcept { return *environment_; }
  // As changing() of cli/local_or_pod.h.
  env::ChangeContext changing() const;
  // " -r acme/web", for commands in advice; empty for one of a directory.
  std::string option() const;
  // Of the catalog: pushes what has changed as the generation that follows the one it was made from, and says
  // so. If somebody has pushed meanwhile it is Error(conflict), with the difference. Throws what
  // push_environment() does, too; then the catalog is as it was.
  void finish();

 private:
  // Of the catalog.
  struct Published;

  std::string doing_;
  std::unique_ptr<Published> published_;
  std::optional<env::Environment> environment_;
};

}  // namespace flox::cli
