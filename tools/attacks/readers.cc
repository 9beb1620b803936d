// readers.cc - reading another process's memory.
#include "tools/attacks/readers.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "tools/attacks/pages.h"
#include "tools/attacks/tracer.h"

namespace lockfast::attacks {
namespace {

class descriptor {
 public:
  explicit descriptor(int number) : number_(number) {}
  descriptor(pid_t process, const char* file, int flags)
      : number_(open(("/proc/" + std::to_string(process) + "/" + file).c_str(), flags | O_CLOEXEC)) {}
  ~descriptor() {
    if (number_ >= 0) close(number_);
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  [[nodiscard]] int number() const { return number_; }

 private:
  int number_;
};

using seen_bytes = std::array<unsigned char, mark_size>;

bool reads_file(pid_t process, const void* address, const mark& wanted) {
  const descriptor memory(process, "mem", O_RDONLY);
  seen_bytes seen = {};
  return pread(memory.number(), seen.data(), seen.size(), static_cast<off_t>(address_of(address))) == mark_size &&
         wanted.stands_at(seen.data());
}

bool reads_by_call(pid_t process, const void* address, const mark& wanted) {
  seen_bytes seen = {};
  const iovec to{seen.data(), seen.size()};
  const iovec from{const_cast<void*>(address), seen.size()};
  return process_vm_readv(process, &to, 1, &from, 1, 0) == static_cast<ssize_t>(mark_size) && wanted.stands_at(seen.data());
}

bool peeks(pid_t process, const void* address, const mark& wanted) {
  const tracer attached(process);
  if (!attached) return false;
  seen_bytes seen = {};
  for (std::size_t at = 0; at < mark_size; at += sizeof(long)) {
    errno = 0;
    const long word = ptrace(PTRACE_PEEKDATA, process, static_cast<const char*>(address) + at, nullptr);
    if (errno != 0) return false;
    std::memcpy(seen.data() + at, &word, sizeof word);
  }
  return wanted.stands_at(seen.data());
}

// Calls each(begin, end) for every map of a process.
template <class Each>
void each_map(pid_t process, Each each) {
  std::FILE* const maps = std::fopen(("/proc/" + std::to_string(process) + "/maps").c_str(), "re");
  if (maps == nullptr) return;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    // The kernel wrote the line. NOLINTNEXTLINE(cert-err34-c)
    if (std::sscanf(line, "%lx-%lx", &begin, &end) == 2) each(begin, end);
  }
  std::fclose(maps);
}

bool mapped_holds(int file, const mark& wanted) {
  struct stat facts;
  if (file < 0 || fstat(file, &facts) != 0 || facts.st_size <= 0 || !S_ISREG(facts.st_mode)) return false;
  const auto size = std::min<std::size_t>(static_cast<std::size_t>(facts.st_size), std::size_t{16} << 20);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) return false;
  const bool found = wanted.found_in({static_cast<const unsigned char*>(mapped), size});
  munmap(mapped, size);
  return found;
}

bool reads_map_file(pid_t process, const void* address, const mark& wanted) {
  bool found = false;
  each_map(process, [&](std::uintptr_t begin, std::uintptr_t end) {
    if (address_of(address) < begin || end <= address_of(address)) return;
    char name[64];
    std::snprintf(name, sizeof name, "map_files/%lx-%lx", begin, end);
    const descriptor file(process, name, O_RDONLY);
    found = mapped_holds(file.number(), wanted);
  });
  return found;
}

}  // namespace

const reader memory_file = {"/proc/PID/mem", reads_file};
const reader vm_read = {"process_vm_readv", reads_by_call};
const reader peek_data = {"PTRACE_PEEKDATA", peeks};
const reader map_file = {"/proc/PID/map_files", reads_map_file};

bool overwrites(pid_t process, const void* address, const mark& with) {
  const descriptor memory(process, "mem", O_RDWR);
  seen_bytes bytes;
  with.write(bytes.data());
  return pwrite(memory.number(), bytes.data(), bytes.size(), static_cast<off_t>(address_of(address))) == mark_size;
}

bool steals_by_descriptor(pid_t process, const mark& wanted) {
  constexpr int max_descriptors = 1024;
  const descriptor of_process(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  for (int number = 0; number < max_descriptors; ++number) {
    const descriptor stolen(static_cast<int>(syscall(SYS_pidfd_getfd, of_process.number(), number, 0)));
    if (mapped_holds(stolen.number(), wanted)) return true;
  }
  return false;
}

memory_dump::memory_dump(pid_t process) {
  constexpr std::size_t largest = std::size_t{256} << 20;  // the shadow of a sanitizer is larger, and holds no byte of a secret
  const descriptor memory(process, "mem", O_RDONLY);
  each_map(process, [&](std::uintptr_t begin, std::uintptr_t end) {
    if (end - begin > largest) return;
    std::vector<unsigned char> map(end - begin);
    // A page that cannot be read ends a read, and must not hide those after it.
    for (std::size_t at = 0; at < map.size();) {
      const ssize_t size = pread(memory.number(), map.data() + at, map.size() - at, static_cast<off_t>(begin + at));
      at += size > 0 ? static_cast<std::size_t>(size) : page_size();
    }
    maps_.push_back(std::move(map));
  });
}

bool memory_dump::holds(const mark& wanted) const {
  return std::any_of(maps_.begin(), maps_.end(), [&](const auto& map) { return wanted.found_in(map); });
}

}  // namespace lockfast::attacks
