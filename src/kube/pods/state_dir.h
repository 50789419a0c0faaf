// The state directory, which is its owner's alone: what has been played, the pods made from it, their logs,
// volumes and status. The commands write objects, the supervisor everything else:
//
//   objects/KIND.NAMESPACE.NAME.json   one object (root only: there may be secrets in it)
//   pods/UID.json, pods/UID/           one pod; its private volumes/, and subpaths/ (sub_path.h)
//   claims/NAMESPACE/NAME/             the directory behind a PersistentVolumeClaim, kept until `down
//   --volumes` logs/NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log status.json                        what `ps`
//   shows, replaced as a whole state.lock                         held while objects are changed, and by a
//   supervisor that decides to end supervisor.lock, .json, .log       held while a supervisor runs; its
//   settings; what it says
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/os/directory.h"
#include "base/os/file.h"
#include "kube/pods/pod_record.h"
#include "kube/reading/objects.h"

namespace flox::kube {

// An object as it was played, with what the command line added to it.
struct StoredObject {
  ObjectKey key;
  nlohmann::json document;  // as played
  StringMap play_env;       // `play --env`: of the last play
  std::map<std::string, std::optional<std::string>>
      set_env;             // `set env`: stays through later plays; none: removed
  std::string generation;  // changes with every change
  UnixTime created_at = 0;

  // The document with both kinds of variables in every container of its pods.
  nlohmann::json effective() const;
};

// Adds the variables to every container of a Pod, Deployment or Job, replacing those of the same name.
void add_environment(nlohmann::json& document,
                     const std::map<std::string, std::optional<std::string>>& variables);

class StateDir {
 public:
  // Makes the directory if it is missing, and keeps everyone else out of it. Throws Error; untrusted if it
  // belongs to another user.
  explicit StateDir(std::filesystem::path root);

  const std::filesystem::path& root() const { return root_; }
  // Marks this directory's pods among all that the runtime knows.
  std::string id() const;

  std::vector<StoredObject> objects() const;
  void save(const StoredObject& object) const;
  void remove(const ObjectKey& key) const;

  // A record that cannot be read any more is passed over, with a line in the log.
  std::vector<PodRecord> pods() const;
  void save(const PodRecord& pod) const;
  // The record alone; the pod's directory is the pod's own.
  void remove_pod(const std::string& uid) const;

  const Directory& pods_directory() const { return *pods_; }
  const Directory& claims_directory() const { return *claims_; }
  std::filesystem::path objects_dir() const { return root_ / "objects"; }
  std::filesystem::path pod_dir(const std::string& uid) const { return root_ / "pods" / uid; }
  std::filesystem::path claim_dir(const std::string& namespace_, const std::string& claim) const {
    return root_ / "claims" / namespace_ / claim;
  }
  std::filesystem::path log_dir(const PodRecord& pod) const;
  std::filesystem::path status_file() const { return root_ / "status.json"; }
  std::filesystem::path supervisor_lock() const { return root_ / "supervisor.lock"; }
  std::filesystem::path supervisor_settings() const { return root_ / "supervisor.json"; }
  std::filesystem::path supervisor_log() const { return root_ / "supervisor.log"; }

  // Held while objects are changed.
  FileLock lock() const { return FileLock(root_ / "state.lock", FileLock::Mode::exclusive); }
  // status.json, or an empty one.
  nlohmann::json status() const;

 private:
  std::filesystem::path root_;
  std::shared_ptr<const Directory> objects_, pods_, claims_;
};

}  // namespace flox::kube
