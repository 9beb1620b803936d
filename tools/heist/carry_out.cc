#include "tools/heist/attack.h"

namespace lockfast::tools {
namespace {

outcome not_tried(const std::string& why) { return {result::not_tried, why, ""}; }

// An attack that ordinary memory held says nothing of the others that held it.
row carried_out(const attack& one, const std::vector<subject>& all) {
  row made{one};
  for (const subject& against : all) {
    const std::string& missing = against.missing.empty() ? one.missing : against.missing;
    made.outcomes.push_back(missing.empty() ? one.run(against) : not_tried(missing));
  }
  made.worked = made.outcomes.front().is == result::fell;
  if (made.worked || !one.missing.empty()) return made;
  const std::string failed = "the attack itself failed: malloc, " + made.outcomes.front().how;
  for (outcome& each : made.outcomes) {
    if (each.is == result::held) each = not_tried(failed);
  }
  return made;
}

}  // namespace

heist carry_out() {
  heist done{subjects(), {}};
  for (const auto& part : {attacks_from_outside(), attacks_from_within()}) {
    for (const attack& one : part) done.rows.push_back(carried_out(one, done.subjects));
  }
  return done;
}

}  // namespace lockfast::tools
