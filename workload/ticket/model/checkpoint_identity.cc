#include "ticket/model/checkpoint_identity.h"

#include <algorithm>

#include "base/data/bytes.h"
#include "base/data/sha256.h"
#include "base/error.h"
#include "base/os/file.h"
#include "ticket/model/mapped_file.h"

namespace ticket::model {

namespace fs = std::filesystem;

namespace {

constexpr size_t pieces = 64, piece_bytes = 4096;
constexpr size_t max_file = 64 << 20;  // as the tokenizer's reader has it
constexpr const char* model_files[] = {"config.json",
                                       "generation_config.json",
                                       "sentence_bert_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "vocab.json",
                                       "merges.txt",
                                       "vocab.txt"};

}  // namespace

fs::path checkpoint_file(const fs::path& directory) {
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    std::error_code error;
    if (fs::path path = directory / name; fs::exists(path, error)) return path;
  }
  throw flox::Error(flox::ErrorKind::not_found,
                    fmt::format("{} has neither model.safetensors nor pytorch_model.bin", directory.string()),
                    "Run 'ticket-processor preload-models' to fetch what is missing.");
}

std::string checkpoint_sample(const fs::path& file) {
  const MappedFile mapped(file);
  const std::string_view bytes = mapped.bytes();
  flox::Sha256 hash;
  hash.update(fmt::format("{}\n", bytes.size()));
  if (bytes.size() <= pieces * piece_bytes) {
    hash.update(bytes);
  } else {
    for (size_t i = 0; i < pieces; ++i)
      hash.update(bytes.substr((bytes.size() - piece_bytes) / (pieces - 1) * i, piece_bytes));
    hash.update(bytes.substr(bytes.size() - piece_bytes));
  }
  return flox::to_hex(flox::bytes_of(hash.finish()));
}

std::string file_sha256(const fs::path& file) {
  const MappedFile mapped(file);
  return flox::to_hex(flox::bytes_of(flox::sha256(mapped.bytes())));
}

FileHashes model_file_hashes(const fs::path& directory) {
  FileHashes hashes;
  for (const char* name : model_files) {
    std::error_code error;
    if (const fs::path path = directory / name; fs::is_regular_file(path, error))
      hashes[name] = flox::to_hex(flox::bytes_of(flox::sha256(flox::read_file(path, max_file))));
  }
  return hashes;
}

}  // namespace ticket::model
