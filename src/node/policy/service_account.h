// Which service account a pod has, from the token that Kubernetes mounts into it.
//
// containerd knows a pod's namespace, name and uid, but not its service account. The token says it, and the
// pod itself cannot write one: the API server signs it (a JSON Web Token, RFC 7519, signed as RFC 7515 says
// by RS256 or ES256), and binds it to the pod's uid. The operator gives floxd the public key with which the
// API server signs (kube-apiserver's --service-account-key-file); floxd needs no connection to it.
#pragma once  // Fuzzed by fuzz/service_account.cc.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flox::policy {

inline constexpr size_t largest_token = 16 << 10;  // bytes; Kubernetes' have some 1,200

struct PodIdentity {
  std::string pod_namespace, name, uid;
};

// Immutable, thread-safe.
class ServiceAccountKeys {
 public:
  // None: no service account is known.
  ServiceAccountKeys() = default;
  // PEM files with one or more public keys (BEGIN PUBLIC KEY), RSA or P-256. Throws Error naming the file.
  explicit ServiceAccountKeys(const std::vector<std::string>& files);

  bool empty() const noexcept { return keys_.empty(); }
  // The name of the service account. Throws Error: invalid_input for what is not such a token; untrusted if
  // no key verifies it, if it has expired, or if it is another pod's or bound to none. `now` is Unix seconds.
  // No message repeats the token.
  std::string account_in(std::string_view token, const PodIdentity& pod, int64_t now) const;

 private:
  struct Key;
  std::vector<std::shared_ptr<const Key>> keys_;
};

}  // namespace flox::policy
