// grants.cc - a table for each thread that asks, given on when the thread ends.
#include "allocator/compartment/grants.h"

#include "allocator/base/metadata.h"
#include "allocator/base/scoped_lock.h"
#include "platform/thread_local.h"

namespace lockfast::internal {
namespace {

struct table {
  grant grants[max_grants];
  table* next_unused;
};

constinit platform::mutex unused_mutex;
constinit table* unused_tables = nullptr;
LOCKFAST_OF_THREAD table* table_of_thread = nullptr;

}  // namespace

grant* known_grants() {
  table* const mine = platform::of_thread(table_of_thread);
  return mine == nullptr ? nullptr : mine->grants;
}

grant* grants_of_thread() {
  table*& mine = platform::of_thread(table_of_thread);
  if (mine == nullptr) {
    const scoped_lock held(unused_mutex);
    mine = unused_tables != nullptr ? unused_tables : metadata::take_array<table>(1);
    if (mine == nullptr) return nullptr;
    if (mine == unused_tables) unused_tables = mine->next_unused;
    platform::expect_thread_exit();
  }
  return mine->grants;
}

void give_up_grants() {
  table*& mine = platform::of_thread(table_of_thread);
  if (mine == nullptr) return;
  const scoped_lock held(unused_mutex);
  mine->next_unused = unused_tables;
  unused_tables = mine;
  mine = nullptr;
}

platform::mutex& grants_mutex() { return unused_mutex; }

}  // namespace lockfast::internal
