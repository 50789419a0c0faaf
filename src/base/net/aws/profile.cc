#include "base/net/aws/profile.h"

#include <cstdlib>
#include <string_view>

#include "base/error.h"
#include "base/net/netrc.h"
#include "base/os/file.h"

namespace flox::aws {
namespace {

// Empty counts as not set, as shells and Kubernetes leave variables.
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}
Secret secret_variable(const char* name) { return Secret(variable(name)); }

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string shared_file(const char* named_by, const char* name) {
  if (std::string path = variable(named_by); !path.empty()) return path;
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + "/.aws/" + name;
}

// "[profile x]" and "[x]" sections, by name.
std::map<std::string, Profile> parse_profiles(std::string_view text) {
  std::map<std::string, Profile> profiles;
  Profile* section = nullptr;
  while (!text.empty()) {
    const std::string_view raw = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(raw.size() + 1, text.size()));
    // An indented line belongs to a nested setting (s3 = …), which concerns nobody here.
    const bool nested = !raw.empty() && (raw.front() == ' ' || raw.front() == '\t');
    const std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#' || line.front() == ';' || nested) continue;
    if (line.front() == '[' && line.back() == ']') {
      std::string_view name = trim(line.substr(1, line.size() - 2));
      if (name.starts_with("profile ")) name = trim(name.substr(8));
      section = &profiles[std::string(name)];
    } else if (const size_t equals = line.find('='); section != nullptr && equals != std::string_view::npos) {
      (*section)[std::string(trim(line.substr(0, equals)))] =
          Secret(std::string(trim(line.substr(equals + 1))));
    }
  }
  return profiles;
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
  std::string name = variable("AWS_PROFILE");
  return name.empty() ? "default" : name;
}

Profile load_profile(const std::string& name) {
  Profile merged;
  for (const std::string& path : {shared_file("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
                                  shared_file("AWS_CONFIG_FILE", "config")}) {
    std::error_code ignored;
    if (path.empty() || !fs::is_regular_file(path, ignored)) continue;
    auto profiles = parse_profiles(read_shared_secret_file(path).reveal());
    if (const auto found = profiles.find(name); found != profiles.end()) merged.merge(found->second);
  }
  return merged;
}

std::optional<Credentials> credentials_in(const Profile& profile) {
  Credentials found{.access_key = setting(profile, "aws_access_key_id"),
                    .secret_key = Secret(setting(profile, "aws_secret_access_key")),
                    .session_token = Secret(setting(profile, "aws_session_token")),
                    .expires = std::nullopt};
  if (found.access_key.empty() || found.secret_key.empty()) return std::nullopt;
  return found;
}

}  // namespace flox::aws
