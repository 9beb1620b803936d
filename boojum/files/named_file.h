// named_file.h - a file that is written under another name and takes its own when it is whole, and one that is read.
//
//    .NAME.saving  -- written, synced -->  renamed over NAME  -->  directory synced
//    .NAME.hold    is there while a process has NAME to itself
//
// Where NAME is too long for that, a hash of it stands for it. Where the file system has no locks, .saving has a random number
// behind it, and nothing is removed but by its owner.
//
// Invariants
//   1. What has the name is whole at every moment: the file of before, or the one that was written.
//   2. What did not take the name is removed; what a killed process left is removed by the next that writes there.
//   3. A name is removed or renamed only by who holds the file that has it.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_FILES_NAMED_FILE_H
#define LOCKFAST_BOOJUM_FILES_NAMED_FILE_H

#include <lockfast/memory_error.hpp>

#include <expected>
#include <string>
#include <utility>

#include "boojum/files/process_file.h"
#include "platform/files.h"

namespace lockfast::internal {

// A directory and a name in it.
class named_place {
 public:
  // Refuses: file_system - the path ends with no name, or its directory cannot be opened; if_missing - there is no directory.
  [[nodiscard]] static std::expected<named_place, memory_error> of(const std::string& path, memory_error if_missing);

  named_place(named_place&& other) noexcept
      : directory_(std::exchange(other.directory_, platform::directory::none)),
        path_(std::move(other.path_)),
        name_(std::move(other.name_)) {}
  named_place& operator=(named_place&&) = delete;
  ~named_place() {
    if (directory_ != platform::directory::none) platform::close(directory_);
  }

  [[nodiscard]] platform::directory directory() const { return directory_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  // The path that it was made from, and that of another name in its directory.
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path_of(const std::string& other) const {
    return path_.substr(0, path_.size() - name_.size()) + other;
  }
  // A name beside it, for what has a purpose: ".NAME.purpose".
  [[nodiscard]] std::string beside(const char* purpose) const;
  // Whether both are one name in one directory.
  [[nodiscard]] bool operator==(const named_place& other) const {
    return name_ == other.name_ && platform::same(directory_, other.directory_);
  }

 private:
  named_place(platform::directory opened, std::string path, std::string name)
      : directory_(opened), path_(std::move(path)), name_(std::move(name)) {}

  platform::directory directory_;
  std::string path_;
  std::string name_;
};

// A name that this process has to itself, by the file .NAME.hold.
class name_hold {
 public:
  // Refuses: file_system; busy - somebody else has it; unsupported - the file system has no locks.
  [[nodiscard]] static std::expected<name_hold, memory_error> acquire(const std::string& path);

  name_hold(name_hold&&) noexcept = default;
  name_hold& operator=(name_hold&&) = delete;
  ~name_hold();

  // Whether this process, and not the parent of a fork, holds it.
  [[nodiscard]] bool is_held() const { return file_.opened() != platform::file::none; }
  [[nodiscard]] const named_place& place() const { return place_; }

 private:
  name_hold(named_place&& place, std::string name, platform::file opened)
      : place_(std::move(place)), name_(std::move(name)), file_(opened) {}

  named_place place_;
  std::string name_;
  process_file file_;
};

// A file that is not whole yet.
class atomic_file_writer {
 public:
  // Refuses: file_system; busy - somebody else writes the same file now.
  [[nodiscard]] static std::expected<atomic_file_writer, memory_error> create(const std::string& path);

  atomic_file_writer(atomic_file_writer&&) noexcept = default;
  atomic_file_writer& operator=(atomic_file_writer&&) = delete;
  ~atomic_file_writer();

  // None in a child that was forked since.
  [[nodiscard]] platform::file opened() const { return file_.opened(); }
  [[nodiscard]] const named_place& place() const { return place_; }

  // Makes it durable under the name of the path. file_system: the name has what it had, or, where only the directory could
  // not be synced, the new file, which a crash may take away again.
  [[nodiscard]] std::expected<void, memory_error> commit();

 private:
  atomic_file_writer(named_place&& place, std::string name, platform::file opened)
      : place_(std::move(place)), name_(std::move(name)), file_(opened) {}

  named_place place_;
  std::string name_;  // for now; empty once it has its own
  process_file file_;
};

// A file that is read.
class file_reader {
 public:
  // Refuses: not_found - no such file or directory; file_system - a symbolic link, no ordinary file, or another refusal.
  [[nodiscard]] static std::expected<file_reader, memory_error> open(const std::string& path);
  [[nodiscard]] static std::expected<file_reader, memory_error> open(const named_place& place);

  file_reader(file_reader&& other) noexcept : file_(std::exchange(other.file_, platform::file::none)), size_(other.size_) {}
  file_reader& operator=(file_reader&&) = delete;
  ~file_reader() {
    if (file_ != platform::file::none) platform::close(file_);
  }

  [[nodiscard]] platform::file opened() const { return file_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  file_reader(platform::file opened, std::uint64_t size) : file_(opened), size_(size) {}

  platform::file file_;
  std::uint64_t size_;
};

}  // namespace lockfast::internal

#endif
