// Where an environment comes from: .flox/env/origin.json (docs/formats/origin.md).
#pragma once  // Fuzzed by fuzz/origin.cc.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "env/environment_files.h"
#include "env/lockfile.h"

namespace flox::env {

// A generation of an environment of a catalog.
struct GenerationMark {
  int64_t number = 0;  // 1, 2, …
  std::string digest;  // content_digest() of it
  bool operator==(const GenerationMark&) const = default;
};

struct Origin {
  std::string catalog;  // its URL, without a login: for people and to compare, never to send requests to
  std::string owner, name;
  GenerationMark here;    // what manifest and lock are of, apart from changes made here
  GenerationMark latest;  // the latest generation when they were taken: what the next push follows
  int64_t previous = 0;   // the generation that was here before; 0: none

  std::string reference() const { return owner + "/" + name; }
  bool operator==(const Origin&) const = default;

  // Throws Error(invalid_input) "NAME: …" for what is no such document.
  static Origin parse(std::string_view text, std::string_view name = "origin.json");
  std::string to_string() const;  // JSON, two spaces, a line feed at the end
  static constexpr size_t max_bytes = 8 << 10;
};

// What tells one content of an environment from another: SHA-256, in hex, of the manifest's text and the lock
// as Lockfile::to_compact_string() has it, so that the layout of a lock does not matter.
std::string content_digest(const std::string& manifest, const Lockfile& lock);
// Of the files of an environment; empty if there is no lock, or it is damaged.
std::string content_digest(const EnvironmentFiles& files);

}  // namespace flox::env
