#include "tools/doctor/findings.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>

#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

struct view {
  const machine& on;
  const trial_results& results;

  trial of(const std::string& name) const {
    const auto found = results.find(name);
    return found == results.end() ? trial{} : found->second;
  }
};

finding said(finding one, verdict is, std::string saw, std::string means, std::string mend = {}) {
  one.is = is;
  one.saw = std::move(saw);
  one.means = std::move(means);
  one.mend = std::move(mend);
  return one;
}

finding not_looked(finding one, const std::string& what) {
  return said(std::move(one), verdict::unknown, "could not look: " + what, "nothing is known of it");
}

std::string failure(const trial& one) {
  if (one.signal != 0) return std::string("killed by ") + strsignal(one.signal);
  return one.error == 0 ? "no effect" : std::strerror(one.error);
}

std::string size_or_unlimited(std::uint64_t bytes) { return bytes == unlimited ? "unlimited" : size_text(bytes); }

// The sysctl line that lasts.
std::string sysctl(const std::string& setting) {
  return "echo '" + setting + "' >/etc/sysctl.d/60-lockfast.conf && sysctl --system";
}

bool filtered(const view& at) { return at.on.status("Seccomp").value_or("0") != "0"; }

std::string allow_call(const view& at, const std::string& name) {
  if (at.on.where() == home::container)
    return "docker run --security-opt seccomp=PROFILE, with " + name + " allowed in PROFILE";
  if (at.on.where() == home::unit) return "SystemCallFilter=" + name + "  in the [Service] part of the unit";
  return "allow " + name + " in the program's own filter";
}

finding locks(const view& at) {
  finding one{"locks", "locks"};
  const trial tried = at.of("lock");
  if (!tried.tried) return not_looked(one, "mlock was not tried there");
  if (tried.worked()) return said(one, verdict::good, "a locked page counts as locked", "a locked secret is never swapped out");
  if (tried.step == 3) {
    return said(one, verdict::missing, "mlock says yes, and the kernel counts no locked page",
                "a sanitizer, an emulator or a sandbox kernel pretends: secrets may be swapped out",
                "run on a real Linux kernel, without sanitizers");
  }
  return said(one, verdict::missing, "mlock: " + failure(tried), "no secret can be held in RAM", allow_call(at, "mlock"));
}

std::string raise_limit(const view& at) {
  switch (at.on.where()) {
    case home::container: return "docker run --ulimit memlock=67108864:67108864";
    case home::unit: return "LimitMEMLOCK=64M  in the [Service] part of the unit";
    case home::login: break;
  }
  return "echo '* hard memlock 65536' >/etc/security/limits.d/60-lockfast.conf, then log in again";
}

std::string keys_text(const view& at, const std::string& backing) {
  const auto text = [&](const std::string& placement) {
    const trial tried = at.of(placement + "_" + backing);
    if (!tried.worked()) return "no count of " + placement;
    return std::to_string(tried.value) + (tried.more ? " or more " : " ") + placement;
  };
  return text("isolated") + ", " + text("grouped");
}

finding lock_limit(const view& at) {
  finding one{"lock_limit", "lock limit"};
  constexpr std::uint64_t enough = std::uint64_t{8} << 20;
  const auto limit = at.on.limit("Max locked memory");
  const auto free_of_it = at.on.may_lock_without_limit();
  if (!limit || !free_of_it) return not_looked(one, "/proc/self/limits or status cannot be read");
  const std::string used = at.on.status("VmLck").value_or("? kB");
  const trial budget = at.of("hidden_budget");
  std::string saw = "soft " + size_or_unlimited(limit->soft) + ", hard " + size_or_unlimited(limit->hard) + ", used " + used;
  if (*free_of_it) saw += "; no limit for this user (CAP_IPC_LOCK)";
  if (budget.worked()) saw += "; a process has it for locked, and the user for hidden pages";
  if (budget.tried && budget.step == 4) saw += "; a process has it for locked and hidden pages together";
  saw += "; keys of 32 bytes: " + keys_text(at, "locked");
  if (*free_of_it || limit->hard >= enough) {
    return said(one, verdict::good, saw, "so many secrets are open at once; more rest sealed while they are closed");
  }
  if (limit->hard == 0) return said(one, verdict::missing, saw, "no secret can be held in RAM", raise_limit(at));
  return said(one, verdict::weak, saw, "few secrets are open at once; more rest sealed while they are closed", raise_limit(at));
}

struct version {
  int major, minor;
};

// The numbers that a kernel's release begins with: 6.5 of "6.5.0-rc1+"; none where it begins otherwise.
std::optional<version> version_of(std::string_view release) {
  version found = {};
  const char* const end = release.data() + release.size();
  const auto [point, first] = std::from_chars(release.data(), end, found.major);
  if (first != std::errc() || point == end || *point != '.') return std::nullopt;
  const auto [rest, second] = std::from_chars(point + 1, end, found.minor);
  return second == std::errc() ? std::optional(found) : std::nullopt;
}

finding hidden(const view& at) {
  finding one{"hidden", "hidden memory"};
  const trial tried = at.of("hidden");
  const std::string means = "root, a debugger or a core dump can read secrets, since they are locked and not hidden";
  if (!tried.tried) return not_looked(one, "memfd_secret was not tried there");
  if (tried.worked()) {
    return said(one, verdict::good, "memfd_secret works; keys of 32 bytes: " + keys_text(at, "hidden"),
                "no other process reads a hidden secret, not even root's");
  }
  const std::string options = at.on.text("/proc/cmdline").value_or("");
  const std::string release = at.on.text("/proc/sys/kernel/osrelease").value_or("?");
  const bool refused = tried.signal != 0 || tried.error == EPERM || (tried.error == ENOSYS && filtered(at));
  if (tried.step > 2) {
    return said(one, verdict::weak, "memfd_secret: " + failure(tried) + ": the budget of locks is used up", means,
                raise_limit(at));
  }
  if (options.find("secretmem.enable=0") != std::string::npos || options.find("secretmem.enable=n") != std::string::npos) {
    return said(one, verdict::missing, "memfd_secret is switched off by secretmem.enable on the kernel's command line", means,
                "take secretmem.enable=0 out of the boot loader's command line");
  }
  if (refused) {
    return said(one, verdict::missing, "memfd_secret: " + failure(tried) + ": a filter refuses it", means,
                allow_call(at, "memfd_secret"));
  }
  const auto number = version_of(release);
  if (!number) {
    return said(one, verdict::missing,
                "memfd_secret: " + failure(tried) + "; the kernel's release, " + release + ", is no version", means,
                "install a kernel of 6.5 or newer");
  }
  const auto [major, minor] = *number;
  if (major < 5 || (major == 5 && minor < 14)) {
    return said(one, verdict::missing, "kernel " + release + " is older than 5.14, which has memfd_secret", means,
                "install a kernel of 6.5 or newer");
  }
  if (major < 6 || (major == 6 && minor < 5)) {
    return said(one, verdict::missing, "memfd_secret is off by default in kernel " + release, means,
                "add secretmem.enable=1 to GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and boot");
  }
  return said(one, verdict::missing,
              "kernel " + release + " is built without memfd_secret, or cannot take pages out of its map", means,
              "take a kernel with CONFIG_SECRETMEM=y");
}

finding guards(const view& at) {
  finding one{"guards", "guard markers"};
  const trial tried = at.of("guard");
  if (!tried.tried) return not_looked(one, "MADV_GUARD_INSTALL was not tried there");
  if (tried.worked()) return said(one, verdict::good, "a marked page traps", "guard pages cost no maps");
  return said(one, verdict::missing, "MADV_GUARD_INSTALL: " + failure(tried),
              "guards are there, as maps of their own: the map limit bounds how many isolated secrets are open",
              "install a kernel of 6.13 or newer, or raise vm.max_map_count");
}

finding keys(const view& at) {
  finding one{"protection_keys", "protection keys"};
  const trial tried = at.of("key");
  if (!tried.tried) return not_looked(one, "pkey_alloc was not tried there");
  if (tried.worked())
    return said(one, verdict::good, "a page of a closed key traps", "a compartment is open to one thread alone");
  return said(one, verdict::missing, "pkey_alloc: " + failure(tried),
              "an open compartment is open to every thread, and opening it costs a system call");
}

finding seals(const view& at) {
  finding one{"mseal", "sealed maps"};
  const trial tried = at.of("seal");
  if (!tried.tried) return not_looked(one, "mseal was not tried there");
  if (tried.worked())
    return said(one, verdict::good, "a sealed page cannot be unmapped", "the allocator's records stay in place");
  return said(one, verdict::missing, "mseal: " + failure(tried),
              "code that is led astray can unmap or open the allocator's records",
              tried.error == ENOSYS ? "install a kernel of 6.10 or newer, 64-bit" : allow_call(at, "mseal"));
}

finding maps(const view& at) {
  finding one{"map_limit", "map limit"};
  constexpr std::uint64_t by_default = 65530, enough = 262144;
  const auto limit = at.on.number("/proc/sys/vm/max_map_count");
  if (!limit) return not_looked(one, "/proc/sys/vm/max_map_count cannot be read");
  const std::string saw = "vm.max_map_count is " + std::to_string(*limit);
  const bool markers = at.of("guard").worked();
  if (*limit >= enough || (markers && *limit >= by_default)) {
    return said(one, verdict::good, saw, "the locks run short before the maps do");
  }
  return said(one, verdict::weak, saw, "isolated secrets that are open at once need up to two maps each",
              sysctl("vm.max_map_count=262144"));
}

finding overcommit(const view& at) {
  finding one{"overcommit", "overcommit"};
  const auto mode = at.on.number("/proc/sys/vm/overcommit_memory");
  if (!mode) return not_looked(one, "/proc/sys/vm/overcommit_memory cannot be read");
  const std::string saw = "vm.overcommit_memory is " + std::to_string(*mode);
  if (*mode == 1) {
    return said(one, verdict::weak, saw, "memory is promised that is not there: the kernel kills a process instead of refusing",
                sysctl("vm.overcommit_memory=0"));
  }
  return said(one, verdict::good, saw, "a secret that is too large is refused with ENOMEM");
}

finding swap(const view& at) {
  finding one{"swap", "swap"};
  const auto devices = at.on.swaps();
  if (!devices) return not_looked(one, "/proc/swaps cannot be read");
  std::string plain, unknown, rest;
  for (const swap_device& device : *devices) {
    std::string& list = device.kind == swap_device::plain ? plain : device.kind == swap_device::unknown ? unknown : rest;
    list += (list.empty() ? "" : ", ") + device.name;
  }
  if (!plain.empty()) {
    return said(one, verdict::weak, plain + ": not encrypted",
                "what is not locked, as the program's own copies, stays on the disk",
                "swapoff -a, or in /etc/crypttab: swap DEVICE /dev/urandom swap,cipher=aes-xts-plain64,size=512");
  }
  if (!unknown.empty()) return not_looked(one, "whether " + unknown + " is encrypted cannot be told from here");
  if (!rest.empty())
    return said(one, verdict::good, rest + ": encrypted, or in RAM", "what is swapped out cannot be read from a disk");
  return said(one, verdict::good, "none", "nothing is swapped out");
}

finding hibernation(const view& at) {
  finding one{"hibernation", "hibernation"};
  const auto states = at.on.text("/sys/power/state");
  const std::string disk = at.on.text("/sys/power/disk").value_or("[disabled]");
  if (!states && !at.on.has("/sys")) return not_looked(one, "/sys is not there");
  const bool can = states && states->find("disk") != std::string::npos && disk.find("[disabled]") == std::string::npos;
  if (!can) return said(one, verdict::good, "this machine cannot hibernate", "no image of RAM is written to a disk");
  return said(one, verdict::weak, "this machine can hibernate",
              "the image of RAM on the disk holds every locked secret; hidden=auto hides none, so that it can be written",
              "add nohibernate to GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and boot");
}

finding dumps(const view& at) {
  finding one{"core_dumps", "core dumps"};
  const auto pattern = at.on.text("/proc/sys/kernel/core_pattern");
  const auto limit = at.on.limit("Max core file size");
  const trial tried = at.of("dump");
  if (!pattern || !limit) return not_looked(one, "core_pattern or the limits cannot be read");
  const bool handed_over = pattern->starts_with('|') || pattern->starts_with('@');
  const std::string saw = "pattern '" + *pattern + "', limit " + size_or_unlimited(limit->soft);
  if (tried.tried && !tried.worked()) {
    return said(one, verdict::missing, saw + "; MADV_DONTDUMP: " + failure(tried),
                "a core dump holds every secret that is not hidden", allow_call(at, "madvise"));
  }
  if (!handed_over && limit->soft == 0) return said(one, verdict::good, saw, "no core is written");
  return said(one, verdict::weak, saw + (handed_over ? "; a handler gets a core whatever the limit is" : ""),
              "Lockfast's pages are left out of a core, the program's own copies of a secret are in it",
              handed_over ? sysctl("kernel.core_pattern=core") + ", and ulimit -c 0" : "ulimit -c 0");
}

finding peers(const view& at) {
  finding one{"ptrace_scope", "other processes"};
  const trial tried = at.of("peer");
  const auto scope = at.on.number("/proc/sys/kernel/yama/ptrace_scope");
  const std::string saw = scope ? "kernel.yama.ptrace_scope is " + std::to_string(*scope) : "the kernel has no Yama";
  const bool open = tried.worked() ? tried.value == 1 : scope.value_or(0) == 0;
  if (!tried.worked() && !scope && at.on.status("Name") == std::nullopt) return not_looked(one, "nothing was tried there");
  if (!open)
    return said(one, verdict::good, saw + "; a process of the same user could not read another's memory",
                "only root and a parent read a secret that is not hidden");
  return said(one, verdict::weak, saw + (tried.worked() ? "; a process of the same user read another's memory" : ""),
              "any process of this user reads secrets that are not hidden",
              scope ? sysctl("kernel.yama.ptrace_scope=1") : "boot with lsm=landlock,lockdown,yama,integrity,apparmor,bpf");
}

finding merging(const view& at) {
  finding one{"ksm", "page merging"};
  const trial tried = at.of("merge");
  const auto running = at.on.number("/sys/kernel/mm/ksm/run");
  if (!running && !at.on.has("/sys")) return not_looked(one, "/sys is not there");
  const std::string saw = running ? "KSM's run is " + std::to_string(*running) : "the kernel has no KSM";
  if (running.value_or(0) != 1) return said(one, verdict::good, saw, "no page of a secret is compared with others");
  if (tried.worked() && tried.value == 0) {
    return said(one, verdict::good, saw + ", but not for this process", "Lockfast's pages ask to be left out, and are");
  }
  return said(one, verdict::weak, saw + (tried.worked() ? ", and for all of this process" : ""),
              "equal pages are merged even if they are locked: their time of writing tells what they hold",
              "echo 2 >/sys/kernel/mm/ksm/run");
}

finding compaction(const view& at) {
  finding one{"compaction", "compaction"};
  const auto allowed = at.on.number("/proc/sys/vm/compact_unevictable_allowed");
  if (!allowed && !at.on.has("/proc/sys/vm")) return not_looked(one, "/proc/sys/vm is not there");
  const std::string saw =
      allowed ? "vm.compact_unevictable_allowed is " + std::to_string(*allowed) : "the kernel does not compact memory";
  if (allowed.value_or(0) == 0) return said(one, verdict::good, saw, "a locked page stays in its frame, which is wiped");
  const std::string means = "a locked page that is moved leaves a copy in its old frame, which no wipe reaches";
  if (at.of("hidden").worked()) return said(one, verdict::good, saw + "; hidden pages are not moved", means);
  return said(one, verdict::weak, saw, means, sysctl("vm.compact_unevictable_allowed=0"));
}

finding forks(const view& at) {
  finding one{"fork", "forks"};
  const trial tried = at.of("fork");
  if (!tried.tried) return not_looked(one, "MADV_WIPEONFORK was not tried there");
  if (tried.worked())
    return said(one, verdict::good, "a child finds zeros where it was asked for", "fork=wipe and fork=absent hold");
  return said(one, verdict::missing,
              tried.step == 3 ? "MADV_WIPEONFORK says yes, and a child has the page: an emulator"
                              : "MADV_WIPEONFORK: " + failure(tried),
              "a forked child has copies of secrets",
              tried.step == 3 ? "run on a real Linux kernel" : allow_call(at, "madvise"));
}

finding container(const view& at) {
  finding one{"container", "container"};
  const std::uint64_t most = at.on.memory_limit();
  const auto limit = at.on.limit("Max locked memory");
  if (!at.on.text("/proc/self/cgroup")) return not_looked(one, "/proc/self/cgroup cannot be read");
  const std::string place = at.on.where() == home::container ? "in a container"
                            : at.on.where() == home::unit    ? "in a systemd unit"
                                                             : "in no container";
  const std::string saw =
      place + "; memory limit " + size_or_unlimited(most) + (filtered(at) ? "; a filter of system calls" : "");
  constexpr std::uint64_t least = std::uint64_t{64} << 20;
  const std::uint64_t lockable = !limit || at.on.may_lock_without_limit().value_or(false) ? unlimited : limit->hard;
  if (most == unlimited || (most >= least && lockable != unlimited && lockable < most)) {
    return said(one, verdict::good, saw, "locked pages do not fill the memory");
  }
  return said(one, verdict::weak, saw,
              "locked and hidden pages count as memory and cannot be given back: at the limit a process is killed",
              at.on.where() == home::unit ? "MemoryMax=  above LimitMEMLOCK=  in the [Service] part of the unit"
                                          : "docker run --memory above --ulimit memlock");
}

}  // namespace

std::vector<finding> examine(const machine& on, const trial_results& results) {
  const view at{on, results};
  std::vector<finding> all;
  for (finding (*const look)(const view&) : {locks, lock_limit, hidden, guards, keys, seals, maps, overcommit, swap,
                                             hibernation, dumps, peers, merging, compaction, forks, container}) {
    all.push_back(look(at));
  }
  return all;
}

std::string name_of(verdict one) {
  switch (one) {
    case verdict::good: return "good";
    case verdict::weak: return "weak";
    case verdict::missing: return "missing";
    case verdict::unknown: break;
  }
  return "could not look";
}

}  // namespace lockfast::tools
