// trials.h - what this machine does when it is asked: each thing is tried in a child, whose death by a signal is a result too.
#ifndef TOOLS_DOCTOR_TRIALS_H
#define TOOLS_DOCTOR_TRIALS_H

#include <cstdint>
#include <map>
#include <string>

namespace lockfast::tools {

struct trial {
  bool tried = false;
  int signal = 0;           // of which the child died; SIGALRM: it took too long
  int step = 0;             // the first step that failed, from 1; 0 if all were done
  int error = 0;            // the errno of that step
  std::uint64_t value = 0;  // what was counted or seen
  bool more = false;        // the count ended before the machine's limit

  bool worked() const { return tried && signal == 0 && step == 0; }
};

using trial_results = std::map<std::string, trial>;

// Tries everything. memory_room: bytes that may be used for it.
//
//   lock           one page by mlock; step 3: mlock says yes, and the kernel counts nothing
//   hidden         one page of memfd_secret: 1 create, 2 size, 3 map, 4 touch
//   hidden_budget  two such pages under a limit of one: works where the budget is the user's and not the process's
//   guard          a guard marker: 1 refused, 2 without effect
//   key            a protection key: 1 none, 3 without effect
//   seal           mseal: 1 refused, 2 without effect
//   fork           MADV_WIPEONFORK: 1 refused, 3 without effect
//   dump           MADV_DONTDUMP: 1 refused, 2 without effect
//   merge          value 1: the kernel may merge equal pages of this process (KSM)
//   peer           value 1: a process of the same user without rights reads another's memory
//   grouped_locked, grouped_hidden, isolated_locked, isolated_hidden
//                  value: how many keys of 32 bytes were live at once
trial_results try_everything(std::uint64_t memory_room);

}  // namespace lockfast::tools

#endif
