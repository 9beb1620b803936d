// rights.h - the rights of root (capabilities(7)).
#ifndef TOOLS_RIGHTS_H
#define TOOLS_RIGHTS_H

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lockfast::tools {

// Gives up every right of this process, so that limits count and root is as anybody.
inline bool give_up_rights() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2] = {};
  return syscall(SYS_capset, &header, none) == 0;
}

}  // namespace lockfast::tools

#endif
