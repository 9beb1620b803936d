// child_windows.cc - processes for death tests where there is no fork: the program starts again, with the test case that is running
// now selected, and runs it up to the call of in_child that was meant.
//
//    parent:  test case ... in_child #0 ... in_child #1 ... in_child #2 --> starts the program again
//    child:   test case ... (ending #0) ... (ending #1) ... body #2, and leaves
//
// The child is given the endings of the calls before, so that it takes the same way through the test case.
#include <windows.h>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "child.h"

namespace {

constexpr DWORD milliseconds_to_live = 120'000;
constexpr int max_attempts = 5;
constexpr DWORD milliseconds_between_attempts = 500;
constexpr int signal_of_alarm = 14;
constexpr int signal_of_trap = 5;
constexpr const char* scenario_flag = "--scenario";
constexpr const char* child_variable = "LOCKFAST_TEST_CHILD";
// What leaves by leave() adds this to its status: abort() leaves with 3 itself.
constexpr unsigned left_on_purpose = 0x10000;

scenario* first_scenario = nullptr;

// The endings of this test case's children so far.
struct {
  const doctest::TestCaseData* of = nullptr;
  std::vector<ending> ends;
} record;

// In a child: which call is meant, and what those before it ended with.
struct {
  bool active = false;
  std::size_t meant = 0;
  std::size_t seen = 0;
  std::vector<ending> earlier;
} replay;

// As _exit does on POSIX: no destructor, of a library neither.
[[noreturn]] void end(unsigned status) {
  TerminateProcess(GetCurrentProcess(), left_on_purpose + status);
  std::abort();
}

[[noreturn]] void leave(unsigned status, const char* kind, const char* what) {
  say((std::string(kind) + ": " + what + "\n").c_str());
  end(status);
}

// The signal that a system with signals would have sent.
void judge(DWORD code, ending& of) {
  switch (code) {
    case EXCEPTION_ACCESS_VIOLATION:
    case EXCEPTION_STACK_OVERFLOW:
    case EXCEPTION_IN_PAGE_ERROR: of.signal = SIGSEGV; break;
    case EXCEPTION_ILLEGAL_INSTRUCTION:
    case EXCEPTION_PRIV_INSTRUCTION: of.signal = SIGILL; break;
    case EXCEPTION_INT_DIVIDE_BY_ZERO:
    case EXCEPTION_FLT_DIVIDE_BY_ZERO: of.signal = SIGFPE; break;
    case EXCEPTION_BREAKPOINT: of.signal = signal_of_trap; break;
    case STATUS_STACK_BUFFER_OVERRUN:    // a fast fail
    case 3: of.signal = SIGABRT; break;  // abort()
    default:
      of.status = static_cast<int>(code >= left_on_purpose && code < left_on_purpose + 256 ? code - left_on_purpose : code);
  }
}

std::string path_of_program() {
  char path[MAX_PATH] = {};
  (void)GetModuleFileNameA(nullptr, path, sizeof path);
  return path;
}

void write_record(const std::string& path) {
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  REQUIRE(file != nullptr);
  for (const ending& one : record.ends) {
    std::fprintf(file, "%d %d %zu\n", one.signal, one.status, one.text.size());
    std::fwrite(one.text.data(), 1, one.text.size(), file);
  }
  std::fclose(file);
}

void read_record(const char* path) {
  std::FILE* const file = std::fopen(path, "rb");
  if (file == nullptr) leave(3, "set-up fails", "the record of the endings before");
  ending one;
  std::size_t length = 0;
  while (std::fscanf(file, "%d %d %zu", &one.signal, &one.status, &length) == 3) {
    (void)std::fgetc(file);
    one.text.resize(length);
    if (std::fread(one.text.data(), 1, length, file) != length) break;
    replay.earlier.push_back(one);
  }
  std::fclose(file);
}

// Starts this program with arguments, and waits for its end.
ending run(const std::string& arguments) {
  SECURITY_ATTRIBUTES inherited = {sizeof inherited, nullptr, TRUE};
  HANDLE from = nullptr;
  HANDLE to = nullptr;
  if (CreatePipe(&from, &to, nullptr, 0) == 0) return {.status = 3, .text = "no pipe"};
  (void)SetHandleInformation(to, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
  const HANDLE nowhere = CreateFileA("NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                                     OPEN_EXISTING, 0, nullptr);
  STARTUPINFOA start = {};
  start.cb = sizeof start;
  start.dwFlags = STARTF_USESTDHANDLES;
  start.hStdInput = nowhere;
  start.hStdOutput = nowhere;
  start.hStdError = to;
  PROCESS_INFORMATION made = {};
  const std::string program = path_of_program();
  const std::string line = "\"" + program + "\" " + arguments;
  std::fflush(nullptr);
  // On a busy machine Wine may have no time to start one: nothing has run then.
  bool started = false;
  DWORD refusal = 0;
  for (int attempt = 0; !started && attempt < max_attempts; ++attempt) {
    if (attempt != 0) Sleep(milliseconds_between_attempts);
    std::string words = line;
    started = CreateProcessA(program.c_str(), words.data(), nullptr, nullptr, TRUE, 0, nullptr, nullptr, &start, &made) != 0;
    refusal = GetLastError();
  }
  CloseHandle(to);
  CloseHandle(nowhere);
  ending of;
  if (!started) {
    CloseHandle(from);
    return {.status = 3, .text = "no process: error " + std::to_string(refusal)};
  }
  // A child that hangs is ended by a thread that waits for it, while this one reads.
  const HANDLE watch = CreateThread(
      nullptr, 0,
      [](void* process) -> DWORD {
        if (WaitForSingleObject(process, milliseconds_to_live) == WAIT_TIMEOUT) TerminateProcess(process, WAIT_TIMEOUT);
        return 0;
      },
      made.hProcess, 0, nullptr);
  char part[512];
  DWORD count = 0;
  while (ReadFile(from, part, sizeof part, &count, nullptr) != 0 && count != 0) of.text.append(part, count);
  CloseHandle(from);
  (void)WaitForSingleObject(watch, INFINITE);
  CloseHandle(watch);
  (void)WaitForSingleObject(made.hProcess, INFINITE);
  DWORD code = 0;
  (void)GetExitCodeProcess(made.hProcess, &code);
  CloseHandle(made.hProcess);
  CloseHandle(made.hThread);
  if (code == WAIT_TIMEOUT) {
    of.signal = signal_of_alarm;
  } else {
    judge(code, of);
  }
  return of;
}

// Runs what start() starts, unless this is a child that is told what it ended with.
template <class Start>
ending recorded(Start start) {
  const doctest::TestCaseData* const now = doctest::getContextOptions()->currentTest;
  if (record.of != now) record = {now, {}};
  record.ends.push_back(start());
  return record.ends.back();
}

// A pattern that matches a text: doctest takes commas and quotes for its own, and a question mark for any character.
std::string pattern_of(std::string text) {
  for (char& one : text) {
    if (one == ',' || one == '"' || one == '\\') one = '?';
  }
  return text;
}

ending start_meant() {
  char folder[MAX_PATH] = {};
  char path[MAX_PATH] = {};
  if (GetTempPathA(sizeof folder, folder) == 0 || GetTempFileNameA(folder, "lfc", 0, path) == 0) {
    return {.status = 3, .text = "no file for the record"};
  }
  write_record(path);
  const std::string told = std::to_string(record.ends.size()) + " " + path;
  (void)SetEnvironmentVariableA(child_variable, told.c_str());
  const doctest::TestCaseData* const now = record.of;
  const std::string file = now->m_file.c_str();
  const ending of = run("--test-case=\"" + pattern_of(now->m_name) + "\" --source-file=\"*" +
                        pattern_of(file.substr(file.find_last_of("/\\") + 1)) + "\"");
  (void)SetEnvironmentVariableA(child_variable, nullptr);
  (void)DeleteFileA(path);
  return of;
}

// In a child, as soon as it starts.
const bool child_is_ready = [] {
  (void)SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
  const char* const told = std::getenv(child_variable);
  if (told == nullptr) return true;
  char* rest = nullptr;
  replay.active = true;
  replay.meant = std::strtoul(told, &rest, 10);
  read_record(rest + 1);
  // Not handed on, should the body start a process.
  (void)_putenv("LOCKFAST_TEST_CHILD=");
  (void)std::atexit([] { leave(3, "set-up fails", "the test case ended before the call that was meant"); });
  return true;
}();

}  // namespace

bool ending::trapped() const { return signal == SIGSEGV; }

bool ending::died() const { return trapped() || signal == SIGABRT || signal == SIGILL || signal == signal_of_trap; }

ending in_child(const std::function<void()>& body) {
  if (!replay.active) return recorded(start_meant);
  const std::size_t call = replay.seen++;
  if (call < replay.meant && call < replay.earlier.size()) return replay.earlier[call];
  if (call != replay.meant) leave(3, "set-up fails", "a child of a child");
  body();
  end(0);
}

void prove(bool set_up, const char* what) {
  if (!set_up) leave(3, "set-up fails", what);
}

void promised(bool holds, const char* what) {
  if (!holds) leave(1, "promise broken", what);
}

void leave_with(int status) { end(static_cast<unsigned>(status)); }

void say(const char* text) {
  DWORD written = 0;
  (void)WriteFile(GetStdHandle(STD_ERROR_HANDLE), text, static_cast<DWORD>(std::strlen(text)), &written, nullptr);
}

void skip(const char* why) { leave(77, "skipped", why); }

bool set_variable(const char* name, const char* value) { return _putenv_s(name, value) == 0; }

std::vector<int> fatal_signals() { return {SIGSEGV, SIGILL, SIGFPE, SIGABRT}; }

void cause(int number) {
  static volatile char* volatile nowhere = reinterpret_cast<char*>(1);
  if (number == SIGABRT) std::abort();
  if (number == SIGILL) __asm__ volatile("ud2");
  if (number == SIGFPE) RaiseException(static_cast<DWORD>(EXCEPTION_INT_DIVIDE_BY_ZERO), 0, 0, nullptr);
  *nowhere = 1;
}

scenario::scenario(const char* name, void (*body)()) : name_(name), body_(body), next_(first_scenario) {
  first_scenario = this;
}

ending scenario::run() const {
  const auto start = [this] { return ::run(std::string(scenario_flag) + " \"" + name_ + "\""); };
  if (!replay.active) return recorded(start);
  const std::size_t call = replay.seen++;
  return call < replay.earlier.size() ? replay.earlier[call] : start();
}

void scenario::dispatch(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], scenario_flag) != 0) return;
  for (const scenario* each = first_scenario; each != nullptr; each = each->next_) {
    if (std::strcmp(argv[2], each->name_) != 0) continue;
    each->body_();
    end(0);
  }
  prove(false, "a scenario of this name");
}
