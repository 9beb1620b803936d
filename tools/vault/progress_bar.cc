#include "tools/vault/progress_bar.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tools/terminal.h"

namespace lockfast::tools {
namespace {

using clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(1);
constexpr auto period = std::chrono::milliseconds(200);

constexpr std::uint64_t records_between_calls = 4096;  // of a watcher (docs/vault.md)

void put_line(std::string_view line) {
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
}

bool can_show() {
  const char* const kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

}  // namespace

progress_bar::progress_bar(const char* what) : what_(what) {
  if (!can_show()) return;
  width_ = terminal(STDERR_FILENO).width();
  // Signals are for the thread that works.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  shown_by_ = std::jthread([this](std::stop_token ended) { show(std::move(ended)); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

progress_bar::~progress_bar() = default;

vault::watcher progress_bar::watcher() {
  return [this](const vault::progress& now) {
    all_.store(now.all, std::memory_order_relaxed);
    done_.store(now.done, std::memory_order_relaxed);
    return true;
  };
}

void progress_bar::show(std::stop_token ended) {
  const auto begin = clock::now();
  std::unique_lock held(mutex_);
  bool is_shown = false;
  for (auto wait = clock::duration(patience); !changed_.wait_for(held, ended, wait, [&] { return ended.stop_requested(); });
       wait = period) {
    is_shown = true;
    put_line("\r" + line(std::chrono::duration<double>(clock::now() - begin).count()) + "\x1b[K");
  }
  if (is_shown) put_line("\r\x1b[K");
}

// "loading [#####.....]  52 %  524288 of 1000000 records", or "loading: stretching the passphrase, 2 s".
std::string progress_bar::line(double seconds) const {
  const std::uint64_t done = done_.load(std::memory_order_relaxed), all = all_.load(std::memory_order_relaxed);
  char text[128];
  if (done == 0 || all == 0) {
    std::snprintf(text, sizeof text, "%s: stretching the passphrase, %.0f s", what_, seconds);
    return std::string(text).substr(0, width_ - 1);
  }
  const std::uint64_t shown = std::min(done, all);
  // Names come after the records, and nobody is told of each.
  if (all - shown < records_between_calls) {
    std::snprintf(text, sizeof text, "%s: %llu records are done, now their names, %.0f s", what_,
                  static_cast<unsigned long long>(all), seconds);
    return std::string(text).substr(0, width_ - 1);
  }
  std::snprintf(text, sizeof text, " %3.0f %%  %llu of %llu records",
                100.0 * static_cast<double>(shown) / static_cast<double>(all), static_cast<unsigned long long>(shown),
                static_cast<unsigned long long>(all));
  std::string whole = what_;
  const std::size_t taken = whole.size() + std::string_view(text).size() + 4;
  if (width_ > taken + 5) {
    const std::size_t cells = std::min<std::size_t>(width_ - taken, 40);
    const auto full =
        static_cast<std::size_t>(static_cast<double>(cells) * static_cast<double>(shown) / static_cast<double>(all));
    whole += " [" + std::string(full, '#') + std::string(cells - full, '.') + "]";
  }
  return (whole + text).substr(0, width_ - 1);
}

}  // namespace lockfast::tools
