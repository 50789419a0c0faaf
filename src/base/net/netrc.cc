#include "base/net/netrc.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <set>

#include "base/error.h"
#include "base/letter_case.h"
#include "base/log.h"
#include "base/os/fd.h"

namespace flox {
namespace {

constexpr size_t max_file = 1 << 20;  // bytes

void warn_once(const std::string& path, unsigned mode) {
  static std::mutex mutex;
  static std::set<std::string> warned;
  const std::lock_guard lock(mutex);
  if (warned.insert(path).second)
    log::warning("{} holds secrets and others may read it (mode {:04o}). Run: chmod 600 {}", path,
                 mode & 07777, path);
}

// The next word of a netrc file, quoted or not; empty at the end.
std::string take_word(std::string_view& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) {
    text = {};
    return {};
  }
  text.remove_prefix(begin);
  if (text[0] == '#') {
    text.remove_prefix(std::min(text.find('\n'), text.size()));
    return take_word(text);
  }
  std::string word;
  if (text[0] != '"') {
    word = text.substr(0, text.find_first_of(" \t\r\n"));
    text.remove_prefix(word.size());
    return word;
  }
  size_t i = 1;
  for (; i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      word += text[i] == 'n' ? '\n' : text[i] == 'r' ? '\r' : text[i] == 't' ? '\t' : text[i];
    } else {
      word += text[i];
    }
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return word;
}

// Up to and with the first empty line.
void pass_over_macro(std::string_view& text) {
  text.remove_prefix(std::min(text.find('\n'), text.size()));  // of the macro's name
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size());
    if (line.find_first_not_of(" \t\r") == line.npos) return;
  }
}

}  // namespace

Secret read_shared_secret_file(const std::filesystem::path& path) {
  return in_context("reading " + path.string(), [&] {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) fail_errno(errno, "opening it");
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining it");
    if (!S_ISREG(status.st_mode)) fail(ErrorKind::untrusted, "it is not a regular file");
    if ((status.st_mode & 077) != 0) warn_once(path.string(), status.st_mode);
    std::string text(max_file + 1, '\0');
    size_t size = 0;
    while (size < text.size()) {
      const size_t count = read_some(fd.get(), text.data() + size, text.size() - size);
      if (count == 0) break;
      size += count;
    }
    Secret secret;
    if (size <= max_file) secret = Secret(text.substr(0, size));
    OPENSSL_cleanse(text.data(), text.size());
    if (size > max_file) fail(ErrorKind::invalid_input, "it has more than {} bytes", max_file);
    return secret;
  });
}

std::optional<Login> login_in_netrc(std::string_view text, const std::string& host, const std::string& user) {
  std::optional<Login> entry;     // being read, if it is for the host
  std::optional<Login> fallback;  // the first one that lacks its login or password
  const auto chosen = [&] {
    if (!entry || (!user.empty() && !entry->user.empty() && entry->user != user)) return false;
    if (!entry->user.empty() && !entry->password.empty()) return true;
    if (!fallback || (fallback->password.empty() && !entry->password.empty())) fallback = *entry;
    return false;
  };
  while (!text.empty()) {
    const std::string word = lower_case(take_word(text));
    if (word == "machine" || word == "default") {
      if (chosen()) return entry;
      entry.reset();
      if (word == "default" || is_same_in_any_case(take_word(text), host)) entry.emplace();
    } else if (word == "macdef") {
      pass_over_macro(text);
    } else if (word == "login" || word == "user") {
      std::string value = take_word(text);
      if (entry) entry->user = std::move(value);
    } else if (word == "password") {
      Secret value(take_word(text));
      if (entry) entry->password = std::move(value);
    } else if (word == "account") {
      take_word(text);
    }
  }
  if (chosen()) return entry;
  if (fallback && fallback->user.empty()) fallback->user = user;
  return fallback && (!fallback->user.empty() || !fallback->password.empty()) ? fallback : std::nullopt;
}

std::optional<Login> netrc_login(const HttpUrl& url) {
  std::filesystem::path file;
  const char* home = std::getenv("HOME");
  if (const char* named = std::getenv("NETRC"); named != nullptr && *named != '\0')
    file = named;
  else if (::access("/etc/nix/netrc", R_OK) == 0)
    file = "/etc/nix/netrc";
  else if (home != nullptr && *home != '\0')
    file = std::string(home) + "/.netrc";
  if (file.empty() || ::access(file.c_str(), R_OK) != 0) return std::nullopt;
  const Secret text = read_shared_secret_file(file);
  return login_in_netrc(text.reveal(), url.host, url.login ? url.login->user : std::string());
}

}  // namespace flox
