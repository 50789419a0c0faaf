// Signed metadata: /api/v1/trust (docs/explanation/provenance.md).
#include <charconv>

#include "base/error.h"
#include "server/api/answers.h"
#include "server/api/conditional.h"
#include "server/api/resources.h"
#include "server/api/text_upload.h"
#include "server/records/clock.h"

namespace flox::server {
namespace {

using nlohmann::json;

constexpr size_t largest_metadata = 1 << 20;  // bytes of a root.json or targets.json

ServerResponse metadata_file(std::string text) {
  return {.content_type = "application/json", .body = std::move(text)};
}

// The owner in the path. Whoever may see nothing of it is told what is said where it has published nothing.
std::string owner_to_read(const ApiContext& context, const Call& call, std::string_view file,
                          std::optional<int64_t> version = {}) {
  std::string owner = call.parameter("owner");
  trust::check_owner(owner);
  if (!context.accounts.visibility.may_see_owner(call.caller(), owner))
    throw TrustService::missing(owner, file, version);
  return owner;
}

int64_t version_of(const Call& call) {
  const std::string text = call.parameter("version");
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail(ErrorKind::invalid_input, "'{}' is not the version of root.json", text.substr(0, 100));
  return value;
}

ServerResponse show_online_key(const ApiContext& context) {
  const nix::PublicKey key = context.trust.online_key();
  return as_json({{"public_key", key.to_string()}, {"keyid", trust::Key::of(key).id()}});
}

bool may_see_name(const ApiContext& context, const Call& call, const std::string& owner,
                  const std::string& name) {
  const Visibility& visibility = context.accounts.visibility;
  const std::string prefix = trust::package_name("");
  if (name.starts_with(prefix))
    return visibility.may_see(call.caller(), Kind::package, name.substr(prefix.size()));
  return visibility.may_see(call.caller(), Kind::environment,
                            owner + "/" + name.substr(trust::environment_name("").size()));
}

ServerResponse show_evidence(const ApiContext& context, const Call& call) {
  const std::string owner = owner_to_read(context, call, "targets.json");
  const std::string name = call.query("name");
  trust::check_name(name);
  auto evidence = context.trust.evidence(owner, name);
  if (!evidence) {
    context.trust.targets(owner);  // says what is missing
    nothing_there(call.request());
  }
  if (!may_see_name(context, call, owner, name)) {  // as if it were new
    evidence->proof.clear();
    evidence->name_file.clear();
  }
  return as_json(evidence->to_json());
}

// Names that the caller may not see are told as hashes, which the tree needs.
ServerResponse show_names(const ApiContext& context, const Call& call) {
  const std::string owner = owner_to_read(context, call, "targets.json");
  const auto hidden_packages = context.accounts.visibility.hidden_from(call.caller(), Kind::package);
  const auto hidden_environments = context.accounts.visibility.hidden_from(call.caller(), Kind::environment);
  const std::string packages = trust::package_name(""), environments = trust::environment_name("");
  const auto names = context.trust.names(owner, [&](const std::string& name) {
    return name.starts_with(packages)
               ? !hidden_packages.contains(name.substr(packages.size()))
               : !hidden_environments.contains(owner + "/" + name.substr(environments.size()));
  });
  return metadata_file(names.to_string());
}

// An owner whose first root the operator puts is there from then on.
bool makes_owner(const ApiContext& context, const Call& call, const std::string& owner) {
  return call.caller().is_operator && !context.accounts.owners.find(owner);
}

void make_owner(const ApiContext& context, const Call& call, const std::string& owner) {
  if (context.accounts.owners.create({.name = owner, .is_private = false, .created_at = now_rfc3339()}))
    log::info("{} made owner {}", call.caller().name(), owner);
}

ServerResponse put_metadata(ApiContext& context, const Call& call,
                            void (TrustService::*put)(const std::string&, const std::string&)) {
  const std::string owner = call.parameter("owner");
  trust::check_owner(owner);
  const std::string text = TextUpload::text_of(*call.request().upload);
  const bool is_new = makes_owner(context, call, owner);
  if (is_new) context.accounts.owners.require_distinct(owner);
  counting_refusals(context, [&] { (context.trust.*put)(owner, text); });
  if (is_new) make_owner(context, call, owner);
  return as_json(json::object(), 201);
}

}  // namespace

void add_trust_routes(Router& router, ApiContext& context) {
  const std::string path = "/api/v1/trust/{owner}";
  const auto upload = [](const char* what) {
    return upload_body([what](const Call&) { return std::make_shared<TextUpload>(what, largest_metadata); });
  };
  router.add("GET", "/api/v1/trust/online-key", Scope::anyone, no_body(),
             [&](const Call&) { return show_online_key(context); });
  router.add("GET", path + "/root", Scope::anyone, no_body(), [&](const Call& call) {
    return metadata_file(context.trust.root(owner_to_read(context, call, "root.json")));
  });
  router.add("GET", path + "/root/{version}", Scope::anyone, no_body(), [&](const Call& call) {
    const int64_t version = version_of(call);
    ServerResponse response =
        metadata_file(context.trust.root(owner_to_read(context, call, "root.json", version), version));
    response.headers["Cache-Control"] = immutable_for(call.request());
    return response;
  });
  router.add("GET", path + "/targets", Scope::anyone, no_body(), [&](const Call& call) {
    return metadata_file(context.trust.targets(owner_to_read(context, call, "targets.json")));
  });
  router.add("GET", path + "/evidence", Scope::anyone, no_body(),
             [&](const Call& call) { return show_evidence(context, call); });
  router.add("GET", path + "/names", Scope::anyone, no_body(),
             [&](const Call& call) { return show_names(context, call); });
  router.add("PUT", path + "/root", Scope::admin, upload("root.json"),
             [&](const Call& call) { return put_metadata(context, call, &TrustService::put_root); });
  router.add("PUT", path + "/targets", Scope::admin, upload("targets.json"),
             [&](const Call& call) { return put_metadata(context, call, &TrustService::put_targets); });
}

}  // namespace flox::server
