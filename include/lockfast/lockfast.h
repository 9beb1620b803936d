/* lockfast.h - memory for secrets: in RAM, out of dumps, between guard pages, behind canaries.
 *
 *    isolated    | guard page | 0 ... 0 | canary | secret | guard page |
 *    grouped     | guard page | canary secret canary | canary secret canary | ... | guard page |
 *
 * An isolated secret owns its pages: its last byte is the last byte of a page, so the first byte past it traps, and its
 * access is its own. Grouped secrets share locked pages with others of their size, between canaries that are verified when
 * they are freed or checked; opening one of them would open its neighbours, so they are open always, or in a compartment.
 *
 * Results: an int is 0, or -1 with errno; a pointer is NULL with errno when it is refused. A refusal leaves nothing behind.
 * A misuse that no caller can recover from (a broken canary, a pointer freed twice, a pointer that is not ours) prints one
 * line on standard error and ends the process; docs/diagnostics.md lists every such line.
 *
 * Threads: every function is safe from any number of threads; a secret may be freed by a thread that did not allocate it.
 * errno is left alone by every call that succeeds.
 */
#ifndef LOCKFAST_LOCKFAST_H
#define LOCKFAST_LOCKFAST_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && defined(LOCKFAST_SHARED)
#define LOCKFAST_API __declspec(dllimport)
#elif defined(_WIN32)
#define LOCKFAST_API
#else
#define LOCKFAST_API __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define LOCKFAST_NODISCARD __attribute__((warn_unused_result))
#else
#define LOCKFAST_NODISCARD
#endif

#if defined(__GNUC__)
#define LOCKFAST_NORETURN __attribute__((noreturn))
#else
#define LOCKFAST_NORETURN
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* A number of the version of the headers; before 1.0 the libraries are compatible within one minor version. */
#define LOCKFAST_VERSION_MAJOR 0
#define LOCKFAST_VERSION_MINOR 1
#define LOCKFAST_VERSION_PATCH 0
/* The same as text: "major.minor.patch". */
#define LOCKFAST_VERSION "0.1.0"

/* ---- Allocate and free secrets --------------------------------------------------------------------------------------- */

/* Allocates a secret of size bytes, each 0, in whichever placement suits its size: grouped up to 16 KiB, at a multiple of
 * 16, and isolated above. Any size, 0 included, gives a pointer of its own. Refusals: ENOMEM - no memory, no address space,
 * no map left (vm.max_map_count), a size of more than 2^40 bytes (2^29 where pointers have 32 bits), or no lock budget left
 * (RLIMIT_MEMLOCK) where the policy requires the lock; the system's errno where it gives the process no random bytes to start
 * with: a later call tries again. */
LOCKFAST_API LOCKFAST_NODISCARD void *lockfast_malloc(size_t size);

/* Does what lockfast_malloc does, in pages of its own. The pointer's alignment is the largest power of two that divides size,
 * up to a page. Refusals: ENOMEM - as for lockfast_malloc. */
LOCKFAST_API LOCKFAST_NODISCARD void *lockfast_malloc_isolated(size_t size);

/* Allocates count * size bytes, each 0. Refusals: ENOMEM - as for lockfast_malloc, and a product that overflows. */
LOCKFAST_API LOCKFAST_NODISCARD void *lockfast_calloc(size_t count, size_t size);

/* Allocates size bytes, each 0, at a multiple of alignment: a power of two of at most 2^30 bytes. Grouped up to 1 KiB of
 * alignment and about 16 KiB in all. If size is no multiple of alignment, the fewer than alignment bytes between an isolated
 * secret and its guard page are canary, verified like the one in front. Refusals: EINVAL - alignment is no power of two;
 * ENOMEM - as for lockfast_malloc, and an alignment of more than 2^30. */
LOCKFAST_API LOCKFAST_NODISCARD void *lockfast_aligned_alloc(size_t alignment, size_t size);

/* Moves a secret to a new size and wipes it where it was; bytes beyond the old size are 0. Keeps its placement, its
 * alignment as far as lockfast_malloc or lockfast_malloc_isolated would give it, and its access. secret may be NULL.
 * Refusals: ENOMEM - as for lockfast_malloc. A refusal leaves the secret as it was. */
LOCKFAST_API LOCKFAST_NODISCARD void *lockfast_realloc(void *secret, size_t size);

/* Verifies a secret's canaries, wipes it and gives it back, whatever its access. Does nothing if secret is NULL. Any other
 * pointer that is not a live secret's own, and a broken canary, ends the process. */
LOCKFAST_API void lockfast_free(void *secret);

/* Returns the size that was asked for, in bytes; 0 if secret is NULL or does not point to a live secret. */
LOCKFAST_API size_t lockfast_size(const void *secret);

/* ---- Change access, and verify --------------------------------------------------------------------------------------- */

/* Who can touch a secret. */
enum lockfast_access {
  LOCKFAST_NOACCESS, /* nobody: a touch traps */
  LOCKFAST_READONLY, /* readers */
  LOCKFAST_READWRITE /* readers and writers */
};

/* Sets who can touch an isolated secret: nobody, readers, all. Verifies its canary on the way; a broken one ends the
 * process. On a secret of a compartment it is lockfast_compartment_protect. Refusals: EINVAL - no such access; ENOTSUP - a
 * grouped secret of no compartment; ENOMEM - a secret that a fork left absent; otherwise the system's errno. A refusal leaves
 * the access as it was. */
LOCKFAST_API int lockfast_protect(void *secret, enum lockfast_access access);

/* Verifies one secret's canaries now, and the zeros in front of an isolated one. A secret without access is opened for reading
 * for the length of the call. Refusals: EFAULT - they are damaged; EINVAL - secret does not point to a live secret; otherwise the
 * system's errno, if it does not open the secret. */
LOCKFAST_API int lockfast_check(const void *secret);

/* Verifies every live secret as lockfast_check does; returns how many are damaged. */
LOCKFAST_API size_t lockfast_audit(void);

/* Gives the pages that no live secret uses back to the system, unlocked; returns how many bytes they had. */
LOCKFAST_API size_t lockfast_trim(void);

/* ---- Compartments ---------------------------------------------------------------------------------------------------- */

/* A set of grouped secrets that are opened and closed together. Where the processor has protection keys (x86-64 with PKU; at
 * most 15 compartments), its access is each thread's own and changes without a system call: a thread that did not open it,
 * and was not started by one that had it open, is denied. Elsewhere the pages are as open as the widest access that any
 * thread holds; a thread gives up what it holds by closing the compartment, or by ending. A key is never given back to the
 * system, but it serves the next compartment after its own is destroyed: whoever still has that one open has the next one
 * open too. */
struct lockfast_compartment;

/* Makes a compartment, open for this thread to read and write. Refusals: ENOMEM - no memory, or this thread holds 64
 * compartments open and the processor has no protection keys. A handle whose compartment was destroyed ends the process,
 * wherever it is given. */
LOCKFAST_API LOCKFAST_NODISCARD struct lockfast_compartment *lockfast_compartment_create(void);

/* Verifies, wipes and frees all its secrets, and ends it. Does nothing if compartment is NULL. */
LOCKFAST_API void lockfast_compartment_destroy(struct lockfast_compartment *compartment);

/* Allocates a secret of size bytes, each 0, whatever the access is; lockfast_free, _realloc, _size, _check and _describe
 * work on it, whatever the access is. Refusals: EINVAL - NULL; ENOMEM - as for lockfast_malloc, and a size of more than
 * 2^30. */
LOCKFAST_API LOCKFAST_NODISCARD void *lockfast_compartment_malloc(struct lockfast_compartment *compartment, size_t size);

/* Sets what this thread can do with the secrets of the compartment; lockfast_protect on one of them does the same. Refusals:
 * EINVAL - NULL, or no such access; EAGAIN - this thread holds 64 compartments open and the processor has no protection
 * keys; ENOMEM - the system's limit on maps. A refusal leaves the access as it was. */
LOCKFAST_API int lockfast_compartment_protect(struct lockfast_compartment *compartment, enum lockfast_access access);

/* ---- Lock and wipe the caller's own memory --------------------------------------------------------------------------- */

/* Claims length bytes at address, aligned or not: a page is locked in RAM, and kept out of core dumps, while any byte of it
 * is claimed. Claims are a set: claiming twice changes nothing. What the program locked itself before the first claim stays
 * locked after the last one, and stays out of core dumps if the program asked for that as well. A refusal changes nothing.
 * Refusals: ENOMEM - over RLIMIT_MEMLOCK, not mapped, or past the end of the address space; EPERM - a limit of 0;
 * ENOTSUP - memory that the system does not hold in RAM although it accepts a lock of it (on Linux MAP_DROPPABLE, hugetlb and
 * maps of devices); otherwise the system's errno. */
LOCKFAST_API int lockfast_mlock(void *address, size_t length);

/* Wipes length bytes at address, claimed or not, and gives up the claim on them; a page whose last claimed byte this was is
 * unlocked. Refusals: ENOMEM - past the end of the address space, and nothing is changed, or no memory for the record, and the
 * bytes are wiped and stay claimed; otherwise the system's errno for a page that it does not unlock, and the bytes are wiped and
 * given up all the same. */
LOCKFAST_API int lockfast_munlock(void *address, size_t length);

/* Writes length zero bytes at address, which no compiler removes. */
LOCKFAST_API void lockfast_wipe(void *address, size_t length);

/* Returns 1 if length bytes are equal, otherwise 0, in a time that depends on length alone. */
LOCKFAST_API LOCKFAST_NODISCARD int lockfast_equal(const void *a, const void *b, size_t length);

/* Fills length bytes with the system's generator. Never refuses once the system has booted; where a filter of system calls forbids
 * getrandom(2) and /dev/urandom alike, ends the process. */
LOCKFAST_API void lockfast_random(void *address, size_t length);

/* The same for a program that goes on without: returns 0, or -1 with the system's errno, and then the memory is zero. */
LOCKFAST_API LOCKFAST_NODISCARD int lockfast_try_random(void *address, size_t length);

/* ---- Receipts and statistics ----------------------------------------------------------------------------------------- */

/* How a secret is placed. */
enum lockfast_placement {
  LOCKFAST_ISOLATED, /* pages of its own */
  LOCKFAST_GROUPED   /* a slot beside others of its size */
};

/* What a secret's pages are. */
enum lockfast_backing {
  LOCKFAST_HIDDEN,  /* out of the kernel's own map, and so held in RAM (memfd_secret) */
  LOCKFAST_LOCKED,  /* held in RAM (mlock) */
  LOCKFAST_UNLOCKED /* neither */
};

/* Where a secret is. */
enum lockfast_rest {
  LOCKFAST_OPEN,   /* in pages that can be touched */
  LOCKFAST_CLOSED, /* in pages that cannot be touched */
  LOCKFAST_SEALED  /* in no page: encrypted in a record in ordinary memory */
};

/* What a secret's memory really got. For each protection: 0 if in force, otherwise the errno that explains why it is not. */
struct lockfast_receipt {
  size_t size; /* bytes asked for */
  enum lockfast_placement placement; /* isolated, or grouped */
  enum lockfast_backing backing;     /* what its pages are */
  enum lockfast_access access;       /* as it is now */
  int lock_error; /* held in RAM (mlock, memfd_secret), as the system says now; ECANCELED: something else took the lock off */
  int dump_error; /* left out of core dumps (MADV_DONTDUMP, memfd_secret) */
  int hide_error; /* out of the kernel's own map (memfd_secret); ECANCELED where the policy did not ask for it */
  int fork_error; /* the fork policy (MADV_DONTFORK, MADV_WIPEONFORK) */
  int access_error; /* access is in force; EBUSY: a grouped block of the drop-in shares a page with one that is more open */
  int rest_error; /* can be sealed at rest; ECANCELED where the policy did not ask for it, ENOTSUP for a grouped secret */
  enum lockfast_rest rest; /* where it is now */
};

/* Fills the receipt of a secret. Refusals: EINVAL - secret does not point to a live secret, or receipt is NULL. */
LOCKFAST_API int lockfast_describe(const void *secret, struct lockfast_receipt *receipt);

/* Counts of the whole process, and the limits that the system sets. */
struct lockfast_statistics {
  size_t live;           /* secrets; live == live_isolated + live_grouped */
  size_t live_isolated;  /* secrets in pages of their own */
  size_t live_grouped;   /* secrets in slots */
  size_t live_hidden;    /* secrets in hidden pages */
  size_t live_unlocked;  /* secrets in pages that are not held in RAM */
  size_t bytes_live;     /* the sum of the sizes asked for */
  size_t bytes_locked;   /* in the pools: what counts as locked, with the pages of freed secrets and markers */
  size_t bytes_reserved; /* address space, guard pages included */
  size_t lock_limit;     /* bytes that may be locked; SIZE_MAX = unlimited */
  size_t maps_used;      /* maps of the process */
  size_t map_limit;      /* maps that it may have; SIZE_MAX = unlimited */
  size_t live_sealed;    /* secrets that are sealed now */
  size_t bytes_sealed;   /* the sum of their sizes */
  uint64_t allocations;  /* since the start of the process; allocations - frees == live */
  uint64_t frees;        /* since the start of the process */
  uint64_t refusals;     /* since the start of the process */
  size_t bytes_idle;     /* in pages that no secret has and that are kept, locked or hidden, for the next isolated secrets */
};

/* Fills out with the counts of this moment. Other threads' calls may be in some of them only. */
LOCKFAST_API void lockfast_get_statistics(struct lockfast_statistics *out);

/* Writes a report to the descriptor fd, as lines of JSON (docs/report.md): the machine, the policy, what was allocated, and which
 * protections are not in force; and, where the options ask for it, the map of the pools. Never a byte of a secret.
 * Async-signal-safe: it takes no mutex, so other threads' calls may show in some figures only. A refusal may leave a part of the
 * report written. Refusals: the errno of write(2). */
LOCKFAST_API int lockfast_report(int fd);

/* Writes a line of text, without a newline, that says what the errno of a refusal means in this process now, and what to do. At
 * most size bytes are written, the terminating 0 included; a longer text is cut. text may be NULL if size is 0. Returns the length
 * of the whole text without the 0. The text has figures of this moment, so call this at once after the refusal. Allocates no
 * memory. */
LOCKFAST_API size_t lockfast_explain(int error, char *text, size_t size);

/* ---- Options --------------------------------------------------------------------------------------------------------- */

/* In each of these 0 means: what LOCKFAST_OPTIONS says, otherwise the default. Defaults are named native / drop-in, where the
 * drop-in is liblockfast-sodium. */

/* What happens if the system grants no lock: required / preferred. */
enum lockfast_lock {
  LOCKFAST_LOCK_DEFAULT,
  LOCKFAST_LOCK_REQUIRED, /* the allocation is refused */
  LOCKFAST_LOCK_PREFERRED /* it is served unlocked, as its receipt says */
};

/* Whether pages are hidden from the kernel's own map (memfd_secret): auto. */
enum lockfast_hidden {
  LOCKFAST_HIDDEN_DEFAULT,
  LOCKFAST_HIDDEN_AUTO, /* where the kernel can, unless the machine can hibernate */
  LOCKFAST_HIDDEN_ON,   /* where the kernel can */
  LOCKFAST_HIDDEN_OFF   /* never: they are locked */
};

/* What the child of a fork() has of the secrets. After vfork() or a bare clone() a child must not touch secrets or call the
 * allocator before exec. */
enum lockfast_fork {
  LOCKFAST_FORK_DEFAULT,
  LOCKFAST_FORK_INHERIT, /* a child's copy is private and locked again: the drop-in's default */
  LOCKFAST_FORK_WIPE,    /* a child sees zeros */
  LOCKFAST_FORK_ABSENT   /* a child that touches it traps: the native default */
};

/* What a freed isolated secret's pages are until they are used again. */
enum lockfast_freed {
  LOCKFAST_FREED_DEFAULT,
  LOCKFAST_FREED_TRAP,   /* inaccessible: the default */
  LOCKFAST_FREED_RECYCLE /* they are wiped, and checked for writes when they are used again; no system call when locked */
};

/* Which placement an allocation function chooses. */
enum lockfast_drop_in_placement {
  LOCKFAST_PLACEMENT_DEFAULT,
  LOCKFAST_PLACEMENT_ISOLATED, /* pages of its own for each secret: the drop-in's default */
  LOCKFAST_PLACEMENT_GROUPED   /* slots, up to 16 KiB: the native default */
};

/* What a fatal signal and a normal exit do. */
enum lockfast_crash {
  LOCKFAST_CRASH_DEFAULT,
  LOCKFAST_CRASH_NONE, /* the default */
  LOCKFAST_CRASH_WIPE  /* fatal signals wipe every pool, then take their course; if a handler of the program lets it go on, what
                          was wiped is absent: a touch traps */
};

/* Whether the drop-in says that a secret is not protected as asked. */
enum lockfast_notice {
  LOCKFAST_NOTICE_DEFAULT,
  LOCKFAST_NOTICE_NONE,  /* the default: the receipt alone says it */
  LOCKFAST_NOTICE_STDERR /* the first secret of sodium_malloc that is not protected as asked is told of in a line on standard
                            error, once for each protection */
};

/* How long a freed place rests. */
enum lockfast_quarantine {
  LOCKFAST_QUARANTINE_DEFAULT,
  LOCKFAST_QUARANTINE_YIELD, /* the default: at a shortage a freed place may be used again at once */
  LOCKFAST_QUARANTINE_HOLD   /* a freed place rests until others were freed after it, or until lockfast_trim; a request that
                                would need it is refused */
};

/* Whether the environment variable counts. */
enum lockfast_environment {
  LOCKFAST_ENVIRONMENT_DEFAULT,
  LOCKFAST_ENVIRONMENT_READ,   /* the default: LOCKFAST_OPTIONS sets what the program leaves open */
  LOCKFAST_ENVIRONMENT_IGNORED /* LOCKFAST_OPTIONS is not read */
};

/* When a closed isolated secret is sealed: encrypted in ordinary memory, without pages. */
enum lockfast_rest_policy {
  LOCKFAST_REST_DEFAULT,
  LOCKFAST_REST_AUTO, /* a closed isolated secret is sealed when locks, hidden pages or maps run short: the default */
  LOCKFAST_REST_SEAL, /* it is sealed whenever it is closed */
  LOCKFAST_REST_KEEP  /* it keeps its pages */
};

/* How many pages are kept, locked or hidden, for the next isolated secrets. */
enum lockfast_idle {
  LOCKFAST_IDLE_DEFAULT,
  LOCKFAST_IDLE_AUTO, /* those of many freed secrets are kept, and some are opened ahead of the secrets that need them: the default */
  LOCKFAST_IDLE_FEW   /* those of a few freed secrets of each size are kept; none are opened ahead */
};

/* Whether reports have a map of the pools. */
enum lockfast_report_map {
  LOCKFAST_REPORT_MAP_DEFAULT,
  LOCKFAST_REPORT_MAP_OFF, /* the default */
  LOCKFAST_REPORT_MAP_ON   /* reports have the regions, and the state of each place in them */
};

/* Whether reports have addresses. */
enum lockfast_report_addresses {
  LOCKFAST_REPORT_ADDRESSES_DEFAULT,
  LOCKFAST_REPORT_ADDRESSES_OFF, /* the default */
  LOCKFAST_REPORT_ADDRESSES_ON   /* and where they are */
};

/* The policy; a field that is 0 is left open. lockfast_options(7) has each key and what it means. */
struct lockfast_options {
  enum lockfast_lock lock;                          /* what happens without a lock; required / preferred */
  enum lockfast_hidden hidden;                      /* whether pages are hidden; auto */
  enum lockfast_fork fork;                          /* what a child has; absent / inherit */
  enum lockfast_freed freed;                        /* what freed pages are; trap */
  enum lockfast_drop_in_placement placement;        /* of sodium_malloc; isolated */
  enum lockfast_crash crash;                        /* what a fatal signal and an exit do; none */
  enum lockfast_drop_in_placement native_placement; /* of lockfast_malloc, _calloc, _aligned_alloc; grouped */
  enum lockfast_notice notice;                      /* of sodium_malloc and sodium_mprotect_*; none */
  enum lockfast_quarantine quarantine;              /* how long a freed place rests; yield */
  enum lockfast_environment environment;            /* set by the program alone: LOCKFAST_OPTIONS has no such key */
  enum lockfast_rest_policy rest;                   /* when closed secrets are sealed; auto */
  enum lockfast_report_map report_map;              /* whether reports have a map; off */
  enum lockfast_report_addresses report_addresses;  /* whether reports have addresses; off */
  /* Where a report is written when the process exits and at a breach: "none", "stderr", the number of a descriptor, or the path of
   * a file to append to; of fewer than 1024 bytes. NULL: what LOCKFAST_OPTIONS says, otherwise no report. The string is copied. */
  const char *report;
  enum lockfast_idle idle; /* how many pages are kept for the next isolated secrets; auto */
  int reserved[7];         /* must be 0 */
};

/* Sets the policy, before the first use. What it leaves at 0 comes from the environment variable LOCKFAST_OPTIONS
 * ("lock=preferred,freed=recycle"; not read in set-uid programs), otherwise from the defaults. Refusals: EBUSY - an
 * allocation has been asked for already; EINVAL - a value outside its enum, a report of 1024 bytes or more, or a reserved field
 * that is not 0. */
LOCKFAST_API int lockfast_configure(const struct lockfast_options *options);

/* ---- Wipe every secret ----------------------------------------------------------------------------------------------- */

/* Wipes every secret of every pool, whatever its access; the secrets stay allocated. Async-signal-safe. */
LOCKFAST_API void lockfast_wipe_all(void);

/* ---- Report a misuse ------------------------------------------------------------------------------------------------- */

/* What a type that opens and closes secrets finds its caller doing wrong. */
enum lockfast_breach_reason {
  LOCKFAST_ACCESS_CONFLICT, /* a writer beside readers or beside another writer */
  LOCKFAST_STILL_OPEN,      /* a secret destroyed while somebody reads or writes it */
  LOCKFAST_EMPTY_HANDLE,    /* a secret used that was moved away */
  LOCKFAST_ACCESS_REFUSED   /* lockfast_protect refused, after access was promised */
};

/* Writes the line of a misuse on standard error and ends the process: SIGABRT. */
LOCKFAST_API LOCKFAST_NORETURN void lockfast_breach(enum lockfast_breach_reason misuse);

#ifdef __cplusplus
}
#endif

#endif
