// error_detail.hpp - what this thread's last refusal was about: what was done, to which file, why the system refused it, what helps.
//
//    auto held = file_memory::create(std::move(key), {.directory = "/data/keys"});
//    if (!held) std::cerr << lockfast::last_error().text() << '\n';
//       "cannot use the folder /data/keys: there is no such file or folder (errno 2)"
//
// Written by file_memory and non_contiguous_memory (create, update, unlock, copy, refresh), passphrase (take of characters, set,
// derive, derive_argon2id), secret_input and vault (save, load, inspect, file_hold::acquire). Each forgets what was noted when it
// begins; when it refuses, it notes why. Others leave the note as it is, but where the system gives them no random bytes: that is
// noted. Nothing in it is secret: a text has paths, numbers and our words.
//
// Threads: each has its own.
#ifndef LOCKFAST_ERROR_DETAIL_HPP
#define LOCKFAST_ERROR_DETAIL_HPP

#include <lockfast/detail/standard_library.hpp>
#include <lockfast/lockfast.h>
#include <lockfast/memory_error.hpp>

namespace lockfast {
inline namespace LOCKFAST_STANDARD_LIBRARY {

class LOCKFAST_API error_detail {
 public:
  static constexpr int text_capacity = 512;  // bytes, with the 0 at the end

  // A copy of what is noted for this thread.
  [[nodiscard]] static error_detail last() noexcept;

  // Whether anything is noted.
  [[nodiscard]] bool noted() const { return text_[0] != 0; }
  // What the function gave. Requires noted().
  [[nodiscard]] memory_error reason() const { return reason_; }
  // The errno of the system's refusal; 0 where it was not the system.
  [[nodiscard]] int number() const { return number_; }
  // One sentence without a full stop, ended by 0; a longer one is cut. Empty where nothing is noted.
  [[nodiscard]] const char* text() const { return text_; }

  // For liblockfast-boojum's own use: what is noted, to be written.
  void note(memory_error reason, int number, const char* text) noexcept;

 private:
  memory_error reason_ = memory_error::denied;
  int number_ = 0;
  char text_[text_capacity] = {};
};

// A copy of what is noted for this thread: error_detail::last().
[[nodiscard]] inline error_detail last_error() noexcept { return error_detail::last(); }

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
