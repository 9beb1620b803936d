// files_contract.h - where the files of the contract's tests lie: each host has its own.
#ifndef LOCKFAST_TESTS_BOOJUM_FILES_CONTRACT_H
#define LOCKFAST_TESTS_BOOJUM_FILES_CONTRACT_H

#include <string>

class place_for_files {
 public:
  place_for_files();
  ~place_for_files();
  place_for_files(const place_for_files&) = delete;
  place_for_files& operator=(const place_for_files&) = delete;

  const char* path() const { return path_.c_str(); }

 private:
  std::string path_;
};

#endif
