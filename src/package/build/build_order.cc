#include "package/build/build_order.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/printable.h"

namespace flox::package {
namespace {

std::string reference_to(const std::string& name) { return "${" + name + "}"; }

class Order {
 public:
  explicit Order(const Builds& builds) : builds_(builds) {}

  void add(const std::string& name) {
    if (std::ranges::find(order_, name) != order_.end()) return;
    if (const auto begun = std::ranges::find(open_, name); begun != open_.end()) {
      std::vector<std::string> circle(begun, open_.end());
      circle.push_back(name);
      throw Error(ErrorKind::invalid_input,
                  fmt::format("the builds use each other in a circle: {}",
                              printable(fmt::format("{}", fmt::join(circle, " → ")))),
                  "Take one of the references out of its command.");
    }
    open_.push_back(name);
    for (const std::string& used : builds_used_by(builds_, name)) add(used);
    open_.pop_back();
    order_.push_back(name);
  }
  std::vector<std::string> take() { return std::move(order_); }

 private:
  const Builds& builds_;
  std::vector<std::string> order_;
  std::vector<std::string> open_;  // a manifest has as many builds as its size allows
};

}  // namespace

std::vector<std::string> builds_used_by(const Builds& builds, const std::string& name) {
  std::vector<std::string> used;
  const std::string& command = builds.at(name).command;
  for (const auto& [other, descriptor] : builds)
    if (other != name && command.find(reference_to(other)) != std::string::npos) used.push_back(other);
  return used;
}

std::vector<std::string> build_order(const Builds& builds, const std::vector<std::string>& names) {
  constexpr size_t most = 500;
  if (builds.size() > most) fail(ErrorKind::invalid_input, "the manifest has more than {} builds", most);
  Order order(builds);
  for (const std::string& name : names) order.add(name);
  return order.take();
}

std::string with_builds(std::string command, const std::map<std::string, nix::StorePath>& made) {
  for (const auto& [name, path] : made) {
    const std::string reference = reference_to(name), place = path.to_string();
    for (size_t at = command.find(reference); at != std::string::npos;
         at = command.find(reference, at + place.size()))
      command.replace(at, reference.size(), place);
  }
  return command;
}

}  // namespace flox::package
