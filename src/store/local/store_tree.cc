#include "store/local/store_tree.h"

#include <deque>

#include "base/error.h"
#include "base/printable.h"
#include "nix/store_path.h"

namespace flox::store {
namespace {

constexpr int max_links = 40;       // as the kernel has it
constexpr size_t max_steps = 4096;  // components in all: PATH_MAX

// Puts the components of a path in front of those that are still to go.
void push_front(std::deque<std::string>& pending, std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  pending.insert(pending.begin(), std::make_move_iterator(parts.begin()),
                 std::make_move_iterator(parts.end()));
}

struct Link {
  std::string path;  // relative to the store's directory
  std::string target;
  bool operator==(const Link&) const = default;
  std::string to_string() const {
    return fmt::format("{}/{} -> {}", nix::store_dir, printable(path), printable(target));
  }
};

// A walk below the store's directory.
class Walk {
 public:
  Walk(const Directory& store, const StoreTree::MayEnter& may_enter) : store_(store), may_enter_(may_enter) {}

  std::optional<StoreTree::Place> run(std::string_view path) {
    push_front(pending_, path);
    while (!pending_.empty()) {
      const std::string part = std::move(pending_.front());
      pending_.pop_front();
      if (++steps_ > max_steps) refuse("its links have too many steps");
      if (part == "..")
        go_up();
      else if (!enter(part))
        return std::nullopt;
    }
    if (at_.empty()) refuse("it leads to the store itself");
    return StoreTree::Place{.path = joined(), .mode = mode_};
  }
  size_t steps() const noexcept { return steps_; }

 private:
  void go_up() {
    if (at_.empty()) refuse("it leads out of the store");
    at_.pop_back();
    mode_ = S_IFDIR;
  }

  // False if there is nothing of this name.
  bool enter(const std::string& part) {
    if (!is_file_name(part)) refuse("it has an impossible name");
    if (at_.empty() && !may_enter_(part))
      refuse("it leads to a store path that the package does not refer to");
    if (!at_.empty() && !S_ISDIR(mode_)) return false;
    at_.push_back(part);
    const std::string here = joined();
    const auto status = store_.status(here);
    if (!status) return false;
    mode_ = status->st_mode;
    if (S_ISLNK(mode_)) follow(here);
    return true;
  }

  void follow(const std::string& link) {
    last_ = {.path = link, .target = store_.read_link(link)};
    if (links_ == 0) first_ = last_;
    if (++links_ > max_links) refuse("its links lead in a circle, or are more than 40");
    at_.pop_back();
    mode_ = S_IFDIR;
    std::string_view target = last_.target;
    if (target.starts_with('/')) {
      if (!target.starts_with(nix::store_dir) ||
          (target.size() > nix::store_dir.size() && target[nix::store_dir.size()] != '/'))
        refuse("it leads out of the store");
      target.remove_prefix(nix::store_dir.size());
      at_.clear();
    }
    push_front(pending_, target);
  }

  std::string joined() const { return fmt::format("{}", fmt::join(at_, "/")); }

  // Names the link that was asked for, and the one that the walk followed last, if that is another.
  [[noreturn]] void refuse(std::string_view why) const {
    const std::string via = last_ == first_ ? std::string() : fmt::format(" (through {})", last_.to_string());
    fail(ErrorKind::untrusted, "{}{}: {}", first_.to_string(), via, why);
  }

  const Directory& store_;
  const StoreTree::MayEnter& may_enter_;
  std::deque<std::string> pending_;
  std::vector<std::string> at_;  // no link among them
  mode_t mode_ = S_IFDIR;        // of what is at `at_`
  Link first_;                   // that was read
  Link last_;
  int links_ = 0;
  size_t steps_ = 0;
};

}  // namespace

StoreTree::StoreTree(const std::filesystem::path& store_directory) : store_(store_directory) {}

std::optional<StoreTree::Place> StoreTree::resolve(std::string_view path, const MayEnter& may_enter,
                                                   size_t* steps) const {
  Walk walk(store_, may_enter);
  auto place = walk.run(path);
  if (steps != nullptr) *steps += walk.steps();
  return place;
}

}  // namespace flox::store
