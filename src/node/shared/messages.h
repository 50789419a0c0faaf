// What the readers of a shared store ask its writer, and store paths in what it answers
// (docs/formats/shared-store.md).
#pragma once  // Fuzzed by fuzz/shared_store.cc.

#include <string_view>
#include <vector>

#include "base/error.h"
#include "nix/path_info.h"
#include "protocol/shared_store.pb.h"

namespace flox::node {

// Where the writer is asked.
inline constexpr std::string_view shared_store_prefix = "/shared/";
inline constexpr std::string_view shared_hello = "/shared/hello";
inline constexpr std::string_view shared_realise = "/shared/realise";
inline constexpr std::string_view shared_leases = "/shared/leases";
// The field of an answer that has its proof (store::make_answer_proof).
inline constexpr const char* shared_proof_field = "flox-proof";

inline constexpr size_t largest_shared_request = 16 << 20;  // bytes
inline constexpr size_t largest_shared_answer = 64 << 20;

// Whether a node can be called so: 1 to 63 letters, digits, '-' or '.', not beginning with '.'.
bool is_node_name(std::string_view name) noexcept;

// `paths`: the root, and all that it refers to.
shared::v1::Closure closure_message(const nix::StorePath& root, const std::vector<nix::PathInfo>& paths);
// The rows of a message; its root is among them, and all that they refer to. Throws Error(invalid_input).
std::vector<nix::PathInfo> rows_of(const shared::v1::Closure& message);

shared::v1::Failure failure_message(const Error& error);
// One line, without control characters.
Error failure_of(const shared::v1::Failure& failure);

}  // namespace flox::node
