// What tells one state of a model's files from another.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace ticket::model {

// The file of a model's directory that has its weights: model.safetensors, else pytorch_model.bin. Throws
// Error(not_found).
std::filesystem::path checkpoint_file(const std::filesystem::path& directory);

// SHA-256 of the file's size and of 64 pieces of 4 KiB spread over it: all of a small file. Any other
// training of a model changes nearly every weight, so that this finds what a hash of all of it would, in a
// millisecond; it does not find a change that was made to escape it. 64 hexadecimal digits.
std::string checkpoint_sample(const std::filesystem::path& file);
// SHA-256 of all of it.
std::string file_sha256(const std::filesystem::path& file);

// Names and SHA-256 of the files beside the weights that say how a model computes: its configuration and its
// tokenizer, as far as they are there.
using FileHashes = std::map<std::string, std::string>;
FileHashes model_file_hashes(const std::filesystem::path& directory);

}  // namespace ticket::model
