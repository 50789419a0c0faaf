#include "base/data/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/os/fd.h"

namespace flox {

namespace {

// Whether something that is no number stands where a port would: "user:pass", but not "[::1]".
bool has_odd_port(std::string_view authority) {
  const size_t colon = authority.rfind(':');
  return colon != std::string_view::npos && !authority.ends_with(']') &&
         authority.find_first_not_of("0123456789", colon + 1) != std::string_view::npos;
}

}  // namespace

Secret::~Secret() {
  if (!text_.empty()) OPENSSL_cleanse(text_.data(), text_.size());
}

bool Secret::equals(std::string_view other) const noexcept {
  return text_.size() == other.size() && CRYPTO_memcmp(text_.data(), other.data(), text_.size()) == 0;
}

Secret read_secret_file(const std::filesystem::path& path) {
  constexpr size_t most = 64 << 10;  // bytes
  return in_context("reading the secret in " + path.string(), [&] {
    // O_NONBLOCK: opening a fifo would wait for its writer.
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) fail_errno(errno, "opening it");
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail_errno(errno, "examining it");
    if (!S_ISREG(status.st_mode)) fail(ErrorKind::untrusted, "it is not a regular file");
    if (status.st_uid != ::geteuid() && status.st_uid != 0)
      throw Error(ErrorKind::untrusted, fmt::format("it belongs to user {}", status.st_uid),
                  fmt::format("Run 'chown {} {}'.", ::geteuid(), path.string()));
    const bool is_given_by_root = status.st_uid == 0 && ::geteuid() != 0;
    if ((status.st_mode & (is_given_by_root ? 037 : 077)) != 0)
      throw Error(ErrorKind::untrusted,
                  fmt::format("others than its owner may use it (mode {:04o})", status.st_mode & 07777),
                  fmt::format("Run 'chmod {} {}'.", is_given_by_root ? 640 : 600, path.string()));
    std::string text(most + 1, '\0');
    size_t size = 0;
    while (size < text.size())
      if (const size_t count = read_some(fd.get(), text.data() + size, text.size() - size); count > 0)
        size += count;
      else
        break;
    Secret secret;
    const bool too_large = size > most;
    std::string_view content(text.data(), size);
    while (content.ends_with('\n') || content.ends_with('\r')) content.remove_suffix(1);
    if (!too_large) secret = Secret(std::string(content));
    OPENSSL_cleanse(text.data(), text.size());
    if (too_large) fail(ErrorKind::invalid_input, "it has more than {} bytes", most);
    if (secret.empty()) fail(ErrorKind::invalid_input, "it is empty");
    return secret;
  });
}

std::string printable_url(std::string_view url) {
  constexpr size_t most = 300;  // bytes
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos || colon == 0) return "(not a URL)";
  const std::string_view scheme = url.substr(0, colon);
  std::string_view rest = url.substr(colon + 3);
  rest = rest.substr(0, rest.find_first_of("?#"));
  // The last '@' in front of the path, and '\' for those readers that take it for '/'.
  const std::string_view authority = rest.substr(0, rest.find_first_of("/\\"));
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos)
    rest.remove_prefix(at + 1);
  else if (rest.find('@') != std::string_view::npos && has_odd_port(authority))
    return "(not a URL)";  // an unescaped '/' in a password
  std::string result = std::string(scheme) + "://" + std::string(rest);
  for (char& c : result)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) c = '?';
  if (result.size() > most) result = result.substr(0, most) + "…";
  return result;
}

}  // namespace flox
