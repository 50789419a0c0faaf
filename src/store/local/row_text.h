// What the texts and numbers of the store database's rows stand for. Other
// programs and damage leave rows that we would not have written: such a row is
// warned of and otherwise left alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nix/content_address.h"
#include "nix/store_path.h"

namespace flox::store {

// Nothing for a row whose path is none of ours. The first hundred of a process
// are each warned of once. Thread-safe.
std::optional<nix::StorePath> path_of_row(std::string_view path);

// The content address of a row's path. What is in the store is known by its NAR hash: an odd address counts
// as none, and is warned of as above.
std::optional<nix::ContentAddress> address_of_row(const std::string& text, const nix::StorePath& path);

// A size in bytes, whatever somebody wrote there.
uint64_t size_of_row(int64_t number);

// Signatures, which a row has in one text.
std::vector<std::string> split_signatures(const std::string& text);
std::string join_signatures(const std::vector<std::string>& signatures);

}  // namespace flox::store
