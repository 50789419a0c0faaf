#include "ticket/model/prepared_models.h"

#include <algorithm>

#include "base/error.h"
#include "base/foreign_error.h"
#include "ticket/environment.h"
#include "ticket/model/checkpoint_identity.h"
#include "ticket/model/model_cache.h"
#include "ticket/model/prepared_file.h"

namespace ticket::model {

namespace fs = std::filesystem;

namespace {

constexpr size_t max_states = 256;  // of one model in one directory

PreparedModel read_prepared_model(const fs::path& directory) {
  const MappedFile file(directory / prepared_file_name);
  return {.directory = directory,
          .header = read_prepared_header(file.bytes(), file.bytes().size()),
          .digest = prepared_digest(file.bytes())};
}

// A file that was prepared for this processor comes before one that merely serves it.
bool better(const PreparedModel& a, const PreparedModel& b, const WantedModel& wanted) {
  auto rank = [&](const PreparedModel& model) {
    if (model.header.layout.level == wanted.layout.level) return 0;
    return model.header.layout.serves(wanted.layout, wanted.precision) ? 1 : 2;
  };
  return rank(a) < rank(b);
}

}  // namespace

std::vector<fs::path> prepared_directories(const fs::path& model_cache_dir) {
  std::vector<fs::path> result;
  if (auto given = environment("TICKET_PREPARED_MODELS")) result.emplace_back(*given);
  if (auto environment_of_program = environment("FLOX_ENV"))
    result.push_back(fs::path(*environment_of_program) / "share" / "ticket-models");
  result.push_back(model_cache_dir / "prepared");
  return result;
}

std::string differs_from(const PreparedHeader& header, const fs::path& snapshot) {
  try {
    const fs::path file = checkpoint_file(snapshot);
    if (fs::file_size(file) != header.source.bytes || checkpoint_sample(file) != header.source.sample)
      return fmt::format("it was prepared from other weights than those of {}", file.string());
    check_neighbours(snapshot, header);
    return "";
  } catch (const flox::Error& error) {
    return error.what();
  } catch (const fs::filesystem_error& error) {
    return flox::message_of(error);
  }
}

PreparedChoice list_prepared(std::string_view id, const fs::path& directory) {
  PreparedChoice choice;
  for (const std::string& name : model_names(id)) {
    std::error_code error;
    std::vector<fs::path> states;
    for (fs::directory_iterator entry(directory / cache_folder_name(name), error), end;
         !error && entry != end; entry.increment(error))
      if (!entry->path().filename().string().starts_with('.') && states.size() < max_states)
        states.push_back(entry->path());
    std::ranges::sort(states);
    for (const fs::path& state : states) {
      try {
        choice.usable.push_back(read_prepared_model(state));
      } catch (const flox::Error& problem) {
        choice.refused.push_back(fmt::format("{}: {}", state.string(), problem.what()));
      }
    }
  }
  return choice;
}

PreparedChoice find_prepared(const WantedModel& wanted, const std::vector<fs::path>& directories) {
  PreparedChoice choice;
  for (const fs::path& directory : directories) {
    PreparedChoice here = list_prepared(wanted.id, directory);
    std::ranges::move(here.refused, std::back_inserter(choice.refused));
    std::ranges::stable_sort(here.usable, [&](auto& a, auto& b) { return better(a, b, wanted); });
    for (PreparedModel& model : here.usable) {
      const PreparedHeader& header = model.header;
      std::string problem;
      if (header.precision != wanted.precision)
        problem = fmt::format("it is prepared in {}, and {} is wanted", to_string(header.precision),
                              to_string(wanted.precision));
      else if (wanted.snapshot && !header.layout.serves(wanted.layout, wanted.precision))
        problem = fmt::format("it is prepared for the processor level {}, and this processor has {}",
                              header.layout.level, wanted.layout.level);
      else if (wanted.snapshot)
        problem = differs_from(header, *wanted.snapshot);
      if (problem.empty())
        choice.usable.push_back(std::move(model));
      else
        choice.refused.push_back(fmt::format("{}: {}", model.directory.string(), problem));
    }
  }
  return choice;
}

}  // namespace ticket::model
