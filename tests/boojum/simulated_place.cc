// simulated_place.cc - a directory of the simulated host for each test of the contract.
#include "boojum/files_contract.h"

place_for_files::place_for_files() {
  static int count = 0;
  path_ = "/contract-" + std::to_string(++count);
}
place_for_files::~place_for_files() = default;
