// Prints docs/reference/settings.md, for script/reference.
#include <fmt/format.h>

#include "reference/settings_page.h"

int main() { fmt::print("{}", flox::reference::settings_page()); }
