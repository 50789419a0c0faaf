#include "kube/yaml_documents.h"

#include <yaml-cpp/eventhandler.h>

#include <sstream>

namespace flox::kube {
namespace {

// Takes no notice of anything but whether a document had anything in it.
class ProgressCheck : public YAML::EventHandler {
 public:
  // True if the document that was just parsed was made of nothing, where the one before it began too.
  bool stuck() const { return empty_ && begin_ == previous_begin_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    previous_begin_ = begin_;
    begin_ = mark.pos;
    place_ = mark;
    empty_ = true;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override { empty_ = false; }
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {
    empty_ = false;
  }
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    empty_ = false;
  }
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {
    empty_ = false;
  }
  void OnMapEnd() override {}
  const YAML::Mark& place() const { return place_; }

 private:
  int begin_ = -1;
  int previous_begin_ = -1;
  YAML::Mark place_;
  bool empty_ = true;
};

}  // namespace

std::vector<YAML::Node> load_documents(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  ProgressCheck check;
  while (parser.HandleNextDocument(check))
    if (check.stuck()) throw YAML::ParserException(check.place(), "no document begins like this");
  return YAML::LoadAll(text);
}

}  // namespace flox::kube
