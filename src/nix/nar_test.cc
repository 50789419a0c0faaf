// NAR writing, strict unpacking, and scanning.
#include "nix/nar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/data/bytes.h"
#include "base/error.h"
#include "base/os/file.h"

namespace flox::nix {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

std::string str(std::string_view text) {
  std::string result;
  for (uint64_t size = text.size(), i = 0; i < 8; ++i, size >>= 8) result += static_cast<char>(size & 0xff);
  result += text;
  return result + std::string((8 - text.size() % 8) % 8, '\0');
}
std::string strs(std::initializer_list<std::string_view> texts) {
  std::string result;
  for (std::string_view text : texts) result += str(text);
  return result;
}
std::string nar(const std::string& node) { return str("nix-archive-1") + node; }
std::string file(std::string_view contents) {
  return strs({"(", "type", "regular", "contents", contents, ")"});
}
std::string link(std::string_view target) { return strs({"(", "type", "symlink", "target", target, ")"}); }
std::string entry(std::string_view name, const std::string& node) {
  return strs({"entry", "(", "name", name, "node"}) + node + str(")");
}
std::string dir(const std::string& entries) { return strs({"(", "type", "directory"}) + entries + str(")"); }

std::string write(const fs::path& path, uint64_t first = 0) {
  std::string result;
  write_nar(
      path, [&](std::string_view piece) { result += piece; }, first);
  return result;
}

// Unpacks in pieces of `piece` bytes.
void unpack(std::string_view text, const fs::path& to, size_t piece = 1 << 20) {
  NarUnpacker unpacker(to);
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
    unpacker.feed(text.substr(0, piece));
  unpacker.finish();
}

// The tree of docs/formats/store-path.md.
void make_example(const fs::path& tree) {
  fs::create_directories(tree / "empty");
  fs::create_directories(tree / "sub");
  write_file(tree / "hello.txt", "hello\n");
  fs::create_symlink("hello.txt", tree / "link");
  write_file(tree / "run.sh", "#!/bin/sh\n", 0755);
}

TEST(NarWriter, can_begin_anywhere_in_the_nar) {
  const flox::TempDir directory;
  const fs::path tree = directory.path() / "tree";
  fs::create_directories(tree / "sub");
  write_file(tree / "a", "some text");
  write_file(tree / "sub/empty", "");
  write_file(tree / "sub/large", std::string(700'000, 'x'));
  fs::create_symlink("a", tree / "z");
  const std::string whole = write(tree);
  std::vector<uint64_t> offsets{whole.size() - 1, whole.size(), whole.size() + 1, 300'000, 600'001};
  for (uint64_t offset = 0; offset < 1500; ++offset) {
    offsets.push_back(offset);
    offsets.push_back(whole.size() - 1 - offset);
  }
  for (const uint64_t offset : offsets)
    ASSERT_TRUE(write(tree, offset) == whole.substr(std::min<size_t>(offset, whole.size()))) << offset;
}

TEST(Nar, the_example_tree_has_the_size_and_hash_that_nix_gives_it) {
  TempDir temp;
  make_example(temp.path() / "tree");
  const std::string text = write(temp.path() / "tree");
  EXPECT_EQ(text.size(), 1064u);
  EXPECT_EQ(to_hex(bytes_of(sha256(text))),
            "b3bd4d52fdde1fcf15d7ad56b6980d9e01dfa89462bea30d98dd6162a5e85518");
}

TEST(Nar, a_tree_survives_packing_and_unpacking_in_pieces_of_any_size) {
  TempDir temp;
  make_example(temp.path() / "tree");
  write_file(temp.path() / "tree/sub/big", std::string(700'001, 'x'));
  const std::string text = write(temp.path() / "tree");
  for (size_t piece : {1, 7, 8, 4096, 1 << 20}) {
    const fs::path copy = temp.path() / ("copy" + std::to_string(piece));
    unpack(text, copy, piece);
    EXPECT_EQ(write(copy), text);
  }
}

TEST(Nar, unpacked_files_have_canonical_metadata) {
  TempDir temp;
  make_example(temp.path() / "tree");
  unpack(write(temp.path() / "tree"), temp.path() / "copy");
  auto check = [&](const char* name, mode_t mode) {
    struct stat status {};
    ASSERT_EQ(::lstat((temp.path() / "copy" / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, mode) << name;
    EXPECT_EQ(status.st_mtim.tv_sec, 1) << name;
    EXPECT_EQ(status.st_mtim.tv_nsec, 0) << name;
  };
  check(".", 0555);
  check("empty", 0555);
  check("hello.txt", 0444);
  check("run.sh", 0555);
  check("link", 0777);
}

TEST(Nar, a_single_file_or_symlink_is_an_archive_too) {
  TempDir temp;
  unpack(nar(file("abc")), temp.path() / "f");
  EXPECT_EQ(read_file(temp.path() / "f"), "abc");
  EXPECT_EQ(write(temp.path() / "f").size(), 120u);
  unpack(nar(link("nowhere")), temp.path() / "l");
  EXPECT_EQ(fs::read_symlink(temp.path() / "l"), "nowhere");
}

TEST(Nar, every_malformed_archive_is_refused) {
  std::string deep = file("x");
  for (int i = 0; i < 65; ++i) deep = dir(entry("d", deep));
  std::string bad_padding = nar(file("abc"));
  bad_padding[bad_padding.find("abc") + 3] = 'x';
  std::string huge = str("nix-archive-1") + strs({"(", "type", "regular", "contents"}) +
                     std::string("\0\0\0\0\0\0\0\x40", 8) + "data";
  std::string huge_tag = str("nix-archive-1") + std::string("\0\0\0\0\0\1\0\0", 8) + "(";
  struct Case {
    const char* name;
    std::string text;
    const char* reason;
  };
  const std::vector<Case> cases = {
      {"empty input", "", "cut off"},
      {"bad magic", str("nix-archive-2") + file("x"), "'nix-archive-1' should"},
      {"name empty", nar(dir(entry("", file("x")))), "file name"},
      {"name dot", nar(dir(entry(".", file("x")))), "file name"},
      {"name dot dot", nar(dir(entry("..", file("x")))), "file name"},
      {"name with slash", nar(dir(entry("a/b", file("x")))), "file name"},
      {"absolute name", nar(dir(entry("/etc", file("x")))), "file name"},
      {"name with NUL", nar(dir(entry(std::string_view("a\0b", 3), file("x")))), "file name"},
      {"name of 256 bytes", nar(dir(entry(std::string(256, 'n'), file("x")))), "at most 255"},
      {"entries out of order", nar(dir(entry("b", file("x")) + entry("a", file("x")))), "not sorted"},
      {"duplicate name", nar(dir(entry("a", file("x")) + entry("a", file("y")))), "not sorted"},
      {"symlink, then a directory of that name", nar(dir(entry("a", link("/tmp")) + entry("a", dir("")))),
       "not sorted"},
      {"bytes after the end", nar(file("x")) + std::string(8, '\0'), "after its end"},
      {"unknown type", nar(strs({"(", "type", "device", ")"})), "type of file"},
      {"executable marker not empty",
       nar(strs({"(", "type", "regular", "executable", "x", "contents", "", ")"})), "should"},
      {"regular file without contents", nar(strs({"(", "type", "regular", ")"})), "'contents' should"},
      {"two contents", nar(strs({"(", "type", "regular", "contents", "a", "contents", "b", ")"})),
       "')' should"},
      {"node without type", nar(strs({"(", ")"})), "'type' should"},
      {"type after contents", nar(strs({"(", "contents", "a", "type", "regular", ")"})), "'type' should"},
      {"symlink with empty target", nar(link("")), "impossible target"},
      {"symlink target with NUL", nar(link(std::string_view("a\0b", 3))), "impossible target"},
      {"symlink target of 4096 bytes", nar(link(std::string(4096, 't'))), "at most 4095"},
      {"contents of 2^62 bytes", huge, "cut off"},
      {"tag of 2^40 bytes", huge_tag, "at most 32"},
      {"nested 65 levels deep", nar(deep), "levels deep"},
      {"padding not zero", bad_padding, "padding"},
  };
  for (const Case& c : cases) {
    TempDir temp;
    try {
      unpack(c.text, temp.path() / "out");
      ADD_FAILURE() << c.name << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid_input) << c.name << ": " << error.what();
      EXPECT_THAT(error.what(), HasSubstr(c.reason)) << c.name;
    }
  }
}

TEST(Nar, an_archive_cut_off_at_any_byte_is_refused) {
  const std::string text = nar(dir(entry("a", file("hello")) + entry("b", link("a"))));
  TempDir temp;
  for (size_t size = 0; size < text.size(); size += 8)
    EXPECT_THROW(unpack(text.substr(0, size), temp.path() / std::to_string(size)), Error) << size;
  EXPECT_NO_THROW(unpack(text, temp.path() / "whole"));
}

TEST(Nar, an_existing_destination_is_neither_followed_nor_overwritten) {
  TempDir temp;
  fs::create_symlink("target", temp.path() / "link");
  EXPECT_THROW(unpack(nar(file("x")), temp.path() / "link"), Error);
  EXPECT_FALSE(fs::exists(temp.path() / "target"));
  EXPECT_THROW(unpack(nar(dir("")), temp.path()), Error);
}

TEST(Nar, a_tree_64_levels_deep_is_written_and_read_and_a_deeper_one_is_not) {
  TempDir temp;
  fs::path inner = temp.path() / "tree";
  for (int i = 0; i < 64; ++i) inner /= "d";
  fs::create_directories(inner);
  unpack(write(temp.path() / "tree"), temp.path() / "copy");
  fs::create_directories(inner / "d");
  EXPECT_THROW(write(temp.path() / "tree"), Error);
}

TEST(Nar, a_fifo_cannot_be_packed) {
  TempDir temp;
  ASSERT_EQ(::mkfifo((temp.path() / "fifo").c_str(), 0600), 0);
  EXPECT_THROW(write(temp.path()), Error);
}

const std::string digest_a = "i9pmrzmpshapij2kin22pff6fc2adavx";
const std::string digest_b = "gy454w1cxaq731grqwylhzf4pp9r5izh";

TEST(ReferenceScanner, finds_digests_across_every_border_of_pieces) {
  const std::string text = "xx" + digest_a + "0 /nix/store/" + digest_b;
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    ReferenceScanner scanner({digest_a, digest_b, std::string(32, '0')});
    for (size_t i = 0; i < text.size(); i += piece) scanner.update(std::string_view(text).substr(i, piece));
    EXPECT_THAT(scanner.found(), ElementsAre(digest_b, digest_a)) << piece;
  }
}

TEST(ReferenceScanner, a_digest_interrupted_by_anything_is_no_reference) {
  ReferenceScanner scanner({digest_a});
  scanner.update(digest_a.substr(0, 16));
  scanner.update("-");
  scanner.update(digest_a.substr(16));
  EXPECT_THAT(scanner.found(), IsEmpty());
}

TEST(Replacer, a_text_in_the_held_back_end_is_replaced_only_once) {
  std::string out;
  Replacer replacer("aab", "xyz", [&](std::string_view piece) { out += piece; });
  for (char c : std::string("aaaabaabb")) replacer.update(std::string(1, c));
  replacer.finish();
  EXPECT_EQ(out, "aaxyzxyzb");
  EXPECT_THAT(replacer.offsets(), ElementsAre(2, 5));
}

TEST(ModuloHash, occurrences_count_as_zeros_and_their_offsets_are_hashed) {
  const std::string text = "ab" + digest_a + "-" + digest_a + "end";
  const std::string zeros(32, '\0');
  const Sha256Digest expected = sha256("ab" + zeros + "-" + zeros + "end|2|35");
  for (size_t piece : {1, 5, 31, 32, 33, 200}) {
    ModuloHash hash(digest_a);
    for (size_t i = 0; i < text.size(); i += piece) hash.update(std::string_view(text).substr(i, piece));
    EXPECT_EQ(hash.finish(), expected) << piece;
    EXPECT_TRUE(hash.occurs());
  }
  ModuloHash plain(digest_b);
  plain.update(text);
  EXPECT_EQ(plain.finish(), sha256(text));
  EXPECT_FALSE(plain.occurs());
}

}  // namespace
}  // namespace flox::nix
