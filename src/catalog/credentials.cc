#include "catalog/credentials.h"

#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/data/json.h"
#include "base/error.h"
#include "base/os/file.h"
#include "base/os/private_directory.h"
#include "catalog/settings.h"

namespace flox::catalog {
namespace {

using nlohmann::json;

constexpr JsonLimits file_limits{.bytes = 64 << 10, .depth = 4, .values = 2000, .number = 20};

void make_directory(const fs::path& directory) {
  fs::create_directories(directory_of(directory));
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    fail_errno(errno, "making {}", directory.string());
}

}  // namespace

fs::path Credentials::default_file() {
  if (const auto config = user_directory("XDG_CONFIG_HOME", ".config")) return *config / "credentials.json";
  throw Error(ErrorKind::not_found,
              "there is no place for credentials: neither XDG_CONFIG_HOME nor HOME is set",
              "Set HOME, or use FLOX_CATALOG_TOKEN.");
}

Credentials Credentials::load(const fs::path& file) {
  Credentials result;
  Secret text;
  try {
    text = read_secret_file(file);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return result;
    throw;
  }
  const std::string name = file.string();
  const json document = parse_json(text.reveal(), name, file_limits);
  const json& catalogs = member(document, "catalogs", name);
  if (!catalogs.is_object()) fail(ErrorKind::invalid_input, "{}: 'catalogs' is not an object", name);
  for (const auto& [url, entry] : catalogs.items())
    result.by_url_[url] = {.token = Secret(string_member(entry, "token", name)),
                           .user = optional_string(entry, "user", name),
                           .expires_at = optional_string(entry, "expires_at", name)};
  return result;
}

const Credential* Credentials::find(const std::string& url) const {
  const auto found = by_url_.find(catalog_identity(url));
  return found == by_url_.end() ? nullptr : &found->second;
}

void Credentials::save(const fs::path& file) const {
  json catalogs = json::object();
  for (const auto& [url, credential] : by_url_)
    catalogs[url] = {{"token", credential.token.reveal()},
                     {"user", credential.user},
                     {"expires_at", credential.expires_at}};
  write_file_synced(file, json({{"catalogs", std::move(catalogs)}}).dump(2) + "\n", 0600);
}

void Credentials::put(const fs::path& file, const std::string& url, const Credential& credential) {
  make_directory(directory_of(file));
  const FileLock lock(file.string() + ".lock", FileLock::Mode::exclusive);
  Credentials all = load(file);
  all.by_url_[catalog_identity(url)] = credential;
  all.save(file);
}

bool Credentials::remove(const fs::path& file, const std::string& url) {
  if (!fs::exists(file)) return false;
  const FileLock lock(file.string() + ".lock", FileLock::Mode::exclusive);
  Credentials all = load(file);
  if (all.by_url_.erase(catalog_identity(url)) == 0) return false;
  all.save(file);
  return true;
}

}  // namespace flox::catalog
