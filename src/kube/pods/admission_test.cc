#include "kube/pods/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "kube/reading/manifest.h"

namespace flox::kube {
namespace {

using nlohmann::json;

class Admission : public testing::Test {
 protected:
  static json object(const char* api, const char* kind, const json& rest) {
    json document = {{"apiVersion", api}, {"kind", kind}, {"metadata", {{"name", "a"}}}};
    document.merge_patch(rest);
    return document;
  }
  static json namespace_of(const json& level) {
    return object("v1", "Namespace",
                  {{"metadata", {{"labels", {{"pod-security.kubernetes.io/enforce", level}}}}}});
  }
  // Plays an object where another of its name is known already; the complaint, or nothing.
  static std::string play(const json& known, const json& now) {
    const Object object = read_object(known, "test");
    StoredObject stored;
    stored.key = object.key();
    stored.document = known;
    try {
      check_admission({{stored.key, stored}}, {{read_object(now, "test"), now}});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(Admission, no_manifest_lowers_what_a_namespace_enforces) {
  const auto lowered = testing::HasSubstr("the PodSecurity level");
  EXPECT_THAT(play(namespace_of("baseline"), namespace_of("privileged")), lowered);
  EXPECT_THAT(play(namespace_of("baseline"), object("v1", "Namespace", json::object())), lowered);
  EXPECT_THAT(play(namespace_of("restricted"), namespace_of("baseline")), lowered);
  EXPECT_EQ(play(namespace_of("baseline"), namespace_of("baseline")), "");
  EXPECT_EQ(play(namespace_of("baseline"), namespace_of("restricted")), "");
  EXPECT_EQ(play(object("v1", "Namespace", json::object()), namespace_of("baseline")), "");
}

TEST_F(Admission, no_manifest_gives_a_runtime_class_another_handler) {
  const json strong = object("node.k8s.io/v1", "RuntimeClass", {{"handler", "gvisor"}});
  const json weak = object("node.k8s.io/v1", "RuntimeClass", {{"handler", "runc"}});
  EXPECT_THAT(play(strong, weak), testing::HasSubstr("RuntimeClass a has the handler \"gvisor\""));
  EXPECT_EQ(play(strong, strong), "");
}

}  // namespace
}  // namespace flox::kube
