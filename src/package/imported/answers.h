// What an index of packages answers, asked for once per name.
#pragma once

#include <map>
#include <string>

#include "base/error.h"

namespace flox::package {

// Remembers the answers, and of what there is none. One thread at a time.
template <class Answer>
class Answers {
 public:
  // What ask() returned or, if it threw Error(not_found), throws that again.
  template <class Ask>
  const Answer& of(const std::string& name, const Ask& ask) {
    if (const auto known = answers_.find(name); known != answers_.end()) return known->second;
    if (const auto missing = missing_.find(name); missing != missing_.end()) throw missing->second;
    try {
      return answers_.emplace(name, ask()).first->second;
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::not_found) missing_.emplace(name, error);
      throw;
    }
  }

 private:
  std::map<std::string, Answer> answers_;
  std::map<std::string, Error> missing_;
};

}  // namespace flox::package
