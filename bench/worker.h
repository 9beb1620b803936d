// worker.h - a child process that runs one subject's batches, one at a time, when it is asked to.
//
//    parent  --- request --->  worker: libsodium
//            <--- reply -----
//            --- request --->  worker: lockfast freed=trap
//            <--- reply -----
//
// A policy such as freed=trap belongs to a process, so subjects that differ in policy need processes of their own. The
// parent asks them in turn and only ever waits for one: they are interleaved, and never run against each other unless that
// is the question (team.h).
//
// Invariants
//   1. The child ends when its worker is destroyed, or when the parent dies.
//   2. A child that dies ends the program: a table is complete or it is not printed.
#ifndef LOCKFAST_BENCH_WORKER_H
#define LOCKFAST_BENCH_WORKER_H

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <type_traits>

namespace lockfast::bench {

template <class Request, class Reply>
class worker {
  static_assert(std::is_trivially_copyable_v<Request> && std::is_trivially_copyable_v<Reply>);

 public:
  using job = std::function<Reply(const Request&)>;

  // Starts the child, which calls prepare once and then answers each request with run(request).
  worker(const std::function<void()>& prepare, const job& run) {
    int ends[2];
    std::fflush(nullptr);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0 || (child_ = fork()) < 0) fail("a worker cannot be started");
    if (child_ == 0) {
      close(ends[0]);
      prepare();
      Request request;
      while (recv(ends[1], &request, sizeof request, 0) == ssize_t{sizeof request}) {
        const Reply reply = run(request);
        if (send(ends[1], &reply, sizeof reply, MSG_NOSIGNAL) != ssize_t{sizeof reply}) break;
      }
      _exit(0);
    }
    close(ends[1]);
    socket_ = ends[0];
  }

  ~worker() {
    shutdown(socket_, SHUT_RDWR);  // reaches the child even though later children have inherited this end
    close(socket_);
    waitpid(child_, nullptr, 0);
  }

  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;

  // Has the child run one request, and waits for it.
  [[nodiscard]] Reply ask(const Request& request) {
    begin(request);
    return finish();
  }

  // Has the child start with a request.
  void begin(const Request& request) {
    if (send(socket_, &request, sizeof request, MSG_NOSIGNAL) != ssize_t{sizeof request}) fail("a worker died");
  }

  // Waits for the request that was begun.
  [[nodiscard]] Reply finish() {
    Reply reply;
    if (recv(socket_, &reply, sizeof reply, 0) != ssize_t{sizeof reply}) fail("a worker died");
    return reply;
  }

 private:
  [[noreturn]] static void fail(const char* reason) {
    std::fprintf(stderr, "bench: %s\n", reason);
    std::_Exit(1);
  }

  pid_t child_ = -1;
  int socket_ = -1;
};

}  // namespace lockfast::bench

#endif
