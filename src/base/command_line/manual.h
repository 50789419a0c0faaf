// Manual pages, in the language of man(7), of a program's own declarations (CLI11): what --help prints is
// what they say.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace flox {

// "flox-store-gc" of "flox store gc": the page's name, its file is NAME.1, or of another section.
std::string manual_name(const CLI::App& command);
// The page of one command, in this section of the manual. Every run gives the same text.
std::string manual_page(const CLI::App& command, int section = 1);
// The program itself and every command that its help shows, each before those below it; without those that
// are other programs (a command without a help of its own), which have pages of their own.
std::vector<const CLI::App*> commands_with_pages(const CLI::App& app);

}  // namespace flox
