#include "node/kept/signed_texts.h"

#include <fmt/format.h>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/foreign_error.h"
#include "base/log.h"
#include "base/os/file.h"

namespace flox::node {
namespace {

constexpr size_t longest_text = 16 << 20;  // bytes; what the catalog's client takes

constexpr std::string_view targets_suffix = ".targets";

std::string of_targets(const std::string& owner) { return "targets " + owner; }
std::string of_name(const std::string& owner, const std::string& name) {
  return "name " + owner + " " + name;  // an owner has no space
}
std::string hex_digest(std::string_view text) { return to_hex(bytes_of(sha256(text))); }

// What stands in front of a text.
std::string head_of(const std::string& root, std::string_view text) {
  return fmt::format("{} {}", hex_digest(fmt::format("{} {}", root, text)), root);
}

std::string file_of(const std::string& of) {
  return hex_digest(of) + std::string(of.starts_with("targets ") ? targets_suffix : "");
}

}  // namespace

SignedTexts::SignedTexts(const std::filesystem::path& directory, size_t most)
    : directory_([&] {
        fs::create_directories(directory);
        fs::permissions(directory, fs::perms::owner_all);
        return Directory(directory);
      }()),
      most_(most) {}

SignedTexts::Text SignedTexts::read(const std::string& of) const {
  const std::string file = file_of(of);
  try {
    if (!directory_.exists(file)) return {};
    Text found{.text = directory_.read_file(file, longest_text)};
    const std::string head = found.text.substr(0, found.text.find('\n'));
    found.text.erase(0, head.size() + 1);
    if (head == hex_digest(found.text)) return found;
    if (const size_t space = head.find(' '); space != std::string::npos) found.root = head.substr(space + 1);
    return head == head_of(found.root, found.text) ? found : Text();  // a stop of the machine may have cut it
  } catch (const Error& error) {
    log::warning("{}: {}", of, error.what());
    return {};
  }
}

// Names are a pod's to ask for, as many as the catalog has. Owners are those that the operator trusts: what
// they have revoked stays known.
void SignedTexts::begin_anew() {
  for (const std::string& name : directory_.names())
    if (!name.ends_with(targets_suffix)) directory_.remove(name);
  std::erase_if(known_, [](const auto& entry) { return !entry.first.ends_with(targets_suffix); });
}

template <typename File>
void SignedTexts::put(const std::string& of, const std::string& text, const std::string& root) {
  const std::string file = file_of(of);
  const Sha256Digest digest = sha256(text);
  auto known = known_.find(file);
  if (known != known_.end() && known->second.digest == digest && known->second.root == root) return;
  const auto version_in = [&](const std::string& one) {
    return trust::Signed<File>::parse(one, of).content.version;
  };
  const uint64_t version = version_in(text);
  if (known == known_.end()) {
    if (directory_.names().size() >= most_) begin_anew();
    known = known_.emplace(file, Known()).first;
    try {
      if (const Text before = read(of); !before.text.empty())
        known->second = {
            .digest = sha256(before.text), .root = before.root, .version = version_in(before.text)};
    } catch (const Error&) {  // damaged: as if there were none
    }
  }
  const Known& before = known->second;
  if (before.digest != Sha256Digest{} && before.root == root && before.version >= version) return;
  directory_.write_file(file, head_of(root, text) + "\n" + text, 0600);
  known->second = {.digest = digest, .root = root, .version = version};
}

void SignedTexts::remember(const trust::Evidence& evidence, const std::string& name,
                           const trust::TrustStore& store) try {
  const std::scoped_lock lock(mutex_);
  // A timestamp names the root that it was verified by. That in force is asked for with the lock held, so
  // that of two that race the newer root's stays.
  const auto in_force = store.root(evidence.owner);
  if (trust::Signed<trust::Timestamp>::parse(evidence.timestamp, "timestamp.json").content.root_version !=
      in_force.content.version)
    return;
  const std::string root = trust::fingerprint_of(in_force);
  put<trust::Targets>(of_targets(evidence.owner), evidence.targets, root);
  put<trust::NameFile>(of_name(evidence.owner, name), evidence.name_file, root);
} catch (const std::exception& error) {
  log::warning("keeping what {} has signed of {}: {}", evidence.owner, name, message_of(error));
}

std::string SignedTexts::targets_of(const std::string& owner) const { return read(of_targets(owner)).text; }
std::string SignedTexts::name_file_of(const std::string& owner, const std::string& name) const {
  return read(of_name(owner, name)).text;
}

}  // namespace flox::node
