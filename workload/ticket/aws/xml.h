// The little XML that S3 and STS answer with: flat documents of short texts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ticket::aws {

// The text of the first element of that name, entities resolved; none if there is no such element.
std::optional<std::string> xml_text(std::string_view document, std::string_view element);
// "a<b" -> "a&lt;b"
std::string xml_escape(std::string_view text);

}  // namespace ticket::aws
