#include "store/fetch/fetch_messages.h"

#include <algorithm>

namespace flox::store {
namespace {

Sha256Digest digest_of(const std::string& bytes, std::string_view field) {
  Sha256Digest digest;
  if (bytes.size() != digest.size())
    fail(ErrorKind::invalid_input, "{}: {} bytes are no SHA-256", field, bytes.size());
  std::ranges::copy(bytes, reinterpret_cast<char*>(digest.data()));
  return digest;
}

// Texts go into lines of narinfos and into the database.
const std::string& text_of(const std::string& text, std::string_view field, size_t limit) {
  if (text.size() > limit)
    fail(ErrorKind::invalid_input, "{}: {} bytes, and {} are allowed", field, text.size(), limit);
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      fail(ErrorKind::invalid_input, "{}: it contains a space or a control character", field);
  return text;
}

std::vector<std::string> signatures_of(const google::protobuf::RepeatedPtrField<std::string>& texts,
                                       std::string_view field, const PathInfoLimits& limits) {
  if (static_cast<size_t>(texts.size()) > limits.signatures)
    fail(ErrorKind::invalid_input, "{}: there are {}, and {} are allowed", field, texts.size(),
         limits.signatures);
  std::vector<std::string> signatures;
  for (const std::string& text : texts) {
    if (text.empty()) fail(ErrorKind::invalid_input, "{}: it is empty", field);
    signatures.push_back(text_of(text, field, limits.text));
  }
  return signatures;
}

nix::PathInfo path_info(const v1::PathInfo& message, const PathInfoLimits& limits) {
  if (static_cast<size_t>(message.references_size()) > limits.references)
    fail(ErrorKind::invalid_input, "References: there are {}, and {} are allowed", message.references_size(),
         limits.references);
  nix::PathInfo info{.path = nix::StorePath::from_base_name(message.path()),
                     .nar_hash = digest_of(message.nar_hash(), "NarHash"),
                     .nar_size = message.nar_size()};
  if (info.nar_size == 0) fail(ErrorKind::invalid_input, "NarSize: it is 0");
  for (const std::string& reference : message.references())
    info.references.insert(nix::StorePath::from_base_name(reference));
  if (!message.deriver().empty()) info.deriver = nix::StorePath::from_base_name(message.deriver());
  info.signatures = signatures_of(message.signatures(), "Sig", limits);
  if (!message.content_address().empty())
    info.content_address = nix::ContentAddress::parse(text_of(message.content_address(), "CA", limits.text));
  return info;
}

}  // namespace

v1::NarInfo to_message(const nix::NarInfo& narinfo) {
  v1::NarInfo message;
  v1::PathInfo& info = *message.mutable_info();
  info.set_path(narinfo.info.path.base_name());
  info.set_nar_hash(std::string(bytes_of(narinfo.info.nar_hash)));
  info.set_nar_size(narinfo.info.nar_size);
  for (const nix::StorePath& reference : narinfo.info.references) info.add_references(reference.base_name());
  if (narinfo.info.deriver) info.set_deriver(narinfo.info.deriver->base_name());
  for (const std::string& signature : narinfo.info.signatures) info.add_signatures(signature);
  if (narinfo.info.content_address) info.set_content_address(narinfo.info.content_address->to_string());
  message.set_url(narinfo.url);
  message.set_compression(narinfo.compression);
  if (narinfo.file_hash) message.set_file_hash(std::string(bytes_of(*narinfo.file_hash)));
  if (narinfo.file_size) message.set_file_size(*narinfo.file_size);
  if (narinfo.index_hash) message.set_index_hash(std::string(bytes_of(*narinfo.index_hash)));
  for (const std::string& signature : narinfo.index_signatures) message.add_index_signatures(signature);
  return message;
}

nix::NarInfo from_message(const v1::NarInfo& message, const PathInfoLimits& limits) {
  return in_context("narinfo", [&] {
    nix::NarInfo narinfo{.info = path_info(message.info(), limits),
                         .url = text_of(message.url(), "URL", limits.text),
                         .compression = text_of(message.compression(), "Compression", limits.text)};
    if (!message.file_hash().empty()) narinfo.file_hash = digest_of(message.file_hash(), "FileHash");
    if (message.file_size() != 0) narinfo.file_size = message.file_size();
    if (!message.index_hash().empty()) narinfo.index_hash = digest_of(message.index_hash(), "FloxIndex");
    narinfo.index_signatures = signatures_of(message.index_signatures(), "FloxIndexSig", limits);
    if (!narinfo.index_hash && !narinfo.index_signatures.empty())
      fail(ErrorKind::invalid_input, "FloxIndexSig: there is no FloxIndex");
    return narinfo;
  });
}

v1::Failure to_message(const Error& error) {
  v1::Failure message;
  message.set_kind(static_cast<uint32_t>(error.kind()));
  message.set_message(error.what());
  message.set_advice(error.advice());
  return message;
}

Error from_message(const v1::Failure& message) {
  return {static_cast<ErrorKind>(message.kind()), message.message(), message.advice()};
}

}  // namespace flox::store
