#include "imageless/annotations.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <numeric>
#include <vector>

#include "base/error.h"

namespace flox::imageless {
namespace {

constexpr std::string_view prefix = "flox.dev/";
constexpr std::string_view of_container = "environment.";  // followed by the container's name

constexpr size_t environment_limit = 512;  // bytes; a catalog's names are far below
constexpr size_t name_limit = 63;          // of a container: a DNS label
constexpr size_t list_limit = 16 << 10;    // some 250 containers of one pod
constexpr size_t shown_limit = 64;         // of a value in an error

// An annotation's name behind the prefix, the words that its value can be (none: it is checked otherwise),
// and what people are told of it.
struct Known {
  std::string_view name;
  std::vector<std::string_view> words;
  std::string_view meaning;
};

const std::vector<Known>& known() {
  static const std::vector<Known> table = {
      {"activate-mode", {"run", "dev"}, "mode of the activation; default: run"},
      {"environment",
       {},
       "environment of all containers: OWNER/NAME[:GENERATION], a package NAME[@VERSION], or a store path"},
      {"environment.CONTAINER", {}, "the same for one container, which it overrides"},
      {"lazy",
       {"true", "false"},
       "the container starts before its files are there, which come when they are read; default: the node's "
       "setting"},
      {"nix-mutable",
       {"true", "false"},
       "the container may change /nix, in memory and for itself; only where the node allows it"},
      {"skip-containers", {}, "names, separated by commas: these are ordinary containers"},
      {"skip-containers-exec", {}, "names: execs and probes of these run outside of the activation"},
      {"store-view",
       {"node", "closure"},
       "what the container sees of the store: all of it, or its own closure; default: the node's setting"},
  };
  return table;
}

// Insertions, deletions and replacements between the two. Both are short.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// As it may stand in an error: short, and without control characters.
std::string shown(std::string_view text) {
  std::string result;
  for (char c : text.substr(0, shown_limit))
    result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text.size() > shown_limit ? result + "…" : result;
}

[[noreturn]] void refuse_name(std::string_view name) {
  std::string_view nearest;
  size_t best = 4;  // further apart is no typo
  std::string all;
  for (const Known& entry : known()) {
    all += fmt::format("{}{}{}", all.empty() ? "" : ", ", prefix, entry.name);
    if (name.size() > shown_limit) continue;
    if (const size_t apart = distance(name, entry.name); apart < best) {
      best = apart;
      nearest = entry.name;
    }
  }
  throw Error(ErrorKind::invalid_input, fmt::format("unknown annotation {}{}", prefix, shown(name)),
              nearest.empty() ? fmt::format("Use one of {}.", all)
                              : fmt::format("Did you mean {}{}?", prefix, nearest));
}

[[noreturn]] void refuse_value(std::string_view name, std::string_view value, const std::string& advice) {
  throw Error(ErrorKind::invalid_input, fmt::format("annotation {}{} is \"{}\"", prefix, name, shown(value)),
              advice);
}

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_container_name(std::string_view name) {
  return !name.empty() && name.size() <= name_limit && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

// Calls visit(word) for each name of a list "a, b".
template <typename Visit>
void for_each_name(std::string_view list, Visit visit) {
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    std::string_view word = list.substr(at, end - at);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    visit(word);
    at = end + 1;
  }
}

void check_value(std::string_view name, const std::string& value) {
  if (name.starts_with("environment")) {
    if (value.size() > environment_limit || !is_printable(value))
      refuse_value(name, value,
                   fmt::format("It is owner/name[:generation], a package name[@version] or a store path, of "
                               "at most {} printable "
                               "characters without spaces.",
                               environment_limit));
    return;
  }
  const auto entry = std::ranges::find(known(), name, &Known::name);
  if (entry->words.empty()) {
    bool good = value.size() <= list_limit;
    if (good)
      for_each_name(value,
                    [&](std::string_view word) { good = good && (word.empty() || is_container_name(word)); });
    if (!good) refuse_value(name, value, "It is a list of containers' names with commas between.");
  } else if (!value.empty() && std::ranges::find(entry->words, value) == entry->words.end()) {
    refuse_value(name, value, fmt::format("It is {} or {}.", entry->words[0], entry->words[1]));
  }
}

// "docker.io/flox/empty:1.0.0@sha256:…" is flox/empty.
bool is_stub_image(std::string image) {
  image = image.substr(0, image.find('@'));
  if (size_t colon = image.rfind(':');
      colon != std::string::npos && image.find('/', colon) == std::string::npos)
    image.resize(colon);
  for (const char* prefix : {"docker.io/", "index.docker.io/"})
    if (image.starts_with(prefix)) image.erase(0, std::string_view(prefix).size());
  return image == "ghcr.io/flox/flox" || image == "flox/empty" || image == "flox/flox";
}

bool runs_flox(const oci::RuntimeSpec& spec) {
  std::vector<std::string> args = spec.process().args();
  return !args.empty() && std::filesystem::path(args[0]).filename() == "flox";
}

}  // namespace

void check_annotations(const oci::RuntimeSpec& spec) {
  for (const auto& [full, value] : spec.annotations(prefix)) {
    const std::string_view name = std::string_view(full).substr(prefix.size());
    const bool ours = name.starts_with(of_container)
                          ? is_container_name(name.substr(of_container.size()))
                          : std::ranges::find(known(), name, &Known::name) != known().end();
    if (!ours) refuse_name(name);
    check_value(name, value);
  }
}

std::string describe_annotations() {
  std::string text;
  for (const Known& entry : known()) {
    std::string name = fmt::format("{}{}", prefix, entry.name);
    if (!entry.words.empty()) name += fmt::format(": {}", fmt::join(entry.words, "|"));
    text += fmt::format("  {:<36}{}\n", name, entry.meaning);
  }
  return text;
}

bool is_sandbox(const oci::RuntimeSpec& spec) {
  return spec.annotation("io.kubernetes.cri.container-type") == "sandbox";
}

std::string container_name(const oci::RuntimeSpec& spec) {
  return spec.annotation("io.kubernetes.cri.container-name");
}

std::string environment_of(const oci::RuntimeSpec& spec) {
  std::string own = spec.annotation("flox.dev/environment." + container_name(spec));
  return own.empty() ? spec.annotation("flox.dev/environment") : own;
}

bool annotation_lists(const oci::RuntimeSpec& spec, const std::string& annotation, std::string_view name) {
  bool found = false;
  if (!name.empty())
    for_each_name(spec.annotation(annotation), [&](std::string_view word) { found = found || word == name; });
  return found;
}

bool is_skipped(const oci::RuntimeSpec& spec) {
  return annotation_lists(spec, "flox.dev/skip-containers", container_name(spec));
}

bool has_stub_image(const oci::RuntimeSpec& spec) {
  return is_stub_image(spec.annotation("io.kubernetes.cri.image-name"));
}

bool is_imageless(const oci::RuntimeSpec& spec) {
  if (is_sandbox(spec) || is_skipped(spec)) return false;
  return !environment_of(spec).empty() || has_stub_image(spec) || runs_flox(spec);
}

}  // namespace flox::imageless
