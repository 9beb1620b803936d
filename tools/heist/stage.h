// stage.h - one attempt in a child: how the child ends is the outcome.
//
// A child that dies before the attack began proves nothing: its set-up failed. From `held_by_death` on, its death by a signal
// means that the attack was stopped.
#ifndef TOOLS_HEIST_STAGE_H
#define TOOLS_HEIST_STAGE_H

#include <functional>
#include <string>
#include <string_view>

namespace lockfast::tools {

enum class result { held, fell, not_tried };
const char* name_of(result is);

struct outcome {
  result is = result::not_tried;
  std::string how;   // a few words
  std::string said;  // the first line that the child wrote on standard error
};

// What the child, and every process that it starts, tells of the attempt. The first word counts.
class stage {
 public:
  void held_by_death(std::string_view how);
  [[noreturn]] void held(std::string_view how);
  [[noreturn]] void fell(std::string_view how);
  [[noreturn]] void not_tried(std::string_view why);

 private:
  friend outcome attempt(const std::function<void(stage&)>& body);
  void note(std::string_view how);
  [[noreturn]] void end(result is, std::string_view how);

  bool begun_ = false;
  bool over_ = false;
  result is_ = result::not_tried;
  char how_[120] = {};
};

// Runs body in a child that is ended after some seconds. Nothing is left running.
outcome attempt(const std::function<void(stage&)>& body);

}  // namespace lockfast::tools

#endif
