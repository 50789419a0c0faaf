// Signed metadata, proofs and evidence from a catalog. The first byte says what the rest is read as. What is
// taken is written again with the same content to sign, and no signature of a stranger counts.
#include "base/data/bytes.h"
#include "fuzz.h"
#include "trust/canonical_json.h"
#include "trust/metadata.h"
#include "trust/metadata_header.h"
#include "trust/name_tree.h"
#include "trust/verifier.h"

namespace flox::fuzz::of_signed_metadata {
namespace {

using namespace trust;

template <typename T>
void read_as(std::string_view input) {
  Signed<T> file;
  if (!accepts([&] { file = Signed<T>::parse(input, "input"); })) return;
  require(canonical_json(file.content.to_json()) == file.message, "what was read is what is signed");
  const auto again = Signed<T>::parse(file.to_string(), "again");
  require(again.message == file.message && again.signatures == file.signatures,
          "it is written as it was read");
  require(parse_time(time_text(file.content.expires)) == file.content.expires, "a time has one text");
  static const Key known = Key::of(nix::SecretKey::generate("known").public_key());
  const Keys keys{{known.id(), known}};
  require(valid_signers(file.message, file.signatures, keys, {.keyids = {known.id()}}).empty(),
          "nobody signs without the key");
}

void check_roles(std::string_view input) {
  Signed<Targets> file;
  if (!accepts([&] { file = Signed<Targets>::parse(input, "input"); })) return;
  for (const DelegatedRole& role : file.content.roles) {
    require(!role.keyids.empty() && role.threshold >= 1 && role.threshold <= role.keyids.size(),
            "a role can be fulfilled");
    for (const std::string& id : role.keyids)
      require(file.content.keys.at(id).id() == id, "an id is its key's hash");
    for (const std::string& pattern : role.paths) {
      // Without its stars a pattern is a name that it covers, if it is one at all.
      std::string name;
      for (const char c : pattern) name += c == '?' ? "a" : c == '*' ? "" : std::string(1, c);
      if (accepts([&] { check_name(name); })) require(role.covers(name), "a pattern covers its own text");
    }
  }
}

void read_proof(std::string_view input) {
  Proof proof;
  if (!accepts([&] { proof = Proof::parse(input, "input"); })) return;
  require(Proof::parse(proof.to_string(), "again").to_string() == proof.to_string(), "a proof has one text");
  for (const uint64_t leaves : {uint64_t{0}, uint64_t{1}, proof.index + 1, uint64_t{1} << 52})
    require(!accepts([&] { proof.verify(std::string(64, '0'), leaves); }, {ErrorKind::untrusted}),
            "nothing has the hash 0");
}

void read_name_tree(std::string_view input) {
  NameTree names;
  if (!accepts([&] { names = NameTree::parse(input, "input"); })) return;
  require(NameTree::parse(names.to_string(), "again").to_string() == names.to_string(),
          "a tree of names has one text");
  MerkleTree tree;
  if (!accepts([&] { tree = MerkleTree(names.entries); })) return;
  const std::string root = tree.root();
  for (const auto& [name, leaf] : tree.leaves()) tree.proof(name).verify(root, tree.size());
}

void read_evidence(std::string_view input) {
  nlohmann::json document;
  if (!accepts(
          [&] { document = parse_json(input, "input", {.bytes = 1 << 20, .depth = 8, .values = 1000}); }))
    return;
  Evidence evidence;
  if (accepts([&] { evidence = Evidence::from_json(document); }))
    require(evidence.to_json() == document, "evidence is written as it was read");
}

}  // namespace

void one(std::string_view input) {
  switch (take_byte(input) % 8) {
    case 0:
      return read_as<Root>(input);
    case 1:
      return read_as<Targets>(input), check_roles(input);
    case 2:
      return read_as<NameFile>(input);
    case 3:
      return read_as<Timestamp>(input);
    case 4:
      return read_proof(input);
    case 5:
      return read_evidence(input);
    case 6:
      return read_name_tree(input);
    default:
      accepts([&] { kind_of_metadata(input, "input"); });
  }
}

}  // namespace flox::fuzz::of_signed_metadata
