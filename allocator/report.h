// report.h - what a process did with its secrets and what they got, as lines of JSON: never a byte of a secret.
//
//    {"line":"machine",...}        the system's limits, which process, why it reports
//    {"line":"breach",...}         the fault that ends the process, where there is one
//    {"line":"policy",...}         of each family
//    {"line":"totals",...}         lockfast_statistics, and what was live at most
//    {"line":"opened",...}         page runs by backing
//    {"line":"not_in_force",...}   one for each protection and errno
//    {"line":"region",...}         with report_map=on: the map (docs/report.md)
//
// It is written at exit and at a breach, where the options say so, and whenever somebody asks. It takes no mutex, allocates nothing
// and has less than 4 KiB on the stack, so a signal handler may ask: figures that other threads change meanwhile may disagree.
//
// Threads: everything, from any thread; settle() under the mutex of the pools' start.
#ifndef LOCKFAST_ALLOCATOR_REPORT_H
#define LOCKFAST_ALLOCATOR_REPORT_H

#include <lockfast/lockfast.h>

#include <span>

#include "platform/platform.h"

namespace lockfast::internal {

class report {
 public:
  // The longest destination that an option may name, with the 0 at its end.
  static constexpr std::size_t max_destination = 1024;

  // Takes the destination from the options, at the first call only; a report at a breach is written from then on.
  static void settle(const lockfast_options& options);

  // Writes one to a descriptor; the errno of a write that was refused.
  [[nodiscard]] static platform::error write(int descriptor);
  // Writes one where settle() said, at the end of the process; does nothing where no report is wanted.
  static void write_at_exit();

 private:
  static void write_at_breach(std::span<const char> line);
  static void write_to_destination(const char* why, std::span<const char> breach_line);
};

}  // namespace lockfast::internal

#endif
