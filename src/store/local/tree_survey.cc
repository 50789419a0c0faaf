#include "store/local/tree_survey.h"

#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "nix/nar.h"

namespace flox::store {

namespace fs = std::filesystem;
using nix::PathInfo;
using nix::StorePath;
using nix::StorePathSet;

TreeSurvey survey_tree(const fs::path& tree, const StorePathSet& candidates, const std::string& placeholder) {
  std::map<std::string, StorePath, std::less<>> by_digest;
  std::set<std::string> digests;
  for (const StorePath& candidate : candidates) {
    by_digest.emplace(candidate.digest(), candidate);
    digests.emplace(candidate.digest());
  }
  digests.erase(placeholder);
  nix::ReferenceScanner scanner(std::move(digests));
  Sha256 plain;
  std::optional<nix::ModuloHash> modulo;
  if (!placeholder.empty()) modulo.emplace(placeholder);
  nix::write_nar(tree, [&](std::string_view piece) {
    scanner.update(piece);
    modulo ? modulo->update(piece) : plain.update(piece);
  });
  TreeSurvey result;
  result.hash = modulo ? modulo->finish() : plain.finish();
  result.self_reference = modulo && modulo->occurs();
  for (const std::string& digest : scanner.found()) result.references.insert(by_digest.at(digest));
  return result;
}

void copy_tree(const fs::path& tree, const fs::path& to, const std::string& placeholder,
               const TreeSurvey& survey, PathInfo& info) {
  nix::NarUnpacker unpacker(to);
  Sha256 hash;
  const std::string digest(info.path.digest());
  nix::ModuloHash modulo(digest);
  auto pass_on = [&](std::string_view piece) {
    hash.update(piece);
    if (survey.self_reference) modulo.update(piece);
    unpacker.feed(piece);
    info.nar_size += piece.size();
  };
  if (survey.self_reference) {
    nix::Replacer replacer(placeholder, digest, pass_on);
    nix::write_nar(tree, [&](std::string_view piece) { replacer.update(piece); });
    replacer.finish();
  } else {
    nix::write_nar(tree, pass_on);
  }
  unpacker.finish();
  info.nar_hash = hash.finish();
  if ((survey.self_reference ? modulo.finish() : info.nar_hash) != survey.hash)
    fail(ErrorKind::conflict, "{} changed while it was added to the store", tree.string());
}

}  // namespace flox::store
