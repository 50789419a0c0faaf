#include "base/net/aws/profile.h"

#include <fmt/ranges.h>

#include <cstdlib>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/net/netrc.h"
#include "base/os/file.h"
#include "base/printable.h"

namespace flox::aws {
namespace {

constexpr const char* key_id = "aws_access_key_id";
constexpr const char* secret_key = "aws_secret_access_key";
constexpr const char* token = "aws_session_token";
constexpr const char* older_token = "aws_security_token";  // counts before the other, as for botocore

// Empty counts as not set, as shells and Kubernetes leave variables.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}
Secret secret_variable(const char* name) { return Secret(variable(name)); }

std::string shared_file(const char* named_by, const char* name) {
  const std::string home = variable("HOME");
  std::string path = variable(named_by);
  if (path.empty()) return home.empty() ? "" : home + "/.aws/" + name;
  if (path.starts_with("~/") && !home.empty()) path.replace(0, 1, home);
  return path;
}

// A file that is read, with the profiles in it.
struct SharedFile {
  std::string path;
  std::map<std::string, Section> profiles;
};

// Nothing if there is no such file.
std::optional<SharedFile> read_shared_file(const std::string& path, bool is_config) {
  std::error_code ignored;
  if (path.empty() || !fs::is_regular_file(path, ignored)) return std::nullopt;
  SharedFile file{.path = path, .profiles = {}};
  const Secret text = read_shared_secret_file(path);
  auto sections = in_context("reading " + path, [&] { return parse_shared_file(text.reveal()); });
  for (auto& [name, section] : sections)
    if (const std::string profile = is_config ? profile_of_section(name) : name; !profile.empty())
      file.profiles.insert_or_assign(profile, std::move(section));
  return file;
}

std::string setting(const Profile& profile, const std::string& key) {
  const auto found = profile.find(key);
  return found == profile.end() ? "" : found->second.reveal();
}

}  // namespace

std::optional<Credentials> credentials_in_environment() {
  constexpr const char* id = "AWS_ACCESS_KEY_ID";
  constexpr const char* secret = "AWS_SECRET_ACCESS_KEY";
  Credentials found{.access_key = variable(id),
                    .secret_key = secret_variable(secret),
                    .session_token = secret_variable("AWS_SESSION_TOKEN"),
                    .expires = std::nullopt};
  if (found.access_key.empty() && found.secret_key.empty()) return std::nullopt;
  if (found.access_key.empty()) fail(ErrorKind::invalid_input, "{} is set but {} is not", secret, id);
  if (found.secret_key.empty()) fail(ErrorKind::invalid_input, "{} is set but {} is not", id, secret);
  return found;
}

std::string profile_name() {
  // botocore's order.
  for (const char* name : {"AWS_DEFAULT_PROFILE", "AWS_PROFILE"})
    if (std::string profile = variable(name); !profile.empty()) return profile;
  return "default";
}

Profile load_profile(const std::string& name) {
  Profile merged;
  bool is_there = false;
  std::vector<std::string> read;
  for (const bool is_config : {false, true}) {
    const std::string path = is_config ? shared_file("AWS_CONFIG_FILE", "config")
                                       : shared_file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    auto file = read_shared_file(path, is_config);
    if (!file) continue;
    read.push_back(file->path);
    const auto found = file->profiles.find(name);
    if (found == file->profiles.end()) continue;
    is_there = true;
    // Keys belong together: half of a pair from each file would be nobody's.
    const bool is_first = !merged.contains(key_id) && found->second.contains(key_id);
    if (merged.contains(key_id) || is_first)
      for (const char* key : {key_id, secret_key, older_token, token})
        (is_first ? merged : found->second).erase(key);
    merged.merge(found->second);
  }
  if (!is_there && !read.empty() && name != "default")
    throw Error(ErrorKind::not_found,
                fmt::format("AWS profile {}: it is not in {}", printable(name, 100), fmt::join(read, " or ")),
                "Correct the name, in AWS_PROFILE say, or add the profile to the file: as [NAME] to "
                "credentials, as [profile NAME] to config.");
  return merged;
}

std::optional<Credentials> credentials_in(const Profile& profile) {
  Credentials found{
      .access_key = setting(profile, key_id),
      .secret_key = Secret(setting(profile, secret_key)),
      .session_token = Secret(setting(profile, profile.contains(older_token) ? older_token : token)),
      .expires = std::nullopt};
  if (found.access_key.empty() && found.secret_key.empty()) return std::nullopt;
  for (const char* key : {key_id, secret_key})
    if (setting(profile, key).empty())
      fail(ErrorKind::invalid_input, "the AWS profile has {} but no {}", key == key_id ? secret_key : key_id,
           key);
  const Secret all(found.access_key + found.secret_key.reveal() + found.session_token.reveal());
  if (all.reveal().find('\n') != std::string::npos)
    throw Error(ErrorKind::invalid_input, "a key of the AWS profile has several lines",
                "Give all settings of a profile the same indentation: a line that is indented deeper "
                "continues the one above it.");
  return found;
}

}  // namespace flox::aws
