#include "node/shared/messages.h"

#include <algorithm>

#include "base/printable.h"

namespace flox::node {
namespace {

constexpr size_t most_node_name = 63;
constexpr size_t most_message = 2000;

shared::v1::PathRow row_of(const nix::PathInfo& info) {
  shared::v1::PathRow row;
  row.set_path(info.path.to_string());
  row.set_nar_hash(std::string(bytes_of(info.nar_hash)));
  row.set_nar_size(info.nar_size);
  for (const nix::StorePath& reference : info.references) row.add_references(reference.to_string());
  if (info.deriver) row.set_deriver(info.deriver->to_string());
  for (const std::string& signature : info.signatures) row.add_signatures(signature);
  if (info.content_address) row.set_content_address(info.content_address->to_string());
  return row;
}

nix::PathInfo info_of(const shared::v1::PathRow& row) {
  nix::PathInfo info{.path = nix::StorePath::parse(row.path())};
  if (row.nar_hash().size() != info.nar_hash.size())
    fail(ErrorKind::invalid_input, "{}: a hash of {} bytes", info.path.to_string(), row.nar_hash().size());
  std::ranges::copy(row.nar_hash(), info.nar_hash.begin());
  info.nar_size = row.nar_size();
  for (const std::string& reference : row.references())
    info.references.insert(nix::StorePath::parse(reference));
  if (!row.deriver().empty()) info.deriver = nix::StorePath::parse(row.deriver());
  info.signatures = {row.signatures().begin(), row.signatures().end()};
  if (!row.content_address().empty()) {
    info.content_address = nix::ContentAddress::parse(row.content_address());
    if (!info.content_address)
      fail(ErrorKind::invalid_input, "{}: its content address cannot be read", info.path.to_string());
  }
  return info;
}

}  // namespace

bool is_node_name(std::string_view name) noexcept {
  const auto allowed = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
  };
  return !name.empty() && name.size() <= most_node_name && name.front() != '.' &&
         std::ranges::all_of(name, allowed);
}

shared::v1::Closure closure_message(const nix::StorePath& root, const std::vector<nix::PathInfo>& paths) {
  shared::v1::Closure message;
  message.set_root(root.to_string());
  for (const nix::PathInfo& info : paths) *message.add_paths() = row_of(info);
  return message;
}

std::vector<nix::PathInfo> rows_of(const shared::v1::Closure& message) {
  return in_context("the writer's answer", [&] {
    std::vector<nix::PathInfo> rows;
    nix::StorePathSet paths;
    for (const shared::v1::PathRow& row : message.paths()) {
      rows.push_back(info_of(row));
      paths.insert(rows.back().path);
    }
    if (!paths.contains(nix::StorePath::parse(message.root())))
      fail(ErrorKind::invalid_input, "{} is not among its paths", printable(message.root(), 300));
    for (const nix::PathInfo& row : rows)
      for (const nix::StorePath& reference : row.references)
        if (!paths.contains(reference))
          fail(ErrorKind::invalid_input, "it lacks {}, to which {} refers", reference.to_string(),
               row.path.to_string());
    return rows;
  });
}

shared::v1::Failure failure_message(const Error& error) {
  shared::v1::Failure failure;
  failure.set_kind(static_cast<uint32_t>(error.kind()));
  failure.set_message(error.what());
  failure.set_advice(error.advice());
  return failure;
}

Error failure_of(const shared::v1::Failure& failure) {
  const auto kind = failure.kind() <= static_cast<uint32_t>(ErrorKind::internal)
                        ? static_cast<ErrorKind>(failure.kind())
                        : ErrorKind::internal;
  return {kind, printable(failure.message(), most_message), printable(failure.advice(), most_message)};
}

}  // namespace flox::node
