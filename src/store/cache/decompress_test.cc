#include "store/cache/decompress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/error.h"
#include "base/os/file.h"
#include "base/os/process.h"

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

std::string decompress(std::string_view compression, std::string_view file, size_t piece,
                       uint64_t memory = decompressor_memory_limit) {
  std::string text;
  const auto decompressor =
      make_decompressor(compression, [&](std::string_view part) { text += part; }, {.memory = memory});
  for (size_t i = 0; i < file.size(); i += piece) decompressor->feed(file.substr(i, piece));
  decompressor->finish();
  return text;
}

// What it asks for when it may have no more than what is usual; 0: that is enough.
uint64_t memory_asked_for(std::string_view compression, std::string_view file, unsigned threads = 1) {
  bool given = false;
  const auto decompressor = make_decompressor(compression, [&](std::string_view) { given = true; },
                                              {.threads = threads, .memory = usual_decompressor_memory});
  try {
    decompressor->feed(file);
    decompressor->finish();
  } catch (const NeedsMemory& needed) {
    EXPECT_FALSE(given) << "it began without it";
    return needed.bytes;
  }
  return 0;
}

std::string long_text() {
  std::string text;
  for (unsigned i = 0; i < 200'000; ++i) text += std::to_string(i * 7919 % 10007);
  return text;
}

TEST(Decompressor, reads_a_file_whose_end_fills_the_buffer_just_so) {
  for (const Kind& kind : kinds)
    for (const size_t size : {256 * 1024, 3 * 256 * 1024, 256 * 1024 + 1}) {
      const std::string text(size, 'x');
      for (const size_t piece : {size_t{64}, size_t{1} << 20})
        EXPECT_EQ(decompress(kind.compression, compress(kind, text), piece).size(), size) << kind.compression;
    }
}

TEST(Decompressor, reads_what_the_usual_programs_write_in_pieces_of_any_size) {
  const std::string text = long_text();
  for (const Kind& kind : kinds) {
    const std::string file = compress(kind, text);
    for (size_t piece : {1000UL, 65536UL, 10'000'000UL})
      EXPECT_EQ(decompress(kind.compression, file, piece), text) << kind.compression << " by " << piece;
  }
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

TEST(Decompressor, a_file_with_a_large_window_asks_for_memory_before_anything_comes_out) {
  const std::string text = long_text();
  const std::vector<std::pair<Kind, uint64_t>> asking = {{{"zstd", {"zstd", "-qc", "--long=24"}}, 16 << 20},
                                                         {{"zstd", {"zstd", "-qc", "--long=27"}}, 128 << 20},
                                                         {{"xz", {"xz", "-c", "-9"}}, 64 << 20}};
  for (const auto& [kind, memory] : asking) {
    const std::string file = compress(kind, text);
    const uint64_t asked = memory_asked_for(kind.compression, file);
    EXPECT_EQ(asked >> 20, memory >> 20) << kind.command.back();
    EXPECT_EQ(decompress(kind.compression, file, 1000, asked), text) << kind.command.back();
  }
  const std::string with_threads = compress({"xz", {"xz", "-c", "-9"}}, text);
  EXPECT_GT(memory_asked_for("xz", with_threads, 2), usual_decompressor_memory);
  const std::string empty_brotli = "\x3f";  // with a window of 16 MiB
  EXPECT_EQ(memory_asked_for("br", empty_brotli), 16u << 20);
  EXPECT_EQ(decompress("br", empty_brotli, 1, 16 << 20), "");
}

TEST(Decompressor, the_usual_files_make_do_with_the_usual_memory) {
  const std::vector<Kind> usual = {{"zstd", {"zstd", "-qc", "-19"}},
                                   {"xz", {"xz", "-c", "-6"}},
                                   {"bzip2", {"bzip2", "-9c"}},
                                   {"gzip", {"gzip", "-c"}}};
  for (const Kind& kind : usual)
    EXPECT_EQ(memory_asked_for(kind.compression, compress(kind, long_text())), 0u) << kind.compression;
}

TEST(Decompressor, a_later_frame_may_need_more_memory_than_the_first) {
  const std::string small = compress(kinds[0], "one");
  const std::string file = small + compress({"zstd", {"zstd", "-qc", "--long=25"}}, "two");
  try {
    decompress("zstd", file, 100'000, usual_decompressor_memory);
    FAIL();
  } catch (const NeedsMemory& needed) {
    EXPECT_EQ(decompress("zstd", file, 100'000, needed.bytes), "onetwo");
  }
}

TEST(Decompressor, a_file_that_needs_more_than_the_limit_is_refused_whatever_the_memory) {
  const std::vector<std::pair<Kind, const char*>> refused = {
      {{"zstd", {"zstd", "-qc", "--ultra", "--long=28"}}, "requires too much memory"},
      {{"xz", {"xz", "-c", "--lzma2=preset=0,dict=192MiB"}}, "it needs more than 128 MiB of memory"}};
  for (const auto& [kind, text] : refused) {
    const std::string file = compress(kind, "text");
    for (const uint64_t memory : {usual_decompressor_memory, decompressor_memory_limit}) try {
        decompress(kind.compression, file, 100, memory);
        ADD_FAILURE() << kind.compression;
      } catch (const Error& error) {
        EXPECT_THAT(error.what(), HasSubstr(text));
      }
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

// On several threads, with so much memory, as the fetcher feeds it.
std::string decompress_frames(std::string_view file, size_t piece, uint64_t memory = 96 << 20) {
  std::string text;
  const auto decompressor = make_decompressor("zstd",
                                              [&](std::string_view part) {
                                                EXPECT_FALSE(part.empty());
                                                EXPECT_LE(part.size(), 1U << 20);
                                                text += part;
                                              },
                                              {.threads = 3, .memory = memory});
  for (size_t i = 0; i < file.size(); i += piece) decompressor->feed(file.substr(i, piece));
  decompressor->finish();
  return text;
}

// Frames as Nix writes them, which do not say what comes out, and as we do, which say it; empty ones, and one
// to be passed over.
struct Frames {
  std::string text, file;
  std::vector<size_t> ends;  // of the frames, in the file
};
Frames many_frames() {
  Frames frames;
  const std::string all = long_text();
  for (size_t i = 0; i < 40; ++i) {
    const std::string part = i % 7 == 0 ? "" : all.substr(i * 10'000, 5'000 + 997 * i);
    Kind kind = kinds[0];
    if (i % 2 == 0) kind.command.push_back("--stream-size=" + std::to_string(part.size()));
    if (i % 3 == 0) kind.command.push_back("--no-check");
    frames.text += part;
    frames.file += compress(kind, part);
    frames.ends.push_back(frames.file.size());
    if (i == 20) frames.file += std::string("\x50\x2A\x4D\x18\x03\0\0\0abc", 11);
  }
  return frames;
}

TEST(ZstdFrames, come_out_in_their_order_whatever_pieces_they_are_fed_in) {
  const Frames frames = many_frames();
  const size_t pass_over = frames.ends[20];
  for (const size_t piece : {1UL, 1000UL, 65536UL, 10'000'000UL}) {
    EXPECT_EQ(decompress_frames(frames.file, piece), frames.text) << piece;
    EXPECT_EQ(decompress_frames(frames.file.substr(0, pass_over), piece),
              frames.text.substr(0, decompress("zstd", frames.file.substr(0, pass_over), 1 << 20).size()))
        << piece;
  }
}

TEST(ZstdFrames, go_on_in_the_other_way_where_one_needs_more_memory) {
  std::string text = long_text();
  for (int i = 0; i < 4; ++i) text += text;
  const std::string frame = compress(kinds[0], text);
  const Frames frames = many_frames();
  for (const uint64_t memory : {uint64_t{2} << 20, uint64_t{4} << 20, uint64_t{96} << 20})
    EXPECT_EQ(decompress_frames(frames.file + frame + frames.file, 100'000, memory),
              frames.text + text + frames.text)
        << memory;
}

// What follows a frame is not copied for each of them, which would be 70 GB here.
TEST(ZstdFrames, may_be_tiny_and_thousands_in_a_piece) {
  const std::string frame = compress(kinds[0], "x");
  std::string file;
  for (int i = 0; i < 100'000; ++i) file += frame;
  EXPECT_EQ(decompress_frames(file, file.size()), std::string(100'000, 'x'));
}

TEST(ZstdFrames, are_refused_as_on_one_thread_if_they_are_damaged_or_cut_off) {
  const Frames frames = many_frames();
  for (const size_t cut : {size_t{1}, frames.ends[5] - 1, frames.ends[39] - 1, frames.ends[30] + 3})
    EXPECT_THROW(decompress_frames(frames.file.substr(0, cut), 4096), Error) << cut;
  size_t refused = 0;
  for (size_t at = 0; at < frames.file.size(); at += 997) {
    std::string flipped = frames.file;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
    const auto outcome = [&](const auto& decode) -> std::optional<std::string> {
      try {
        return decode();
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::invalid_input);
        return std::nullopt;
      }
    };
    const auto one = outcome([&] { return decompress("zstd", flipped, 4096); });
    EXPECT_EQ(outcome([&] { return decompress_frames(flipped, 4096); }), one) << at;
    refused += one ? 0 : 1;
  }
  EXPECT_GT(refused, 10U);
  EXPECT_THROW(decompress_frames("", 1), Error);
}

TEST(ZstdFrames, of_one_file_leave_nothing_for_the_next) {
  const Frames frames = many_frames();
  std::string text;
  const auto decompressor =
      make_decompressor("zstd", [&](std::string_view part) { text += part; }, {.threads = 2});
  for (int i = 0; i < 3; ++i) {
    text.clear();
    decompressor->feed(frames.file);
    decompressor->finish();
    EXPECT_EQ(text, frames.text);
  }
}

}  // namespace
}  // namespace flox::store
