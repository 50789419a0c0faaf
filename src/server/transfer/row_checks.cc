#include "server/transfer/row_checks.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/json.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/printable.h"
#include "catalog/environment_name.h"
#include "catalog/model.h"
#include "catalog/start_profile.h"
#include "env/lockfile.h"
#include "nix/cache_layout.h"
#include "server/records/mirrored_owners.h"
#include "server/records/role.h"
#include "trust/attestation/envelope.h"
#include "trust/attestation/provenance.h"
#include "trust/name_tree.h"
#include "trust/trust_store.h"

namespace flox::server {
namespace {

const std::string& text_in(const TableRow& row, size_t column) { return std::get<std::string>(row[column]); }
int64_t number_in(const TableRow& row, size_t column) { return std::get<int64_t>(row[column]); }

void check_flag(const TableRow& row, size_t column) {
  if (const int64_t value = number_in(row, column); value != 0 && value != 1)
    fail(ErrorKind::invalid_input, "a flag is {}, not 0 or 1", value);
}

catalog::PackageBuild build_in(const TableRow& row) {
  return catalog::PackageBuild::from_json(parse_json(text_in(row, 4), "the record"));
}

// That a file says of itself what its row says.
template <typename T>
void check_header_is(const trust::Signed<T>& file, const TableRow& row, size_t version) {
  if (file.content.owner != text_in(row, 0) ||
      static_cast<int64_t>(file.content.version) != number_in(row, version))
    fail(ErrorKind::invalid_input, "the signed file is of another owner or version than its row");
}

// 'kind' and 'name'.
void check_name_of(const TableRow& row) {
  const std::string& name = text_in(row, 1);
  if (text_in(row, 0) == "package") {
    trust::check_name(trust::package_name(name));
  } else if (text_in(row, 0) == "environment") {
    const size_t slash = name.find('/');
    catalog::check_environment_name(name.substr(0, slash),
                                    slash == std::string::npos ? "" : name.substr(slash + 1));
  } else {
    fail(ErrorKind::invalid_input, "'kind' is neither package nor environment");
  }
}

void check_holding(const TableRow& row) {
  check_name_of(row);
  if (!text_in(row, 2).empty()) trust::check_owner(text_in(row, 2));
  check_flag(row, 3);
}

void check_generation_row(const TableRow& row) {
  catalog::check_environment_name(text_in(row, 0), text_in(row, 1));
  if (number_in(row, 2) < 1)
    fail(ErrorKind::invalid_input, "a generation has the number {}", number_in(row, 2));
  (void)env::Lockfile::parse(text_in(row, 4));
}

void check_name_file_row(const TableRow& row) {
  const auto file = trust::Signed<trust::NameFile>::parse(text_in(row, 4), "the name file");
  check_header_is(file, row, 2);
  if (file.content.name != text_in(row, 1))
    fail(ErrorKind::invalid_input, "the name file is of {}", file.content.name);
  if (to_hex(bytes_of(sha256(text_in(row, 4)))) != text_in(row, 3))
    fail(ErrorKind::invalid_input, "'sha256' is not the hash of the name file");
}

// The catalog's own rule has no owner's name.
void check_retention_rule(const TableRow& row) {
  if (!text_in(row, 0).empty()) trust::check_owner(text_in(row, 0));
  for (size_t column = 1; column <= 3; ++column)
    if (number_in(row, column) < 0)
      fail(ErrorKind::invalid_input, "a rule of retention keeps {}", number_in(row, column));
}

void check_reader(const TableRow& row) {
  const std::string& name = text_in(row, 0);
  if (!nix::hash_of_file_name(name) && !nix::digest_of_narinfo_name(name))
    fail(ErrorKind::invalid_input, "'{}' is no file of a binary cache", printable(name, 100));
}

}  // namespace

void RowChecks::check(const Table& table, const TableRow& row) {
  check_order(table, row);
  if (table.name == "owners") {
    trust::check_owner(text_in(row, 0));
    check_flag(row, 1);
  } else if (table.name == "members") {
    trust::check_owner(text_in(row, 0));
    if (!role_of(text_in(row, 2))) fail(ErrorKind::invalid_input, "'role' is none");
  } else if (table.name == "holdings") {
    check_holding(row);
  } else if (table.name == "builds") {
    check_build(row);
  } else if (table.name == "environments") {
    check_generation_row(row);
  } else if (table.name == "metadata") {
    check_metadata(row);
  } else if (table.name == "name_files") {
    check_name_file_row(row);
  } else if (table.name == "retention_rules") {
    check_retention_rule(row);
  } else if (table.name == "attestations") {
    check_attestation(row);
  } else if (table.name == "start_profiles") {
    check_name_of(row);
    (void)catalog::StartProfile::parse(text_in(row, 2));
  } else {
    check_reader(row);
  }
}

// Ascending, so no key is there twice.
void RowChecks::check_order(const Table& table, const TableRow& row) {
  const auto key = [&](const TableRow& of) {
    return TableRow(of.begin(), of.begin() + static_cast<ptrdiff_t>(table.keys));
  };
  if (table_ == &table && !(key(last_) < key(row)))
    fail(ErrorKind::invalid_input, "the rows are not in the order of their keys");
  table_ = &table;
  last_ = key(row);
}

void RowChecks::check_build(const TableRow& row) const {
  const catalog::PackageBuild build = build_in(row);
  if (build.name != text_in(row, 0) || build.version != text_in(row, 1) || build.system != text_in(row, 2) ||
      build.variant != text_in(row, 3))
    fail(ErrorKind::invalid_input, "the record is of another build than its row");
  for (const auto& [output, path] : build.outputs)
    if (!has_path_(path))
      fail(ErrorKind::invalid_input, "{} {}: {} is not in the export's cache", build.name, build.version,
           path.to_string());
}

// Roots come before what they name (root, targets, timestamp, tree), in the order of their versions.
void RowChecks::check_metadata(const TableRow& row) {
  const std::string &owner = text_in(row, 0), &role = text_in(row, 1), &document = text_in(row, 3);
  trust::check_owner(owner);
  if (owner != owner_) roots_.clear();
  owner_ = owner;
  if (role == "root") {
    auto file = trust::Signed<trust::Root>::parse(document, "root.json");
    check_header_is(file, row, 2);
    if (roots_.empty())
      trust::require_signers(file.message, file.signatures, file.content.keys, file.content.root, "root",
                             "root.json");
    else
      trust::require_next_root(roots_.rbegin()->second, file);
    roots_.emplace(file.content.version, std::move(file));
    return;
  }
  // Signed by the newest root's keys, or still by those of one before, whose successor is not in use yet.
  const auto require_signed = [&](const auto& file, const trust::Role trust::Root::*of) {
    check_header_is(file, row, 2);
    if (std::ranges::none_of(roots_, [&](const auto& root) {
          const trust::Role& signers = root.second.content.*of;
          return trust::valid_signers(file.message, file.signatures, root.second.content.keys, signers)
                     .size() >= signers.threshold;
        }))
      fail(ErrorKind::untrusted, "{}.json of {} is not signed by the keys that its root names", role, owner);
  };
  if (role == "targets") {
    require_signed(trust::Signed<trust::Targets>::parse(document, "targets.json"), &trust::Root::targets);
  } else if (role == "timestamp") {
    require_signed(trust::Signed<trust::Timestamp>::parse(document, "timestamp.json"),
                   &trust::Root::timestamp);
  } else if (role == names_role) {
    const auto names = trust::NameTree::parse(document, "the tree of names");
    const auto stamp = trust::Signed<trust::Timestamp>::parse(names.timestamp, "timestamp.json");
    require_signed(stamp, &trust::Root::timestamp);
    if (trust::MerkleTree(names.entries).root() != stamp.content.merkle_root)
      fail(ErrorKind::untrusted, "the tree of names of {} is not the one of its timestamp", owner);
  } else {
    fail(ErrorKind::invalid_input, "'{}' is no role of signed metadata", printable(role, 100));
  }
}

void RowChecks::check_attestation(const TableRow& row) const {
  const std::string &digest = text_in(row, 0), &key = text_in(row, 1);
  const auto envelope = trust::Envelope::parse(text_in(row, 2));
  if (envelope.payload_type != trust::statement_type || envelope.signatures.size() != 1 ||
      envelope.signatures.front().key_name != key)
    fail(ErrorKind::invalid_input, "it is no attestation with one signature, of the row's key");
  const auto provenance = trust::BuildProvenance::parse(envelope.payload);
  if (provenance.path.digest() != digest)
    fail(ErrorKind::invalid_input, "the attestation is of {}", provenance.path.to_string());
  if (!keys_.empty() && !keys_.verifies(key, trust::signed_bytes(envelope.payload_type, envelope.payload),
                                        envelope.signatures.front().bytes))
    throw Error(ErrorKind::untrusted, "the attestation bears no valid signature of a registered key",
                "Pass all keys of the catalog that was exported: --trusted-key.");
}

bool says_the_same(const Table& table, const TableRow& a, const TableRow& b) {
  if (table.name != "builds") return a == b;
  catalog::PackageBuild first = build_in(a), second = build_in(b);
  first.signer = second.signer = "";
  return first.to_json() == second.to_json();
}

}  // namespace flox::server
