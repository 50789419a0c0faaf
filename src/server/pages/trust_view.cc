#include "server/pages/trust_view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "nix/cache_layout.h"
#include "server/pages/parts.h"
#include "trust/attestation/envelope.h"
#include "trust/attestation/provenance.h"

namespace flox::server {
namespace {

using State = Signedness::State;

constexpr size_t most_inputs = 12;

Html code(std::string_view text) { return el("code", {{"class", "path"}}, text); }

// Where a build's sources came from, as far as its inputs say.
Html inputs_view(const trust::BuildProvenance& provenance) {
  Html items;
  size_t shown = 0;
  for (const trust::BuildInput& input : provenance.inputs) {
    if (shown == most_inputs) break;
    ++shown;
    Html item = code(input.name);
    if (!input.uri.empty()) item += el("span", {{"class", "soft"}}, " from ", input.uri);
    if (const auto commit = input.digests.find("gitCommit"); commit != input.digests.end())
      item += el("span", {{"class", "soft"}}, " at ", code(std::string_view(commit->second).substr(0, 12)));
    items += el("li", {}, item);
  }
  if (provenance.inputs.size() > shown)
    items += el("li", {{"class", "soft"}},
                count_text(provenance.inputs.size() - shown, "further input", "further inputs"));
  return el("ul", {}, items);
}

// One attestation whose signature holds.
Html attestation_view(const std::string& key, const trust::BuildProvenance& provenance, bool is_verified) {
  Html facts =
      fact("Attested by", Html(key + (is_verified ? "" : " (not verified: the catalog has no keys)")));
  // Of another package than this page's, if somebody has published its path under another name.
  if (!provenance.package.empty()) facts += fact("Built as", provenance.package + " " + provenance.version);
  if (!provenance.builder.empty())
    facts += fact("Builder",
                  Html(provenance.builder +
                       (provenance.builder_version.empty() ? "" : ", flox " + provenance.builder_version)));
  if (!provenance.finished_at.empty()) facts += fact("Built", day(provenance.finished_at));
  if (!provenance.sandbox.empty()) facts += fact("Sandbox", provenance.sandbox);
  return el("dl", {{"class", "facts"}}, facts, fact("Made from", inputs_view(provenance)));
}

}  // namespace

Signedness signedness_of(const PagesContext& pages, const catalog::PackageBuild& build) {
  Signedness result;
  if (build.owner.empty()) return result;
  result.standing = pages.api.trust.standing(build.owner, trust::package_name(build.name));
  if (!result.standing) return result;
  const trust::PackageRecord record = catalog::record_of(build);
  const auto& targets = result.standing->file.targets;
  const auto target = targets.find(record.target_path());
  result.state = State::refused;
  if (!result.standing->problem.empty()) {
    result.why = result.standing->problem;
  } else if (target == targets.end() || target->second.sha256 != record.to_target().sha256) {
    result.why = "what is signed does not list this build";
  } else if (target->second.yanked) {
    result.state = State::yanked;
    result.why = *target->second.yanked;
  } else {
    result.state = State::stands;
  }
  return result;
}

Signedness signedness_of(const PagesContext& pages, const std::string& owner, const std::string& environment,
                         int64_t generation) {
  Signedness result;
  result.standing = pages.api.trust.standing(owner, trust::environment_name(environment), generation);
  if (!result.standing) return result;
  result.why = result.standing->problem;
  result.state = result.why.empty() ? State::stands : State::refused;
  return result;
}

Html badge_of(const Signedness& signedness) {
  switch (signedness.state) {
    case State::stands:
      return badge("good", "Signed");
    case State::refused:
      return badge("bad", "Signature does not stand");
    case State::yanked:
      return badge("bad", "Yanked");
    case State::unsigned_:
      break;
  }
  return badge("warn", "Not signed");
}

Html signedness_view(const Signedness& signedness, const std::string& owner) {
  Html view;
  switch (signedness.state) {
    case State::unsigned_:
      return el("div", {{"class", "note warn"}},
                el("p", {}, "No owner has signed what this name stands for. Only nodes with ",
                   el("code", {}, "allow_unsigned"), " run it."));
    case State::refused:
      view = el("div", {{"class", "note bad"}}, el("p", {}, "Nodes refuse it: ", signedness.why, "."));
      break;
    case State::yanked:
      view = el("div", {{"class", "note bad"}},
                el("p", {}, "The owner has taken this version back: ", signedness.why));
      break;
    case State::stands:
      view = el("p", {}, "A node that trusts ", owner_link(owner), " takes it.");
  }
  const Standing& standing = *signedness.standing;
  Html facts;
  if (!standing.signers.empty())
    facts += fact("Signed by", fmt::format("{} (role {})", fmt::join(standing.signers, ", "), standing.role));
  facts += fact("Name file", fmt::format("version {}", standing.file.version));
  facts += fact("Valid until", day(trust::time_text(standing.file.expires)));
  view += el("dl", {{"class", "facts"}}, facts);
  return view;
}

Html build_view(const PagesContext& pages, const Call& call, const catalog::PackageBuild& build) {
  const Visibility::CallersCache access(pages.api.accounts.visibility, call.caller());
  Html view;
  for (const auto& [output, path] : build.outputs) {
    if (!access.may_read(nix::narinfo_name(path))) continue;
    for (const AttestationRecord& record : pages.api.attestations.find(path.digest())) try {
        const trust::Envelope envelope = trust::Envelope::parse(record.envelope);
        const RegisteredKeys& keys = pages.api.keys;
        // The registered keys may have changed since it was uploaded.
        if (!keys.empty() &&
            !keys.verifies(record.key, trust::signed_bytes(envelope.payload_type, envelope.payload),
                           envelope.signatures.front().bytes))
          continue;
        view += attestation_view(record.key, trust::BuildProvenance::parse(envelope.payload), !keys.empty());
      } catch (const Error& error) {
        log::warning("an attestation of {}: {}", path.to_string(), error.what());
      }
    if (!view.empty()) return view;  // the outputs of one build have the same
  }
  return el("p", {{"class", "soft"}}, "Nobody has attested how it was built.");
}

}  // namespace flox::server
