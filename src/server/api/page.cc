#include "server/api/page.h"

#include "base/net/http_client.h"
#include "catalog/choice.h"
#include "server/api/answers.h"

namespace flox::server {
namespace {

constexpr size_t most_pages = 1'000'000;

constexpr size_t texts_of_build = 4;

CursorKey key_of_build(const catalog::PackageBuild& build) {
  return {build.name, build.version, build.system, build.variant};
}

bool build_is_after(const catalog::PackageBuild& build, const CursorKey& key) {
  if (build.name != key[0]) return build.name > key[0];
  return catalog::goes_before({.name = key[0], .version = key[1], .system = key[2], .variant = key[3]},
                              build);
}

}  // namespace

PageRequest::PageRequest(const Call& call, size_t texts)
    : call_(call), size_(call.number("page_size", largest, largest)) {
  const std::string cursor = call.query("cursor");
  if (!call.query("page").empty()) number_ = call.number("page", 1, most_pages);
  if (cursor.empty()) return;
  if (number_ > 0) fail(ErrorKind::invalid_input, "'cursor' and 'page' exclude each other");
  after_ = parse_cursor(cursor, texts);
}

std::string PageRequest::link(const char* relation, const std::string& key, const std::string& value) const {
  std::string query;
  for (const auto& [name, text] : call_.request().query)
    if (name != "cursor" && name != "page")
      query += fmt::format("{}={}&", url_encode(name), url_encode(text));
  return fmt::format("<?{}{}={}>; rel=\"{}\"", query, key, url_encode(value), relation);
}

ServerResponse PageRequest::answer(nlohmann::json document, bool has_more, const CursorKey& last) const {
  std::string links;
  if (has_more && !last.empty()) {
    const std::string next = to_cursor(last);
    document["next"] = next;
    links = number_ > 0 ? link("next", "page", std::to_string(number_ + 1)) : link("next", "cursor", next);
  }
  if (number_ > 1) links += (links.empty() ? "" : ", ") + link("prev", "page", std::to_string(number_ - 1));
  ServerResponse response = as_json(document);
  if (!links.empty()) response.headers["Link"] = links;
  return response;
}

ServerResponse page_of(const std::vector<catalog::PackageBuild>& builds, const Call& call) {
  return page_of(builds, call, texts_of_build, key_of_build, build_is_after,
                 [](const catalog::PackageBuild& build) { return build.to_json(); });
}

ServerResponse page_of(const Call& call, const std::function<FoundPackages(const Part&)>& search) {
  const PageRequest request(call, texts_of_build);
  Part part{.after = {}, .skip = 0, .most = request.size()};
  if (!request.after().empty()) part.after = request.after().front();
  if (request.number() > 0) part.skip = (request.number() - 1) * request.size();
  const FoundPackages found = search(part);
  nlohmann::json items = nlohmann::json::array();
  for (const auto& build : found.builds) items.push_back(build.to_json());
  return request.answer({{"items", std::move(items)}, {"total_count", found.total}}, found.has_more,
                        found.builds.empty() ? CursorKey() : key_of_build(found.builds.back()));
}

}  // namespace flox::server
