// with_room.h - calls again, after cached records were dropped, what was refused for want of locked memory.
#ifndef LOCKFAST_BOOJUM_VAULT_WITH_ROOM_H
#define LOCKFAST_BOOJUM_VAULT_WITH_ROOM_H

#include "boojum/vault/vault_state.h"

namespace lockfast::internal {

// What call() gives. Where it is refused, the records that were opened lately make room, and it is called once more.
template <class Call>
auto with_room(vault_state& state, Call&& call) {
  auto done = call();
  if (!done && done.error() == memory_error::denied && state.drop_all_hot()) done = call();
  return done;
}

}  // namespace lockfast::internal

#endif
