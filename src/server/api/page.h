// Lists in pages: which part of a list a request asks for, and the answer's field Link (RFC 8288).
//
// `cursor` says after which element a page begins, so a list that others add to or take from while somebody
// reads it shows what stays once, in order. `page` counts pages, as older clients do, and may show an element
// twice then.
#pragma once

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "catalog/model.h"
#include "server/api/cursor.h"
#include "server/api/router.h"
#include "server/records/records.h"

namespace flox::server {

// What a request asks for, by its query: `page_size`, and `cursor` or `page`. Throws Error(invalid_input).
class PageRequest {
 public:
  static constexpr size_t largest = 1000;  // elements; as many as there are without page_size

  // `texts`: of a cursor of this list.
  PageRequest(const Call& call, size_t texts);
  size_t size() const noexcept { return size_; }
  // Empty: the page is the first, or has a number.
  const CursorKey& after() const noexcept { return after_; }
  size_t number() const noexcept { return number_; }  // 0: none was given

  // The answer: `document` with "items", with "next" and Link if more follow, whose page begins after `last`.
  ServerResponse answer(nlohmann::json document, bool has_more, const CursorKey& last) const;

 private:
  // "<?search_term=web&cursor=…>; rel="next"": relative, so that it is right behind a proxy, too.
  std::string link(const char* relation, const std::string& key, const std::string& value) const;

  const Call& call_;
  size_t size_, number_ = 0;
  CursorKey after_;
};

// The page of a list that is in memory, in its order. `key_of(element)` gives the cursor's texts;
// `is_after(element, key)` whether the element comes after that one, which need not be there any more.
template <typename Element, typename KeyOf, typename IsAfter, typename ToJson>
ServerResponse page_of(const std::vector<Element>& all, const Call& call, size_t texts, KeyOf&& key_of,
                       IsAfter&& is_after, ToJson&& to_json) {
  const PageRequest request(call, texts);
  size_t begin = 0;
  if (!request.after().empty()) {
    const auto first = std::partition_point(
        all.begin(), all.end(), [&](const Element& one) { return !is_after(one, request.after()); });
    begin = static_cast<size_t>(first - all.begin());
  } else if (request.number() > 0) {
    begin = std::min((request.number() - 1) * request.size(), all.size());
  }
  const size_t end = std::min(begin + request.size(), all.size());
  nlohmann::json items = nlohmann::json::array();
  for (size_t i = begin; i < end; ++i) items.push_back(to_json(all[i]));
  return request.answer({{"items", std::move(items)}, {"total_count", all.size()}}, end < all.size(),
                        begin < end ? key_of(all[end - 1]) : CursorKey());
}

// Builds in the order in which search() and builds() of Records give them: by name, and of one name as
// catalog::goes_before has it.
ServerResponse page_of(const std::vector<catalog::PackageBuild>& builds, const Call& call);
// The same of what a search finds, of which only that part is read.
ServerResponse page_of(const Call& call, const std::function<FoundPackages(const Part&)>& search);

}  // namespace flox::server
