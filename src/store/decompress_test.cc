#include "store/decompress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"

namespace flox::store {
namespace {

using testing::HasSubstr;

struct Kind {
  const char* compression;
  std::vector<std::string> command;  // compresses stdin to stdout; empty: not installed everywhere
};

const std::vector<Kind> kinds = {
    {"zstd", {"zstd", "-qc"}}, {"xz", {"xz", "-c"}}, {"bzip2", {"bzip2", "-c"}}, {"gzip", {"gzip", "-c"}}};

std::string compress(const Kind& kind, const std::string& text) {
  return run_checked({.argv = kind.command, .env = {}, .cwd = {}, .input = text});
}

std::string decompress(std::string_view compression, std::string_view file, size_t piece) {
  std::string text;
  const auto decompressor = make_decompressor(compression, [&](std::string_view part) { text += part; });
  for (size_t i = 0; i < file.size(); i += piece) decompressor->feed(file.substr(i, piece));
  decompressor->finish();
  return text;
}

std::string long_text() {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i * 7919 % 10007);
  return text;
}

TEST(Decompressor, reads_what_the_usual_programs_write_in_pieces_of_any_size) {
  const std::string text = long_text();
  for (const Kind& kind : kinds)
    for (size_t piece : {1000UL, 65536UL, 10'000'000UL})
      EXPECT_EQ(decompress(kind.compression, compress(kind, text), piece), text)
          << kind.compression << " by " << piece;
  EXPECT_EQ(decompress("none", text, 1000), text);
}

TEST(Decompressor, reads_on_after_the_end_of_a_frame) {
  for (const Kind& kind : kinds)
    for (size_t piece : {1UL, 10'000UL})
      EXPECT_EQ(decompress(kind.compression, compress(kind, "one") + compress(kind, "two"), piece), "onetwo")
          << kind.compression << " by " << piece;
}

TEST(Decompressor, very_compressible_data_comes_out_whole) {
  const std::string text(5'000'000, 'x');
  for (const Kind& kind : kinds)
    EXPECT_EQ(decompress(kind.compression, compress(kind, text), 64), text) << kind.compression;
}

TEST(Decompressor, brotli_is_read) {
  // The stream that RFC 7932 tools write for "hello\n" uncompressed: a meta-block and the last, empty one.
  const std::string file("\x8b\x02\x80hello\n\x03", 10);
  EXPECT_EQ(decompress("br", file, 1), "hello\n");
  EXPECT_THROW(decompress("br", file.substr(0, 6), 10), Error);
  EXPECT_THROW(decompress("br", file + "x", 100), Error);
}

TEST(Decompressor, files_cut_off_or_damaged_are_refused) {
  for (const Kind& kind : kinds) {
    const std::string file = compress(kind, long_text());
    for (size_t size : {0UL, 3UL, file.size() / 2, file.size() - 1})
      EXPECT_THROW(decompress(kind.compression, std::string_view(file).substr(0, size), 4096), Error)
          << kind.compression << size;
    EXPECT_THROW(decompress(kind.compression, "this is not compressed", 4096), Error) << kind.compression;
    EXPECT_THROW(decompress(kind.compression, file + "garbage", 4096), Error) << kind.compression;
  }
}

TEST(Decompressor, an_unknown_compression_is_named) {
  try {
    make_decompressor("lrzip", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'lrzip'"));
  }
}

}  // namespace
}  // namespace flox::store
