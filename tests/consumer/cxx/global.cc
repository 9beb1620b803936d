// global.cc - a secret with static storage, made before main and there for a child: in a static program too, where the order of
// constructors is the linker's.
#include <sys/wait.h>
#include <unistd.h>
#include <lockfast/lockfast.hpp>

#include <cstddef>
#include <cstdio>

using namespace lockfast;

namespace {

vault records;
const auto before_main = records.insert(*buffer<std::byte>::random(32));

int failed(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  return 1;
}

}  // namespace

int main() {
  if (!before_main) return failed("no record was inserted before main");
  if (!records.open(*before_main)) return failed("it cannot be opened");
  const pid_t child = fork();
  if (child == 0) {
    const auto own = buffer<std::byte>::random(32);
    _exit(own && own->read()[0] == own->read()[0] ? 0 : 1);
  }
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child) return failed("no child");
  if (!WIFEXITED(state) || WEXITSTATUS(state) != 0) return failed("the child did not come to its end");
  return records.open(*before_main) ? 0 : failed("it cannot be opened after a fork");
}
