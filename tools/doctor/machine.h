// machine.h - what the files under /proc and /sys say of a machine and of this process; of another one, under a root of its own.
#ifndef TOOLS_DOCTOR_MACHINE_H
#define TOOLS_DOCTOR_MACHINE_H

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lockfast::tools {

constexpr std::uint64_t unlimited = UINT64_MAX;

struct limits {
  std::uint64_t soft, hard;
};

struct swap_device {
  std::string name;
  enum { plain, encrypted, in_ram, unknown } kind;
};

// Where the process lives decides which line raises its limits.
enum class home { login, unit, container };

class machine {
 public:
  explicit machine(std::string root) : root_(std::move(root)) {}

  bool is_this_one() const { return root_.empty(); }
  bool has(const std::string& path) const;
  std::optional<std::string> text(const std::string& path) const;  // without the end of its last line
  std::optional<std::uint64_t> number(const std::string& path) const;

  // Of /proc/self/status: the words after "KEY:".
  std::optional<std::string> status(const std::string& key) const;
  std::optional<limits> limit(const std::string& name) const;  // of /proc/self/limits, by its name there
  std::optional<bool> may_lock_without_limit() const;          // CAP_IPC_LOCK; of a user namespace of its own: no
  std::optional<std::vector<swap_device>> swaps() const;
  home where() const;

  // The least limit of the control groups, unlimited if there is none; and what they and the machine leave now.
  std::uint64_t memory_limit() const;
  std::uint64_t memory_room() const;

 private:
  bool encrypted(const std::string& folder) const;

  std::string root_;
};

}  // namespace lockfast::tools

#endif
