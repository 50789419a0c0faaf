#include "env/vars.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "base/printable.h"
#include "env/expansion.h"

namespace flox::env {
namespace {

using Vars = std::map<std::string, std::string>;

constexpr size_t max_value = 127 << 10;  // MAX_ARG_STRLEN, with the name
constexpr size_t max_total = 2 << 20;    // a quarter of the usual stack, as the kernel allows
constexpr size_t most_shown = 10;        // variables of a circle, in a message

// Calls visit(NAME) for each variable, after those that its value names. Without recursion: untrusted input
// decides how long chains are.
class Walk {
 public:
  using Visit = std::function<void(const std::string& name)>;
  using NamesIn = std::function<std::vector<std::string>(const std::string& name, const std::string& value)>;
  Walk(const Vars& vars, const PlaceOfVariable& place_of, NamesIn names_of)
      : vars_(vars), place_of_(place_of), names_of_(std::move(names_of)) {}

  void run(const Visit& visit) {
    for (const auto& [name, unused] : vars_) {
      open(name);
      while (!pending_.empty()) {
        Pending& top = pending_.back();
        if (top.needs.empty()) {
          visit(top.name);
          states_[top.name] = State::done;
          pending_.pop_back();
          continue;
        }
        const std::string need = std::move(top.needs.back());
        top.needs.pop_back();
        open(need);
      }
    }
  }

 private:
  enum class State { fresh, open, done };
  struct Pending {
    std::string name;
    std::vector<std::string> needs;
  };

  void open(const std::string& name) {
    State& state = states_[name];
    if (state == State::done) return;
    if (state == State::open) refuse_circle(name);
    state = State::open;
    pending_.push_back({.name = name, .needs = needs_of(name)});
  }

  // The manifest's other variables that the value names, the first one last.
  std::vector<std::string> needs_of(const std::string& name) const {
    std::vector<std::string> names = names_of_(name, vars_.at(name));
    std::erase_if(names, [&](const auto& other) { return other == name || !vars_.contains(other); });
    std::ranges::reverse(names);
    return names;
  }

  // Those that are open, from this one on, name each other one after the other, and the last one this one.
  [[noreturn]] void refuse_circle(const std::string& name) const {
    auto at = std::ranges::find(pending_, name, &Pending::name);
    std::string circle;
    for (size_t shown = 0; at != pending_.end() && shown < most_shown; ++at, ++shown)
      circle += printable(at->name, 60) + " → ";
    if (at != pending_.end()) circle += "… → ";
    throw Error(ErrorKind::invalid_input,
                fmt::format("{}: variables of [vars] name each other in a circle: {}{}", place_of_(name),
                            circle, printable(name, 60)),
                "Take one of them out of the other's value.");
  }

  const Vars& vars_;
  const PlaceOfVariable& place_of_;
  NamesIn names_of_;
  std::map<std::string, State> states_;
  std::vector<Pending> pending_;
};

// The place is asked for only if there is an error.
template <typename Body>
auto at_place_of(const std::string& name, const PlaceOfVariable& place_of, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw error.with_context(place_of(name));
  }
}

}  // namespace

std::string somewhere(const std::string& name) { return fmt::format("[vars] {}", printable(name, 60)); }

// A value can double with each name in it, so that little text could become much; a process can have so much
// and no more (execve(2)).
void set_vars(const Vars& vars, Vars& variables, const PlaceOfVariable& place_of) {
  size_t total = 0;
  Walk walk(vars, place_of, [&](const std::string& name, const std::string& value) {
    return at_place_of(name, place_of, [&] { return names_in(value); });
  });
  walk.run([&](const std::string& name) {
    std::string value =
        at_place_of(name, place_of, [&] { return expand(vars.at(name), variables, max_value); });
    total += value.size();
    if (total > max_total)
      fail(ErrorKind::invalid_input, "{}: the variables of [vars] have more than {} bytes together",
           place_of(name), max_total);
    variables[name] = std::move(value);
  });
}

void refuse_circles(const Vars& vars, const PlaceOfVariable& place_of) {
  // What cannot be read is refused where it is used; here it names nothing.
  Walk walk(vars, place_of, [](const std::string&, const std::string& value) {
    try {
      return value.find('$') == std::string::npos ? std::vector<std::string>() : names_in(value);
    } catch (const Error&) {
      return std::vector<std::string>();
    }
  });
  walk.run([](const std::string&) {});
}

}  // namespace flox::env
