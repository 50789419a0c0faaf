#include "server/transfer/export_format.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/data/bytes.h"
#include "base/os/file.h"
#include "server/transfer/json_lines.h"
#include "testing/error_of.h"

namespace flox::server {
namespace {

using testing::HasSubstr;

// A table's file in a directory, with its index.
class ExportedTableTest : public testing::Test {
 protected:
  ExportedTableTest() { directory_.make_directory(records_directory); }
  void write(const std::string& text) {
    index_ = {};
    index_.tables["owners"] = {.rows = static_cast<uint64_t>(std::ranges::count(text, '\n')),
                               .size = text.size(),
                               .sha256 = to_hex(bytes_of(sha256(text)))};
    directory_.write_file(records_file("owners", index_.tables["owners"].sha256), text);
  }
  std::string read(ErrorKind kind = ErrorKind::invalid_input) {
    return error_of(
        [&] {
          read_exported(directory_, index_, *find_table("owners"),
                        [&](const TableRow& row) { rows_.push_back(row); });
        },
        kind);
  }
  static std::string line(const std::string& name) {
    return R"({"created_at":"t","is_private":0,"name":")" + name + "\"}\n";
  }

  TempDir dir_;
  Directory directory_{dir_.path()};
  ExportIndex index_;
  std::vector<TableRow> rows_;
};

TEST_F(ExportedTableTest, is_read_row_by_row) {
  const std::string long_name(3 << 20, 'x');  // over what is read at once
  write(line("acme") + line(long_name) + line("web"));
  EXPECT_EQ(read(), "no error");
  ASSERT_EQ(rows_.size(), 3U);
  EXPECT_EQ(rows_[0], (TableRow{"acme", int64_t{0}, "t"}));
  EXPECT_EQ(std::get<std::string>(rows_[1][0]).size(), long_name.size());
}

TEST_F(ExportedTableTest, with_other_members_is_refused_with_its_line) {
  write(line("acme") + "{\"name\":\"web\"}\n");
  EXPECT_THAT(read(), HasSubstr(".jsonl:2: a row of 'owners' has 3 members"));
  write("{\"created_at\":\"t\",\"is_private\":\"0\",\"name\":\"web\"}\n");
  EXPECT_THAT(read(), HasSubstr("'is_private' is no number"));
  write("[]\n");
  EXPECT_THAT(read(), HasSubstr(".jsonl:1: the line is no object"));
  write(line("acme") + "{");
  EXPECT_THAT(read(), HasSubstr(".jsonl:2: the last line has no end"));
}

TEST_F(ExportedTableTest, that_is_another_file_or_a_link_is_refused) {
  write(line("acme"));
  const std::string name = records_file("owners", index_.tables["owners"].sha256);
  directory_.write_file(name, line("ac-e"));
  EXPECT_THAT(read(ErrorKind::untrusted), HasSubstr("is not the file that export.json names"));
  directory_.write_file(name, line("acme") + line("b"));
  EXPECT_THAT(read(ErrorKind::untrusted), HasSubstr("bytes, and export.json says"));
  directory_.remove(name);
  directory_.make_link(name, "/etc/passwd");
  EXPECT_THAT(read(ErrorKind::not_found), HasSubstr("is missing, or is no file"));
}

TEST(JsonLines, OverTheirLimitAreRefusedInBoundedMemory) {
  const TempDir dir;
  const std::string file = dir.path() / "lines";
  {
    const Fd fd = open_file(file, O_WRONLY | O_CREAT);
    ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(longest_line) * 40), 0);
  }
  JsonLinesReader lines(open_file(file, O_RDONLY), "lines");
  nlohmann::json object;
  EXPECT_THAT(error_of([&] { lines.next(object); }), HasSubstr("lines:1: the line is over"));
}

}  // namespace
}  // namespace flox::server
