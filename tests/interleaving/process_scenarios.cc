// process_scenarios.cc - the first call, a fork, and reports, beside other calls.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "tests/interleaving/scenario.h"
#include "tests/interleaving/secrets.h"

namespace lockfast::interleaving {
namespace {

constexpr const char* locked = "hidden=off,lock=required";
std::array<void*, 4> held;
int nowhere = -1;

void warm() {
  watch_unlocks();
  held[0] = make_isolated(32, 0);
  held[1] = make_grouped(200, 1);
  nowhere = open("/dev/null", O_WRONLY);
  require(nowhere >= 0, "no /dev/null");
}

void fork_and_have_child(void (*body)()) {
  const pid_t child = fork();
  require(child >= 0, "no child");
  if (child == 0) {
    alarm(10);
    body();
    require(lockfast_audit() == 0, "a canary is damaged in the child");
    _exit(0);
  }
  int state = 0;
  require(waitpid(child, &state, 0) == child, "the child is lost");
  require(state == 0, "the child fails");
}

const scenario all[] = {
    {.name = "process.first_calls",
     .options = locked,
     .threads = {[] { held[0] = make_isolated(32, 0); }, [] { held[1] = make_grouped(200, 1); }},
     .verify =
         [] {
           require_contents(held[0], 32, 0);
           require_contents(held[1], 200, 1);
           require_counts(2);
         }},
    {.name = "process.configure_against_first_call",
     .options = locked,
     .threads = {[] {
                   const struct lockfast_options none = {};
                   require(lockfast_configure(&none) == 0 || errno == EBUSY, "a refusal of another kind");
                 },
                 [] { held[1] = make_grouped(200, 1); }},
     .verify = [] { require_counts(1); }},
    {.name = "process.report_against_pairs",
     .options = "hidden=off,lock=required,report_map=on",
     .threads = {[] { require(lockfast_report(nowhere) == 0, "a report is refused"); },
                 [] {
                   free_whole(held[0], 32, 0);
                   free_whole(held[1], 200, 1);
                   (void)lockfast_trim();
                 }},
     .prepare = warm,
     .verify = [] { require_counts(0); }},
    {.name = "process.fork_against_pairs",
     .options = "hidden=off,lock=required,fork=inherit",
     .threads = {[] {
                   // The child has what fork=inherit gives it, and its own calls work.
                   fork_and_have_child([] {
                     free_whole(held[0], 32, 0);
                     free_whole(held[1], 200, 1);
                     lockfast_free(lockfast_malloc(200));
                     lockfast_free(lockfast_malloc_isolated(32));
                   });
                 },
                 [] {
                   free_whole(make_isolated(32, 5), 32, 5);
                   free_whole(make_grouped(200, 6), 200, 6);
                 }},
     .prepare = warm,
     .verify = [] { require_counts(2); }},
    // What is sealed in the parent is sealed or open in the child, and whole.
    {.name = "process.fork_against_open",
     .options = "hidden=off,lock=required,fork=inherit,rest=seal",
     .threads = {[] { fork_and_have_child([] { open_and_close(held[0], 32, 0); }); }, [] { open_and_close(held[0], 32, 0); }},
     .prepare =
         [] {
           watch_unlocks();
           held[0] = make_isolated(32, 0);
           close(held[0]);
         },
     .verify =
         [] {
           open_and_close(held[0], 32, 0);
           require_counts(1);
         }},
};

}  // namespace

std::span<const scenario> process_scenarios() { return all; }

}  // namespace lockfast::interleaving
