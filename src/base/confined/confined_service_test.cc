#include "base/confined/confined_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>

#include "base/error.h"

// Without run_confined_job() the jobs run on threads of this process.
namespace flox {
namespace {

using testing::HasSubstr;

// A service whose process has two threads with the same answer.
class Service {
 public:
  explicit Service(ConfinedAnswer answer, std::chrono::milliseconds life = std::chrono::hours(1),
                   std::chrono::milliseconds deadline = std::chrono::minutes(1))
      : service({.request = {.job = job(std::move(answer)),
                             .text = {},
                             .sandbox = {},
                             .deadline = deadline,
                             .on_call = {},
                             .on_note = {},
                             .on_end = {}},
                 .start =
                     [this] {
                       ++starts;
                       auto worker = std::make_unique<ConfinedWorker>();
                       newest = worker.get();
                       return worker;
                     },
                 .threads = 2,
                 .life = life}) {}

  std::atomic<int> starts = 0;
  std::atomic<ConfinedWorker*> newest = nullptr;
  ConfinedService service;

 private:
  static std::string job(ConfinedAnswer answer) {
    static std::atomic<int> count = 0;
    static std::deque<std::string> names;
    const std::string& name = names.emplace_back("job " + std::to_string(++count));
    add_confined_job(name, [answer = std::move(answer)](std::string_view, ConfinedChannel& channel) {
      answer_questions(channel, {answer, answer});
      return std::string();
    });
    return name;
  }
};

std::string echo(std::string_view question) { return "you said " + std::string(question); }

TEST(ConfinedService, OneProcessAnswersManyQuestions) {
  Service echoes(echo);
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(echoes.service.ask(std::to_string(i)), "you said " + std::to_string(i));
  EXPECT_EQ(echoes.starts, 1);
}

TEST(ConfinedService, AnAnswersErrorReachesWhoAsked) {
  Service refuses([](std::string_view question) -> std::string {
    if (question == "good") return "";
    throw Error(ErrorKind::not_found, "there is no " + std::string(question), "look elsewhere");
  });
  try {
    refuses.service.ask("such thing");
    FAIL() << "it was answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_STREQ(error.what(), "there is no such thing");
    EXPECT_EQ(error.advice(), "look elsewhere");
  }
  EXPECT_EQ(refuses.service.ask("good"), "");
  EXPECT_EQ(refuses.starts, 1);
}

TEST(ConfinedService, WhoComesWhenAllThreadsAreBusyGetsAProcessOfItsOwn) {
  std::latch release(1);
  std::latch busy(2);
  Service slow([&](std::string_view question) {
    if (question == "slow") {
      busy.count_down();
      release.wait();
    }
    return echo(question);
  });
  auto ask = [&](const char* question) {
    return std::async(std::launch::async, [&, question] { return slow.service.ask(question); });
  };
  auto first = ask("slow"), second = ask("slow");
  busy.wait();
  EXPECT_EQ(slow.service.ask("quick"), "you said quick");
  EXPECT_EQ(slow.starts, 2);
  release.count_down();
  EXPECT_EQ(first.get() + second.get(), "you said slowyou said slow");
}

TEST(ConfinedService, WhatAProcessDidNotLiveToAnswerIsAskedInAnother) {
  std::latch asked(1);
  std::latch release(1);
  std::atomic<int> times = 0;
  Service mortal([&](std::string_view question) {
    if (times++ == 0) {
      asked.count_down();
      release.wait();  // it is dead before this is answered
    }
    return echo(question);
  });
  auto answer = std::async(std::launch::async, [&] { return mortal.service.ask("patient"); });
  asked.wait();
  mortal.newest.load()->cancel();
  release.count_down();
  EXPECT_EQ(answer.get(), "you said patient");
  EXPECT_EQ(times, 2);
  EXPECT_EQ(mortal.service.ask("afterwards"), "you said afterwards");
}

TEST(ConfinedService, WhatIsNoErrorOfOursIsAnAnswerToo) {
  Service throws([](std::string_view question) -> std::string {
    if (question == "number") return std::to_string(std::stoi("no number"));
    return echo(question);
  });
  EXPECT_THROW(throws.service.ask("number"), Error);
  EXPECT_EQ(throws.service.ask("text"), "you said text");
  EXPECT_EQ(throws.starts, 1);
}

TEST(ConfinedService, ItEndsAndTheNextQuestionStartsAnother) {
  Service brief(echo, std::chrono::milliseconds(0));
  EXPECT_EQ(brief.service.ask("one"), "you said one");
  EXPECT_EQ(brief.service.ask("two"), "you said two");
  EXPECT_GE(brief.starts, 2);
}

TEST(ConfinedService, StoppedItOwesNobodyAnAnswer) {
  std::latch release(1);
  std::latch busy(2);
  Service slow([&](std::string_view question) {
    busy.count_down();
    release.wait();
    return echo(question);
  });
  auto ask = [&] { return std::async(std::launch::async, [&] { return slow.service.ask("slow"); }); };
  auto first = ask(), second = ask();
  busy.wait();
  slow.service.stop();
  EXPECT_THROW(first.get(), Error);
  EXPECT_THROW(second.get(), Error);
  try {
    slow.service.ask("late");
    FAIL() << "it was answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("stopping"));
  }
  EXPECT_EQ(slow.starts, 1);
  release.count_down();
}

TEST(ConfinedService, ItIsNotWaitedForWithoutEnd) {
  std::latch release(1);
  Service hangs(
      [&](std::string_view) -> std::string {
        release.wait();
        return {};
      },
      std::chrono::hours(1), std::chrono::milliseconds(50));
  try {
    hangs.service.ask("anything");
    FAIL() << "it was answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
    EXPECT_THAT(error.what(), HasSubstr("there was no answer within"));
  }
  release.count_down();
}

}  // namespace
}  // namespace flox
