// What the pages look like, in both colour schemes, and their icon.
#pragma once

#include <string_view>

namespace flox::server {

std::string_view style_sheet();  // CSS
std::string_view icon();         // SVG

}  // namespace flox::server
