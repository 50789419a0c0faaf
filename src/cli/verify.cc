// flox verify: from what runs to who signed it and what it was built from.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/error.h"
#include "base/printable.h"
#include "base/settings/units.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/verification.h"

namespace flox::cli {
namespace {

constexpr size_t longest_text = 200;  // characters of what others wrote

struct VerifyCommandOptions {
  VerifyOptions verify;
  bool all = false;
  bool json = false;
};

// Lines below a heading, as a tree.
class Branches {
 public:
  void add(std::string line, std::vector<std::string> below = {}) {
    entries_.emplace_back(std::move(line), std::move(below));
  }
  void print() const {
    for (size_t i = 0; i < entries_.size(); ++i) {
      const bool last = i + 1 == entries_.size();
      const auto& [line, below] = entries_[i];
      fmt::print("{}{}\n", last ? "└── " : "├── ", line);
      for (size_t j = 0; j < below.size(); ++j)
        fmt::print("{}{}{}\n", last ? "    " : "│   ", j + 1 == below.size() ? "└── " : "├── ", below[j]);
    }
  }

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> entries_;
};

std::string short_text(const std::string& text) { return printable(text, longest_text); }

std::string signed_by(const VerifiedPath& path) {
  const trust::SignatureCheck& check = path.signatures;
  std::string text = path.only_built_here    ? "nobody: it was built here"
                     : check.signers.empty() ? "no trusted key"
                                             : fmt::format("{}", fmt::join(check.signers, ", "));
  if (!check.unknown.empty()) text += fmt::format("; not trusted here: {}", fmt::join(check.unknown, ", "));
  if (check.is_content_addressed) text += "; its name follows from its contents";
  return text;
}

std::string digest_of(const trust::BuildInput& input, const char* algorithm) {
  const auto found = input.digests.find(algorithm);
  return found == input.digests.end() ? "" : found->second;
}

// Whether it is a package of another package manager.
bool is_foreign(const trust::BuildInput& input) {
  const auto purl = input.notes.find("purl");
  return purl != input.notes.end() &&
         (purl->second.starts_with("pkg:deb/") || purl->second.starts_with("pkg:pypi/") ||
          purl->second.starts_with("pkg:npm/"));
}

// "zstd 1.5.4+dfsg2-5, sha256 0123…, https://…/zstd_1.5.4….deb".
std::string foreign_source_of(const trust::BuildInput& input) {
  const auto version = input.notes.find("version");
  std::string text = input.name + (version == input.notes.end() ? "" : " " + version->second);
  const char* const algorithm = input.digests.contains("sha512") ? "sha512" : "sha256";
  const std::string hash = digest_of(input, algorithm);
  text += hash.empty() ? ", installed files" : fmt::format(", {} {}…", algorithm, hash.substr(0, 16));
  return input.uri.empty() ? text : text + ", " + input.uri;
}

// Where the sources came from: "git+https://… at 0123…, with changes; files 4567…", or packages of others.
std::string sources_of(const trust::BuildProvenance& provenance) {
  const trust::BuildInput* source = provenance.input("source");
  if (source == nullptr) {
    std::vector<std::string> packages;
    for (const trust::BuildInput& input : provenance.inputs)
      if (is_foreign(input)) packages.push_back(foreign_source_of(input));
    return packages.empty() ? "not stated" : short_text(fmt::format("{}", fmt::join(packages, "; ")));
  }
  std::vector<std::string> parts;
  const std::string commit = digest_of(*source, "gitCommit");
  const auto dirty = source->notes.find("dirty");
  if (!source->uri.empty()) parts.push_back(source->uri);
  if (!commit.empty())
    parts.push_back(
        fmt::format("commit {}{}", commit,
                    dirty != source->notes.end() && dirty->second != "false" ? ", with changes" : ""));
  if (commit.empty()) parts.emplace_back("no commit");
  if (const std::string files = digest_of(*source, "dirHash1"); !files.empty())
    parts.push_back("files " + files.substr(0, 16) + "…");
  return short_text(fmt::format("{}", fmt::join(parts, "; ")));
}

std::string inputs_of(const trust::BuildProvenance& provenance) {
  size_t store_paths = 0;
  std::vector<std::string> parts;
  for (const trust::BuildInput& input : provenance.inputs) {
    if (input.name == "manifest.toml" || input.name == "manifest.lock")
      parts.push_back(fmt::format("{} {}…", input.name, digest_of(input, "sha256").substr(0, 16)));
    else if (input.name != "source" && !is_foreign(input))
      ++store_paths;
  }
  parts.push_back(count_text(store_paths, "store path"));
  return short_text(fmt::format("{}", fmt::join(parts, ", ")));
}

std::string title_of(const VerifiedPath& path) {
  const trust::PackageEntry& package = path.component.package;
  return fmt::format("{} {}{}", path.problems.empty() ? "✔" : "✘", package.name,
                     package.version.empty() ? "" : " " + package.version);
}

std::vector<std::string> details_of(const VerifiedPath& path, const Verification& verification) {
  std::vector<std::string> lines{"path        " + path.component.path.to_string()};
  for (const std::string& problem : path.problems) lines.push_back("✘ " + problem);
  lines.push_back("signed by   " + signed_by(path));
  if (const trust::BuildProvenance* provenance = path.provenance()) {
    const auto check =
        std::ranges::find_if(path.attestations, [](const auto& one) { return !one.signer.empty(); });
    lines.push_back("provenance  signed by " + check->signer);
    lines.push_back(short_text(fmt::format("built by    {}, {}; sandbox: {}", provenance->builder,
                                           provenance->finished_at, provenance->sandbox)));
    lines.push_back("sources     " + sources_of(*provenance));
    lines.push_back("inputs      " + inputs_of(*provenance));
  } else if (path.is_package) {
    lines.push_back(verification.unasked.empty() ? "provenance  none"
                                                 : "provenance  unknown: " + verification.unasked);
  }
  return lines;
}

// What the paths are that are not shown one by one: "12 signed by me-1".
std::vector<std::string> summary_of(const std::vector<const VerifiedPath*>& paths) {
  std::map<std::string, size_t> numbers;
  for (const VerifiedPath* path : paths) {
    const trust::SignatureCheck& check = path->signatures;
    ++numbers[!check.signers.empty() ? "signed by " + check.signers.front()
              : check.is_content_addressed
                  ? "signed by no trusted key; their names follow from their contents"
                  : "signed by no trusted key"];
  }
  std::vector<std::string> lines;
  for (const auto& [what, number] : numbers) lines.push_back(fmt::format("{} {}", number, what));
  return lines;
}

void print_tree(const Verification& verification, bool all) {
  fmt::print("{}\n", verification.name);
  Branches branches;
  for (const ClosureTarget::Leased& leased : verification.containers) {
    std::vector<std::string> roots;
    for (const nix::StorePath& path : leased.paths) roots.push_back("leases " + path.to_string());
    branches.add(fmt::format("{} ({})", short_text(leased.container), short_text(leased.id)),
                 std::move(roots));
  }
  std::vector<const VerifiedPath*> others;
  for (const bool packages : {true, false})
    for (const VerifiedPath& path : verification.paths) {
      if (path.is_package != packages) continue;
      if (path.is_package || all || !path.problems.empty() || path.provenance() != nullptr)
        branches.add(title_of(path), details_of(path, verification));
      else
        others.push_back(&path);
    }
  if (!others.empty()) branches.add("✔ " + count_text(others.size(), "further path"), summary_of(others));
  branches.print();
}

void print_result(const Verification& verification) {
  uint64_t bytes = 0;
  size_t unsigned_paths = 0, packages = 0, unproven = 0;
  for (const VerifiedPath& path : verification.paths) {
    bytes += path.component.nar_size;
    if (path.signatures.signers.empty()) ++unsigned_paths;
    if (!path.is_package) continue;
    ++packages;
    if (path.provenance() == nullptr) ++unproven;
  }
  fmt::print("\n{}, {}{}", count_text(verification.paths.size(), "path"), size_text(bytes),
             verification.contents_read ? ", read and compared with their hashes"
                                        : "; their contents were not read");
  fmt::print(". Not signed by a trusted key: {}. Packages without provenance: {} of {}.\n", unsigned_paths,
             unproven, packages);
}

void verify_and_print(const VerifyCommandOptions& options) {
  const Verification verification = verify_target(options.verify);
  if (options.json) {
    fmt::print("{}\n", verification.to_json().dump(2));
  } else {
    print_tree(verification, options.all);
    print_result(verification);
  }
  std::vector<std::string> problems;
  bool only_unsigned = true;
  for (const VerifiedPath& path : verification.paths) {
    for (const std::string& problem : path.problems)
      problems.push_back(path.component.path.to_string() + ": " + problem);
    only_unsigned = only_unsigned && (path.problems.empty() || path.only_lacks_own_signature());
  }
  if (problems.empty()) return;
  throw Error(ErrorKind::untrusted,
              fmt::format("verifying {}: {}{}", verification.name, problems.front(),
                          problems.size() == 1 ? "" : fmt::format(" (and {} more)", problems.size() - 1)),
              only_unsigned
                  ? "Publishing signs what the catalog gets, not what is here. Run 'flox store sign "
                    "-r PATH' to sign it here, too."
                  : "Do not run it until you know why. 'flox store verify --repair' fetches "
                    "damaged paths again.");
}

}  // namespace

void add_verify(CLI::App& app) {
  auto options = std::make_shared<VerifyCommandOptions>();
  auto* command =
      app.add_subcommand("verify", "Show who signed a closure and what its packages were built from");
  add_target_options(*command, options->verify.target);
  command->add_flag("!--no-contents", options->verify.contents,
                    "do not read the files; trust the recorded hashes");
  command->add_flag("--require-signatures", options->verify.require_signatures,
                    "fail if a path is signed by no trusted key");
  command->add_flag("--require-provenance", options->verify.require_provenance,
                    "fail if a package has no provenance by a trusted key");
  command->add_flag("--all", options->all, "show every path of the closure");
  add_json(*command, options->json);
  command->footer(
      "Reads every file of the closure, and asks the catalog for attestations. The trusted keys are those of "
      "the\n"
      "configuration (trusted_keys). Exits with 1 if something that is claimed does not hold.\n\n"
      "Examples:\n"
      "  flox verify --pod shop/web-7d9c\n"
      "  flox verify acme/web --require-provenance\n"
      "  flox verify /nix/store/…-web --json | jq '.paths[] | select(.signers == [])'");
  command->callback([options] { verify_and_print(*options); });
}

}  // namespace flox::cli
