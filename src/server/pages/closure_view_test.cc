#include "server/pages/closure_view.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace flox::server {
namespace {

nix::PathInfo path(char digit, const char* name, uint64_t size, std::vector<std::string> references = {}) {
  nix::PathInfo info{.path = nix::StorePath::from_base_name(std::string(32, digit) + "-" + name),
                     .nar_size = size};
  for (const auto& one : references) info.references.insert(nix::StorePath::from_base_name(one));
  return info;
}
std::string base(char digit, const char* name) { return std::string(32, digit) + "-" + name; }

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(ClosureView, ATreeHasEachPathOnceNearestToThePackage) {
  // web → ssl → libc, web → libc; libc names itself.
  std::vector<nix::PathInfo> closure{path('0', "web-1.0", 10, {base('1', "ssl-3"), base('2', "libc-2.36")}),
                                     path('1', "ssl-3", 20, {base('2', "libc-2.36")}),
                                     path('2', "libc-2.36", 30, {base('2', "libc-2.36")})};
  const trust::Bill bill = trust::bill_of("web", {closure[0].path}, closure);
  EXPECT_EQ(bytes_of_closure(bill), 60U);
  const std::string html = closure_view(bill).markup();
  const std::string tree = html.substr(html.find("class=\"tree\""));
  EXPECT_EQ(count(tree, "libc 2.36"), 1U);
  EXPECT_EQ(count(tree, "1 path that stand"), 1U);  // of ssl
  EXPECT_NE(html.find("<g class=\"own\"><title>web 1.0, 10 B"), std::string::npos);
  EXPECT_NE(html.find("<g class=\"near\"><title>libc 2.36, 30 B"), std::string::npos);
}

TEST(ClosureView, ACircleOfReferencesEnds) {
  std::vector<nix::PathInfo> closure{path('0', "a", 1, {base('1', "b")}),
                                     path('1', "b", 1, {base('0', "a")})};
  EXPECT_EQ(count(closure_view(trust::bill_of("a", {closure[0].path}, closure)).markup(), "<details"), 2U);
}

TEST(ClosureView, ALongClosureIsCut) {
  std::vector<nix::PathInfo> closure{path('0', "root", 1)};
  for (int i = 0; i < 3000; ++i) {
    auto one = path('1', fmt::format("lib{}", i).c_str(), 1);
    closure[0].references.insert(one.path);
    closure.push_back(std::move(one));
  }
  const std::string html = closure_view(trust::bill_of("root", {closure[0].path}, closure)).markup();
  EXPECT_NE(html.find("2,001 paths are not shown."), std::string::npos);
  EXPECT_LT(html.size(), 400'000U);
}

TEST(ClosureView, ADeepClosureIsNotTooDeepForABrowser) {
  std::vector<nix::PathInfo> closure;
  for (int i = 0; i < 2000; ++i)
    closure.push_back(
        path('0', fmt::format("p{}", i).c_str(), 1, {base('0', fmt::format("p{}", i + 1).c_str())}));
  const std::string html = closure_view(trust::bill_of("p0", {closure[0].path}, closure)).markup();
  EXPECT_LE(count(html, "<details"), 64U);
}

}  // namespace
}  // namespace flox::server
