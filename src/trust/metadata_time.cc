#include "trust/metadata_time.h"

#include "base/error.h"
#include "base/printable.h"
#include "base/rfc3339.h"

namespace flox::trust {

using namespace std::chrono;

Time now() noexcept { return floor<seconds>(system_clock::now()); }

Time parse_time(std::string_view text) {
  constexpr std::string_view form = "dddd-dd-ddTdd:dd:ddZ";
  bool good = text.size() == form.size();
  for (size_t i = 0; good && i < form.size(); ++i)
    good = form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i];
  const auto number = [&](size_t at, size_t size) {
    int value = 0;
    for (size_t i = at; i < at + size; ++i) value = 10 * value + (text[i] - '0');
    return value;
  };
  if (good) {
    const year_month_day date(year(number(0, 4)), month(static_cast<unsigned>(number(5, 2))),
                              day(static_cast<unsigned>(number(8, 2))));
    const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
    if (date.ok() && number(0, 4) >= 1970 && hour < 24 && minute < 60 && second < 60)
      return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
  }
  fail(ErrorKind::invalid_input, "'{}' is not a time as 2027-01-31T12:00:00Z", printable(text, 100));
}

std::string time_text(Time time) { return rfc3339(time.time_since_epoch().count()); }

}  // namespace flox::trust
