// How long it takes to verify all signed metadata of an environment among 25,000 names: one root,
// targets.json, timestamp.json, the proof, the name's file and the environment itself, in microseconds, the
// median of many.
//   verify_metadata DIRECTORY
// DIRECTORY gets the files, as a catalog would send them: what was signed, for the peer of
// bench/verify_metadata.sh. Prints "first N" for an answer of which nothing was verified before, and "again
// N" for one of which only the timestamp is new.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/file.h"
#include "trust/signer.h"
#include "trust/verifier.h"

namespace flox::trust {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int runs = 1000;

struct Holder {
  nix::SecretKey secret;
  Key key = Key::of(secret.public_key());
  std::vector<std::unique_ptr<Signer>> signers() const {
    std::vector<std::unique_ptr<Signer>> result;
    result.push_back(Signer::of(secret));
    return result;
  }
};

template <typename T>
std::string signed_by(T content, const Holder& holder) {
  auto file = Signed<T>::of(std::move(content));
  const Keys keys{{holder.key.id(), holder.key}};
  add_signatures(file, keys, {.keyids = {holder.key.id()}}, holder.signers());
  return file.to_string();
}

template <typename T>
T headed() {
  T content;
  content.owner = "acme";
  content.expires = now() + std::chrono::days(1);
  return content;
}

double median(std::vector<double> times) {
  std::ranges::sort(times);
  return times[times.size() / 2];
}

void measure(const fs::path& directory) {
  const Holder root_holder{nix::SecretKey::generate("root-1")},
      targets_holder{nix::SecretKey::generate("targets-1")}, online{nix::SecretKey::generate("catalog-1")},
      alice{nix::SecretKey::generate("alice-1")};
  auto root = headed<Root>();
  for (const Holder* holder : {&root_holder, &targets_holder, &online})
    root.keys.emplace(holder->key.id(), holder->key);
  root.root.keyids = {root_holder.key.id()};
  root.targets.keyids = {targets_holder.key.id()};
  root.snapshot.keyids = root.timestamp.keyids = {online.key.id()};
  auto targets = headed<Targets>();
  targets.keys.emplace(alice.key.id(), alice.key);
  DelegatedRole role;
  role.name = "publishers";
  role.keyids = {alice.key.id()};
  role.paths = {"packages/*", "environments/*"};
  targets.roles = {role};

  // An environment of 500 packages: 300 KiB of lock.
  EnvironmentRecord record{.owner = "acme",
                           .name = "web",
                           .generation = 1,
                           .manifest = std::string(4 << 10, 'm'),
                           .lock = std::string(300 << 10, 'l')};
  auto file = headed<NameFile>();
  file.name = environment_name(record.name);
  file.targets = record.to_targets();
  Evidence evidence{.owner = "acme",
                    .roots = {},
                    .targets = signed_by(targets, targets_holder),
                    .timestamp = {},
                    .proof = {},
                    .name_file = signed_by(file, alice)};
  MerkleTree tree;
  for (int i = 0; i < 5'000; ++i)
    tree.put({.name = package_name(fmt::format("p{}", i)), .version = 1, .sha256 = std::string(64, '0')});
  for (int i = 0; i < 20'000; ++i)
    tree.put({.name = environment_name(fmt::format("e{}", i)), .version = 1, .sha256 = std::string(64, '0')});
  tree.put({.name = file.name, .version = 1, .sha256 = to_hex(bytes_of(sha256(evidence.name_file)))});
  evidence.proof = tree.proof(file.name).to_string();
  auto timestamp = headed<Timestamp>();
  timestamp.root_version = timestamp.targets_version = 1;
  timestamp.merkle_root = tree.root();
  timestamp.merkle_leaves = tree.size();

  TrustStore store(directory / "trust", directory / "state");
  const std::string root_text = signed_by(root, root_holder);
  store.accept("acme", {root_text});
  std::vector<double> first, again;
  Verifier standing(store);
  for (int run = 1; run <= runs; ++run) {
    timestamp.version = static_cast<uint64_t>(run);
    evidence.timestamp = signed_by(timestamp, online);
    const auto time = [&](Verifier& verifier) {
      const auto start = Clock::now();
      verifier.verify_environment(evidence, record);
      return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    };
    Verifier fresh(store);
    first.push_back(time(fresh));
    again.push_back(time(standing));
  }
  for (const auto& [name, text] :
       {std::pair("1.root.json", root_text), std::pair("1.targets.json", evidence.targets),
        std::pair("timestamp.json", evidence.timestamp), std::pair("name.json", evidence.name_file)})
    write_file(directory / name, text);
  std::printf("first %.0f\nagain %.0f\n", median(first), median(again));
}

}  // namespace
}  // namespace flox::trust

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: verify_metadata DIRECTORY\n", stderr);
    return 2;
  }
  try {
    flox::trust::measure(argv[1]);
    return 0;
  } catch (const std::exception& error) {
    flox::print_error(error);
    return flox::exit_failure;
  }
}
