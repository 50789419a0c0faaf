#include "server/files/hot_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace flox::server {
namespace {

using std::chrono::milliseconds;

const HotFiles::Time begin{std::chrono::hours(1)};

class HotFilesTest : public testing::Test {
 protected:
  void add(const std::string& name, std::string text, HotFiles::Time now = begin) {
    hot_.add(name, {.text = std::make_shared<const std::string>(std::move(text)), .opened = {}},
             hot_.changes(), now);
  }
  std::string find(std::string_view name, HotFiles::Time now = begin) const {
    const auto text = hot_.find(name, now).text;
    return text ? *text : "none";
  }
  std::weak_ptr<const OpenedFile> add_open(const std::string& name, HotFiles::Time now = begin) {
    const auto file = std::make_shared<const OpenedFile>();
    hot_.add(name, {.text = {}, .opened = file}, hot_.changes(), now);
    return file;
  }
  HotFiles hot_;
};

TEST_F(HotFilesTest, hold_for_a_second) {
  add("a.narinfo", "StorePath: a");
  EXPECT_EQ(find("a.narinfo", begin + milliseconds(999)), "StorePath: a");
  EXPECT_EQ(find("a.narinfo", begin + milliseconds(1000)), "none");
  EXPECT_EQ(find("b.narinfo"), "none");
}

TEST_F(HotFilesTest, that_were_forgotten_are_not_found) {
  add("a.narinfo", "one signature");
  add("b.narinfo", "b");
  hot_.forget("a.narinfo");
  EXPECT_EQ(find("a.narinfo"), "none");
  EXPECT_EQ(find("b.narinfo"), "b");
}

TEST_F(HotFilesTest, that_were_read_before_a_change_are_not_kept_after_it) {
  const uint64_t changes = hot_.changes();
  const auto text = std::make_shared<const std::string>("one signature");
  hot_.forget("a.narinfo");  // somebody has added a second one, while the first reader had the old text
  hot_.add("a.narinfo", {.text = text, .opened = {}}, changes, begin);
  EXPECT_EQ(find("a.narinfo"), "none");
}

TEST_F(HotFilesTest, never_take_more_memory_than_they_may) {
  const std::string text(8000, 'x');
  for (int i = 0; i < 5000; ++i) {
    add(std::to_string(i), text, begin + milliseconds(i));
    ASSERT_LE(hot_.bytes(), HotFiles::most_bytes);
  }
  EXPECT_EQ(find("4999", begin + milliseconds(4999)), text);
  // What holds no more makes room for what comes.
  EXPECT_EQ(find("4500", begin + milliseconds(4999)), text);
  add("huge", std::string(HotFiles::largest + 1, 'x'), begin + milliseconds(4999));
  EXPECT_EQ(find("huge", begin + milliseconds(4999)), "none");
}

TEST_F(HotFilesTest, that_are_open_are_closed_once_they_were_forgotten_or_hold_no_more) {
  const auto a = add_open("nar/a.nar"), b = add_open("nar/b.nar");
  EXPECT_EQ(hot_.find("nar/a.nar", begin).opened, a.lock());
  hot_.forget("nar/a.nar");
  EXPECT_TRUE(a.expired());
  hot_.forget_old(begin + milliseconds(999));
  EXPECT_FALSE(b.expired());
  hot_.forget_old(begin + milliseconds(1000));
  EXPECT_TRUE(b.expired());
}

TEST_F(HotFilesTest, are_open_in_no_larger_number_than_they_may) {
  std::vector<std::weak_ptr<const OpenedFile>> files;
  for (int i = 0; i < 1000; ++i) {
    files.push_back(add_open(std::to_string(i)));
    EXPECT_FALSE(files.back().expired());
    EXPECT_LE(std::ranges::count_if(files, [](const auto& file) { return !file.expired(); }),
              static_cast<std::ptrdiff_t>(HotFiles::most_open));
  }
}

}  // namespace
}  // namespace flox::server
