// A text that must not be seen: a token, a password, a key. It has no conversion to text and no output
// operator; who needs the bytes says so with reveal(), and script/lint lists those places.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace flox {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(const Secret&) = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret();  // overwrites the bytes

  bool empty() const noexcept { return text_.empty(); }
  // The bytes, for the one place that sends or computes with them.
  const std::string& reveal() const noexcept { return text_; }
  // Takes the same time whatever the difference.
  bool equals(std::string_view other) const noexcept;

 private:
  std::string text_;
};

// The text of a file of secrets without its final line break. Throws Error: untrusted, with the chmod that
// corrects it, if the file is not a regular file of this user's (or root's) or if group or others may read or
// write it; not_found if it is missing; invalid_input if it is empty or over 64 KiB. Where root gives a user
// who is not root a file, its group may read it: so Kubernetes mounts a Secret for a pod with an fsGroup.
Secret read_secret_file(const std::filesystem::path& path);

// The URL without user, password, query and fragment: what may stand in a message. What is no URL becomes
// "(not a URL)".
std::string printable_url(std::string_view url);

}  // namespace flox
