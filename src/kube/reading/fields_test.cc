#include "kube/reading/fields.h"

#include <gmock/gmock.h>

#include "kube/reading/yaml_documents.h"

namespace flox::kube {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Nobody can have Fields whose rest is not checked.
static_assert(!std::is_constructible_v<Fields, const YamlNode&, const std::string&, const ReadContext&,
                                       std::span<const FieldRule>>);
static_assert(!std::is_copy_constructible_v<Fields> && !std::is_move_constructible_v<Fields>);

constexpr FieldRule rules[] = {
    {"quiet", Treatment::silent},
    {"remarked", Treatment::noted, "it has no effect here"},
    {"strict", Treatment::refused, "nobody would keep to it", "false"},
};

class FieldsTest : public testing::Test {
 protected:
  template <typename Reader>
  auto read(const std::string& text, Reader reader) {
    return Fields::read(load_documents(text, "test.yaml").at(0), "spec", context, rules, reader);
  }
  // What is wrong with the text for a reader that reads the field "name".
  std::string error_of(const std::string& text) {
    try {
      read(text, [](Fields& fields) { return fields.text("name"); });
    } catch (const Error& error) {
      return error.what();
    }
    return "nothing";
  }

  std::vector<std::string> notes;
  ReadContext context{"test.yaml", "Pod web", &notes};
};

TEST_F(FieldsTest, gives_what_the_reader_makes_of_the_map) {
  EXPECT_EQ(read("name: web\nquiet: 1\nstrict: false\n", [](Fields& fields) { return fields.text("name"); }),
            "web");
  EXPECT_THAT(notes, IsEmpty());
}

TEST_F(FieldsTest, refuses_what_the_reader_has_not_read) {
  EXPECT_EQ(error_of("name: web\nnmae: web\n"), "test.yaml:2:1: Pod web: spec.nmae: there is no such field");
}

TEST_F(FieldsTest, treats_what_is_known_and_not_read_as_the_rules_say) {
  EXPECT_EQ(error_of("name: web\nstrict: true\n"),
            "test.yaml:2:1: Pod web: spec.strict: refused; nobody would keep to it");
  EXPECT_EQ(error_of("name: web\nremarked: true\n"), "nothing");
  EXPECT_THAT(notes, ElementsAre("Pod web: spec.remarked: noted; it has no effect here"));
}

TEST_F(FieldsTest, refuses_it_in_maps_within_the_map) {
  auto inner = [](Fields& fields) { return fields.text("name"); };
  auto outer = [&](Fields& fields) {
    fields.map("one", inner);
    return fields.maps("many", inner);
  };
  EXPECT_THAT(read("one: {name: a}\nmany: [{name: b}, {name: c}]\n", outer), ElementsAre("b", "c"));
  for (const auto& [text, place] :
       {std::pair("one: {x: 1}", "spec.one.x"), std::pair("many: [{name: b}, {x: 1}]", "spec.many[1].x")}) {
    try {
      read(text, outer);
      ADD_FAILURE() << text << " was taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(std::string(place) + ": there is no such field"));
    }
  }
}

TEST_F(FieldsTest, a_reader_of_nothing_refuses_everything) {
  EXPECT_THROW(read("name: web\n", [](Fields&) {}), Error);
  read("{}\n", [](Fields&) {});
}

TEST_F(FieldsTest, what_the_reader_itself_refuses_comes_first) {
  try {
    read("nmae: web\n", [](Fields& fields) { fields.reject("name", "is missing"); });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("spec.name: is missing"));
  }
}

// A result with a count of those that live.
struct Counted {
  static inline int living = 0;
  Counted() { ++living; }
  Counted(const Counted&) { ++living; }
  Counted(Counted&&) noexcept { ++living; }
  Counted& operator=(const Counted&) = default;
  ~Counted() { --living; }
};

TEST_F(FieldsTest, nothing_is_left_of_the_result_of_a_map_that_is_refused) {
  EXPECT_THROW(read("nmae: web\n", [](Fields&) { return Counted(); }), Error);
  EXPECT_THROW(read("many: [{}, {nmae: web}]\n",
                    [](Fields& fields) { return fields.maps("many", [](Fields&) { return Counted(); }); }),
               Error);
  EXPECT_EQ(Counted::living, 0);
}

}  // namespace
}  // namespace flox::kube
