// A request for an exchange of tokens: a form.
#include "server/api/form.h"

#include "fuzz.h"

namespace flox::fuzz::of_form {

void one(std::string_view input) {
  std::map<std::string, std::string> form;
  if (!accepts([&] { form = server::parse_form(input); })) return;
  require(form.size() <= 32, "members are few");
  size_t size = 0;
  for (const auto& [name, value] : form) size += name.size() + value.size();
  require(size <= input.size(), "a form is no longer than its text");
}

}  // namespace flox::fuzz::of_form
