#include "kube/pods/log_reader.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/os/file.h"

namespace flox::kube {
namespace {

TEST(LogReader, takes_lines_apart_and_joins_what_was_split) {
  LogLine line;
  bool partial = false;
  ASSERT_TRUE(parse_log_line("2026-01-01T00:00:00.1Z stderr F oh no: a b", line, partial));
  EXPECT_TRUE(line.is_error && !partial);
  EXPECT_EQ(line.text, "oh no: a b\n");
  ASSERT_TRUE(parse_log_line("2026-01-01T00:00:00.1Z stdout P part", line, partial));
  EXPECT_TRUE(partial);
  EXPECT_EQ(line.text, "part");
  ASSERT_TRUE(parse_log_line("2026-01-01T00:00:00.1Z stdout F ", line, partial));
  EXPECT_EQ(line.text, "\n");
  EXPECT_FALSE(parse_log_line("nonsense", line, partial));
}

TEST(LogReader, goes_on_where_it_ended_and_waits_for_the_end_of_a_line) {
  TempDir dir;
  const fs::path path = dir.path() / "0.log";
  LogReader reader(path);
  std::string text;
  auto read = [&] { reader.read([&](const LogLine& line) { text += line.text; }); };
  read();
  std::ofstream(path, std::ios::app) << "T stdout F one\nT stdout F tw";
  read();
  EXPECT_EQ(text, "one\n");
  std::ofstream(path, std::ios::app) << "o\n";
  read();
  EXPECT_EQ(text, "one\ntwo\n");
}

TEST(LogReader, reads_every_line_of_a_log_that_is_rotated_meanwhile) {
  TempDir dir;
  const fs::path path = dir.path() / "0.log";
  LogReader reader(path);
  std::string text;
  auto read = [&] { reader.read([&](const LogLine& line) { text += line.text; }); };
  std::ofstream(path) << "T stdout F 1\n";
  std::ofstream(dir.path() / "0.log.20260101-000000") << "T stdout F from before\n";
  read();
  std::ofstream(path, std::ios::app) << "T stdout F 2\n";
  fs::rename(path, dir.path() / "0.log.20260101-000001");
  std::ofstream(path) << "T stdout F 3\n";
  fs::rename(path, dir.path() / "0.log.20260101-000002");
  read();  // there is no file for a moment
  std::ofstream(path) << "T stdout F 4\n";
  read();
  EXPECT_EQ(text, "1\n2\n3\n4\n");
  fs::rename(path, dir.path() / "gone");  // what was removed as the oldest
  std::ofstream(path) << "T stdout F 5\n";
  read();
  EXPECT_EQ(text, "1\n2\n3\n4\n5\n");
}

TEST(LogReader, keeps_only_the_beginning_of_a_line_without_end) {
  TempDir dir;
  const fs::path path = dir.path() / "0.log";
  std::ofstream(path) << "T stdout F " << std::string(3 << 20, 'x') << "\nT stdout F after\n";
  std::vector<std::string> lines;
  LogReader(path).read([&](const LogLine& line) { lines.push_back(line.text); });
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_LE(lines[0].size(), 1u << 20);
  EXPECT_EQ(lines[1], "after\n");
}

}  // namespace
}  // namespace flox::kube
