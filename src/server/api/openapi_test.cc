#include "server/api/openapi.h"

#include <gtest/gtest.h>

#include <set>

#include "server/testing/api.h"

namespace flox::server {
namespace {

using nlohmann::json;

// The document, and the table of routes that it describes.
class OpenApiTest : public ApiCallTest {
 protected:
  // Each operation of the document: method, path as the document has it, and what it says.
  void for_each_operation(
      const std::function<void(const std::string&, const std::string&, const json&)>& look) const {
    for (const auto& [path, item] : document_.at("paths").items())
      for (const auto& [method, operation] : item.items()) {
        std::string upper = method;
        for (char& c : upper) c = static_cast<char>(std::toupper(c));
        look(upper, path, operation);
      }
  }
  // What a reference refers to.
  const json& resolved(const json& value) const {
    return value.contains("$ref")
               ? document_.at(json::json_pointer(value["$ref"].get<std::string>().substr(1)))
               : value;
  }
  // Pages for people describe themselves.
  static bool is_described(const Route& route) {
    return route.path.starts_with("/api/") || route.path.starts_with("/cache/") || route.path == "/healthz" ||
           route.path == "/readyz" || route.path == "/metrics";
  }

  const json document_ = json::parse(openapi_document());
};

TEST_F(OpenApiTest, every_route_is_in_the_document_and_every_operation_of_it_in_the_table) {
  std::set<const Route*> described;
  for_each_operation([&](const std::string& method, const std::string& path, const json&) {
    const Route* route = api_.router().route_of({.method = method, .path = path});
    EXPECT_TRUE(route != nullptr && route->method == method && is_described(*route))
        << method << " " << path << " is in docs/reference/openapi.json, and the catalog has no such route";
    described.insert(route);
  });
  for (const Route& route : api_.router().routes())
    EXPECT_TRUE(!is_described(route) || described.contains(&route))
        << route.method << " " << route.path << " is missing in docs/reference/openapi.json";
}

TEST_F(OpenApiTest, who_may_call_what_is_said_as_the_table_has_it) {
  for_each_operation([&](const std::string& method, const std::string& path, const json& operation) {
    const Route* route = api_.router().route_of({.method = method, .path = path});
    ASSERT_NE(route, nullptr) << path;
    const json& security =
        operation.contains("security") ? operation["security"] : json::array({json::object()});
    bool is_open = false;
    for (const auto& way : security) is_open = is_open || way.empty();
    EXPECT_EQ(is_open, route->scope == Scope::anyone) << method << " " << path;
    EXPECT_EQ(operation.contains("requestBody"), route->body.begin != nullptr || route->body.json.bytes > 0)
        << method << " " << path;
  });
}

TEST_F(OpenApiTest, every_parameter_of_a_path_is_described_and_every_failure_is_a_problem_document) {
  for_each_operation([&](const std::string& method, const std::string& path, const json& operation) {
    std::set<std::string> named;
    if (operation.contains("parameters"))
      for (const auto& reference : operation["parameters"]) {
        const json& parameter = resolved(reference);
        if (parameter.at("in") == "path") named.insert(parameter.at("name"));
      }
    std::set<std::string> wanted;
    for (size_t at = path.find('{'); at != std::string::npos; at = path.find('{', at + 1))
      wanted.insert(path.substr(at + 1, path.find('}', at) - at - 1));
    EXPECT_EQ(named, wanted) << method << " " << path;
    const json& failure = resolved(operation.at("responses").at("default"));
    EXPECT_TRUE(failure.at("content").contains("application/problem+json")) << method << " " << path;
  });
}

TEST_F(OpenApiTest, it_is_served_and_a_client_that_has_it_gets_it_no_second_time) {
  ServerRequest request{.method = "GET", .path = "/api/v1/openapi.json"};
  const ServerResponse first = api_.handle(request);
  EXPECT_EQ(first.body, openapi_document());
  request.headers["if-none-match"] = first.headers.at("ETag");
  EXPECT_EQ(api_.handle(request).status, 304);
}

}  // namespace
}  // namespace flox::server
