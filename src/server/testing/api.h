// The API over a cache, as programs call it but without sockets, for tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "server/api/api.h"
#include "server/testing/uploads.h"
#include "trust/testing/owner.h"

namespace flox::server {

// The operator's token is "secret". The online key is the one that acme's root names, and the clock shows the
// time at which acme has signed.
class ApiCallTest : public UploadTest {
 protected:
  // What is asked with a token, as a document; null for an answer without one.
  nlohmann::json ask(const std::string& method, const std::string& path, const std::string& token,
                     const nlohmann::json& body = nullptr) {
    ServerRequest request{.method = method, .path = path, .body = body.is_null() ? "" : body.dump()};
    if (const size_t question = path.find("?name="); question != std::string::npos) {
      request.path = path.substr(0, question);
      request.query["name"] = path.substr(question + 6);
    }
    if (!token.empty()) request.headers["authorization"] = "Bearer " + token;
    api_.admit(request);
    const std::string answer = api_.handle(request).body;
    return answer.starts_with('{') ? nlohmann::json::parse(answer) : nlohmann::json();
  }
  void put(const std::string& path, const std::string& content, const std::string& token) {
    ServerRequest request{.method = "PUT", .path = path, .headers = {{"authorization", "Bearer " + token}}};
    api_.admit(request);
    request.upload = api_.begin_upload(request);
    request.upload->write(content);
    api_.handle(request);
  }
  std::string token_of(const std::string& owner, const std::string& scope = "publish") {
    return ask("POST", "/api/v1/auth/tokens", "secret", {{"owner", owner}, {"scope", scope}}).at("token");
  }
  void make_owner(const std::string& name, bool is_private = false) {
    ask("POST", "/api/v1/owners", "secret", {{"name", name}, {"private", is_private}});
  }

  trust::testing::TestOwner acme_{"acme"};
  trust::Time now_ = acme_.now;
  Records records_{*database_};
  EnvironmentRecords environments_{*database_};
  AttestationRecords attestations_{*database_};
  StartProfileRecords start_profiles_{*database_};
  Accounts accounts_{*database_, {.operator_token = Secret("secret")}};
  TrustRecords trust_records_{*database_};
  NameFiles name_files_{*database_};
  TrustService trust_{
      trust_records_, name_files_, {.online_key = acme_.online_key, .clock = [this] { return now_; }}};
  Api api_{records_, environments_, attestations_, start_profiles_, trust_, cache_, keys_, accounts_, {}};
};

}  // namespace flox::server
