// The signed metadata of an owner of the catalog (docs/formats/signed-metadata.md), after The Update
// Framework 1.0: root, targets with delegations, one file for each name, timestamp.
//
// Reading is strict: a member that we do not act on, a second key of one id, a key whose id is not its hash,
// a time that is not in UTC and whatever is over a limit are Error(invalid_input) "NAME: MEMBER: …". So what
// was read and is written again has the same canonical form, which the signatures cover.
#pragma once  // Fuzzed by fuzz/signed_metadata.cc.

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/data/json.h"
#include "trust/keys.h"
#include "trust/metadata_time.h"
#include "trust/names.h"

namespace flox::trust {

// The version of The Update Framework's specification that we write. Others of 1.x are read.
inline constexpr std::string_view written_spec_version = "1.0.31";

// How long metadata is valid unless somebody says otherwise.
inline constexpr std::chrono::days default_root_life{365};
inline constexpr std::chrono::days default_targets_life{365};
inline constexpr std::chrono::days default_name_file_life{730};
inline constexpr std::chrono::hours default_timestamp_life{24};

// So long before root.json or targets.json expires, whoever looks at it is told to renew it.
inline constexpr std::chrono::days renew_before{30};

// Limits of one file. Name files of packages grow by some 400 bytes with each build.
inline constexpr JsonLimits root_limits{.bytes = 256 << 10, .depth = 8, .values = 20'000};
inline constexpr JsonLimits targets_limits{.bytes = 1 << 20, .depth = 8, .values = 50'000};
inline constexpr JsonLimits name_file_limits{.bytes = 8 << 20, .depth = 8, .values = 400'000};
inline constexpr JsonLimits timestamp_limits{.bytes = 16 << 10, .depth = 8, .values = 500};
inline constexpr size_t most_keys = 256;        // of one file
inline constexpr size_t most_roles = 256;       // delegations of one owner
inline constexpr size_t most_paths = 256;       // patterns of one delegation
inline constexpr size_t most_signatures = 64;   // of one file
inline constexpr size_t most_targets = 20'000;  // builds of one package

// What all metadata says. `owner` binds a file to its repository, so that a key that two owners delegate to
// signs for one of them at a time; it is ours, and a reader of TUF keeps it as a member that it does not
// know.
struct Header {
  std::string owner;                                             // check_owner()
  uint64_t version = 1;                                          // from 1 to 2^53
  Time expires;                                                  // valid before, not at, this time
  std::string spec_version = std::string(written_spec_version);  // kept as it was read
};

struct Root : Header {
  static constexpr std::string_view type = "root";
  static constexpr const JsonLimits& limits = root_limits;
  Keys keys;
  Role root, targets, snapshot, timestamp;

  nlohmann::json to_json() const;
  static Root from_json(const nlohmann::json& json);
};

struct DelegatedRole : Role {
  std::string name;                // check_label(), not that of a top-level role
  std::vector<std::string> paths;  // patterns (check_pattern) of names
  bool terminating = false;        // where it matches and the signatures do not suffice, no later role counts

  bool covers(std::string_view name) const;
};

// Holds delegations only, in the order in which they are tried.
struct Targets : Header {
  static constexpr std::string_view type = "targets";
  static constexpr const JsonLimits& limits = targets_limits;
  Keys keys;
  std::vector<DelegatedRole> roles;

  nlohmann::json to_json() const;
  static Targets from_json(const nlohmann::json& json);
};

struct Target {
  uint64_t length = 0;                         // bytes
  std::string sha256;                          // hexadecimal
  std::map<std::string, std::string> outputs;  // "out" → /nix/store/…; of a package's build only
  std::optional<std::string> yanked;           // the reason, up to 1 KiB of anybody's text
  bool operator==(const Target&) const = default;
};

// What an owner says about one name. Of a package: all of its builds, as paths VERSION/SYSTEM/VARIANT with
// "any" for no variant. Of an environment: manifest.toml and manifest.lock of the generation that is the
// file's version.
struct NameFile : Header {
  static constexpr std::string_view type = "targets";
  static constexpr const JsonLimits& limits = name_file_limits;
  std::string name;  // check_name()
  std::map<std::string, Target> targets;

  nlohmann::json to_json() const;
  static NameFile from_json(const nlohmann::json& json);
};

// What an owner's repository is at one time, signed by the catalog's online key.
struct Timestamp : Header {
  static constexpr std::string_view type = "timestamp";
  static constexpr const JsonLimits& limits = timestamp_limits;
  uint64_t root_version = 0;     // of the newest root.json
  uint64_t targets_version = 0;  // of the newest targets.json
  std::string merkle_root;       // hexadecimal; of all names (merkle.h)
  uint64_t merkle_leaves = 0;    // how many

  nlohmann::json to_json() const;
  static Timestamp from_json(const nlohmann::json& json);
};

// One file: T is Root, Targets, NameFile or Timestamp.
template <typename T>
struct Signed {
  T content;
  std::string message;                        // canonical JSON of `signed`
  std::vector<MetadataSignature> signatures;  // at most one for a key. Nothing is verified by reading

  // `name` is for messages. Throws Error(invalid_input).
  static Signed parse(std::string_view text, std::string_view name);
  static Signed of(T content);  // without signatures; checks nothing
  // Replaces the key's signature if there is one.
  void add(MetadataSignature signature);
  // JSON in one line with a line feed. Reading it gives the same.
  std::string to_string() const;
};

// What a file is, before it is read as that: for a file that somebody hands over.
enum class MetadataKind { root, targets, name_file, timestamp };
// Throws Error(invalid_input) for what is no signed metadata. Within the limits of a name file.
MetadataKind kind_of_metadata(std::string_view text, std::string_view name);

// Whether the file expires within renew_before, or has expired; whole days until then, 0 if it has.
bool expires_soon(const Header& header, Time now);
int64_t days_left(const Header& header, Time now);
// Throws Error(untrusted) with both times if the file has expired.
void require_current(const Header& header, Time now, std::string_view what);

}  // namespace flox::trust
